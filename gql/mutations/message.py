"""Mutations of messages: their inputs. The rules are in `db.queries.message`."""

from __future__ import annotations

from datetime import datetime

import strawberry

from db import tables as t
from db.engine import Transaction
from db.queries import message
from db.scope import Viewer
from gql.fields.enums import Channel, MessageOrigin, MessageVisibility
from gql.mutations.argument import given, optional, read_id, read_optional_id
from gql.mutations.declare import mutation
from gql.types.message import Message


@strawberry.input(
    description=(
        "Input of `createMessage`. Null means left out. The creator is the token's actor; the sender is `senderId`."
    )
)
class CreateMessageInput:
    """Null means left out."""

    conversation_id: strawberry.ID = strawberry.field(description="Conversation to write in.")
    content: str = strawberry.field(
        description="Text, 1 to 65,536 characters of which at least one is visible. It is stored unchanged."
    )
    visibility: MessageVisibility = strawberry.field(
        default=MessageVisibility.EXTERNAL, description="Whether the guest sees it. Only hosts write internal messages."
    )
    sender_id: strawberry.ID | None = optional(
        "Participant who wrote it. If left out, it is the user's own host, who becomes a participant. Users write "
        "only as hosts, applications as anybody."
    )
    channel: Channel | None = optional(
        "Channel that relays it. If left out, an external host message takes the conversation's default channel, which "
        "must be set if a guest takes part; guest messages and internal messages have none."
    )
    origin: MessageOrigin = strawberry.field(
        default=MessageOrigin.BOOKINGSYNC_INBOX, description="Where it was written."
    )
    sent_at: datetime | None = optional("When it was written; now if left out, or if up to five minutes in the future.")
    automatic: bool = strawberry.field(
        default=False,
        description="Whether a program's rule wrote it, such as an out-of-office reply. It neither begins nor ends a "
        "wait, and does not reopen the conversation.",
    )
    already_sent: bool = strawberry.field(
        default=False,
        description="Whether the channel has it already, such as a reply that a host wrote in the channel's own "
        "program. Then its delivery state is `SENT`, and nobody relays it again. Only applications set it.",
    )
    external_id: str | None = optional(
        "Your own id of the message, at most 255 characters, unique for the token's application or user for ever. Same "
        "id and same input: the first message is returned. Same id, other input: `CONFLICT`."
    )
    idempotency_key: str | None = optional(
        "At most 255 characters, kept for 7 days. Same key and same input: the first result is returned. Same key, "
        "other input: `CONFLICT`."
    )


@mutation(Message)
async def create_message(transaction: Transaction, viewer: Viewer, input: CreateMessageInput) -> int:
    """Writes a message as a host, or delivers one that a guest wrote.

    A guest's message reopens a closed conversation, unless a host answered after it was sent. A host who writes has
    read the conversation.
    """
    draft = message.MessageDraft(
        conversation_id=read_id(viewer, t.Conversation, input.conversation_id),
        content=input.content,
        visibility=input.visibility,
        origin=input.origin,
        channel=given(input.channel),
        sender_id=read_optional_id(viewer, t.Participant, input.sender_id),
        sent_at=given(input.sent_at),
        automatic=input.automatic,
        external_id=given(input.external_id),
        already_sent=input.already_sent,
    )
    return await message.create(transaction, viewer, draft, given(input.idempotency_key))
