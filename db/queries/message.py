"""Writes of messages, and their effects on the sender and the conversation.

Messages are never changed. Locks and problems are as in `db.queries.conversation.writes`.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, TypeAlias

from sqlalchemy import BigInteger, and_, bindparam, func, literal_column, not_, tuple_

from db import tables as t
from db.criterion import Criterion, any_of, compared, since
from db.engine import Transaction
from db.failure import CollisionError
from db.page import Order, orders
from db.problem import Problem, ProblemCode, reject
from db.queries import external, participant, writing
from db.queries.conversation import derived
from db.queries.idempotency import ADDED_LATER, once
from db.queries.search import worded
from db.scope import ACCOUNT, Viewer, visible
from db.selection import Expression
from db.statement import Row, Statement

MAX_CONTENT = 65_536
# How far the clock of the application that delivers messages may be ahead.
MAX_AHEAD = timedelta(minutes=5)

# A participant, or the viewer's host, who may not be a participant yet.
Sender: TypeAlias = Row | participant.Member

_M: Any = t.Message
_P: Any = t.Participant


@dataclass(frozen=True, slots=True)
class MessageDraft:
    """The requested message. Without a sender it is from the viewer's host; without a time it is sent now."""

    table: ClassVar[type[t.TenantTable]] = t.Message

    conversation_id: int
    content: str
    visibility: t.MessageVisibility
    origin: t.MessageOrigin
    channel: t.Channel | None = None
    sender_id: int | None = None
    sent_at: datetime | None = None
    automatic: bool = False
    external_id: str | None = None
    already_sent: bool = field(default=False, metadata=ADDED_LATER)


async def create(transaction: Transaction, viewer: Viewer, draft: MessageDraft, key: str | None = None) -> int:
    """Store the message of `draft`, and its effects on the sender and the conversation. Returns its id.

    If its idempotency key or external id was used before, the id of the first record is returned. So is that of the
    message that the application has relayed under this external id: channels send back what was written through them.
    Raises `RejectedError` for invalid values, for a conversation or sender that does not exist, and for a sender that
    may not write this.
    """
    echoed = await _find_relayed(transaction, viewer, draft)
    return echoed or await once(transaction, viewer, draft, key, partial(_create, transaction, viewer, draft))


_RELAYED = Statement.of(
    visible(t.Message, _M.id, _M.conversation_id, _M.content).where(
        _M.relayed_id == bindparam("relayed_id"), _M.relayed_by_id == bindparam("actor", BigInteger())
    ),
    t.Message,
)


async def _find_relayed(transaction: Transaction, viewer: Viewer, draft: MessageDraft) -> int | None:
    """The message that the application has relayed under this external id. Raises `RejectedError` if it differs."""
    if draft.external_id is None or viewer.actor_type is not t.CreatorType.APPLICATION:
        return None
    reject(external.problems(draft.external_id))
    parameters = {ACCOUNT: viewer.account_id, "relayed_id": draft.external_id, "actor": viewer.actor_id}
    rows = await transaction.fetch(_RELAYED, parameters)
    if not rows:
        return None
    (row,) = rows
    if (row.conversation_id, row.content) != (draft.conversation_id, draft.content):
        message = "This external id was used for another message"
        reject([Problem(ProblemCode.CONFLICT, message, ["input", "externalId"])])
    return int(row.id)


async def _check_relayed(transaction: Transaction, viewer: Viewer, draft: MessageDraft, sender: Sender) -> None:
    """Raise `CollisionError` if the message was reported while this waited for the conversation.

    The next attempt finds it.
    """
    if _is_host(sender) and await _find_relayed(transaction, viewer, draft) is not None:
        raise CollisionError


