"""What a failed command prints: the errors that are expected, each as one line."""

from __future__ import annotations

import asyncpg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from db.bookingsync.importing import UnfinishedError
from db.embedded import EmbeddedError
from db.migrations.apply import UnknownRevisionError
from db.seed import SeedError
from gql.settings import ConfigurationError, explain
from gql.web.server import ServerError

# Their messages are one line for the person at the terminal.
_EXPLAINED = (ConfigurationError, EmbeddedError, SeedError, ServerError, UnfinishedError, UnknownRevisionError)
_RAISED_BY_DRIVERS = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


def describe(error: Exception) -> list[str]:
    """Return the lines that describe an expected error, and none for a defect."""
    if isinstance(error, ValidationError):
        return explain(error)
    if isinstance(error, _EXPLAINED):
        return [str(error)]
    if isinstance(error, _RAISED_BY_DRIVERS):
        return [reason(error)]
    return []


def reason(error: BaseException) -> str:
    """Return the cause in one line: PostgreSQL's further lines can quote rows, and SQLAlchemy quotes statements."""
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error.__context__, asyncpg.PostgresError | OSError):
        # What ended a connection says more than what then could not be done without it.
        error = error.__context__
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    text = error.strerror if isinstance(error, OSError) and not error.filename else None
    return ((text or str(error)).splitlines() or [type(error).__name__])[0]
