"""Writing messages, and what a message changes around it.

Messages are written and never changed. Writes lock and report as those of `db.queries.conversation.writes` do.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t
from db.criterion import Criterion, compared
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

_H: Any = t.Host


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
    session: AsyncSession, viewer: Viewer, conversation_id: int, draft: Draft, id_: int | None = None
) -> int:
    """Store a message, and let its sender and its conversation tell of it. Returns its id: `id_`, where given.

    Raises `RejectedError` for what cannot be stored, for a conversation or sender that is not there, and for a sender
    that may not write so.
    """
    conversation, problems = await writing.hold_one(session, viewer, conversation_id)
    now = writing.now()
    sender = await _find_sender(session, viewer, conversation_id, draft.sender_id, now)
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
    assert isinstance(sender, t.Participant)  # noqa: S101  # else it was rejected
    _send(sender, draft.sent_at or now, now)
    if sender.id is None:
        session.add(sender)
        await session.flush()
    message = _compose(viewer, conversation, sender, draft, now)
    message.id = id_
    session.add(message)
    _receive(conversation, sender, message, now)
    await derived.derive(session, viewer.account_id, [conversation_id])
    assert message.id is not None  # noqa: S101  # storing it gave it one
    return message.id


def _compose(
    viewer: Viewer, conversation: t.Conversation, sender: t.Participant, draft: Draft, now: datetime
) -> t.Message:
    """The message that a draft becomes."""
    assert sender.id is not None  # noqa: S101  # it is stored
    return t.Message(
        account_id=viewer.account_id,
        conversation_id=sender.conversation_id,
        sender_id=sender.id,
        content=draft.content,
        channel=draft.channel or _usual_channel(conversation, sender, draft.visibility),
        origin=draft.origin,
        visibility=draft.visibility,
        sent_at=draft.sent_at or now,
        created_at=now,
        updated_at=now,
        **writing.created_by(viewer),
    )


def _send(sender: t.Participant, sent_at: datetime, now: datetime) -> None:
    """What a message changes of its sender."""
    sender.last_message_sent_at = max(sender.last_message_sent_at or sent_at, sent_at)
    if sender.id is not None:
        writing.touch(sender, now)


def _receive(conversation: t.Conversation, sender: t.Participant, message: t.Message, now: datetime) -> None:
    """What a message changes of its conversation, beside what is derived."""
    was_read = writing.is_read(conversation)
    conversation.last_message_at = max(conversation.last_message_at or message.sent_at, message.sent_at)
    if sender.member_type is t.MemberType.CLIENT:
        _ask(conversation, message.sent_at)
    else:
        if was_read:
            # A host's own words are nothing that hosts have yet to read.
            conversation.read_at = max(conversation.read_at or message.sent_at, conversation.last_message_at)
        if message.visibility is t.MessageVisibility.EXTERNAL:
            conversation.deadline_response_at = None
    writing.touch(conversation, now)


def _ask(conversation: t.Conversation, sent_at: datetime) -> None:
    """What a guest's message asks for: to be read and, unless it is spam, to be answered in time."""
    if conversation.read_at is not None and sent_at <= conversation.read_at:
        # It was delivered late. Nobody has read it, whatever was read since it was sent.
        before = sent_at - writing.MILLISECOND
        conversation.read_at = before if before > writing.FIRST_MOMENT else None
    if conversation.marked_as_spam_at is None:
        conversation.closed_at = None
        conversation.deadline_response_at = conversation.deadline_response_at or sent_at + RESPONSE_TIME


def _usual_channel(
    conversation: t.Conversation, sender: t.Participant, visibility: t.MessageVisibility
) -> t.Channel | None:
    """The channel of a message that names none. How a guest's came, only who delivers it can say."""
    relayed = sender.member_type is t.MemberType.HOST and visibility is t.MessageVisibility.EXTERNAL
    return conversation.default_channel if relayed else None


async def _find_sender(
    session: AsyncSession, viewer: Viewer, conversation_id: int, sender_id: int | None, now: datetime
) -> t.Participant | list[Problem]:
    """The participant that writes, not stored yet where the viewer's host only now takes part; or why there is none."""
    sender = None
    if sender_id is not None:
        sender = await participant.find(session, viewer, conversation_id, sender_id)
        return sender or [writing.missing("participant", "senderId")]
    if viewer.actor_type is t.CreatorType.USER:
        mine = _H.user_id == viewer.actor_id
        sender = await participant.find_member(session, viewer, conversation_id, t.Host, mine, now)
    return sender or [Problem(ProblemCode.BLANK, "Say which participant writes", ["input", "senderId"])]


def _sender_problems(viewer: Viewer, draft: Draft, sender: t.Participant) -> list[Problem]:
    if sender.member_type is t.MemberType.HOST:
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