async def _create(transaction: Transaction, viewer: Viewer, draft: MessageDraft, identity: dict[str, Any]) -> int:
    conversation, problems = await writing.hold_one(transaction, viewer, draft.conversation_id)
    sender = await _find_sender(transaction, viewer, draft.conversation_id, draft.sender_id)
    channel = None
    if conversation is not None and not isinstance(sender, list):
        channel = draft.channel or _usual_channel(conversation, sender, draft.visibility)
        problems += await _relay_problems(transaction, conversation, draft, sender, channel)
        problems += _sent_problems(viewer, draft, relayed=_is_relayed(draft, sender, channel))
    reject(
        [
            *problems,
            *_content_problems(draft.content),
            *(sender if isinstance(sender, list) else _sender_problems(viewer, draft, sender)),
            *_channel_problems(draft),
            *moment_problems(draft.sent_at, "sentAt"),
        ]
    )
    assert conversation is not None  # noqa: S101  # else it was rejected
    assert not isinstance(sender, list)  # noqa: S101  # else it was rejected
    await _check_relayed(transaction, viewer, draft, sender)
    moment = writing.moment(conversation)
    # The clock of the application that delivers it may be ahead.
    sent_at = moment if draft.sent_at is None else min(draft.sent_at, moment)
    sender_id = await _send(transaction, conversation, sender, sent_at, moment)
    values = _composed(conversation, draft) | {"channel": channel, "sender_id": sender_id, "sent_at": sent_at}
    stamps = {"created_at": moment, "updated_at": moment, **writing.created_by(viewer)}
    delivery, events = _on_its_way(draft, moment, relayed=_is_relayed(draft, sender, channel))
    message_id = await writing.insert_row(transaction, t.Message, values | stamps | delivery | identity, *events)
    values = {"updated_at": moment}
    if viewer.actor_type is t.CreatorType.USER:
        # A host who writes has read the conversation. An application that writes in a host's name has not.
        values["read_at"] = moment
    if _is_answer(draft, sender):
        values["deadline_response_at"] = await _still_due(transaction, conversation, sent_at)
    elif not _is_host(sender) and not draft.automatic:
        values |= await _asked(transaction, conversation, sent_at, message_id, moment)
    await writing.change(transaction, t.Conversation, conversation, values, message_id=message_id)
    await derived.derive(transaction, viewer.account_id, [conversation.id])
    return message_id


def _composed(conversation: Row, draft: MessageDraft) -> dict[str, Any]:
    """The columns of the draft's message."""
    return {
        "account_id": conversation.account_id,
        "conversation_id": conversation.id,
        "content": draft.content,
        "origin": draft.origin,
        "visibility": draft.visibility,
        "automatic": draft.automatic,
    }


async def _send(
    transaction: Transaction, conversation: Row, sender: Sender, sent_at: datetime, moment: datetime
) -> int:
    """Update the sender, or add it as a participant; return the participant's id."""
    if isinstance(sender, participant.Member):
        if sender.participant is None:
            return await participant.join(transaction, conversation, sender, moment, last_message_sent_at=sent_at)
        sender = sender.participant
    last = max(sender.last_message_sent_at or sent_at, sent_at)
    await writing.change(transaction, t.Participant, sender, {"last_message_sent_at": last})
    return int(sender.id)


def _on_its_way(draft: MessageDraft, moment: datetime, *, relayed: bool) -> tuple[dict[str, Any], list[t.WebhookEvent]]:
    """The columns of the delivery of a new message, and what happened."""
    events = [t.WebhookEvent.MESSAGE_CREATED]
    if not relayed:
        return {}, events
    state = t.DeliveryState.SENT if draft.already_sent else t.DeliveryState.QUEUED
    if not draft.already_sent:
        events.append(t.WebhookEvent.MESSAGE_OUTGOING)
    return {"delivery_state": state, "delivery_at": moment, "delivery_attempts": 1}, events


def _is_relayed(draft: MessageDraft, sender: Sender, channel: t.Channel | None) -> bool:
    """Whether an application has to relay it to the guest."""
    return _is_host(sender) and draft.visibility is t.MessageVisibility.EXTERNAL and channel is not None


def _is_answer(draft: MessageDraft, sender: Sender) -> bool:
    return _is_host(sender) and draft.visibility is t.MessageVisibility.EXTERNAL and not draft.automatic


