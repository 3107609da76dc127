"""Checks that the account and the actor of a token exist."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, bindparam, func

from db import tables as t
from db.engine import Database
from db.scope import ACCOUNT, Viewer, visible
from db.statement import Statement

_ACTORS: dict[t.CreatorType, type[t.Table]] = {
    t.CreatorType.USER: t.User,
    t.CreatorType.APPLICATION: t.Application,
}


def _statement(table: Any) -> Statement:
    actor = visible(table, table.id).where(table.id == bindparam("id", type_=BigInteger)).exists()
    return Statement.of(visible(t.Account, t.Account.id).where(actor), t.Account)


_STATEMENTS = {kind: _statement(table) for kind, table in _ACTORS.items()}
_FIRST_APPLICATION = Statement.of(
    visible(t.Application, func.min(t.Application.id).label("id")),
    t.Application,
)


async def exists(database: Database, viewer: Viewer) -> bool:
    """Whether `viewer`'s account exists and has its actor.

    Uses a connection of its own, so it does not wait for operations.
    """
    snapshot = database.control_snapshot()
    try:
        rows = await snapshot.fetch(_STATEMENTS[viewer.actor_type], {ACCOUNT: viewer.account_id, "id": viewer.actor_id})
    finally:
        await snapshot.close()
    return bool(rows)


async def first_application(database: Database) -> int | None:
    """The lowest id of an application; None without applications."""
    async with database.snapshot() as snapshot:
        (row,) = await snapshot.fetch(_FIRST_APPLICATION, {})
    id: int | None = row.id  # noqa: A001  # the field's own name
    return id
