"""Writing messages: inputs into values; the rules are in `db.queries.message`."""

from __future__ import annotations

from datetime import datetime

import strawberry
from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t
from db.queries import message
from db.scope import Viewer
from gql.fields.enums import Channel, MessageOrigin, MessageVisibility
from gql.mutations.argument import optional, read_id, read_optional_id
from gql.mutations.declare import mutation
from gql.types.message import Message


@strawberry.input(description="A new message. Who creates it is told by the token; who writes it, by `senderId`.")
class CreateMessageInput:
    """A null is as good as nothing."""

    conversation_id: strawberry.ID = strawberry.field(description="Where it is written.")
    content: str = strawberry.field(description="Not blank, at most 10,000 characters, kept exactly as it is.")
    visibility: MessageVisibility = strawberry.field(
        default=MessageVisibility.EXTERNAL, description="Who reads it. Only hosts write internal ones."
    )
    sender_id: strawberry.ID | None = optional(
        "A participant of the conversation. Left out, it is the user's own host, who takes part from then on. A user "
        "writes as hosts only, an application as anybody."
    )
    channel: Channel | None = optional(
        "By which way it is relayed, or came. Left out, a host's message takes the conversation's default channel; a "
        "guest's has none, as has an internal one."
    )
    origin: MessageOrigin = strawberry.field(
        default=MessageOrigin.BOOKINGSYNC_INBOX, description="Where it was written."
    )
    sent_at: datetime | None = optional("When it was sent, at most five minutes ahead. Left out, it is now.")
    idempotency_key: str | None = optional(
        "At most 255 characters. The same key with the same input within 24 hours writes nothing more and gives the "
        "first result again."
    )


@mutation(Message)
async def create_message(session: AsyncSession, viewer: Viewer, input: CreateMessageInput, id_: int | None) -> int:
    """Write a message, or hand in one that a guest wrote."""
    draft = message.Draft(
        content=input.content,
        visibility=input.visibility,
        origin=input.origin,
        channel=input.channel or None,
        sender_id=read_optional_id(viewer, t.Participant, input.sender_id),
        sent_at=input.sent_at or None,
    )
    return await message.create(session, viewer, read_id(viewer, t.Conversation, input.conversation_id), draft, id_)
