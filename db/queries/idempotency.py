"""Idempotency keys: what was done once under a key is not done again, but found.

A key is claimed first of all in the transaction that writes, so that of two that arrive at once the second waits for
the first, and a write that is rejected leaves no key behind. The id of what will be written is taken from the sequence
with the claim: there is nothing to add to it afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t
from db.problem import Problem, ProblemCode, reject
from db.queries import writing
from db.scope import ACCOUNT, Viewer, visible, visible_for_removal
from db.tables.base import ROW_IDS

MAX_KEY = 255
KEPT_FOR = timedelta(hours=24)
# One claim in so many removes so many keys that are no longer kept: faster than they come, and never many at once.
SWEEP_EVERY = 16
SWEPT_AT_ONCE = 100

_PATH = ["input", "idempotencyKey"]
_K: Any = t.IdempotencyKey


@dataclass(frozen=True, slots=True)
class Claim:
    """The id of what is to be written under a key, or of what was."""

    id: int
    done: bool


async def claim(session: AsyncSession, viewer: Viewer, key: str, digest: bytes) -> Claim:
    """Take the key for the viewer's request, which `digest` tells from others, or find what was done under it.

    Raises `RejectedError` for what is no key, and for one that came with another request within `KEPT_FOR`.
    """
    reject(_key_problems(key))
    expired = writing.now() - KEPT_FOR
    taken = await _take(session, viewer, key, digest, expired)
    if taken is None:
        return await _find(session, viewer, key, digest)
    # Keys are as good as dice, and the same request always runs the same statements.
    if crc32(key.encode()) % SWEEP_EVERY == 0:
        await _sweep(session, viewer, expired)
    return Claim(taken, done=False)


async def _take(session: AsyncSession, viewer: Viewer, key: str, digest: bytes, expired: datetime) -> int | None:
    """The id to write under, or none where the key is taken."""
    insertion = insert(_K.__table__).values(
        account_id=viewer.account_id,
        actor_type=viewer.actor_type,
        actor_id=viewer.actor_id,
        key=key,
        digest=digest,
        written_id=ROW_IDS.next_value(),
        created_at=expired + KEPT_FOR,
    )
    renewed = {name: insertion.excluded[name] for name in ("digest", "written_id", "created_at")}
    statement = insertion.on_conflict_do_update(
        index_elements=_K.__table__.primary_key, set_=renewed, where=_K.created_at < expired
    )
    rows = await session.exec(statement.returning(_K.written_id))
    taken: int | None = rows.scalars().one_or_none()
    return taken


async def _find(session: AsyncSession, viewer: Viewer, key: str, digest: bytes) -> Claim:
    statement = visible(t.IdempotencyKey, _K.digest, _K.written_id).where(
        _K.actor_type == viewer.actor_type, _K.actor_id == viewer.actor_id, _K.key == key
    )
    rows = await session.exec(statement, params={ACCOUNT: viewer.account_id})  # type: ignore[call-overload]
    earlier = rows.one()
    if earlier.digest != digest:
        reject([Problem(ProblemCode.CONFLICT, "This key came before, with another input", _PATH)])
    return Claim(earlier.written_id, done=True)


async def _sweep(session: AsyncSession, viewer: Viewer, expired: datetime) -> None:
    """Remove some of the account's keys that are no longer kept, and wait for none that another transaction has."""
    key = (_K.actor_type, _K.actor_id, _K.key)
    old = visible(t.IdempotencyKey, *key).where(_K.created_at < expired).order_by(_K.created_at).limit(SWEPT_AT_ONCE)
    # As a plain subquery it might run once for each key, and then be no limit at all.
    chosen = old.with_for_update(skip_locked=True).cte("old").prefix_with("MATERIALIZED")
    removal = visible_for_removal(t.IdempotencyKey).where(*(column == chosen.c[column.key] for column in key))
    await session.exec(removal.execution_options(synchronize_session=False), params={ACCOUNT: viewer.account_id})


def _key_problems(key: str) -> list[Problem]:
    problems = writing.text_problems("An idempotency key", _PATH[1], key, MAX_KEY)
    if not key:
        problems.append(Problem(ProblemCode.BLANK, "An idempotency key has at least one character", _PATH))
    return problems
