"""Messages and participants in the API, and the union of who takes part."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from db import tables as t
from db.queries.message import BEGINNING
from gql.fields.column import column
from gql.fields.embedded import embedded, embedded_column
from gql.fields.enums import Channel, CreatorType, DeliveryState, MemberType, MessageOrigin, MessageVisibility
from gql.fields.excerpt import excerpt
from gql.fields.node import Node, node
from gql.fields.one import either, one
from gql.fields.scalars import BigInt
from gql.types.person import Client, Host

if TYPE_CHECKING:
    from gql.types.actor import Creator
    from gql.types.conversation import Conversation

Member: TypeAlias = Annotated[
    Client | Host, strawberry.union("Member", description="Who takes part in a conversation: a client or a host.")
]


@strawberry.type(description="How far a host's message got on its way to the guest.")
class Delivery:
    """Columns of the message."""

    state: DeliveryState = embedded_column(
        t.Message.delivery_state,
        description="How far it got. It moves forward; `FAILED` can follow any state, and a success or a retry can "
        "follow `FAILED`.",
    )
    at: datetime = embedded_column(t.Message.delivery_at, description="When it reached this state.")
    error: str | None = embedded_column(
        t.Message.delivery_error, description="Why it failed, for people; null in other states, or if nobody knows."
    )
    attempts: int = embedded_column(
        t.Message.delivery_attempts,
        description="How often it was queued: once, and once more with each `retryDelivery`.",
    )
    external_id: str | None = embedded_column(
        t.Message.relayed_id, description="Its id for the application that relays it; null until it is reported."
    )


@node(t.Message, scopes=["inbox_read"])
class Message(Node):
    """A text written by a participant of a conversation."""

    conversation: Conversation = one(t.Message.conversation_id, description="The conversation that contains it.")
    sender: Participant = one(t.Message.sender_id, description="The participant who wrote it.")
    content: str = column("The text, exactly as it was written.")
    excerpt: str = excerpt(
        BEGINNING,
        t.Message.content,
        "The beginning of the text for lists: one line of plain text without HTML tags, cut after a word. It is made "
        "from the first 4,000 characters.",
    )
    channel: Channel | None = column(
        "Channel through which it is relayed to the guest, or came from them; null for internal messages."
    )
    origin: MessageOrigin = column("Where it was written.")
    visibility: MessageVisibility = column("Whether the guest sees it, or only the hosts do.")
    sent_at: datetime = column("When it was written. Messages are sorted by this time, then by id.")
    automatic: bool = column("Whether a program's rule wrote it: then it neither begins nor ends a guest's wait.")
    delivery: Delivery | None = embedded(
        t.Message.delivery_state,
        description="How far it got on its way to the guest; null for notes, for what guests wrote, without a "
        "channel, and after an import.",
    )
    external_id: str | None = column("Its id for the application that created it.")
    created_by: Creator | None = either(
        t.Message.created_by_user_id,
        t.Message.created_by_application_id,
        description="Who created the record, not necessarily the sender; null if that actor is not stored here, as can "
        "be after an import.",
    )
    created_by_id: BigInt | None = column("Id of the creator, also if `createdBy` is null.")
    created_by_type: CreatorType | None = column(
        "Whether a user or an application created it, also if `createdBy` is null."
    )
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")


@node(t.Participant, scopes=["inbox_read"])
class Participant(Node):
    """A host or a client who takes part in one conversation. The same member can take part more than once."""

    conversation: Conversation = one(t.Participant.conversation_id, description="The conversation.")
    member: Member | None = either(
        t.Participant.client_id,
        t.Participant.host_id,
        description="The host or client; null if it is not stored here, as can be after an import.",
    )
    member_id: BigInt = column("Id of the host or client, also if `member` is null.")
    member_type: MemberType = column("Whether a host or a client takes part, also if `member` is null.")
    read_at: datetime | None = column(
        "Up to when the participant has read the conversation, as it was imported. Reading here sets `readAt` of the "
        "conversation only."
    )
    last_message_sent_at: datetime | None = column("When the participant last sent a message.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
