"""Whether this version can serve a database: compares the known revisions with the one that the database stores.

Versions can run side by side on one database, as in a rolling deployment. Each revision names in `oldest_code` the
oldest revision whose code can serve the tables after it. A migration stores this in the database (as the
comment of `alembic_version`), because older code does not have the newer file. A database that is too new is refused
and never changed. `.github/decisions/0014-rolling-deployment.md` has the rules for writing a migration.

The server needs only this module, and so does not import Alembic, which takes 0.1 s of CPU.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import asyncpg

from db.refusal import OperatorError

STATE = "SELECT version_num, obj_description('alembic_version'::regclass, 'pg_class') FROM alembic_version"
_COMMENT = "Revision {revision} can be served by the code of revision {oldest} and later."
_OLDEST = re.compile(r"Revision (?P<revision>\S+) can be served by the code of revision (?P<oldest>\S+) and later\.")
_FILE = re.compile(r"(?P<revision>\d{4})_\w+\.py")


class State(StrEnum):
    """Whether this version can serve a database."""

    SERVABLE = "ok"
    PENDING = "migrations pending"
    TOO_NEW = "migrated by a newer version"


@cache
def revisions() -> tuple[str, ...]:
    """All revisions of this version, oldest first, from the names of their files."""
    names = [file.name for file in files("db.migrations.versions").iterdir()]
    found = sorted(match["revision"] for match in map(_FILE.fullmatch, names) if match)
    if not found:
        raise RuntimeError("There are no revisions in db/migrations/versions")
    return tuple(found)


def head() -> str:
    """The newest revision of this version."""
    return revisions()[-1]


async def applied(connection: asyncpg.Connection[Any]) -> str | None:
    """The revision of the database, None if it was never migrated. One statement, outside a transaction."""
    revision, _ = await _fetch_stored(connection)
    return revision


async def state(connection: asyncpg.Connection[Any]) -> State:
    """Whether this version can serve the database. One statement, outside a transaction."""
    return judge(*await _fetch_stored(connection), revisions())


async def is_read_only(connection: asyncpg.Connection[Any]) -> bool:
    """Whether the server rejects writes, as a standby does. One statement, outside a transaction."""
    return bool(await connection.fetchval("SHOW transaction_read_only") == "on")


async def pending(connection: asyncpg.Connection[Any]) -> list[str]:
    """The revisions that are not applied, oldest first. Raises OperatorError if the database is too new."""
    return missing(*await _fetch_stored(connection), revisions())


def judge(revision: str | None, oldest: str | None, known: Sequence[str]) -> State:
    """Whether code with the revisions `known` can serve a database at `revision`. Code from `oldest` on can."""
    if revision == known[-1]:
        return State.SERVABLE
    if revision is None or revision in known:
        return State.PENDING
    return State.SERVABLE if oldest in known else State.TOO_NEW


def missing(revision: str | None, oldest: str | None, known: Sequence[str]) -> list[str]:
    """Those of the revisions `known` that a database at `revision` lacks. Raises OperatorError."""
    match judge(revision, oldest, known):
        case State.SERVABLE:
            return []
        case State.TOO_NEW:
            raise too_new(revision)
        case State.PENDING:
            return list(known[known.index(revision) + 1 if revision else 0 :])


def too_new(revision: str | None) -> OperatorError:
    """Return the error of a database at a `revision` that this version cannot serve."""
    return OperatorError(
        f"The database is at revision {revision}, which this version does not know: a newer version has migrated it."
    )


def comment(revision: str, oldest: str) -> str:
    """The comment that a database at `revision` stores, for `read_stored` of any version."""
    return _COMMENT.format(revision=revision, oldest=oldest)


def read_stored(row: Any) -> tuple[str | None, str | None]:
    """The revision of a database, and the oldest revision whose code can serve it, from the row of STATE."""
    if row is None:
        return None, None
    revision, content = row
    stored = _OLDEST.fullmatch(content or "")
    # A comment of another revision does not apply to this one.
    return revision, stored["oldest"] if stored and stored["revision"] == revision else None


async def _fetch_stored(connection: asyncpg.Connection[Any]) -> tuple[str | None, str | None]:
    try:
        return read_stored(await connection.fetchrow(STATE))
    except asyncpg.UndefinedTableError:
        return None, None
