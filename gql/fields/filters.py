"""Filter and order inputs, and how their values become the terms and orders of a statement.

An input's field is joined to its criterion by name (`db.queries`), so that a filter is one line here and one there. A
field that is null or left out asks for nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry

from db import tables as t
from db.criterion import ENDS, Criterion, Term, every, opposite, size
from db.page import Order
from db.queries import booking
from db.queries.conversation import filters
from db.queries.conversation.search import is_blank
from db.scope import Viewer
from gql.errors import Refused
from gql.fields.enums import BookingStatus, Channel, JourneyStage, expose
from gql.fields.node import decode_id

# How many levels of `not` and `or` a filter may have, and how many conditions in all.
MAX_DEPTH = 3
MAX_TERMS = 100


def given(description: str, *, ids_of: type[t.Table] | None = None, name: str | None = None) -> Any:
    """An optional field of an input. `ids_of` says whose ids its list holds; `name` is for what Python cannot name."""
    return strawberry.field(default=None, description=description, metadata={"ids_of": ids_of}, name=name)


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
    WAITING_SINCE = "waiting_since"
    RELEVANCE = "relevance"


expose(OrderDirection, ASC="The earliest first.", DESC="The latest first.")
# The values are the columns' names.
expose(
    ConversationOrderField,
    CREATED_AT="When it was created.",
    UPDATED_AT="When it last changed.",
    LAST_MESSAGE_AT="When its newest message was sent.",
    DEADLINE_RESPONSE_AT="By when its guest expects an answer.",
    WAITING_SINCE="Since when its guest waits for an answer.",
    RELEVANCE="How well it matches the filter's `search`, which must be given: the best first in `DESC`.",
)


@strawberry.input(description="The order of conversations: the newest message first, unless asked otherwise.")
class ConversationOrder:
    """A field and a direction."""

    field: ConversationOrderField = strawberry.field(
        default=ConversationOrderField.LAST_MESSAGE_AT, description="By what."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Which way.")


@strawberry.input(
    description="A period. Given ends must all hold; without any, every moment is in it, but none is not."
)
class DateTimeRange:
    """Its fields are `db.criterion.ENDS`."""

    gte: datetime | None = given("At that moment or later.")
    gt: datetime | None = given("Later than that moment.")
    lte: datetime | None = given("At that moment or earlier.")
    lt: datetime | None = given("Earlier than that moment.")


@strawberry.input(
    description="Which conversations. Given fields must all hold; in a list one must match, so that an empty list "
    "matches nothing. A field that is null is not given, and a filter without fields matches everything."
)
class ConversationFilter:
    """Joined by name to `db.queries.conversation.filters.FILTERS`."""

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
    booking_statuses: list[BookingStatus] | None = given("It is about a booking of one of these statuses.")
    rental_ids: list[strawberry.ID] | None = given("It is about a booking of one of these rentals.", ids_of=t.Rental)
    client_ids: list[strawberry.ID] | None = given("One of these clients takes part in it.", ids_of=t.Client)
    host_ids: list[strawberry.ID] | None = given("One of these hosts takes part in it.", ids_of=t.Host)
    updated_since: datetime | None = given("Last changed at that moment or later.")
    created_at: DateTimeRange | None = given("Created in that period.")
    updated_at: DateTimeRange | None = given("Last changed in that period.")
    last_message_at: DateTimeRange | None = given("Its newest message was sent in that period.")
    deadline_response_at: DateTimeRange | None = given("Its guest expects an answer by a moment in that period.")
    needs_reply: bool | None = given("Whether its guest waits for an answer.")
    overdue: bool | None = given("Whether its guest waits for an answer, and the deadline has passed.")
    stages: list[JourneyStage] | None = given("The guest is at one of these stages of the journey.")
    search: str | None = given(
        "These words are in its subject, its messages, the names of who takes part, or the references of its bookings "
        "and the names of their guests. All must be there; `or` between words, a minus before one and quotes around "
        "several mean what they do in web searches. Case and accents do not matter, and the last word may be the "
        "beginning of one. 1,000 characters count. Blank text asks for nothing; text without a word, such as `!?`, "
        "matches nothing."
    )
    not_: ConversationFilter | None = given(
        f"It does not match this one. `not` and `or` may go {MAX_DEPTH} levels deep.", name="not"
    )
    or_: list[ConversationFilter] | None = given("It matches one of these.", name="or")


@strawberry.input(description="Which bookings. Given fields must all hold; in a list one must match.")
class BookingFilter:
    """Joined by name to `db.queries.booking.FILTERS`."""

    ids: list[strawberry.ID] | None = given("One of these.", ids_of=t.Booking)
    statuses: list[BookingStatus] | None = given("The status is one of these.")
    reference: str | None = given("The reference is exactly this.")
    starts_before: datetime | None = given("The stay begins before that moment, not at it.")
    ends_after: datetime | None = given("The stay ends after that moment, not at it.")


def read_filter(input: Any, viewer: Viewer) -> tuple[Term, ...]:
    """The terms of a filter input, none where it is null.

    Raises `Refused` for ids that are none of the field's, and for what is too deep or too much.
    """
    if input is None:
        return ()
    terms = tuple(_read_terms(input, viewer, depth=0))
    if sum(size(term.clause) for term in terms) > MAX_TERMS:
        raise Refused(f"A filter has at most {MAX_TERMS} conditions")
    return terms


def _read_terms(input: Any, viewer: Viewer, depth: int) -> Iterator[Term]:
    if depth > MAX_DEPTH:
        raise Refused(f"A filter goes at most {MAX_DEPTH} levels of not and or deep")
    criteria = FILTERS[type(input)]
    for field in dataclasses.fields(input):
        value = getattr(input, field.name)
        if value is None:
            continue
        if field.name == "not_":
            yield opposite(every(_read_terms(value, viewer, depth + 1)))
        elif field.name == "or_":
            yield filters.one_of(every(_read_terms(alternative, viewer, depth + 1)) for alternative in value)
        else:
            yield criteria[field.name](_read_value(field, value, viewer))


def _read_value(field: dataclasses.Field[Any], value: Any, viewer: Viewer) -> Any:
    table = field.metadata.get("ids_of")
    if table is not None:
        return [decode_id(text, table).seen_by(viewer) for text in value]
    if isinstance(value, DateTimeRange):
        return {name: end for name in ENDS if (end := getattr(value, name)) is not None}
    if isinstance(value, str) and "\0" in value:
        raise Refused("Text cannot hold a NUL character")
    return value


def read_order(input: ConversationOrder | None, filter: ConversationFilter | None) -> Order:
    """The order asked for, or the default one. Raises `Refused` for relevance where `filter` itself has no search."""
    asked = input or ConversationOrder()
    order = filters.ORDERS[asked.field.value, asked.direction is OrderDirection.DESC]
    if asked.field is not ConversationOrderField.RELEVANCE:
        return order
    search = (filter and filter.search) or ""
    if is_blank(search):
        raise Refused("The order RELEVANCE needs a search in the filter")
    return order.bound(search)


FILTERS: Mapping[type, Mapping[str, Criterion]] = {
    ConversationFilter: filters.FILTERS,
    BookingFilter: booking.FILTERS,
}
