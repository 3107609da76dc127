"""Writing messages, and what a message changes of its sender and its conversation.

Messages are written and never changed. Writes lock and report as those of `db.queries.conversation.writes` do.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from db import tables as t
from db.criterion import Criterion, compared
from db.engine import Row, Transaction
from db.page import Order
from db.problem import Problem, ProblemCode, reject
from db.queries import participant, writing
from db.queries.conversation import derived
from db.scope import Viewer

MAX_CONTENT = 10_000
# How long a guest waits for an answer before it is late.
RESPONSE_TIME = timedelta(hours=24)
# How far the clock of who delivers messages may be ahead.
MAX_AHEAD = timedelta(minutes=5)

# A participant; or the viewer's host, who may not take part yet.
Sender: TypeAlias = Row | participant.Member


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as it is asked for. Without a sender it is the viewer's host's; without a moment it is sent now."""

    content: str
    visibility: t.MessageVisibility
    origin: t.MessageOrigin
    channel: t.Channel | None = None
    sender_id: int | None = None
    sent_at: datetime | None = None


async def create(
    transaction: Transaction, viewer: Viewer, conversation_id: int, draft: Draft, id_: int | None = None
) -> int:
    """Store a message, and what it changes of its sender and its conversation. Returns its id: `id_`, where given.

    Raises `RejectedError` for what cannot be stored, for a conversation or sender that does not exist, and for a sender
    that may not write so.
    """
    conversation, problems = await writing.hold_one(transaction, viewer, conversation_id)
    now = writing.now()
    sender = await _find_sender(transaction, viewer, conversation_id, draft.sender_id)
    reject(
        [
            *problems,
            *_content_problems(draft.content),
            *(sender if isinstance(sender, list) else _sender_problems(viewer, draft, sender)),
            *_channel_problems(draft),
            *_moment_problems(draft.sent_at, now),
        ]
    )
    assert conversation is not None  # noqa: S101  # else it was rejected
    assert not isinstance(sender, list)  # noqa: S101  # else it was rejected
    sent_at = draft.sent_at or now
    sender_id = await _send(transaction, conversation, sender, sent_at, now)
    values = _composed(conversation, sender, draft) | {"sender_id": sender_id, "sent_at": sent_at}
    stamps = {"created_at": now, "updated_at": now, **writing.created_by(viewer)}
    message_id = await writing.insert_row(
        transaction, t.Message, values | stamps | ({} if id_ is None else {"id": id_})
    )
    await writing.change(transaction, t.Conversation, conversation, _received(conversation, sender, draft, sent_at))
    await derived.derive(transaction, viewer.account_id, [conversation_id])
    return message_id


def _composed(conversation: Row, sender: Sender, draft: Draft) -> dict[str, Any]:
    """The columns of the message that a draft becomes."""
    return {
        "account_id": conversation.account_id,
        "conversation_id": conversation.id,
        "content": draft.content,
        "channel": draft.channel or _usual_channel(conversation, sender, draft.visibility),
        "origin": draft.origin,
        "visibility": draft.visibility,
    }


async def _send(transaction: Transaction, conversation: Row, sender: Sender, sent_at: datetime, now: datetime) -> int:
    """What a message changes of its sender, who takes part from now on; the participant's id."""
    if isinstance(sender, participant.Member):
        if sender.participant is None:
            return await participant.join(transaction, conversation, sender, now, last_message_sent_at=sent_at)
        sender = sender.participant
    last = max(sender.last_message_sent_at or sent_at, sent_at)
    await writing.change(transaction, t.Participant, sender, {"last_message_sent_at": last})
    return int(sender.id)


def _received(conversation: Row, sender: Sender, draft: Draft, sent_at: datetime) -> dict[str, Any]:
    """What a message changes of its conversation, beside what is derived."""
    values: dict[str, Any] = {"last_message_at": max(conversation.last_message_at or sent_at, sent_at)}
    if not _is_host(sender):
        values |= _asked(conversation, sent_at)
    else:
        if writing.is_read(conversation):
            # A host's own words are nothing that hosts have yet to read.
            values["read_at"] = max(conversation.read_at or sent_at, values["last_message_at"])
        if draft.visibility is t.MessageVisibility.EXTERNAL:
            values["deadline_response_at"] = None
    return values


def _asked(conversation: Row, sent_at: datetime) -> dict[str, Any]:
    """What a guest's message asks for: to be read and, unless it is spam, to be answered in time."""
    values: dict[str, Any] = {}
    if conversation.read_at is not None and sent_at <= conversation.read_at:
        # It was delivered late. Nobody has read it, whatever was read since it was sent.
        before = sent_at - writing.MILLISECOND
        values["read_at"] = before if before > writing.FIRST_MOMENT else None
    if conversation.marked_as_spam_at is None:
        values["closed_at"] = None
        values["deadline_response_at"] = conversation.deadline_response_at or sent_at + RESPONSE_TIME
    return values


def _usual_channel(conversation: Row, sender: Sender, visibility: t.MessageVisibility) -> t.Channel | None:
    """The channel of a message that names none. Only who delivers a guest's message knows how it came."""
    relayed = _is_host(sender) and visibility is t.MessageVisibility.EXTERNAL
    return conversation.default_channel if relayed else None


def _is_host(sender: Sender) -> bool:
    return isinstance(sender, participant.Member) or sender.member_type == t.MemberType.HOST


async def _find_sender(
    transaction: Transaction, viewer: Viewer, conversation_id: int, sender_id: int | None
) -> Sender | list[Problem]:
    """Who writes: the participant that is named, or the viewer's host; else why there is none."""
    sender: Sender | None = None
    if sender_id is not None:
        sender = await participant.find(transaction, viewer, conversation_id, sender_id)
        return sender or [writing.missing("participant", "senderId")]
    if viewer.actor_type is t.CreatorType.USER:
        sender = await participant.find_host(transaction, viewer, conversation_id)
    return sender or [Problem(ProblemCode.BLANK, "Say which participant writes", ["input", "senderId"])]


def _sender_problems(viewer: Viewer, draft: Draft, sender: Sender) -> list[Problem]:
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
    if not content.strip():
        problems.append(Problem(ProblemCode.BLANK, "A message must say something", ["input", "content"]))
    return problems


def _channel_problems(draft: Draft) -> list[Problem]:
    if draft.channel is None or draft.visibility is t.MessageVisibility.EXTERNAL:
        return []
    return [Problem(ProblemCode.INVALID, "A note is not relayed by any channel", ["input", "channel"])]


def _moment_problems(sent_at: datetime | None, now: datetime) -> list[Problem]:
    path = ["input", "sentAt"]
    if sent_at == writing.FIRST_MOMENT:
        return [Problem(ProblemCode.INVALID, "A message must be sent later than the year 1 begins", path)]
    if sent_at is not None and sent_at > now + MAX_AHEAD:
        return [Problem(ProblemCode.INVALID, "A message cannot be sent in the future", path)]
    return []


_M: Any = t.Message

OLDEST_FIRST = Order("sent_at:asc", _M.sent_at)

FILTERS: dict[str, Criterion] = {"visibility": compared(_M.visibility, operator.eq)}
