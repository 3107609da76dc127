"""Filter and order inputs, and how their values become the terms and orders of a statement.

An input's field is joined to its criterion by name (`db.queries`), so that a filter is one line here and one there. A
field that is null or left out asks for nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry

from db import tables as t
from db.criterion import Criterion, Term
from db.page import Order
from db.queries import booking, conversation
from db.scope import Viewer
from gql.enums import BookingStatus, Channel, expose
from gql.errors import Refused
from gql.node import decode_id


def given(description: str, *, ids_of: type[t.Table] | None = None) -> Any:
    """An optional field of an input. `ids_of` says whose ids its list holds."""
    return strawberry.field(default=None, description=description, metadata={"ids_of": ids_of})


class OrderDirection(StrEnum):
    """Which way an order runs."""

    ASC = "ASC"
    DESC = "DESC"


class ConversationOrderField(StrEnum):
    """What conversations can be ordered by. Nulls come last in both directions; ties go by id in the same direction."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    LAST_MESSAGE_AT = "last_message_at"
    DEADLINE_RESPONSE_AT = "deadline_response_at"


expose(OrderDirection, ASC="The earliest first.", DESC="The latest first.")
# The values are the columns' names.
expose(
    ConversationOrderField,
    CREATED_AT="When it was created.",
    UPDATED_AT="When it last changed.",
    LAST_MESSAGE_AT="When its newest message was sent.",
    DEADLINE_RESPONSE_AT="By when its guest expects an answer.",
)


@strawberry.input(description="The order of conversations: the newest message first, unless asked otherwise.")
class ConversationOrder:
    """A field and a direction."""

    field: ConversationOrderField = strawberry.field(
        default=ConversationOrderField.LAST_MESSAGE_AT, description="By what."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Which way.")


@strawberry.input(
    description="Which conversations. Given fields must all hold; in a list one must match, so that an empty list "
    "matches nothing."
)
class ConversationFilter:
    """Joined by name to `db.queries.conversation.FILTERS`."""

    ids: list[strawberry.ID] | None = given("One of these.", ids_of=t.Conversation)
    closed: bool | None = given("Whether it is closed.")
    marked_as_spam: bool | None = given("Whether it is marked as spam.")
    read: bool | None = given("Whether it was read and no message is newer.")
    assigned: bool | None = given("Whether a host is responsible for it.")
    assignee_ids: list[strawberry.ID] | None = given("One of these hosts is responsible for it.", ids_of=t.Host)
    source_ids: list[strawberry.ID] | None = given("The business came from one of these sources.", ids_of=t.Source)
    channels: list[Channel] | None = given("The default channel is one of these.")
    booking_ids: list[strawberry.ID] | None = given("It is about one of these bookings.", ids_of=t.Booking)
    inquiry_ids: list[strawberry.ID] | None = given("One of these inquiries led to it.", ids_of=t.Inquiry)
    updated_since: datetime | None = given("Last changed at that moment or later.")


@strawberry.input(description="Which bookings. Given fields must all hold; in a list one must match.")
class BookingFilter:
    """Joined by name to `db.queries.booking.FILTERS`."""

    ids: list[strawberry.ID] | None = given("One of these.", ids_of=t.Booking)
    statuses: list[BookingStatus] | None = given("The status is one of these.")
    reference: str | None = given("The reference is exactly this.")
    starts_before: datetime | None = given("The stay begins before that moment, not at it.")
    ends_after: datetime | None = given("The stay ends after that moment, not at it.")


def read_filter(input: Any, viewer: Viewer) -> tuple[Term, ...]:
    """The terms of a filter input, none where it is null. Raises `Refused` for ids that are none of the field's."""
    if input is None:
        return ()
    criteria = FILTERS[type(input)]
    return tuple(
        criteria[field.name](_read_value(field, value, viewer))
        for field in dataclasses.fields(input)
        if (value := getattr(input, field.name)) is not None
    )


def _read_value(field: dataclasses.Field[Any], value: Any, viewer: Viewer) -> Any:
    table = field.metadata.get("ids_of")
    if table is not None:
        return [decode_id(text, table).seen_by(viewer) for text in value]
    if isinstance(value, str) and "\0" in value:
        raise Refused("Text cannot hold a NUL character")
    return value


def read_order(input: ConversationOrder | None) -> Order:
    """The order asked for, or the default one."""
    asked = input or ConversationOrder()
    return conversation.ORDERS[asked.field.value, asked.direction is OrderDirection.DESC]


FILTERS: Mapping[type, Mapping[str, Criterion]] = {
    ConversationFilter: conversation.FILTERS,
    BookingFilter: booking.FILTERS,
}
