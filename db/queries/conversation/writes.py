"""Writes of conversations, with the rules of the domain.

A write runs in an open transaction, which the caller commits. It locks the rows that it changes, and collects all
problems of the input before it rejects it, so that a client gets them at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from sqlalchemy import BigInteger, bindparam
from sqlalchemy.dialects.postgresql import insert

from db import tables as t
from db.engine import Transaction
from db.problem import Problem, ProblemCode, reject
from db.queries import writing
from db.queries.activity import note_bookings
from db.queries.conversation import derived
from db.queries.idempotency import once
from db.queries.writing import (
    change,
    change_last,
    change_several,
    differing,
    existing,
    hold,
    hold_one,
    is_id,
    is_one_of_ids,
    missing,
    missing_among,
    size_problems,
    unique,
)
from db.scope import ACCOUNT, Viewer, visible, visible_for_removal
from db.statement import Row, Statement
from db.tables import ActivityType

_B: Any = t.Booking
_LINK: Any = t.ConversationBooking
_M: Any = t.Message
_S: Any = t.Source
_CONTROL = re.compile(r"[\x01-\x1f\x7f-\x9f]")

MAX_SUBJECT = 255
MAX_BOOKINGS = 250
MAX_CONVERSATIONS = 250


@dataclass(frozen=True, slots=True)
class ConversationDraft:
    """The requested conversation. Absent values are None; a list has each id once, in order."""

    table: ClassVar[type[t.TenantTable]] = t.Conversation

    subject: str | None = None
    default_channel: t.Channel | None = None
    assignee_id: int | None = None
    source_id: int | None = None
    deadline_response_at: datetime | None = None
    closed: bool = False
    booking_ids: tuple[int, ...] = ()
    external_id: str | None = None


async def create(transaction: Transaction, viewer: Viewer, draft: ConversationDraft, key: str | None = None) -> int:
    """Store the conversation of `draft`, connected to its bookings. Returns its id.

    If its idempotency key or external id was used before, the id of the first record is returned. Raises
    `RejectedError` for invalid values, and for links to rows that do not exist or are read-only.
    """
    return await once(transaction, viewer, draft, key, partial(_create, transaction, viewer, draft))


async def _create(transaction: Transaction, viewer: Viewer, draft: ConversationDraft, identity: dict[str, Any]) -> int:
    reject(
        [
            *_subject_problems(draft.subject),
            *_deadline_problems(draft.deadline_response_at),
            *await _assignee_problems(transaction, viewer, draft.assignee_id),
            *await _source_problems(transaction, viewer, draft.source_id),
            *await _booking_problems(transaction, viewer, draft.booking_ids),
        ]
    )
    now = writing.now()
    closed_at = now if draft.closed else None
    values = {
        "account_id": viewer.account_id,
        "subject": draft.subject,
        "default_channel": draft.default_channel,
        "assignee_id": draft.assignee_id,
        "source_id": draft.source_id,
        # Closing clears a deadline, here as in an update.
        "deadline_response_at": None if draft.closed else draft.deadline_response_at,
        "closed_at": closed_at,
        "wait_ended_at": closed_at,
        # A host has read a conversation that they create.
        "read_at": now if viewer.actor_type is t.CreatorType.USER else None,
        "created_at": now,
        "updated_at": now,
        **writing.created_by(viewer),
        **identity,
    }
    conversation_id = await writing.insert_row(transaction, t.Conversation, values, t.WebhookEvent.CONVERSATION_CREATED)
    await _link(transaction, viewer, conversation_id, draft.booking_ids, now)
    # It has neither messages nor participants yet.
    follows = derived.OF_BOOKINGS if draft.booking_ids else [derived.TEXTS]
    await derived.derive(transaction, viewer.account_id, [conversation_id], follows)
    return conversation_id


async def update(
    transaction: Transaction, viewer: Viewer, id_: int, changes: Mapping[str, Any], unchanged_since: datetime | None
) -> int:
    """Apply `changes`, any of `assignee_id`, `closed`, `default_channel` and `marked_as_spam`.

    Values that are stored already change nothing, not even `updated_at`. Raises `RejectedError` for a conversation or
    an assignee that does not exist, for null in a required value, and for a conversation that has changed since.
    """
    conversation, problems = await hold_one(transaction, viewer, id_)
    reject([*problems, *await _change_problems(transaction, viewer, changes)])
    assert conversation is not None  # noqa: S101  # else it was rejected
    if _has_changed(conversation, unchanged_since):
        reject([_changed_problem("ifUnchangedSince")], id_)
    values = _changed(conversation, changes)
    if _ends_wait(conversation, values):
        await _apply(transaction, viewer, [(conversation, values)])
    elif values:
        change_last(transaction, conversation, values, t.WebhookEvent.CONVERSATION_UPDATED)
    return id_


async def update_all(
    transaction: Transaction,
    viewer: Viewer,
    ids: Sequence[int],
    changes: Mapping[str, Any],
    unchanged_since: datetime | None,
) -> list[int]:
    """Apply `changes`, as `update` does, to all of the conversations or to none. Returns each id once, in order.

    Raises `RejectedError` as `update` does, and for no or too many conversations.
    """
    problems = size_problems("conversation", "conversationIds", ids, MAX_CONVERSATIONS)
    held = {} if problems else await hold(transaction, viewer, ids)
    problems = problems or missing_among("conversation", "conversationIds", ids, held)
    reject([*problems, *await _change_problems(transaction, viewer, changes)])
    changed = [
        _changed_problem("conversationIds", str(place))
        for place, id_ in enumerate(ids)
        if _has_changed(held[id_], unchanged_since)
    ]
    reject(changed, unique(ids))
    found = [(row, values) for row in held.values() if (values := _changed(row, changes))]
    await _apply(transaction, viewer, found)
    return unique(ids)


async def _apply(transaction: Transaction, viewer: Viewer, found: Sequence[tuple[Row, Mapping[str, Any]]]) -> None:
    """Store the new values of locked conversations. All of them write the same columns, and so share one statement."""
    columns = list(dict.fromkeys(name for _, values in found for name in values))
    complete = [(row, {name: values.get(name, row[name]) for name in columns}) for row, values in found]
    await change_several(transaction, t.Conversation, complete, t.WebhookEvent.CONVERSATION_UPDATED)
    ended = [row.id for row, values in found if _ends_wait(row, values)]
    if ended:
        await derived.derive(transaction, viewer.account_id, ended, [derived.COUNTERS])


def _ends_wait(conversation: Row, values: Mapping[str, Any]) -> bool:
    """Whether a guest waits until the new `values` are stored. Then the wait must be derived."""
    return "wait_ended_at" in values and conversation.unanswered_since is not None


def _changed(conversation: Row, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The columns to which `changes`, already checked, give other values."""
    moment = writing.moment(conversation)
    values = {name: changes[name] for name in ("assignee_id", "default_channel") if name in changes}
    states: dict[str, datetime | None] = {}
    for name, column in (("closed", "closed_at"), ("marked_as_spam", "marked_as_spam_at")):
        # Closing a closed conversation changes nothing: the first time stays.
        if name in changes and changes[name] is not (conversation[column] is not None):
            states[column] = moment if changes[name] else None
    found = differing(conversation, values) | states | _wait(conversation, states, moment)
    return found | {"updated_at": moment} if found else {}


