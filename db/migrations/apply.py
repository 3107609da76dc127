"""Migrates a database to the newest revision of this version. `db.migrations.revision` lists the revisions.

The revisions are Alembic's, in `db/migrations/versions`. They are found through the package, so the working directory
does not matter. One process at a time migrates a database.

Functions that take a DSN run an event loop of their own: from async code, call them through `asyncio.to_thread`. They
raise OSError or asyncpg.PostgresError if the database cannot be reached, asyncpg.InterfaceError if the DSN is invalid,
and OperatorError if the database is too new.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import asyncpg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, Connection, NullPool, bindparam, func, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from db.migrations.revision import STATE, missing, read_stored, too_new
from db.migrations.revision import comment as revision_comment
from db.tables import Table

# What `alembic revision --autogenerate` and `drift` compare besides names.
COMPARISON: dict[str, Any] = {"compare_type": True, "compare_server_default": True}

# The advisory lock that a migration holds.
LOCK = int.from_bytes(b"inbox")

# Alembic keeps the running command in module globals, so one thread at a time may use it.
_ALEMBIC = threading.Lock()

_T = TypeVar("_T")


def migrate(dsn: str) -> list[str]:
    """Apply the pending revisions; return them, oldest first. Safe to run twice, and on two machines at once."""
    return connected(dsn, _upgrade)


def downgrade(dsn: str, revision: str) -> None:
    """Go back to `revision`; `base` is the empty database. The data of the revisions that are undone are lost.

    Raises alembic.util.CommandError if there is no such revision.
    """

    def back(connection: Connection) -> None:
        _lock(connection)
        current, _ = _stored(connection)
        if current not in {None, *_revisions()}:
            raise too_new(current)
        _execute(command.downgrade, connection, revision)

    connected(dsn, back)


def pending(dsn: str) -> list[str]:
    """The revisions that are not applied, oldest first. Empty if this version can serve the database."""
    return connected(dsn, _pending)


def drift(dsn: str) -> list[Any]:
    """How a migrated database differs from the tables, as Alembic sees it; empty if it does not differ."""

    def compare(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection, opts=COMPARISON), Table.metadata))

    return connected(dsn, compare)


def oldest_code(revision: str) -> str:
    """The oldest revision whose code can serve a database at `revision`, from the file of that revision."""
    script = _history().get_revision(revision)
    assert script is not None  # noqa: S101  # it is None for "base" only
    oldest: str = script.module.oldest_code
    return oldest


def comment(revision: str) -> str:
    """The statement that stores for a database at `revision` which code can serve it."""
    return f"COMMENT ON TABLE alembic_version IS '{revision_comment(revision, oldest_code(revision))}'"


def connected(dsn: str, work: Callable[[Connection], _T]) -> _T:
    """Call `work` with a new connection, and close it. What `work` does not commit is rolled back."""

    async def run() -> _T:
        # asyncpg parses the DSN, as everywhere else, so that its meaning and its errors are the same.
        made = await asyncpg.connect(dsn)

        async def take() -> asyncpg.Connection[Any]:
            return made

        engine = create_async_engine("postgresql+asyncpg://", async_creator=take, poolclass=NullPool)
        async with engine.connect() as connection:
            return await connection.run_sync(work)

    return asyncio.run(run())


def _upgrade(connection: Connection) -> list[str]:
    _lock(connection)
    missing = _pending(connection)
    if missing:
        _execute(command.upgrade, connection, "head")
    return missing


def _pending(connection: Connection) -> list[str]:
    return missing(*_stored(connection), _revisions())


def _revisions() -> tuple[str, ...]:
    """All revisions of this version as Alembic reads them, oldest first."""
    return tuple(reversed([script.revision for script in _history().walk_revisions()]))


def _stored(connection: Connection) -> tuple[str | None, str | None]:
    """The revision of a database, and the oldest revision whose code can serve it; None where it is not stored."""
    migrated = connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    row = connection.execute(text(STATE)).first() if migrated else None
    # Alembic joins an open transaction, and would leave the commit to us.
    connection.rollback()
    return read_stored(row)


def _lock(connection: Connection) -> None:
    """Keep other processes from migrating this database as long as `connection` is open.

    It polls: a waiting statement would keep a transaction open, and a CREATE INDEX CONCURRENTLY in the process that
    holds the lock would wait for that transaction to end.
    """
    attempt = select(func.pg_try_advisory_lock(bindparam(None, LOCK, type_=BigInteger)))
    while not connection.scalar(attempt):
        connection.commit()
        time.sleep(0.1)
    connection.commit()


def _execute(operation: Callable[[Config, str], None], connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    with _ALEMBIC:
        operation(config, revision)


def _history() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "db:migrations")
    return config
