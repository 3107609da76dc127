"""Idempotency keys: a request that arrives again under its key returns the first result and writes nothing.

The key is claimed first in the transaction that writes. Of two simultaneous requests the second waits for the first,
and a rejected write stores no key. The claim reserves the id of the new record from the sequence, so that the key's row
is written only once.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from hashlib import sha256
from typing import Any, ClassVar, Protocol
from zlib import crc32

from sqlalchemy import bindparam, literal_column
from sqlalchemy.dialects.postgresql import insert

from db import tables as t
from db.engine import Transaction
from db.problem import Problem, ProblemCode, reject
from db.queries import external, writing
from db.scope import ACCOUNT, Viewer, visible, visible_for_removal
from db.statement import Statement
from db.tables.base import ROW_IDS

MAX_KEY = 255
# Longer than a day, because a phone may be offline that long.
KEPT_FOR = timedelta(days=7)
# One claim in `SWEEP_EVERY` removes up to `SWEPT_AT_ONCE` expired keys: faster than new ones are added, and few at a
# time.
SWEEP_EVERY = 16
SWEPT_AT_ONCE = 100

# The metadata of a draft's field that is newer than stored digests: left out, it must not change them.
ADDED_LATER = {"added later": True}

_PATH = ["input", "idempotencyKey"]
_K: Any = t.IdempotencyKey


class Draft(Protocol):
    """The requested record of `table`: a dataclass, equal for inputs with the same effect."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    table: ClassVar[type[t.TenantTable]]

    @property
    def external_id(self) -> str | None:
        """The creator's own id of the record."""


async def once(
    transaction: Transaction,
    viewer: Viewer,
    draft: Draft,
    key: str | None,
    write: Callable[[dict[str, Any]], Awaitable[int]],
) -> int:
    """Store `draft` once, and return the record's id: that of the first request with its external id or key.

    `write` stores the record with the given columns. Raises `RejectedError` for an invalid key or external id, and for
    one that was used with another draft.
    """
    if key is None and draft.external_id is None:
        return await write({})
    digest = _digest(draft)
    identity: dict[str, Any] = {}
    if draft.external_id is not None:
        found = await external.find(transaction, viewer, draft.table, draft.external_id, digest)
        if found is not None:
            return found
        identity |= {"external_id": draft.external_id, "external_digest": digest}
    if key is not None:
        claim = await _claim(transaction, viewer, key, digest)
        if claim.done:
            return claim.id
        identity["id"] = claim.id
    return await write(identity)


def _digest(draft: Draft) -> bytes:
    """Equal for drafts with the same effect: the order and repeats in a list do not matter."""
    values = {name: sorted(set(value)) if isinstance(value, tuple) else value for name, value in asdict(draft).items()}
    for field in fields(draft):
        if field.metadata == ADDED_LATER and values[field.name] == field.default:
            del values[field.name]
    return sha256(json.dumps([draft.table.__name__, values], sort_keys=True, default=str).encode()).digest()


@dataclass(frozen=True, slots=True)
class Claim:
    """The id of the record to write under a key, or of the one that was written."""

    id: int
    done: bool


async def _claim(transaction: Transaction, viewer: Viewer, key: str, digest: bytes) -> Claim:
    """Take the key for a request, identified by `digest`, or find the record written under it within `KEPT_FOR`."""
    reject(_key_problems(key))
    now = writing.now()
    parameters = {
        ACCOUNT: viewer.account_id,
        "actor_type": viewer.actor_type,
        "actor_id": viewer.actor_id,
        "key": key,
        "digest": digest,
        "now": now,
        "expired": now - KEPT_FOR,
    }
    taken = await transaction.fetch(_TAKE, parameters)
    if not taken:
        (earlier,) = await transaction.fetch(_FIND, parameters)
        if earlier.digest != digest:
            reject([Problem(ProblemCode.CONFLICT, "This key was used with another input", _PATH)])
        return Claim(earlier.written_id, done=True)
    # Chosen by the key, so that the same request always runs the same statements.
    if crc32(key.encode()) % SWEEP_EVERY == 0:
        await transaction.fetch(_SWEEP, parameters)
    return Claim(taken[0].written_id, done=False)


def _expired() -> Any:
    return _K.created_at < bindparam("expired", type_=_K.created_at.type)


def _take() -> Statement:
    """Store the key, or renew an expired one; returns no row if it is taken."""
    insertion = insert(_K.__table__).values(
        account_id=bindparam(ACCOUNT),
        actor_type=bindparam("actor_type"),
        actor_id=bindparam("actor_id"),
        key=bindparam("key"),
        digest=bindparam("digest"),
        written_id=ROW_IDS.next_value(),
        created_at=bindparam("now"),
    )
    renewed = {name: insertion.excluded[name] for name in ("digest", "written_id", "created_at")}
    statement = insertion.on_conflict_do_update(index_elements=_K.__table__.primary_key, set_=renewed, where=_expired())
    return Statement.of(statement.returning(_K.written_id), t.IdempotencyKey)


def _find() -> Statement:
    actor = (_K.actor_type == bindparam("actor_type"), _K.actor_id == bindparam("actor_id"))
    found = visible(t.IdempotencyKey, _K.digest, _K.written_id).where(*actor, _K.key == bindparam("key"))
    return Statement.of(found, t.IdempotencyKey)


def _sweep() -> Statement:
    """Remove some expired keys of the account, without waiting for those that another transaction has locked."""
    key = (_K.actor_type, _K.actor_id, _K.key)
    most: Any = literal_column(str(SWEPT_AT_ONCE))
    old = visible(t.IdempotencyKey, *key).where(_expired()).order_by(_K.created_at).limit(most)
    # As a plain subquery it might run once for each key, which would make the limit ineffective.
    chosen = old.with_for_update(skip_locked=True).cte("old").prefix_with("MATERIALIZED")
    removal = visible_for_removal(t.IdempotencyKey).where(*(column == chosen.c[column.key] for column in key))
    return Statement.of(removal, t.IdempotencyKey)


_TAKE, _FIND, _SWEEP = _take(), _find(), _sweep()


def _key_problems(key: str) -> list[Problem]:
    problems = writing.text_problems("An idempotency key", _PATH[1], key, MAX_KEY)
    if not key:
        problems.append(Problem(ProblemCode.BLANK, "An idempotency key has at least one character", _PATH))
    return problems
