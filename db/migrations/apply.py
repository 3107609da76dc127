"""Brings a database to the tables of this version, and says how far it is.

The revisions are Alembic's, in `db/migrations`, found from the package and so from any working directory. Revisions are
applied by one process at a time. A database that a newer version has migrated is refused and never touched.

The functions that take a DSN run an event loop of their own: from async code, call them through `asyncio.to_thread`.
They raise OSError or asyncpg.PostgresError where the database cannot be reached, asyncpg.InterfaceError where the DSN
is none, and UnknownRevisionError where a newer version was here.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import asyncpg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import BigInteger, Connection, NullPool, bindparam, func, select
from sqlalchemy.ext.asyncio import create_async_engine

from db.tables import Table

# What `alembic revision --autogenerate` and `drift` look at beyond names.
COMPARISON: dict[str, Any] = {"compare_type": True, "compare_server_default": True}

# The advisory lock that a migration holds.
LOCK = int.from_bytes(b"inbox")

# Alembic keeps the running command in module globals.
_ALEMBIC = threading.Lock()

_T = TypeVar("_T")


class UnknownRevisionError(RuntimeError):
    """The database is at a revision that this version does not have."""


def migrate(dsn: str) -> list[str]:
    """Apply what is pending and return it, the oldest first. Safe to run twice, and from two machines at once."""
    return connected(dsn, _upgrade)


def downgrade(dsn: str, revision: str) -> None:
    """Go back to `revision`; `base` is before the first. What later ones hold is lost.

    Raises alembic.util.CommandError where there is no such revision.
    """

    def back(connection: Connection) -> None:
        _lock(connection)
        _pending(connection)
        _execute(command.downgrade, connection, revision)

    connected(dsn, back)


def pending(dsn: str) -> list[str]:
    """The revisions that are not applied, the oldest first; empty where the database is current."""
    return connected(dsn, _pending)


def drift(dsn: str) -> list[Any]:
    """How a migrated database differs from the tables, as Alembic sees it; empty where it does not."""

    def compare(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection, opts=COMPARISON), Table.metadata))

    return connected(dsn, compare)


async def applied(connection: asyncpg.Connection[Any]) -> str | None:
    """The revision that the database is at, None where it was never migrated. One statement, outside a transaction."""
    try:
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return revision


@cache
def head() -> str:
    """The newest revision of this version."""
    revision = _history().get_current_head()
    if revision is None:
        raise RuntimeError("There are no revisions in db/migrations/versions")
    return revision


def connected(dsn: str, work: Callable[[Connection], _T]) -> _T:
    """Do `work` on a connection of its own, which ends with it. What `work` does not commit is rolled back."""

    async def run() -> _T:
        # Made by asyncpg itself, so that the DSN and what goes wrong mean the same here as everywhere else.
        made = await asyncpg.connect(dsn)

        async def take() -> asyncpg.Connection[Any]:
            return made

        engine = create_async_engine("postgresql+asyncpg://", async_creator=take, poolclass=NullPool)
        async with engine.connect() as connection:
            return await connection.run_sync(work)

    return asyncio.run(run())


def _upgrade(connection: Connection) -> list[str]:
    _lock(connection)
    revisions = _pending(connection)
    if revisions:
        _execute(command.upgrade, connection, "head")
    return revisions


def _pending(connection: Connection) -> list[str]:
    current = MigrationContext.configure(connection).get_current_revision()
    # Alembic joins a transaction that is open, and then leaves the commit to whoever opened it.
    connection.commit()
    try:
        missing = [script.revision for script in _history().iterate_revisions("head", current or "base")]
    except RevisionError as error:
        raise UnknownRevisionError(
            f"The database is at revision {current}, which this version does not know: a newer one has migrated it."
        ) from error
    return missing[::-1]


def _lock(connection: Connection) -> None:
    """Keep others from migrating this database for as long as `connection` is there.

    It asks again and again: a statement that waits would keep a transaction open, for which a CREATE INDEX CONCURRENTLY
    in the process that has the lock would wait in turn.
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
