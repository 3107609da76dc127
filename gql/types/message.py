"""Messages and participants in the API, and the union of who takes part."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from db import tables as t
from gql.fields.enums import Channel, CreatorType, MemberType, MessageOrigin, MessageVisibility
from gql.fields.node import Node, node
from gql.fields.relation import column, either, one
from gql.fields.scalars import BigInt
from gql.types.person import Client, Host

if TYPE_CHECKING:
    from gql.types.actor import Creator
    from gql.types.conversation import Conversation

Member: TypeAlias = Annotated[Client | Host, strawberry.union("Member", description="Who takes part.")]


@node(t.Message, scopes=["inbox_read"])
class Message(Node):
    """What a participant wrote."""

    conversation: Conversation = one(t.Message.conversation_id, description="What it is part of.")
    sender: Participant = one(t.Message.sender_id, description="Who wrote it.")
    content: str = column("The text.")
    channel: Channel | None = column("By which way it is relayed to the guest.")
    origin: MessageOrigin = column("Where it was written.")
    visibility: MessageVisibility = column("Who reads it.")
    sent_at: datetime = column("When it was sent; conversations show messages in this order.")
    created_by: Creator | None = either(
        t.Message.created_by_user_id,
        t.Message.created_by_application_id,
        description="Through whom it came; null where that is unknown here.",
    )
    created_by_id: BigInt | None = column("Of the user or application, even where it is unknown here.")
    created_by_type: CreatorType | None = column("What kind of actor `createdBy` is, even where it is unknown here.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")


@node(t.Participant, scopes=["inbox_read"])
class Participant(Node):
    """A host or a client inside one conversation. The same member may stand in it more than once."""

    conversation: Conversation = one(t.Participant.conversation_id, description="Where it takes part.")
    member: Member | None = either(
        t.Participant.client_id, t.Participant.host_id, description="Null where the record named one that is unknown."
    )
    member_id: BigInt = column("Of the client or host, even where it is unknown here.")
    member_type: MemberType = column("What kind of person `member` is, even where it is unknown here.")
    read_at: datetime | None = column("When the participant last read the conversation.")
    last_message_sent_at: datetime | None = column("When the participant last wrote.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
