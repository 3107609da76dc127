"""The conversation in the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from db import tables as t
from db.queries import message
from db.queries.conversation.stage import STAGE
from gql.fields.connection import Connection
from gql.fields.enums import Channel, CreatorType, JourneyStage, MessageVisibility
from gql.fields.node import Node, computed, node
from gql.fields.relation import column, either, expression, last, many, narrowed, one, through
from gql.fields.scalars import BigInt

if TYPE_CHECKING:
    from gql.types.account import Account
    from gql.types.actor import Creator
    from gql.types.booking import Booking, Inquiry
    from gql.types.message import Message, Participant
    from gql.types.person import Host
    from gql.types.source import Source


def _is_set(moment: datetime | None) -> bool:
    return moment is not None


def _is_read(read_at: datetime | None, last_message_at: datetime | None) -> bool:
    return read_at is not None and (last_message_at is None or last_message_at <= read_at)


@node(t.Conversation, scopes=["inbox_read"])
class Conversation(Node):
    """A thread of the inbox."""

    account: Account = one(t.Conversation.account_id, description="Whose inbox it is in.")
    assignee: Host | None = one(t.Conversation.assignee_id, description="Who is responsible for it.")
    source: Source | None = one(t.Conversation.source_id, description="Where the business came from.")
    created_by: Creator | None = either(
        t.Conversation.created_by_user_id,
        t.Conversation.created_by_application_id,
        description="Who opened it; null where that is unknown here.",
    )
    created_by_id: BigInt | None = column("Of the user or application, even where it is unknown here.")
    created_by_type: CreatorType | None = column("What kind of actor `createdBy` is, even where it is unknown here.")
    default_channel: Channel | None = column("The channel to set on messages so that they are relayed.")
    subject: str | None = column("What it is about, at most 255 characters.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
    closed_at: datetime | None = column("When it was closed; null while it is open.")
    deadline_response_at: datetime | None = column("By when the guest expects an answer.")
    last_message_at: datetime | None = column("When the newest message was sent.")
    marked_as_spam_at: datetime | None = column("When it was marked as spam; null where it is not.")
    read_at: datetime | None = column("When a host last read it.")
    closed: bool = computed(_is_set, t.Conversation.closed_at, description="Whether it is closed.")
    marked_as_spam: bool = computed(
        _is_set, t.Conversation.marked_as_spam_at, description="Whether it is marked as spam."
    )
    read: bool = computed(
        _is_read,
        t.Conversation.read_at,
        t.Conversation.last_message_at,
        description="Whether it was read and no message is newer.",
    )
    needs_reply: bool = computed(
        _is_set,
        t.Conversation.waiting_since,
        description="Whether its guest waits for an answer, and it is neither closed nor spam.",
    )
    waiting_since: datetime | None = column(
        "Since when its guest waits: when the first message was sent that no host has answered; null where none waits."
    )
    unread_count: int = column("How many messages the guest has sent since it was last read.")
    stage: JourneyStage = expression(
        STAGE,
        "Where its guest stands in the journey: today, in the account's time zone, by the dates of its bookings. What "
        "presses most is told where there are several. It needs no scope for bookings.",
    )
    last_message: Message | None = last(
        t.Message.conversation_id, order=message.OLDEST_FIRST, description="The newest message, notes included."
    )
    bookings: Connection[Booking] = through(
        t.ConversationBooking.conversation_id, t.ConversationBooking.booking_id, description="What stays it is about."
    )
    inquiries: Connection[Inquiry] = many(t.Inquiry.conversation_id, description="What questions led to it.")
    messages: Connection[Message] = many(
        t.Message.conversation_id,
        order=message.OLDEST_FIRST,
        visibility=narrowed(
            MessageVisibility, message.FILTERS["visibility"], "Only notes among hosts, or only what the guest sees."
        ),
        description="The oldest first.",
    )
    participants: Connection[Participant] = many(t.Participant.conversation_id, description="Who takes part.")
