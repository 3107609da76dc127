"""Writes of conversations that the domain's rules allow.

Writes take the session of an open transaction and leave committing to its owner. They lock what they change, and report
what is wrong with the input instead of raising, so that all of it can be told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm.attributes import flag_modified
from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t
from db.problem import Problem, ProblemCode, reject
from db.queries import writing
from db.queries.conversation import derived
from db.queries.writing import (
    among,
    bound,
    existing,
    hold,
    hold_one,
    is_read,
    missing,
    missing_among,
    size_problems,
    touch,
)
from db.scope import ACCOUNT, Viewer, visible, visible_for_removal

_B: Any = t.Booking
_LINK: Any = t.ConversationBooking

MAX_SUBJECT = 255
MAX_BOOKINGS = 250
MAX_CONVERSATIONS = 250

# What an update may give, with the column that holds it. The two states are moments.
_COLUMNS = {
    "assignee_id": "assignee_id",
    "closed": "closed_at",
    "default_channel": "default_channel",
    "marked_as_spam": "marked_as_spam_at",
}


async def create(  # noqa: PLR0913  # all that a conversation is made of
    session: AsyncSession,
    viewer: Viewer,
    values: Mapping[str, Any],
    booking_ids: Sequence[int],
    *,
    closed: bool,
    id_: int | None = None,
) -> int:
    """Store a conversation with the columns `values`, connected to the bookings. Returns its id: `id_`, where given.

    Raises `RejectedError` for what cannot be stored and for links that lead nowhere or must not be made.
    """
    subject = values.get("subject")
    reject(
        [
            *([] if subject is None else writing.text_problems("A subject", "subject", subject, MAX_SUBJECT)),
            *_deadline_problems(values.get("deadline_response_at")),
            *await _assignee_problems(session, viewer, values.get("assignee_id")),
            *await _source_problems(session, viewer, values.get("source_id")),
            *await _booking_problems(session, viewer, booking_ids),
        ]
    )
    now = writing.now()
    conversation = t.Conversation(
        **values,
        id=id_,
        account_id=viewer.account_id,
        created_at=now,
        updated_at=now,
        closed_at=now if closed else None,
        **writing.created_by(viewer),
    )
    session.add(conversation)
    await session.flush()
    assert conversation.id is not None  # noqa: S101  # the flush gave it one
    await _connect(session, viewer, conversation.id, booking_ids)
    await derived.derive(session, viewer.account_id, [conversation.id], derived.STATEMENTS)
    return conversation.id


async def update(session: AsyncSession, viewer: Viewer, id_: int, changes: Mapping[str, Any]) -> int:
    """Apply `changes`: `assignee_id`, `closed`, `default_channel`, `marked_as_spam`, each only where given.

    What is already so changes nothing, and then `updated_at` stays too. Raises `RejectedError` for a conversation or an
    assignee that is not there, and for a null where there must be a value.
    """
    conversation, problems = await hold_one(session, viewer, id_)
    reject([*problems, *await _change_problems(session, viewer, changes)])
    assert conversation is not None  # noqa: S101  # else it was rejected
    _change(session, [conversation], changes)
    return id_


async def update_all(
    session: AsyncSession, viewer: Viewer, ids: Sequence[int], changes: Mapping[str, Any]
) -> list[int]:
    """Apply `changes`, as `update` does, to all of the conversations or to none. Returns each id once, in order.

    Raises `RejectedError` as `update` does, and for no or too many conversations.
    """
    problems = size_problems("conversation", "conversationIds", ids, MAX_CONVERSATIONS)
    held = {} if problems else await hold(session, viewer, ids)
    problems = problems or missing_among("conversation", "conversationIds", ids, held)
    reject([*problems, *await _change_problems(session, viewer, changes)])
    _change(session, held.values(), changes)
    return list(dict.fromkeys(ids))


async def mark_read(session: AsyncSession, viewer: Viewer, id_: int, *, read: bool) -> int:
    """Say that a conversation was read up to now, or that it was not read. What is already so changes nothing.

    Raises `RejectedError` for a conversation that is not there.
    """
    conversation, problems = await hold_one(session, viewer, id_)
    reject(problems)
    assert conversation is not None  # noqa: S101  # else it was rejected
    now = writing.now()
    if read and (conversation.unread_count or not is_read(conversation)):
        conversation.read_at = max(now, conversation.last_message_at or now)
    elif not read and is_read(conversation):
        conversation.read_at = None
    if session.is_modified(conversation):
        touch(conversation, now)
        await derived.derive(session, viewer.account_id, [id_], [derived.COUNTERS])
    return id_


async def connect(session: AsyncSession, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> int:
    """Connect the conversation to all of the bookings, or to none. Those connected already are no error.

    Raises `RejectedError` for a conversation or bookings that are not there, and for no or too many bookings.
    """
    conversation = await _hold_for_bookings(session, viewer, id_, booking_ids)
    if await _connect(session, viewer, id_, booking_ids):
        touch(conversation, writing.now())
        await derived.derive(session, viewer.account_id, [id_], derived.OF_BOOKINGS)
    return id_


async def disconnect(session: AsyncSession, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> int:
    """Disconnect the conversation from all of the bookings, or from none. Those not connected are no error.

    Raises `RejectedError` as `connect` does.
    """
    conversation = await _hold_for_bookings(session, viewer, id_, booking_ids)
    removal = visible_for_removal(t.ConversationBooking).where(
        _LINK.conversation_id == bindparam("conversation", type_=BigInteger), among(_LINK.booking_id)
    )
    # No link is in the session; looking for some to forget would only add columns to the statement.
    returning = removal.returning(_LINK.booking_id).execution_options(synchronize_session=False)
    removed = await session.exec(returning, params={"conversation": id_, **bound(viewer, booking_ids)})
    if removed.all():
        touch(conversation, writing.now())
        await derived.derive(session, viewer.account_id, [id_], derived.OF_BOOKINGS)
    return id_


async def _connect(session: AsyncSession, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> bool:
    """Add the links that are not there yet. Returns whether there was any."""
    if not booking_ids:
        return False
    bookings = visible(t.Booking, _B.account_id, bindparam("conversation", type_=BigInteger), _B.id)
    # One statement for any number of bookings, and only of the account's own.
    insertion = insert(_LINK.__table__).from_select(
        ["account_id", "conversation_id", "booking_id"], bookings.where(among(_B.id))
    )
    added = await session.exec(
        insertion.on_conflict_do_nothing().returning(_LINK.booking_id),
        params={"conversation": id_, **bound(viewer, booking_ids)},
    )
    return bool(added.all())


def _change(session: AsyncSession, conversations: Iterable[t.Conversation], changes: Mapping[str, Any]) -> None:
    """Apply changes that are allowed to conversations that are held."""
    now = writing.now()
    for conversation in conversations:
        for key, value in changes.items():
            column = _COLUMNS[key]
            if key == column:
                setattr(conversation, column, value)
            elif value is not (getattr(conversation, column) is not None):
                # The first time stays: closing what is closed is no change.
                setattr(conversation, column, now if value else None)
        if session.is_modified(conversation):
            touch(conversation, now)
            # All of them write the same columns, and so share one statement.
            for key in changes:
                flag_modified(conversation, _COLUMNS[key])


async def _hold_for_bookings(
    session: AsyncSession, viewer: Viewer, id_: int, booking_ids: Sequence[int]
) -> t.Conversation:
    conversation, problems = await hold_one(session, viewer, id_)
    if not booking_ids:
        problems += size_problems("booking", "bookingIds", booking_ids, MAX_BOOKINGS)
    reject([*problems, *await _booking_problems(session, viewer, booking_ids)])
    assert conversation is not None  # noqa: S101  # else it was rejected
    return conversation


def _deadline_problems(deadline: datetime | None) -> list[Problem]:
    if deadline != writing.FIRST_MOMENT:
        return []
    return [
        Problem(ProblemCode.INVALID, "A deadline must be later than the year 1 begins", ["input", "deadlineResponseAt"])
    ]


async def _change_problems(session: AsyncSession, viewer: Viewer, changes: Mapping[str, Any]) -> list[Problem]:
    problems = await _assignee_problems(session, viewer, changes.get("assignee_id"))
    return problems + [
        Problem(ProblemCode.BLANK, f"{name} must be true or false", ["input", name])
        for key, name in (("closed", "closed"), ("marked_as_spam", "markedAsSpam"))
        if key in changes and changes[key] is None
    ]


async def _assignee_problems(session: AsyncSession, viewer: Viewer, host_id: int | None) -> list[Problem]:
    if host_id is None or host_id in await existing(session, viewer, t.Host, [host_id]):
        return []
    return [missing("host", "assigneeId")]


async def _source_problems(session: AsyncSession, viewer: Viewer, source_id: int | None) -> list[Problem]:
    if source_id is None:
        return []
    source: Any = t.Source
    statement = visible(t.Source, source.internal).where(source.id == source_id)
    rows = await session.exec(statement, params={ACCOUNT: viewer.account_id})  # type: ignore[call-overload]
    internal = rows.scalars().one_or_none()
    if internal is None:
        return [missing("source", "sourceId")]
    return (
        [Problem(ProblemCode.READ_ONLY, "An internal source is read-only", ["input", "sourceId"])] if internal else []
    )


async def _booking_problems(session: AsyncSession, viewer: Viewer, booking_ids: Sequence[int]) -> list[Problem]:
    if not booking_ids:
        return []
    problems = size_problems("booking", "bookingIds", booking_ids, MAX_BOOKINGS)
    return problems or missing_among(
        "booking", "bookingIds", booking_ids, await existing(session, viewer, t.Booking, booking_ids)
    )
