"""Opens the database of a command, and checks that it is reachable, recent enough and, if required, migrated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import asyncpg
from sqlalchemy.exc import DBAPIError

from db.embedded import embedded
from db.migrations.revision import pending
from db.refusal import OperatorError
from gql.settings import Settings, variable

MIN_POSTGRESQL = 14
# Seconds within which a database has to accept a connection.
CONNECT_WITHIN = 10


@contextmanager
def opened(settings: Settings, *, migrated: bool = False, through_pooler: bool = False) -> Iterator[str]:
    """Yield the DSN of a database that answers; with `migrated`, of one that this version can serve.

    Commands that need a session of PostgreSQL reject a pooler; others pass `through_pooler`. Without `database_url`,
    the embedded server runs during the block. Raises `OperatorError`.
    """
    if settings.pooler and not through_pooler:
        raise OperatorError(
            f"This command does not work through a pooler: let {variable('database_url')} name PostgreSQL itself, "
            f"and unset {variable('pooler')}"
        )
    with nullcontext(settings.database_url) if settings.database_url else embedded(settings.data) as dsn:
        asyncio.run(_check(dsn, migrated=migrated))
        yield dsn


async def _check(dsn: str, *, migrated: bool) -> None:
    """Reject a database that cannot be used. Messages never contain the DSN, which has a password."""
    try:
        # Without a statement cache, this works through a pooler too.
        connection = await asyncpg.connect(dsn, timeout=CONNECT_WITHIN, statement_cache_size=0)
    except TimeoutError:
        raise OperatorError(f"The database cannot be reached: no answer within {CONNECT_WITHIN} seconds") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise OperatorError(f"The database cannot be reached: {reason(error)}") from error
    except (ValueError, OverflowError):
        form = "postgresql://user:password@host:port/database, with the password URL-encoded"
        raise OperatorError(f"{variable('database_url')} is not understood: it has the form {form}") from None
    try:
        major = connection.get_server_version().major
        if major < MIN_POSTGRESQL:
            raise OperatorError(f"The database is PostgreSQL {major}: {MIN_POSTGRESQL} or newer is needed")
        if migrated:
            async with connection.transaction():
                missing = await pending(connection)
            if missing:
                raise OperatorError("The database has pending migrations: run `inbox migrate` first")
    finally:
        await connection.close()


def reason(error: BaseException) -> str:
    """Return the cause in one line. PostgreSQL's further lines can quote rows, and SQLAlchemy quotes statements."""
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error.__context__, asyncpg.PostgresError | OSError):
        # The error that ended the connection says more than the failure that followed from it.
        error = error.__context__
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    text = error.strerror if isinstance(error, OSError) and not error.filename else None
    return ((text or str(error)).splitlines() or [type(error).__name__])[0]
