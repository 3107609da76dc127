"""Writing conversations: inputs into values; the rules are in `db.queries.conversation`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry
from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t
from db.queries import conversation
from db.scope import Viewer
from gql.enums import Channel
from gql.mutation import mutation
from gql.node import decode_id
from gql.types.conversation import Conversation


def _optional(description: str) -> Any:
    """A field whose absence differs from null."""
    return strawberry.field(default=strawberry.UNSET, description=description)


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


@strawberry.input(description="What may be changed of a conversation. What is left out stays.")
class UpdateConversationInput:
    """The whitelist of the REST API."""

    conversation_id: strawberry.ID = strawberry.field(description="The one to change.")
    assignee_id: strawberry.ID | None = _optional("A host; null takes the assignee off.")
    closed: bool | None = _optional("Closing what is closed changes nothing.")
    default_channel: Channel | None = _optional("Null takes it off.")
    marked_as_spam: bool | None = _optional("Marking what is marked changes nothing.")


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
async def create_conversation(session: AsyncSession, viewer: Viewer, input: CreateConversationInput) -> int:
    """Start a conversation."""
    values = {
        "subject": input.subject,
        "default_channel": input.default_channel,
        "assignee_id": _optional_id(viewer, t.Host, input.assignee_id),
        "source_id": _optional_id(viewer, t.Source, input.source_id),
        "deadline_response_at": input.deadline_response_at,
    }
    bookings = _ids(viewer, t.Booking, input.booking_ids or ())
    return await conversation.create(session, viewer, values, bookings, closed=bool(input.closed))


@mutation(Conversation)
async def update_conversation(session: AsyncSession, viewer: Viewer, input: UpdateConversationInput) -> int:
    """Assign, close, set the channel, or mark as spam."""
    given: dict[str, Any] = {
        "assignee_id": input.assignee_id,
        "closed": input.closed,
        "default_channel": input.default_channel,
        "marked_as_spam": input.marked_as_spam,
    }
    changes = {name: value for name, value in given.items() if value is not strawberry.UNSET}
    if "assignee_id" in changes:
        changes["assignee_id"] = _optional_id(viewer, t.Host, input.assignee_id)
    return await conversation.update(session, viewer, _id(viewer, t.Conversation, input.conversation_id), changes)


@mutation(Conversation)
async def connect_bookings(session: AsyncSession, viewer: Viewer, input: ConnectBookingsInput) -> int:
    """Say which bookings a conversation is about."""
    return await conversation.connect(session, viewer, *_conversation_and_bookings(viewer, input))


@mutation(Conversation)
async def disconnect_bookings(session: AsyncSession, viewer: Viewer, input: DisconnectBookingsInput) -> int:
    """Say which bookings a conversation is not about."""
    return await conversation.disconnect(session, viewer, *_conversation_and_bookings(viewer, input))


def _conversation_and_bookings(
    viewer: Viewer, input: ConnectBookingsInput | DisconnectBookingsInput
) -> tuple[int, list[int]]:
    return _id(viewer, t.Conversation, input.conversation_id), _ids(viewer, t.Booking, input.booking_ids)


def _id(viewer: Viewer, table: type[t.Table], text: str) -> int:
    return decode_id(text, table).seen_by(viewer)


def _optional_id(viewer: Viewer, table: type[t.Table], text: str | None) -> int | None:
    return None if text is None else _id(viewer, table, text)


def _ids(viewer: Viewer, table: type[t.Table], texts: Sequence[str]) -> list[int]:
    return [_id(viewer, table, text) for text in texts]