async def _asked(
    transaction: Transaction, conversation: Row, sent_at: datetime, message_id: int, moment: datetime
) -> dict[str, Any]:
    """The changes that a guest's message makes to its conversation: it is opened, and has a deadline.

    None in a spam conversation, and none if an answer to the message was sent before it was delivered.
    """
    if conversation.marked_as_spam_at is not None:
        return {}
    if await _is_answered(transaction, conversation, sent_at, message_id):
        return {}
    # Closing clears the deadline, so one that an import stored with a closed conversation is ignored.
    due = conversation.deadline_response_at if conversation.closed_at is None else None
    return {
        "closed_at": None,
        "wait_ended_at": conversation.wait_ended_at or conversation.closed_at,
        "deadline_response_at": due or moment + writing.RESPONSE_TIME,
    }


_STILL_WAITING = Statement.of(
    visible(t.Message, _M.created_at)
    .join(t.Participant, and_(_P.account_id == _M.account_id, _P.id == _M.sender_id))
    .where(
        _M.conversation_id == bindparam("conversation"),
        _M.sent_at > bindparam("sent_at", type_=_M.sent_at.type),
        _M.created_at > bindparam("ended_at", type_=_M.created_at.type),
        _P.member_type == literal_column(f"'{t.MemberType.CLIENT}'"),
        not_(_M.automatic),
    )
    .order_by(_M.sent_at, _M.id)
    .limit(literal_column("1")),
    t.Message,
)


async def _still_due(transaction: Transaction, conversation: Row, sent_at: datetime) -> datetime | None:
    """The deadline that an answer which was sent then leaves: none, unless it was delivered late.

    An answer that was sent before the wait began leaves the wait and its deadline. One that was sent in the middle of
    the wait answers its first messages; those that were sent later are a wait with a deadline of its own.
    """
    waiting_since = conversation.waiting_since
    if waiting_since is None or sent_at >= conversation.last_message_at:
        return None
    if sent_at < waiting_since:
        due: datetime | None = conversation.deadline_response_at
        return due
    ended_at = conversation.wait_ended_at or writing.FIRST_MOMENT
    parameters = {"conversation": conversation.id, "sent_at": sent_at, "ended_at": ended_at}
    rows = await transaction.fetch(_STILL_WAITING, {ACCOUNT: conversation.account_id, **parameters})
    return rows[0].created_at + writing.RESPONSE_TIME if rows else None


_ANSWERED = Statement.of(
    visible(t.Message, _M.id)
    .join(t.Participant, and_(_P.account_id == _M.account_id, _P.id == _M.sender_id))
    .where(
        _M.conversation_id == bindparam("conversation"),
        tuple_(_M.sent_at, _M.id) > tuple_(bindparam("sent_at", type_=_M.sent_at.type), bindparam("id", BigInteger())),
        _M.visibility == literal_column(f"'{t.MessageVisibility.EXTERNAL}'"),
        _P.member_type == literal_column(f"'{t.MemberType.HOST}'"),
        not_(_M.automatic),
    )
    .limit(literal_column("1")),
    t.Message,
)


async def _is_answered(transaction: Transaction, conversation: Row, sent_at: datetime, message_id: int) -> bool:
    """Whether an answer comes after the message of that time, in the order of messages."""
    if conversation.last_message_at is None or sent_at > conversation.last_message_at:
        return False
    parameters = {"conversation": conversation.id, "sent_at": sent_at, "id": message_id}
    return bool(await transaction.fetch(_ANSWERED, {ACCOUNT: conversation.account_id, **parameters}))


def _usual_channel(conversation: Row, sender: Sender, visibility: t.MessageVisibility) -> t.Channel | None:
    """The channel of a message without one.

    For a guest's message, only the application that delivers it knows the channel.
    """
    relayed = _is_host(sender) and visibility is t.MessageVisibility.EXTERNAL
    return conversation.default_channel if relayed else None


def _is_host(sender: Sender) -> bool:
    return isinstance(sender, participant.Member) or sender.member_type == t.MemberType.HOST


