"""Writes of conversations that the domain's rules allow.

A write runs in an open transaction and leaves committing to its owner. It holds what it changes, and collects what is
wrong with the input before it rejects it, so that a client learns of all problems at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam
from sqlalchemy.dialects.postgresql import insert

from db import tables as t
from db.engine import Row, Statement, Transaction
from db.problem import Problem, ProblemCode, reject
from db.queries import writing
from db.queries.conversation import derived
from db.queries.writing import (
    among,
    change,
    change_several,
    differing,
    existing,
    hold,
    hold_one,
    is_id,
    is_read,
    missing,
    missing_among,
    size_problems,
    unique,
)
from db.scope import ACCOUNT, Viewer, visible, visible_for_removal

_B: Any = t.Booking
_LINK: Any = t.ConversationBooking
_S: Any = t.Source

MAX_SUBJECT = 255
MAX_BOOKINGS = 250
MAX_CONVERSATIONS = 250


async def create(  # noqa: PLR0913  # all that a conversation is made of
    transaction: Transaction,
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
            *await _assignee_problems(transaction, viewer, values.get("assignee_id")),
            *await _source_problems(transaction, viewer, values.get("source_id")),
            *await _booking_problems(transaction, viewer, booking_ids),
        ]
    )
    now = writing.now()
    stamps = {"created_at": now, "updated_at": now, "closed_at": now if closed else None}
    owner = {"account_id": viewer.account_id, **writing.created_by(viewer), **({} if id_ is None else {"id": id_})}
    conversation_id = await writing.insert_row(transaction, t.Conversation, {**values, **stamps, **owner})
    await _connect(transaction, viewer, conversation_id, booking_ids)
    # It has no messages yet, nor participants.
    follows = derived.OF_BOOKINGS if booking_ids else [derived.TEXTS]
    await derived.derive(transaction, viewer.account_id, [conversation_id], follows)
    return conversation_id


async def update(transaction: Transaction, viewer: Viewer, id_: int, changes: Mapping[str, Any]) -> int:
    """Apply `changes`: `assignee_id`, `closed`, `default_channel`, `marked_as_spam`, each only where given.

    What is already so changes nothing, and then `updated_at` stays too. Raises `RejectedError` for a conversation or an
    assignee that does not exist, and for a null where there must be a value.
    """
    conversation, problems = await hold_one(transaction, viewer, id_)
    reject([*problems, *await _change_problems(transaction, viewer, changes)])
    assert conversation is not None  # noqa: S101  # else it was rejected
    if values := _changed(conversation, changes, writing.now()):
        await change(transaction, t.Conversation, conversation, values)
    return id_


async def update_all(
    transaction: Transaction, viewer: Viewer, ids: Sequence[int], changes: Mapping[str, Any]
) -> list[int]:
    """Apply `changes`, as `update` does, to all of the conversations or to none. Returns each id once, in order.

    Raises `RejectedError` as `update` does, and for no or too many conversations.
    """
    problems = size_problems("conversation", "conversationIds", ids, MAX_CONVERSATIONS)
    held = {} if problems else await hold(transaction, viewer, ids)
    problems = problems or missing_among("conversation", "conversationIds", ids, held)
    reject([*problems, *await _change_problems(transaction, viewer, changes)])
    now = writing.now()
    found = [(row, values) for row in held.values() if (values := _changed(row, changes, now))]
    # All of them write the same columns, and so share one statement.
    columns = list(dict.fromkeys(name for _, values in found for name in values))
    await change_several(
        transaction,
        t.Conversation,
        [(row, {name: values.get(name, row[name]) for name in columns}) for row, values in found],
    )
    return unique(ids)


async def mark_read(transaction: Transaction, viewer: Viewer, id_: int, *, read: bool) -> int:
    """Mark a conversation as read up to now, or as not read. What is already so changes nothing.

    Raises `RejectedError` for a conversation that does not exist.
    """
    conversation, problems = await hold_one(transaction, viewer, id_)
    reject(problems)
    assert conversation is not None  # noqa: S101  # else it was rejected
    now = writing.now()
    values = {}
    if read and (conversation.unread_count or not is_read(conversation)):
        values = differing(conversation, {"read_at": max(now, conversation.last_message_at or now)})
    elif not read and is_read(conversation):
        values = {"read_at": None}
    if values:
        await change(transaction, t.Conversation, conversation, values)
        await derived.derive(transaction, viewer.account_id, [id_], [derived.COUNTERS])
    return id_


async def connect(transaction: Transaction, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> int:
    """Connect the conversation to all of the bookings, or to none. Those connected already are no error.

    Raises `RejectedError` for a conversation or bookings that do not exist, and for no or too many bookings.
    """
    conversation = await _hold_for_bookings(transaction, viewer, id_, booking_ids)
    if await _connect(transaction, viewer, id_, booking_ids):
        await _change_links(transaction, conversation)
    return id_


async def disconnect(transaction: Transaction, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> int:
    """Disconnect the conversation from all of the bookings, or from none. Those not connected are no error.

    Raises `RejectedError` as `connect` does.
    """
    conversation = await _hold_for_bookings(transaction, viewer, id_, booking_ids)
    parameters = {ACCOUNT: viewer.account_id, "id": id_, "ids": unique(booking_ids)}
    if await transaction.fetch(_DISCONNECT, parameters):
        await _change_links(transaction, conversation)
    return id_


_DISCONNECT = Statement.of(
    visible_for_removal(t.ConversationBooking)
    .where(is_id(_LINK.conversation_id), among(_LINK.booking_id))
    .returning(_LINK.booking_id),
    t.ConversationBooking,
)
# One statement for any number of bookings, and only of the account's own.
_CONNECT = Statement.of(
    insert(_LINK.__table__)
    .from_select(
        ["account_id", "conversation_id", "booking_id"],
        visible(t.Booking, _B.account_id, bindparam("id", type_=BigInteger), _B.id).where(among(_B.id)),
    )
    .on_conflict_do_nothing()
    .returning(_LINK.booking_id),
    t.ConversationBooking,
)


async def _connect(transaction: Transaction, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> bool:
    """Add the links that are not there yet. Returns whether there was any."""
    if not booking_ids:
        return False
    parameters = {ACCOUNT: viewer.account_id, "id": id_, "ids": unique(booking_ids)}
    return bool(await transaction.fetch(_CONNECT, parameters))


async def _change_links(transaction: Transaction, conversation: Row) -> None:
    """What follows from other links: the conversation was changed, its stage and its words follow."""
    await change(transaction, t.Conversation, conversation, {})
    await derived.derive(transaction, conversation.account_id, [conversation.id], derived.OF_BOOKINGS)


def _changed(conversation: Row, changes: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The columns that `changes`, which are allowed, give other values."""
    values = {name: changes[name] for name in ("assignee_id", "default_channel") if name in changes}
    for name, column in (("closed", "closed_at"), ("marked_as_spam", "marked_as_spam_at")):
        # The first time stays: closing what is closed is no change.
        if name in changes and changes[name] is not (conversation[column] is not None):
            values[column] = now if changes[name] else None
    return differing(conversation, values)


