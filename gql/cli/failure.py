"""What a failed command prints: the errors that are expected, each as one line."""

from __future__ import annotations

import asyncpg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from db.bookingsync.importing import UnfinishedError
from db.embedded import EmbeddedError
from db.migrations.revision import UnknownRevisionError
from db.seed import SeedError
from gql.cli.database import reason
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