async def _find_sender(
    transaction: Transaction, viewer: Viewer, conversation_id: int, sender_id: int | None
) -> Sender | list[Problem]:
    """The sender: the given participant, or the viewer's host; otherwise a problem."""
    sender: Sender | None = None
    if sender_id is not None:
        sender = await participant.find(transaction, viewer, conversation_id, sender_id)
        return sender or [writing.missing("participant", "senderId")]
    if viewer.actor_type is t.CreatorType.USER:
        sender = await participant.find_host(transaction, viewer, conversation_id)
    return sender or [Problem(ProblemCode.BLANK, "senderId is required here", ["input", "senderId"])]


def _sender_problems(viewer: Viewer, draft: MessageDraft, sender: Sender) -> list[Problem]:
    if _is_host(sender):
        return []
    problems = []
    if viewer.actor_type is t.CreatorType.USER:
        problems.append(Problem(ProblemCode.INVALID, "A user writes as a host", ["input", "senderId"]))
    if draft.visibility is t.MessageVisibility.INTERNAL:
        problems.append(Problem(ProblemCode.INVALID, "Only a host writes notes", ["input", "visibility"]))
    return problems


def _content_problems(content: str) -> list[Problem]:
    problems = writing.text_problems("A message", "content", content, MAX_CONTENT)
    if writing.is_blank(content):
        message = "A message has at least one visible character"
        problems.append(Problem(ProblemCode.BLANK, message, ["input", "content"]))
    return problems


_GUEST = Statement.of(
    visible(t.Participant, _P.id)
    .where(
        _P.conversation_id == bindparam("conversation"),
        _P.member_type == literal_column(f"'{t.MemberType.CLIENT}'"),
    )
    .limit(literal_column("1")),
    t.Participant,
)


async def _relay_problems(
    transaction: Transaction, conversation: Row, draft: MessageDraft, sender: Sender, channel: t.Channel | None
) -> list[Problem]:
    """A host's message to a guest needs a channel that relays it."""
    if channel is not None or not _is_host(sender) or draft.visibility is t.MessageVisibility.INTERNAL:
        return []
    parameters = {ACCOUNT: conversation.account_id, "conversation": conversation.id}
    if not await transaction.fetch(_GUEST, parameters):
        return []
    message = "The message needs a channel: it has none, and the conversation has no default one"
    return [Problem(ProblemCode.BLANK, message, ["input", "channel"])]


def _sent_problems(viewer: Viewer, draft: MessageDraft, *, relayed: bool) -> list[Problem]:
    """Only an application knows that a message has reached its channel."""
    if not draft.already_sent or (relayed and viewer.actor_type is t.CreatorType.APPLICATION):
        return []
    message = "Only an application can say so, of a host's message with a channel"
    return [Problem(ProblemCode.INVALID, message, ["input", "alreadySent"])]


def _channel_problems(draft: MessageDraft) -> list[Problem]:
    if draft.channel is None or draft.visibility is t.MessageVisibility.EXTERNAL:
        return []
    return [Problem(ProblemCode.INVALID, "A note is not relayed by any channel", ["input", "channel"])]


def moment_problems(moment: datetime | None, name: str) -> list[Problem]:
    """Problems of the value `name`, when something was done with a message."""
    path = ["input", name]
    if moment == writing.FIRST_MOMENT:
        return [Problem(ProblemCode.INVALID, "A message must be sent later than the year 1 begins", path)]
    if moment is not None and moment > writing.now() + MAX_AHEAD:
        return [Problem(ProblemCode.INVALID, "A message cannot be sent in the future", path)]
    return []


# The first characters of the text, for lists. PostgreSQL decompresses no more of it.
BEGINNING = Expression("beginning", func.left(_M.content, literal_column("4001"), type_=t.FreeText))

OLDEST_FIRST = Order("sent_at:asc", _M.sent_at)

ORDERS = orders(_M.sent_at, _M.updated_at)
FILTERS: dict[str, Criterion] = {
    "ids": any_of(_M.id),
    "conversation_ids": any_of(_M.conversation_id),
    "visibility": compared(_M.visibility, operator.eq),
    "external_ids": any_of(_M.external_id),
    "updated_since": since(_M.updated_at),
    "search": worded(t.MESSAGE_WORDS),
}