def _wait(conversation: Row, states: Mapping[str, datetime | None], moment: datetime) -> dict[str, Any]:
    """The effects of a new state on the wait: its end, or the deadline of one that continues."""
    if any(states.values()):
        return {"wait_ended_at": moment, "deadline_response_at": None}
    if not states or conversation.unanswered_since is None:
        return {}
    idle = any(states.get(column, conversation[column]) for column in ("closed_at", "marked_as_spam_at"))
    return {} if idle else {"deadline_response_at": moment + writing.RESPONSE_TIME}


def _has_changed(conversation: Row, unchanged_since: datetime | None) -> bool:
    return unchanged_since is not None and bool(conversation.updated_at > unchanged_since)


def _changed_problem(*path: str) -> Problem:
    return Problem(ProblemCode.CONFLICT, "The conversation has changed since", ["input", *path])


async def mark_read(
    transaction: Transaction, viewer: Viewer, id_: int, *, read: bool, message_id: int | None = None
) -> int:
    """Mark a conversation as read up to now or up to the arrival of one of its messages, or as unread.

    Without a difference, nothing is changed. Raises `RejectedError` for a conversation or message that does not exist,
    and for a message together with `read: false`.
    """
    conversation, problems = await hold_one(transaction, viewer, id_)
    arrival = None
    if message_id is not None:
        arrival = await _arrival(transaction, viewer, id_, message_id)
        if arrival is None:
            problems.append(missing("message", "upToMessageId"))
        if not read:
            path = ["input", "upToMessageId"]
            problems.append(Problem(ProblemCode.INVALID, "upToMessageId cannot be combined with read: false", path))
    reject(problems)
    assert conversation is not None  # noqa: S101  # else it was rejected
    read_at = _read_at(conversation, arrival) if read else None
    if read_at != conversation.read_at:
        values = {"read_at": read_at}
        await change(transaction, t.Conversation, conversation, values, t.WebhookEvent.CONVERSATION_UPDATED)
        await derived.derive(transaction, viewer.account_id, [id_], [derived.COUNTERS])
    return id_


