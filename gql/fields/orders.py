"""Order inputs, and the orders of a statement that they stand for.

An order input has a field and a direction. `sorted_by()` declares one from the orders in `db.queries`, whose names are
the values of its enum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import strawberry

from db.page import BY_ID, Order
from db.queries import booking, client, inquiry, message, rental
from db.queries.conversation import filters
from db.queries.search import is_blank
from gql.errors import ClientError
from gql.fields.cost import Weights
from gql.fields.enums import expose
from gql.fields.filters import LOOKING_AT_ALL, ConversationFilter

Orders = Mapping[tuple[str, bool], Order]


class Sorting(NamedTuple):
    """An order input: its type, the order of a value of it and of the argument `filter`, and the cost of its values."""

    input: Any
    read: Callable[[Any, Any], Order]
    weights: Weights


class OrderDirection(StrEnum):
    """Direction of an order."""

    ASC = "ASC"
    DESC = "DESC"


class ConversationOrderField(StrEnum):
    """Field that conversations are sorted by. Nulls come last in both directions; equal values are sorted by id."""

    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    LAST_MESSAGE_AT = "last_message_at"
    DEADLINE_RESPONSE_AT = "deadline_response_at"
    WAITING_SINCE = "waiting_since"
    RELEVANCE = "relevance"


expose(OrderDirection, ASC="Smallest or earliest first.", DESC="Largest or latest first.")
# The values are the columns' names.
expose(
    ConversationOrderField,
    CREATED_AT="When it was created.",
    UPDATED_AT="When it last changed.",
    LAST_MESSAGE_AT="When its newest message was sent.",
    DEADLINE_RESPONSE_AT="When the guest should have an answer.",
    WAITING_SINCE="When the guest began to wait for an answer.",
    RELEVANCE="How well it matches `search` of the filter, which is required: `DESC` returns the best match first. "
    "Only the 2,000 matches with the newest messages are ranked and returned.",
)


@strawberry.input(description="Order of conversations; by default the newest message first.")
class ConversationOrder:
    """A field and a direction."""

    field: ConversationOrderField = strawberry.field(
        default=ConversationOrderField.LAST_MESSAGE_AT, description="Field to sort by."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Direction of the order.")


def _read_conversation_order(input: ConversationOrder | None, filter: ConversationFilter | None) -> Order:
    """The requested or default order. Raises `ClientError` for RELEVANCE if the filter's own `search` is missing."""
    asked = input or ConversationOrder()
    order = filters.ORDERS[asked.field.value, asked.direction is OrderDirection.DESC]
    if asked.field is not ConversationOrderField.RELEVANCE:
        return order
    search = (filter and filter.search) or ""
    if is_blank(search):
        raise ClientError("The order RELEVANCE needs a search in the filter")
    return order.bound(search)


def sorted_by(name: str, plural: str, orders: Orders, **meanings: str) -> Sorting:
    """The input `<name>Order`, whose fields are those of `orders`. `meanings` describes each of them.

    The first of them is the default. Without the input, rows are sorted by id.
    """
    fields: Any = StrEnum(f"{name}OrderField", {column.upper(): column for column, descending in orders if descending})  # type: ignore[misc]
    fields.__doc__ = f"Field that {plural} are sorted by. Equal values are sorted by id."
    expose(fields, **meanings)
    attributes = {
        "__annotations__": {"field": fields, "direction": OrderDirection},
        "field": strawberry.field(default=next(iter(fields)), description="Field to sort by."),
        "direction": strawberry.field(default=OrderDirection.DESC, description="Direction of the order."),
    }
    description = f"Order of {plural}; without one, they are sorted by id."
    input_type = strawberry.input(type(f"{name}Order", (), attributes), description=description)

    def read(input: Any, filter: Any) -> Order:  # noqa: ARG001  # only a relevance depends on the filter
        return BY_ID if input is None else orders[input.field.value, input.direction is OrderDirection.DESC]

    return Sorting(input_type, read, {})


_STAMPS = {"CREATED_AT": "When it was created.", "UPDATED_AT": "When it last changed."}
CONVERSATION_ORDER = Sorting(
    ConversationOrder, _read_conversation_order, {ConversationOrderField.RELEVANCE.name: LOOKING_AT_ALL}
)
BOOKING_ORDER = sorted_by("Booking", "bookings", booking.ORDERS, START_AT="Check-in.", **_STAMPS)
CLIENT_ORDER = sorted_by("Client", "clients", client.ORDERS, **_STAMPS)
INQUIRY_ORDER = sorted_by("Inquiry", "inquiries", inquiry.ORDERS, **_STAMPS)
MESSAGE_ORDER = sorted_by(
    "Message", "messages", message.ORDERS, SENT_AT="When it was written.", UPDATED_AT=_STAMPS["UPDATED_AT"]
)
RENTAL_ORDER = sorted_by("Rental", "rentals", rental.ORDERS, **_STAMPS)