async def _hold_for_bookings(transaction: Transaction, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> Row:
    conversation, problems = await hold_one(transaction, viewer, id_)
    if not booking_ids:
        problems += size_problems("booking", "bookingIds", booking_ids, MAX_BOOKINGS)
    reject([*problems, *await _booking_problems(transaction, viewer, booking_ids)])
    assert conversation is not None  # noqa: S101  # else it was rejected
    return conversation


def _deadline_problems(deadline: datetime | None) -> list[Problem]:
    if deadline != writing.FIRST_MOMENT:
        return []
    return [
        Problem(ProblemCode.INVALID, "A deadline must be later than the year 1 begins", ["input", "deadlineResponseAt"])
    ]


async def _change_problems(transaction: Transaction, viewer: Viewer, changes: Mapping[str, Any]) -> list[Problem]:
    problems = await _assignee_problems(transaction, viewer, changes.get("assignee_id"))
    return problems + [
        Problem(ProblemCode.BLANK, f"{name} must be true or false", ["input", name])
        for key, name in (("closed", "closed"), ("marked_as_spam", "markedAsSpam"))
        if key in changes and changes[key] is None
    ]


async def _assignee_problems(transaction: Transaction, viewer: Viewer, host_id: int | None) -> list[Problem]:
    if host_id is None or host_id in await existing(transaction, viewer, t.Host, [host_id]):
        return []
    return [missing("host", "assigneeId")]


_SOURCE = Statement.of(visible(t.Source, _S.internal).where(is_id(_S.id)), t.Source)


async def _source_problems(transaction: Transaction, viewer: Viewer, source_id: int | None) -> list[Problem]:
    if source_id is None:
        return []
    rows = await transaction.fetch(_SOURCE, {ACCOUNT: viewer.account_id, "id": source_id})
    if not rows:
        return [missing("source", "sourceId")]
    path = ["input", "sourceId"]
    return [Problem(ProblemCode.READ_ONLY, "An internal source is read-only", path)] if rows[0].internal else []


async def _booking_problems(transaction: Transaction, viewer: Viewer, booking_ids: Sequence[int]) -> list[Problem]:
    if not booking_ids:
        return []
    problems = size_problems("booking", "bookingIds", booking_ids, MAX_BOOKINGS)
    return problems or missing_among(
        "booking", "bookingIds", booking_ids, await existing(transaction, viewer, t.Booking, booking_ids)
    )