def _read_at(conversation: Row, arrival: datetime | None) -> datetime:
    """The new `read_at`: never earlier than before."""
    if arrival is not None:
        return max(arrival, conversation.read_at or arrival)
    return conversation.read_at if conversation.read else writing.moment(conversation)


_ARRIVAL = Statement.of(
    visible(t.Message, _M.created_at).where(is_id(_M.id), _M.conversation_id == bindparam("conversation")), t.Message
)


async def _arrival(transaction: Transaction, viewer: Viewer, conversation_id: int, message_id: int) -> datetime | None:
    """The arrival of a message of the conversation."""
    parameters = {ACCOUNT: viewer.account_id, "conversation": conversation_id, "id": message_id}
    rows = await transaction.fetch(_ARRIVAL, parameters)
    return rows[0].created_at if rows else None


async def connect(transaction: Transaction, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> int:
    """Connect the conversation to all of the bookings, or to none. Existing connections are no error.

    Raises `RejectedError` for a conversation or bookings that do not exist, and for no or too many bookings.
    """
    conversation = await _hold_for_bookings(transaction, viewer, id_, booking_ids)
    moment = writing.moment(conversation)
    if await _link(transaction, viewer, id_, booking_ids, moment):
        await _change_links(transaction, conversation, moment)
    return id_


async def disconnect(transaction: Transaction, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> int:
    """Disconnect the conversation from all of the bookings, or from none. Missing connections are no error.

    Raises `RejectedError` as `connect` does.
    """
    conversation = await _hold_for_bookings(transaction, viewer, id_, booking_ids)
    moment = writing.moment(conversation)
    if await _link(transaction, viewer, id_, booking_ids, moment, ActivityType.BOOKING_DISCONNECTED):
        await _change_links(transaction, conversation, moment)
    return id_


_DISCONNECT = Statement.of(
    visible_for_removal(t.ConversationBooking)
    .where(is_id(_LINK.conversation_id), is_one_of_ids(_LINK.booking_id))
    .returning(_LINK.booking_id),
    t.ConversationBooking,
)
# One statement for any number of bookings of the account.
_CONNECT = Statement.of(
    insert(_LINK.__table__)
    .from_select(
        ["account_id", "conversation_id", "booking_id"],
        visible(t.Booking, _B.account_id, bindparam("id", type_=BigInteger), _B.id).where(is_one_of_ids(_B.id)),
    )
    .on_conflict_do_nothing()
    .returning(_LINK.booking_id),
    t.ConversationBooking,
)


# The statement that changes the links, for each kind of activity.
_LINKING = {ActivityType.BOOKING_CONNECTED: _CONNECT, ActivityType.BOOKING_DISCONNECTED: _DISCONNECT}


async def _link(  # noqa: PLR0913, PLR0917  # what to link, when, and whether
    transaction: Transaction,
    viewer: Viewer,
    id_: int,
    booking_ids: Sequence[int],
    moment: datetime,
    type_: ActivityType = ActivityType.BOOKING_CONNECTED,
) -> bool:
    """Add the missing links, or remove the existing ones. Returns whether there were any."""
    if not booking_ids:
        return False
    ids = unique(booking_ids)
    rows = await transaction.fetch(_LINKING[type_], {ACCOUNT: viewer.account_id, "id": id_, "ids": ids})
    changed = {row.booking_id for row in rows}
    note_bookings(transaction, id_, type_, [booking_id for booking_id in ids if booking_id in changed], moment)
    return bool(changed)


async def _change_links(transaction: Transaction, conversation: Row, moment: datetime) -> None:
    """Update everything that depends on the links: `updated_at`, the stage and the searched words."""
    await change(transaction, t.Conversation, conversation, {"updated_at": moment}, t.WebhookEvent.BOOKINGS_CHANGED)
    await derived.derive(transaction, conversation.account_id, [conversation.id], derived.OF_BOOKINGS)


async def _hold_for_bookings(transaction: Transaction, viewer: Viewer, id_: int, booking_ids: Sequence[int]) -> Row:
    conversation, problems = await hold_one(transaction, viewer, id_)
    if not booking_ids:
        problems += size_problems("booking", "bookingIds", booking_ids, MAX_BOOKINGS)
    reject([*problems, *await _booking_problems(transaction, viewer, booking_ids)])
    assert conversation is not None  # noqa: S101  # else it was rejected
    return conversation


def _subject_problems(subject: str | None) -> list[Problem]:
    if subject is None:
        return []
    problems = writing.text_problems("A subject", "subject", subject, MAX_SUBJECT)
    # A subject becomes the header of an e-mail.
    if _CONTROL.search(subject):
        message = "A subject has no line breaks or other control characters"
        problems.append(Problem(ProblemCode.INVALID, message, ["input", "subject"]))
    return problems


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
