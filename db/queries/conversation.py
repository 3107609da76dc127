"""Conversations: their orders and filters, and the writes that the domain's rules allow.

Writes take the session of an open transaction and leave committing to its owner. They lock what they change, and report
what is wrong with the input instead of raising, so that all of it can be told at once.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, exists, func, or_
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t
from db.criterion import Criterion, any_of, any_where, compared, flag
from db.page import Order
from db.problem import Problem, ProblemCode, reject
from db.scope import ACCOUNT, Viewer, visible, visible_for_removal

_B: Any = t.Booking
_C: Any = t.Conversation
_LINK: Any = t.ConversationBooking
_INQUIRY: Any = t.Inquiry

# By the names that the API gives them.
ORDERS: dict[tuple[str, bool], Order] = {
    (column.key, descending): Order(f"{column.key}:{'desc' if descending else 'asc'}", column, descending)
    for column in (_C.created_at, _C.updated_at, _C.last_message_at, _C.deadline_response_at)
    for descending in (False, True)
}

FILTERS: dict[str, Criterion] = {
    "ids": any_of(_C.id),
    "closed": flag(_C.closed_at.is_not(None)),
    "marked_as_spam": flag(_C.marked_as_spam_at.is_not(None)),
    "read": flag(
        and_(_C.read_at.is_not(None), or_(_C.last_message_at.is_(None), _C.last_message_at <= _C.read_at)),
    ),
    "assigned": flag(_C.assignee_id.is_not(None)),
    "assignee_ids": any_of(_C.assignee_id),
    "source_ids": any_of(_C.source_id),
    "channels": any_of(_C.default_channel),
    "booking_ids": any_where(
        _LINK.booking_id.type,
        lambda ids: exists(
            visible(t.ConversationBooking, _LINK.booking_id).where(
                _LINK.conversation_id == _C.id, _LINK.booking_id == ids
            )
        ),
    ),
    "inquiry_ids": any_where(
        _INQUIRY.id.type,
        lambda ids: exists(
            visible(t.Inquiry, _INQUIRY.id).where(_INQUIRY.conversation_id == _C.id, _INQUIRY.id == ids)
        ),
    ),
    "updated_since": compared(_C.updated_at, operator.ge),
}

MAX_SUBJECT = 255
MAX_BOOKINGS = 250
_MILLISECOND = timedelta(milliseconds=1)
_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)


async def create(
    session: AsyncSession, viewer: Viewer, values: Mapping[str, Any], booking_ids: Sequence[int], *, closed: bool
) -> int:
    """Store a conversation with the columns `values`, connected to the bookings. Returns its id.

    Raises `RejectedError` for what cannot be stored and for links that lead nowhere or must not be made.
    """
    reject(
        [
            *_subject_problems(values.get("subject")),
            *_deadline_problems(values.get("deadline_response_at")),
            *await _assignee_problems(session, viewer, values.get("assignee_id")),
            *await _source_problems(session, viewer, values.get("source_id")),
            *await _booking_problems(session, viewer, booking_ids),
        ]
    )
    now = _now()
    user = viewer.actor_type is t.CreatorType.USER
    conversation = t.Conversation(
        **values,
        account_id=viewer.account_id,
        created_at=now,
        updated_at=now,
        closed_at=now if closed else None,
        created_by_type=viewer.actor_type,
        created_by_id=viewer.actor_id,
        created_by_user_id=viewer.actor_id if user else None,
        created_by_application_id=None if user else viewer.actor_id,
    )
    session.add(conversation)
    await session.flush()
    assert conversation.id is not None  # noqa: S101  # the flush gave it one
    await _connect(session, viewer, conversation.id, booking_ids)
    return conversation.id


async def update(session: AsyncSession, viewer: Viewer, id_: int, changes: Mapping[str, Any]) -> int:
    """Apply `changes`: `assignee_id`, `closed`, `default_channel`, `marked_as_spam`, each only where given.

    What is already so changes nothing, and then `updated_at` stays too. Raises `RejectedError` for a conversation or an
    assignee that is not there, and for a null where there must be a value.
    """
    conversation = await _lock(session, viewer, id_)
    problems = [] if conversation else [_missing("conversation", "conversationId")]
    problems += await _assignee_problems(session, viewer, changes.get("assignee_id"))
    problems += [
        Problem(ProblemCode.BLANK, f"{name} must be true or false", ["input", name])
        for key, name in (("closed", "closed"), ("marked_as_spam", "markedAsSpam"))
        if key in changes and changes[key] is None
    ]
    reject(problems)
    assert conversation is not None  # noqa: S101  # else it was rejected
    now = _now()
    for key in ("assignee_id", "default_channel"):
        if key in changes:
            setattr(conversation, key, changes[key])
    for key, moment in (("closed", "closed_at"), ("marked_as_spam", "marked_as_spam_at")):
        # The first time stays: closing what is closed is no change.
        if key in changes and changes[key] is not (getattr(conversation, moment) is not None):
            setattr(conversation, moment, now if changes[key] else None)
    if session.is_modified(conversation):
        _touch(conversation, now)
    return id_


async def connect(session: AsyncSession, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> int:
    """Connect the conversation to all of the bookings, or to none. Those connected already are no error.

    Raises `RejectedError` for a conversation or bookings that are not there, and for no or too many bookings.
    """
    conversation = await _lock_for_bookings(session, viewer, id_, booking_ids)
    if await _connect(session, viewer, id_, booking_ids):
        _touch(conversation, _now())
    return id_


async def disconnect(session: AsyncSession, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> int:
    """Disconnect the conversation from all of the bookings, or from none. Those not connected are no error.

    Raises `RejectedError` as `connect` does.
    """
    conversation = await _lock_for_bookings(session, viewer, id_, booking_ids)
    removal = visible_for_removal(t.ConversationBooking).where(
        _LINK.conversation_id == bindparam("conversation", type_=BigInteger), _among(_LINK.booking_id)
    )
    # No link is in the session; looking for some to forget would only add columns to the statement.
    returning = removal.returning(_LINK.booking_id).execution_options(synchronize_session=False)
    removed = await session.exec(returning, params={"conversation": id_, **_ids(viewer, booking_ids)})
    if removed.all():
        _touch(conversation, _now())
    return id_


async def _connect(session: AsyncSession, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> bool:
    """Add the links that are not there yet. Returns whether there was any."""
    if not booking_ids:
        return False
    bookings = visible(t.Booking, _B.account_id, bindparam("conversation", type_=BigInteger), _B.id)
    # One statement for any number of bookings, and only of the account's own.
    insertion = insert(_LINK.__table__).from_select(
        ["account_id", "conversation_id", "booking_id"], bookings.where(_among(_B.id))
    )
    added = await session.exec(
        insertion.on_conflict_do_nothing().returning(_LINK.booking_id),
        params={"conversation": id_, **_ids(viewer, booking_ids)},
    )
    return bool(added.all())


async def _lock(session: AsyncSession, viewer: Viewer, id_: int) -> t.Conversation | None:
    """The conversation, held against other writers until the transaction ends.

    Its key is not held, so that messages can be added to it meanwhile.
    """
    statement = visible(t.Conversation, t.Conversation).where(_C.id == id_).with_for_update(key_share=True)
    rows = await session.exec(statement, params={ACCOUNT: viewer.account_id})  # type: ignore[call-overload]
    conversation: t.Conversation | None = rows.scalars().one_or_none()
    return conversation


async def _lock_for_bookings(
    session: AsyncSession, viewer: Viewer, id_: int, booking_ids: Sequence[int]
) -> t.Conversation:
    conversation = await _lock(session, viewer, id_)
    problems = [] if conversation else [_missing("conversation", "conversationId")]
    if not booking_ids:
        problems.append(Problem(ProblemCode.BLANK, "Give at least one booking", ["input", "bookingIds"]))
    reject([*problems, *await _booking_problems(session, viewer, booking_ids)])
    assert conversation is not None  # noqa: S101  # else it was rejected
    return conversation


def _subject_problems(subject: str | None) -> list[Problem]:
    path = ["input", "subject"]
    problems = []
    if subject is not None and len(subject) > MAX_SUBJECT:
        problems.append(Problem(ProblemCode.TOO_LONG, f"A subject has at most {MAX_SUBJECT} characters", path))
    if subject is not None and "\0" in subject:
        problems.append(Problem(ProblemCode.INVALID, "A subject cannot hold a NUL character", path))
    return problems


def _deadline_problems(deadline: datetime | None) -> list[Problem]:
    # asyncpg writes the very first moment as -infinity, which is no moment to show.
    if deadline != _FIRST_MOMENT:
        return []
    return [
        Problem(ProblemCode.INVALID, "A deadline must be later than the year 1 begins", ["input", "deadlineResponseAt"])
    ]


async def _assignee_problems(session: AsyncSession, viewer: Viewer, host_id: int | None) -> list[Problem]:
    if host_id is None or host_id in await _existing(session, viewer, t.Host, [host_id]):
        return []
    return [_missing("host", "assigneeId")]


async def _source_problems(session: AsyncSession, viewer: Viewer, source_id: int | None) -> list[Problem]:
    if source_id is None:
        return []
    source: Any = t.Source
    statement = visible(t.Source, source.internal).where(source.id == source_id)
    rows = await session.exec(statement, params={ACCOUNT: viewer.account_id})  # type: ignore[call-overload]
    internal = rows.scalars().one_or_none()
    if internal is None:
        return [_missing("source", "sourceId")]
    return (
        [Problem(ProblemCode.READ_ONLY, "An internal source is read-only", ["input", "sourceId"])] if internal else []
    )


async def _booking_problems(session: AsyncSession, viewer: Viewer, booking_ids: Sequence[int]) -> list[Problem]:
    if len(set(booking_ids)) > MAX_BOOKINGS:
        return [Problem(ProblemCode.TOO_MANY, f"Give at most {MAX_BOOKINGS} bookings", ["input", "bookingIds"])]
    existing = await _existing(session, viewer, t.Booking, booking_ids) if booking_ids else set()
    return [
        _missing("booking", "bookingIds", str(place))
        for place, booking_id in enumerate(booking_ids)
        if booking_id not in existing
    ]


async def _existing(session: AsyncSession, viewer: Viewer, table: type[t.TenantTable], ids: Sequence[int]) -> set[int]:
    """Those of `ids` that the account has."""
    column: Any = table.id  # type: ignore[attr-defined]
    statement = visible(table, column).where(_among(column))
    rows = await session.exec(statement, params=_ids(viewer, ids))  # type: ignore[call-overload]
    return set(rows.scalars())


def _among(column: Any) -> Any:
    """The condition that `column` is one of the ids that `_ids` binds."""
    return column == func.any(bindparam("ids", type_=ARRAY(BigInteger)))


def _ids(viewer: Viewer, ids: Sequence[int]) -> dict[str, Any]:
    return {ACCOUNT: viewer.account_id, "ids": list(dict.fromkeys(ids))}


def _missing(what: str, *path: str) -> Problem:
    """The same words for what was never there and for what another account has."""
    return Problem(ProblemCode.NOT_FOUND, f"There is no such {what}", ["input", *path])


def _now() -> datetime:
    """In whole milliseconds, as the columns hold it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _touch(conversation: t.Conversation, now: datetime) -> None:
    """Move `updated_at` on, past its last value even if this machine's clock is behind."""
    conversation.updated_at = max(now, conversation.updated_at + _MILLISECOND)
