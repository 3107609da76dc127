"""The conversation in the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import strawberry

from db import tables as t
from db.queries import message, participant
from db.queries.conversation.guest import GUEST_ID
from db.queries.conversation.stage import BOOKING_ID, STAGE
from db.relations import One
from gql.fields.column import column
from gql.fields.computed import computed
from gql.fields.connection import Connection, Edge
from gql.fields.derived import derived
from gql.fields.end import last
from gql.fields.enums import Channel, CreatorType, JourneyStage, MemberType, MessageVisibility
from gql.fields.expression import expression
from gql.fields.is_set import is_set
from gql.fields.many import many, narrowed, through
from gql.fields.match import mark_excerpt, search_match
from gql.fields.node import Node, node
from gql.fields.one import either, one
from gql.fields.scalars import BigInt

if TYPE_CHECKING:
    from gql.types.account import Account
    from gql.types.activity import Activity
    from gql.types.actor import Creator
    from gql.types.booking import Booking, Inquiry
    from gql.types.message import Message, Participant
    from gql.types.person import Client, Host
    from gql.types.source import Source


_WITH_VISIBILITY = narrowed(
    MessageVisibility, message.FILTERS["visibility"], "Returns only messages with this visibility."
)


@node(t.Conversation, scopes=["inbox_read"])
class Conversation(Node):
    """A thread in the account's inbox: messages between hosts and guests, usually about bookings or inquiries."""

    account: Account = one(t.Conversation.account_id, description="The account that owns the inbox.")
    assignee: Host | None = one(t.Conversation.assignee_id, description="The host who is responsible for it.")
    source: Source | None = one(t.Conversation.source_id, description="Where the business came from, such as Airbnb.")
    created_by: Creator | None = either(
        t.Conversation.created_by_user_id,
        t.Conversation.created_by_application_id,
        description="Who created it; null if that actor is not stored here, as can be after an import.",
    )
    created_by_id: BigInt | None = column("Id of the creator, also if `createdBy` is null.")
    created_by_type: CreatorType | None = column(
        "Whether a user or an application created it, also if `createdBy` is null."
    )
    default_channel: Channel | None = column("Channel through which a host's messages are relayed if they name none.")
    subject: str | None = column("Subject, at most 255 characters.")
    external_id: str | None = column("Its id for the application that created it.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
    closed_at: datetime | None = column("When it was closed; null while it is open.")
    deadline_response_at: datetime | None = column("When the guest should have an answer; null if no answer is due.")
    last_message_at: datetime | None = column("When the newest message was sent; null without messages.")
    marked_as_spam_at: datetime | None = column("When it was marked as spam; null if it is not spam.")
    read_at: datetime | None = column("Up to when a host has read it, by the `createdAt` of messages; null if unread.")
    closed: bool = is_set(t.Conversation.closed_at, "Whether `closedAt` is set.")
    marked_as_spam: bool = is_set(t.Conversation.marked_as_spam_at, "Whether `markedAsSpamAt` is set.")
    read: bool = column("Whether `readAt` is set and `unreadCount` is 0.")
    needs_reply: bool = is_set(
        t.Conversation.waiting_since, "Whether a guest waits for an answer: `waitingSince` is set."
    )
    waiting_since: datetime | None = column(
        "When the first guest message that needs an answer was sent; null if nobody waits. An answer, closing and "
        "marking as spam end a wait. Automatic messages neither begin nor end one."
    )
    unread_count: int = column("Number of guest messages that arrived (`createdAt`) after `readAt`.")
    undelivered_count: int = column("Number of messages whose delivery state is `FAILED`.")
    stage: JourneyStage = expression(
        STAGE,
        "The stage of the guest's journey today, in the account's time zone, derived from the dates of the "
        "connected bookings. With several bookings the most urgent stage is returned. Selecting it requires no "
        "bookings scope.",
    )
    guest: Client | None = derived(
        GUEST_ID,
        t.Client,
        "The client to show for it: of those who take part the one who wrote last, else the first to take part, else "
        "the client of `booking`.",
    )
    booking: Booking | None = derived(
        BOOKING_ID,
        t.Booking,
        "The booking that decides `stage`: of several at the same stage the one that begins first, or the one that "
        "ended last. Null if none counts: `LOCKED` bookings do not.",
    )
    last_message: Message | None = last(
        t.Message.conversation_id,
        order=message.OLDEST_FIRST,
        visibility=_WITH_VISIBILITY,
        description="The newest message, internal ones included unless `visibility` excludes them; null if there is "
        "none.",
    )
    bookings: Connection[Booking] = through(
        t.ConversationBooking.conversation_id,
        t.ConversationBooking.booking_id,
        description="Bookings connected to this conversation.",
    )
    inquiries: Connection[Inquiry] = many(t.Inquiry.conversation_id, description="Inquiries of this conversation.")
    messages: Connection[Message] = many(
        t.Message.conversation_id,
        order=message.OLDEST_FIRST,
        visibility=_WITH_VISIBILITY,
        external_ids=narrowed(
            list[str], message.FILTERS["external_ids"], "Returns only messages with one of these external ids."
        ),
        description="Messages in the order in which they were sent, oldest first.",
    )
    participants: Connection[Participant] = many(
        t.Participant.conversation_id,
        member_type=narrowed(
            MemberType, participant.FILTERS["member_type"], "Returns only participants of this type of member."
        ),
        description="Hosts and clients who take part. The same member can be listed more than once.",
    )
    activity: Connection[Activity] = many(
        t.Activity.conversation_id,
        description="What users and applications did to it, the newest last: who assigned, closed, reopened, marked as "
        "spam, and connected bookings. Only what was done through this API is listed.",
    )


@strawberry.type(description="The text of a conversation that a search matched best.")
class SearchMatch:
    """Resolved from `db.queries.conversation.match.FoundText`."""

    excerpt: str = computed(
        mark_excerpt,
        "text",
        "words",
        "message_id",
        description="The part of the text around the first word that matched: one line of HTML, in which the words are "
        "in `<mark>` and everything else is escaped.",
    )
    message: Message | None = either(
        One("message_id", t.Message),
        description="The message that has the text; null if it is the subject, a name, an address or a reference.",
    )


@strawberry.type(description="A conversation and its cursor.")
class ConversationEdge(Edge[Conversation]):
    """One conversation of a page."""

    match: SearchMatch | None = search_match(
        "What the `search` of the filter itself matched in this conversation, of the newest 50 messages and the texts "
        "that the token's scopes allow; null without a search, and if nothing of these matched."
    )


@strawberry.type(description="A page of conversations.")
class ConversationConnection(Connection[Conversation]):
    """One page, and the total number of conversations."""

    edges: list[ConversationEdge] = column(  # type: ignore[assignment]  # lists that are only read
        "The conversations of this page with their cursors."
    )
