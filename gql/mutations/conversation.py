"""Writing conversations: inputs into values; the rules are in `db.queries.conversation.writes`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry
from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t
from db.queries.conversation import writes
from db.scope import Viewer
from gql.fields.enums import Channel
from gql.mutations.argument import optional, read_id, read_ids, read_optional_id
from gql.mutations.declare import mutation
from gql.types.conversation import Conversation


@strawberry.input(description="A new conversation. Everything is optional; who creates it is told by the token.")
class CreateConversationInput:
    """A null is as good as nothing."""

    subject: str | None = strawberry.field(default=None, description="At most 255 characters.")
    default_channel: Channel | None = strawberry.field(
        default=None, description="The channel to set on messages so that they are relayed."
    )
    assignee_id: strawberry.ID | None = strawberry.field(default=None, description="A host.")
    source_id: strawberry.ID | None = strawberry.field(default=None, description="A source that is not internal.")
    deadline_response_at: datetime | None = strawberry.field(
        default=None, description="By when the guest expects an answer."
    )
    closed: bool | None = strawberry.field(default=None, description="Whether it is closed at once.")
    booking_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Bookings to connect at once, at most 250."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="At most 255 characters. The same key with the same input within 24 hours writes nothing more and "
        "gives the first result again.",
    )


@strawberry.input
class Changes:
    """What may be changed of a conversation: the whitelist of the REST API."""

    assignee_id: strawberry.ID | None = optional("A host; null takes the assignee off.")
    closed: bool | None = optional("Closing what is closed changes nothing.")
    default_channel: Channel | None = optional("Null takes it off.")
    marked_as_spam: bool | None = optional("Marking what is marked changes nothing.")


@strawberry.input(description="What may be changed of a conversation. What is left out stays.")
class UpdateConversationInput(Changes):
    """Of one conversation."""

    conversation_id: strawberry.ID = strawberry.field(description="The one to change.")


@strawberry.input(description="The same changes of several conversations: of all of them, or of none.")
class UpdateConversationsInput(Changes):
    """Of 1 to 250 conversations."""

    conversation_ids: list[strawberry.ID] = strawberry.field(description="1 to 250; repeats count once.")


@strawberry.input(description="Whether a conversation was read.")
class MarkConversationReadInput:
    """Without a value it was."""

    conversation_id: strawberry.ID = strawberry.field(description="The one to mark.")
    read: bool = strawberry.field(
        default=True, description="Whether it was read, with all messages that are there; or was not."
    )


@strawberry.input(description="Bookings to connect: all of them, or none where one is not there.")
class ConnectBookingsInput:
    """From 1 to 250 bookings."""

    conversation_id: strawberry.ID = strawberry.field(description="The one to change.")
    booking_ids: list[strawberry.ID] = strawberry.field(description="1 to 250; repeats count once.")


@strawberry.input(description="Bookings to disconnect: all of them, or none where one is not there.")
class DisconnectBookingsInput:
    """From 1 to 250 bookings."""

    conversation_id: strawberry.ID = strawberry.field(description="The one to change.")
    booking_ids: list[strawberry.ID] = strawberry.field(description="1 to 250; repeats count once.")


@mutation(Conversation)
async def create_conversation(
    session: AsyncSession, viewer: Viewer, input: CreateConversationInput, id_: int | None
) -> int:
    """Start a conversation."""
    values = {
        "subject": input.subject,
        "default_channel": input.default_channel,
        "assignee_id": read_optional_id(viewer, t.Host, input.assignee_id),
        "source_id": read_optional_id(viewer, t.Source, input.source_id),
        "deadline_response_at": input.deadline_response_at,
    }
    bookings = read_ids(viewer, t.Booking, input.booking_ids or ())
    return await writes.create(session, viewer, values, bookings, closed=bool(input.closed), id_=id_)


@mutation(Conversation)
async def update_conversation(session: AsyncSession, viewer: Viewer, input: UpdateConversationInput) -> int:
    """Assign, close, set the channel, or mark as spam."""
    id_ = read_id(viewer, t.Conversation, input.conversation_id)
    return await writes.update(session, viewer, id_, _changes(viewer, input))


@mutation(list[Conversation])
async def update_conversations(session: AsyncSession, viewer: Viewer, input: UpdateConversationsInput) -> list[int]:
    """The same for several conversations at once: all of them change, or none."""
    ids = read_ids(viewer, t.Conversation, input.conversation_ids)
    return await writes.update_all(session, viewer, ids, _changes(viewer, input))


@mutation(Conversation)
async def mark_conversation_read(session: AsyncSession, viewer: Viewer, input: MarkConversationReadInput) -> int:
    """Say that a conversation was read up to now, or that it was not."""
    id_ = read_id(viewer, t.Conversation, input.conversation_id)
    return await writes.mark_read(session, viewer, id_, read=input.read)


@mutation(Conversation)
async def connect_bookings(session: AsyncSession, viewer: Viewer, input: ConnectBookingsInput) -> int:
    """Say which bookings a conversation is about."""
    return await writes.connect(session, viewer, *_conversation_and_bookings(viewer, input))


@mutation(Conversation)
async def disconnect_bookings(session: AsyncSession, viewer: Viewer, input: DisconnectBookingsInput) -> int:
    """Say which bookings a conversation is not about."""
    return await writes.disconnect(session, viewer, *_conversation_and_bookings(viewer, input))


def _changes(viewer: Viewer, input: Changes) -> dict[str, Any]:
    """What is given of it."""
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
