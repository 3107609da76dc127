"""Writing messages: inputs into values; the rules are in `db.queries.message`."""

from __future__ import annotations

from datetime import datetime

import strawberry

from db import tables as t
from db.engine import Transaction
from db.queries import message
from db.scope import Viewer
from gql.fields.enums import Channel, MessageOrigin, MessageVisibility
from gql.mutations.argument import optional, read_id, read_optional_id
from gql.mutations.declare import mutation
from gql.types.message import Message


@strawberry.input(description="Input of `createMessage`. The creator is the token's actor; the sender is `senderId`.")
class CreateMessageInput:
    """A null is as good as nothing."""

    conversation_id: strawberry.ID = strawberry.field(description="Conversation to write in.")
    content: str = strawberry.field(
        description="Text, 1 to 10,000 characters of which at least one is visible. It is stored unchanged."
    )
    visibility: MessageVisibility = strawberry.field(
        default=MessageVisibility.EXTERNAL, description="Whether the guest sees it. Only hosts write internal messages."
    )
    sender_id: strawberry.ID | None = optional(
        "Participant who wrote it. If left out, it is the user's own host, who becomes a participant. Users write "
        "only as hosts, applications as anybody."
    )
    channel: Channel | None = optional(
        "Channel that relays it. If left out, an external host message takes the conversation's default channel; guest "
        "messages and internal messages have none."
    )
    origin: MessageOrigin = strawberry.field(
        default=MessageOrigin.BOOKINGSYNC_INBOX, description="Where it was written."
    )
    sent_at: datetime | None = optional("When it was written, at most five minutes in the future; now if left out.")
    idempotency_key: str | None = optional(
        "At most 255 characters, kept for 24 hours. Same key and same input: the first result is returned. Same key, "
        "other input: `CONFLICT`."
    )


@mutation(Message)
async def create_message(transaction: Transaction, viewer: Viewer, input: CreateMessageInput, id_: int | None) -> int:
    """Writes a message as a host, or delivers one that a guest wrote."""
    draft = message.Draft(
        content=input.content,
        visibility=input.visibility,
        origin=input.origin,
        channel=input.channel or None,
        sender_id=read_optional_id(viewer, t.Participant, input.sender_id),
        sent_at=input.sent_at or None,
    )
    return await message.create(transaction, viewer, read_id(viewer, t.Conversation, input.conversation_id), draft, id_)
