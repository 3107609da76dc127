"""What a command prints when the settings are wrong or the database failed. Other exceptions are defects."""

from __future__ import annotations

import asyncpg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from gql.cli.database import reason
from gql.settings import explain

_RAISED_BY_DRIVERS = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


def describe(error: Exception) -> list[str]:
    """Return the lines that describe an expected error, and none for a defect."""
    if isinstance(error, ValidationError):
        return explain(error)
    if isinstance(error, _RAISED_BY_DRIVERS):
        return [reason(error)]
    return []
