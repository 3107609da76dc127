"""Mutations of conversations: their inputs. The rules are in `db.queries.conversation.writes`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from db import tables as t
from db.engine import Transaction
from db.queries.conversation import writes
from db.scope import Viewer
from gql.fields.enums import Channel
from gql.mutations.argument import optional, read_id, read_ids, read_optional_id
from gql.mutations.declare import mutation
from gql.types.booking import Booking
from gql.types.conversation import Conversation


@strawberry.input(
    description=(
        "Input of `createConversation`. All fields are optional; null means left out. The creator is the actor of "
        "the token."
    )
)
class CreateConversationInput:
    """Null means left out."""

    subject: str | None = strawberry.field(default=None, description="Subject, at most 255 characters.")
    default_channel: Channel | None = strawberry.field(
        default=None, description="Channel through which a host's messages are relayed if they name none."
    )
    assignee_id: strawberry.ID | None = strawberry.field(default=None, description="Host who is responsible for it.")
    source_id: strawberry.ID | None = strawberry.field(default=None, description="Source that is not internal.")
    deadline_response_at: datetime | None = strawberry.field(
        default=None,
        description="When the guest should have an answer. Ignored with `closed: true`: closing clears the deadline.",
    )
    closed: bool | None = strawberry.field(default=None, description="Whether to create it closed.")
    booking_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Bookings to connect, at most 250."
    )
    external_id: str | None = strawberry.field(
        default=None,
        description="Your own id of the conversation, at most 255 characters, unique for the token's application or "
        "user for ever. Same id and same input: the first conversation is returned. Same id, other input: `CONFLICT`.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="At most 255 characters, kept for 7 days. Same key and same input: the first result is returned. "
        "Same key, other input: `CONFLICT`.",
    )


@strawberry.input
class Changes:
    """The attributes of a conversation that can be changed, as in the REST API."""

    assignee_id: strawberry.ID | None = optional("Host who is responsible; null removes the assignee.")
    closed: bool | None = optional(
        "True closes, false reopens; null is `BLANK`. Closing a closed conversation changes nothing."
    )
    default_channel: Channel | None = optional("Default channel; null removes it.")
    marked_as_spam: bool | None = optional(
        "True marks as spam, false removes the mark; null is `BLANK`. Marking spam as spam changes nothing."
    )
    if_unchanged_since: datetime | None = strawberry.field(
        default=None,
        description="The `updatedAt` that you have seen; null means left out. If a conversation has changed since, "
        "nothing is changed: the user error is `CONFLICT`, and the payload has the present state.",
    )


@strawberry.input
class OneConversation:
    """The conversation to change."""

    conversation_id: strawberry.ID = strawberry.field(description="Conversation to change.")


@strawberry.input
class SeveralConversations:
    """From 1 to 250 conversations."""

    conversation_ids: list[strawberry.ID] = strawberry.field(
        description="Conversations to change, 1 to 250; repeats count once."
    )


@strawberry.input(description="Input of `updateConversation`. Fields that are left out are not changed.")
class UpdateConversationInput(OneConversation, Changes):
    """Of one conversation."""


@strawberry.input(description="Input of `updateConversations`. Fields that are left out are not changed.")
class UpdateConversationsInput(SeveralConversations, Changes):
    """Of 1 to 250 conversations."""


@strawberry.input(description="Input of `markConversationRead`. Null means left out.")
class MarkConversationReadInput:
    """Without a value it was."""

    conversation_id: strawberry.ID = strawberry.field(description="Conversation to mark.")
    read: bool = strawberry.field(default=True, description="True marks it read up to now, false marks it unread.")
    up_to_message_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Newest message that was shown. Messages that arrived later stay unread. Not with `read: false`.",
    )


@strawberry.input(description="Input of `connectBookings`. If one of the bookings does not exist, none is connected.")
class ConnectBookingsInput:
    """From 1 to 250 bookings."""

    conversation_id: strawberry.ID = strawberry.field(description="Conversation to change.")
    booking_ids: list[strawberry.ID] = strawberry.field(
        description="Bookings to connect, 1 to 250; repeats count once."
    )


@strawberry.input(
    description="Input of `disconnectBookings`. If one of the bookings does not exist, none is disconnected."
)
class DisconnectBookingsInput:
    """From 1 to 250 bookings."""

    conversation_id: strawberry.ID = strawberry.field(description="Conversation to change.")
    booking_ids: list[strawberry.ID] = strawberry.field(
        description="Bookings to disconnect, 1 to 250; repeats count once."
    )


@mutation(Conversation, named=Booking)
async def create_conversation(transaction: Transaction, viewer: Viewer, input: CreateConversationInput) -> int:
    """Creates a conversation. One that a user creates is read."""
    draft = writes.ConversationDraft(
        subject=input.subject,
        default_channel=input.default_channel,
        assignee_id=read_optional_id(viewer, t.Host, input.assignee_id),
        source_id=read_optional_id(viewer, t.Source, input.source_id),
        deadline_response_at=input.deadline_response_at,
        closed=bool(input.closed),
        booking_ids=tuple(read_ids(viewer, t.Booking, input.booking_ids or ())),
        external_id=input.external_id,
    )
    return await writes.create(transaction, viewer, draft, input.idempotency_key)


@mutation(Conversation)
async def update_conversation(transaction: Transaction, viewer: Viewer, input: UpdateConversationInput) -> int:
    """Changes the assignee, the default channel, or whether a conversation is closed or spam.

    Closing and marking as spam end the wait of a guest and clear the deadline.
    """
    id_ = read_id(viewer, t.Conversation, input.conversation_id)
    return await writes.update(transaction, viewer, id_, _changes(viewer, input), input.if_unchanged_since)


@mutation(list[Conversation])
async def update_conversations(transaction: Transaction, viewer: Viewer, input: UpdateConversationsInput) -> list[int]:
    """Makes the same changes to several conversations: to all of them, or to none."""
    ids = read_ids(viewer, t.Conversation, input.conversation_ids)
    return await writes.update_all(transaction, viewer, ids, _changes(viewer, input), input.if_unchanged_since)


@mutation(Conversation)
async def mark_conversation_read(transaction: Transaction, viewer: Viewer, input: MarkConversationReadInput) -> int:
    """Marks a conversation read or unread."""
    id_ = read_id(viewer, t.Conversation, input.conversation_id)
    message_id = read_optional_id(viewer, t.Message, input.up_to_message_id)
    return await writes.mark_read(transaction, viewer, id_, read=input.read, message_id=message_id)


@mutation(Conversation, named=Booking)
async def connect_bookings(transaction: Transaction, viewer: Viewer, input: ConnectBookingsInput) -> int:
    """Connects bookings to a conversation: all of them, or none."""
    return await writes.connect(transaction, viewer, *_conversation_and_bookings(viewer, input))


@mutation(Conversation, named=Booking)
async def disconnect_bookings(transaction: Transaction, viewer: Viewer, input: DisconnectBookingsInput) -> int:
    """Disconnects bookings from a conversation: all of them, or none."""
    return await writes.disconnect(transaction, viewer, *_conversation_and_bookings(viewer, input))


def _changes(viewer: Viewer, input: Changes) -> dict[str, Any]:
    """The given changes."""
    given: dict[str, Any] = {
        "assignee_id": input.assignee_id,
        "closed": input.closed,
        "default_channel": input.default_channel,
        "marked_as_spam": input.marked_as_spam,
    }
    changes = {name: value for name, value in given.items() if value is not strawberry.UNSET}
    if "assignee_id" in changes:
        changes["assignee_id"] = read_optional_id(viewer, t.Host, input.assignee_id)
    return changes


def _conversation_and_bookings(
    viewer: Viewer, input: ConnectBookingsInput | DisconnectBookingsInput
) -> tuple[int, list[int]]:
    return read_id(viewer, t.Conversation, input.conversation_id), read_ids(viewer, t.Booking, input.booking_ids)
