"""What all writes of conversations have in common: rows are held, looked up, checked and stamped in one way.

Whoever writes a conversation, or what is in it, holds its row first, and several in the order of their ids: so writers
of one conversation come one after the other, and none wait for each other in a circle. What may be written is not
decided here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t
from db.problem import Problem, ProblemCode
from db.scope import ACCOUNT, Viewer, visible
from db.tables.base import Stamped

# asyncpg writes the very first moment as -infinity, which is no moment to show.
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

_C: Any = t.Conversation
_SURROGATE = re.compile("[\ud800-\udfff]")


def now() -> datetime:
    """In whole milliseconds, as the columns hold it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def touch(row: Stamped, moment: datetime) -> None:
    """Move `updated_at` on, past its last value even if this machine's clock is behind."""
    row.updated_at = max(moment, row.updated_at + MILLISECOND)


def created_by(viewer: Viewer) -> dict[str, Any]:
    """The columns that say who creates a record."""
    user = viewer.actor_type is t.CreatorType.USER
    return {
        "created_by_type": viewer.actor_type,
        "created_by_id": viewer.actor_id,
        "created_by_user_id": viewer.actor_id if user else None,
        "created_by_application_id": None if user else viewer.actor_id,
    }


def is_read(conversation: t.Conversation) -> bool:
    """Whether it was read and no message is newer."""
    read_at, last_message_at = conversation.read_at, conversation.last_message_at
    return read_at is not None and (last_message_at is None or last_message_at <= read_at)


async def hold(session: AsyncSession, viewer: Viewer, ids: Sequence[int]) -> dict[int, t.Conversation]:
    """Those conversations of `ids` that the account has, held against other writers until the transaction ends.

    Their keys are not held, so that an import can refer to them meanwhile.
    """
    statement = visible(t.Conversation, t.Conversation).where(among(_C.id)).order_by(_C.id)
    rows = await session.exec(statement.with_for_update(key_share=True), params=bound(viewer, ids))  # type: ignore[call-overload]
    return {conversation.id: conversation for conversation in rows.scalars()}


async def hold_one(session: AsyncSession, viewer: Viewer, id_: int) -> tuple[t.Conversation | None, list[Problem]]:
    """The same of the one that `conversationId` names, with the problem that there is none."""
    conversation = (await hold(session, viewer, [id_])).get(id_)
    return conversation, [] if conversation else [missing("conversation", "conversationId")]


async def existing(session: AsyncSession, viewer: Viewer, table: type[t.TenantTable], ids: Sequence[int]) -> set[int]:
    """Those of `ids` that the account has."""
    column: Any = table.id  # type: ignore[attr-defined]
    rows = await session.exec(visible(table, column).where(among(column)), params=bound(viewer, ids))  # type: ignore[call-overload]
    return set(rows.scalars())


def among(column: Any) -> ColumnElement[bool]:
    """The condition that `column` is one of the ids that `bound` binds."""
    condition: ColumnElement[bool] = column == func.any(bindparam("ids", type_=ARRAY(BigInteger)))
    return condition


def bound(viewer: Viewer, ids: Sequence[int]) -> dict[str, Any]:
    """The parameters of a statement on some of the account's rows."""
    return {ACCOUNT: viewer.account_id, "ids": list(dict.fromkeys(ids))}


def missing(what: str, *path: str) -> Problem:
    """The same words for what was never there and for what another account has."""
    return Problem(ProblemCode.NOT_FOUND, f"There is no such {what}", ["input", *path])


def missing_among(what: str, name: str, ids: Sequence[int], found: Collection[int]) -> list[Problem]:
    """A problem for each place of the list `name` whose id was not found."""
    return [missing(what, name, str(place)) for place, id_ in enumerate(ids) if id_ not in found]


def size_problems(what: str, name: str, ids: Sequence[int], most: int) -> list[Problem]:
    """Whether the list `name` has any ids, and at most so many, of which repeats count once."""
    path = ["input", name]
    if not ids:
        return [Problem(ProblemCode.BLANK, f"Give at least one {what}", path)]
    if len(set(ids)) > most:
        return [Problem(ProblemCode.TOO_MANY, f"Give at most {most} {what}s", path)]
    return []


def text_problems(what: str, name: str, text: str, most: int) -> list[Problem]:
    """Whether a text has at most so many characters, and whether PostgreSQL can store it."""
    path = ["input", name]
    problems = []
    if len(text) > most:
        problems.append(Problem(ProblemCode.TOO_LONG, f"{what} has at most {most} characters", path))
    if "\0" in text:
        problems.append(Problem(ProblemCode.INVALID, f"{what} cannot hold a NUL character", path))
    if _SURROGATE.search(text):
        problems.append(Problem(ProblemCode.INVALID, f"{what} cannot hold half of a surrogate pair", path))
    return problems
