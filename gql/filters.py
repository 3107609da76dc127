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
from gql.enums import BookingStatus, Channel
from gql.errors import Refused
from gql.node import decode_id


def given(description: str | None = None, *, ids_of: type[t.Table] | None = None) -> Any:
    """An optional field of an input. `ids_of` says whose ids its list holds."""
    return strawberry.field(default=None, description=description, metadata={"ids_of": ids_of})  # type: ignore[call-overload]


@strawberry.enum(description="Which way an order runs.")
class OrderDirection(StrEnum):
    """Ascending or descending."""

    ASC = "ASC"
    DESC = "DESC"


@strawberry.enum(description="What conversations can be ordered by. Nulls come last in both directions; ties go by id.")
class ConversationOrderField(StrEnum):
    """The value is the column's name."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    LAST_MESSAGE_AT = "last_message_at"
    DEADLINE_RESPONSE_AT = "deadline_response_at"


@strawberry.input(description="The order of conversations: the newest message first, unless asked otherwise.")
class ConversationOrder:
    """A field and a direction."""

    field: ConversationOrderField = ConversationOrderField.LAST_MESSAGE_AT
    direction: OrderDirection = OrderDirection.DESC


@strawberry.input(
    description="Which conversations. Given fields must all hold; in a list one must match, so that an empty list "
    "matches nothing."
)
class ConversationFilter:
    """Joined by name to `db.queries.conversation.FILTERS`."""

    ids: list[strawberry.ID] | None = given(ids_of=t.Conversation)
    closed: bool | None = given()
    marked_as_spam: bool | None = given()
    read: bool | None = given("Whether it was read and no message is newer.")
    assigned: bool | None = given("Whether a host is responsible for it.")
    assignee_ids: list[strawberry.ID] | None = given(ids_of=t.Host)
    source_ids: list[strawberry.ID] | None = given(ids_of=t.Source)
    channels: list[Channel] | None = given("The default channel.")
    booking_ids: list[strawberry.ID] | None = given(ids_of=t.Booking)
    inquiry_ids: list[strawberry.ID] | None = given(ids_of=t.Inquiry)
    updated_since: datetime | None = given("Updated then or later.")


@strawberry.input(description="Which bookings. Given fields must all hold; in a list one must match.")
class BookingFilter:
    """Joined by name to `db.queries.booking.FILTERS`."""

    ids: list[strawberry.ID] | None = given(ids_of=t.Booking)
    statuses: list[BookingStatus] | None = given()
    reference: str | None = given("Exactly this reference.")
    starts_before: datetime | None = given()
    ends_after: datetime | None = given()


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
    input = input or ConversationOrder()
    return conversation.ORDERS[input.field.value, input.direction is OrderDirection.DESC]


FILTERS: Mapping[type, Mapping[str, Criterion]] = {
    ConversationFilter: conversation.FILTERS,
    BookingFilter: booking.FILTERS,
}
