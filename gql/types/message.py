"""Messages and participants in the API, and the union of who takes part."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from db import tables as t
from gql.fields import either, one
from gql.node import Node, node
from gql.scalars import BigInt
from gql.enums import Channel, CreatorType, MemberType, MessageOrigin, MessageVisibility
from gql.types.person import Client, Host

if TYPE_CHECKING:
    from gql.types.actor import Creator
    from gql.types.conversation import Conversation

Member: TypeAlias = Annotated[Client | Host, strawberry.union("Member", description="Who takes part.")]


@node(t.Message, scopes=["inbox_read"])
class Message(Node):
    """What a participant wrote."""

    conversation: Conversation = one(t.Message.conversation_id)
    sender: Participant = one(t.Message.sender_id)
    content: str
    channel: Channel | None
    origin: MessageOrigin
    visibility: MessageVisibility
    sent_at: datetime
    created_by: Creator | None = either(t.Message.created_by_user_id, t.Message.created_by_application_id)
    created_by_id: BigInt | None
    created_by_type: CreatorType | None
    created_at: datetime
    updated_at: datetime


@node(t.Participant, scopes=["inbox_read"])
class Participant(Node):
    """A host or a client inside one conversation. The same member may stand in it more than once."""

    conversation: Conversation = one(t.Participant.conversation_id)
    member: Member | None = either(
        t.Participant.client_id, t.Participant.host_id, description="Null where the record named one that is unknown."
    )
    member_id: BigInt
    member_type: MemberType
    read_at: datetime | None
    last_message_sent_at: datetime | None
    created_at: datetime
    updated_at: datetime
