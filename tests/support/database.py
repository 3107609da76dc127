"""Databases of tests: their DSNs, statements on a connection of their own, and recording all statements."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from tests.support.client import Statements

# The moment for which the database of `seeded_dsn` was seeded.
NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


def database_dsn(dsn: str, name: str) -> str:
    """`dsn` with another database."""
    return urlsplit(dsn)._replace(path=f"/{name}").geturl()


def run(dsn: str, *statements: str) -> None:
    """Execute statements on a new connection."""

    async def execute() -> None:
        connection = await asyncpg.connect(dsn)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(execute())


def drop(server_dsn: str, dsn: str) -> None:
    """Drop a database, and disconnect its clients."""
    run(server_dsn, f"DROP DATABASE {urlsplit(dsn).path.removeprefix('/')} WITH (FORCE)")


@contextmanager
def recording(statements: Statements) -> Iterator[None]:
    """Record all statements that asyncpg's query loggers report."""
    make = asyncpg.connection.Connection.__init__

    def make_and_listen(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.add_query_logger(lambda record: statements.add(record.query))

    asyncpg.connection.Connection.__init__ = make_and_listen
    try:
        yield
    finally:
        asyncpg.connection.Connection.__init__ = make
