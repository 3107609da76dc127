"""Filter and order inputs, and the conversion of their values into the terms and orders of a statement.

The field of an input and its criterion in `db.queries` have the same name, so that a filter is one line in each. A
field that is null or left out is ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry
from strawberry.utils.str_converters import to_camel_case

from db import tables as t
from db.criterion import ENDS, Criterion, Term, every, opposite, size
from db.page import Order
from db.queries import booking
from db.queries.conversation import filters
from db.queries.conversation.search import is_blank
from db.scope import Viewer
from gql.errors import ClientError
from gql.fields.cost import Weights
from gql.fields.enums import BookingStatus, Channel, JourneyStage, expose
from gql.fields.node import decode_id

# The most levels of `not` and `or` in a filter, and the most conditions.
MAX_DEPTH = 3
MAX_TERMS = 100


# The cost in nodes of a condition that may read all conversations of the account, and of the order RELEVANCE.
# In an account of 2,000, a search or a stage takes 5 to 8 ms of PostgreSQL's time, and a page of 50 takes 0.2. It grows
# with the account: in one of 200,000 conversations, a search of a frequent word takes 50 ms.
_LOOKING_AT_ALL = 100


def given(
    description: str,
    *,
    ids_of: type[t.Table] | None = None,
    name: str | None = None,
    weight: int = 0,
    of_actor: bool = False,
) -> Any:
    """An optional field of an input. `ids_of` is the table of its ids; `name` is for names that Python reserves.

    If it is given, each statement that uses it costs `weight` nodes more. With `of_actor`, what it selects depends on
    the actor of the token, and its criterion gets the viewer with the value.
    """
    metadata = {"ids_of": ids_of, "weight": weight, "of_actor": of_actor}
    return strawberry.field(default=None, description=description, metadata=metadata, name=name)


def filter_weights(input_type: type) -> Weights:
    """The weights of a filter input's fields, by their names in the schema."""
    return {
        to_camel_case(field.name): weight
        for field in dataclasses.fields(input_type)
        if (weight := field.metadata["weight"])
    }


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


@strawberry.input(
    description="A period. All given bounds apply. A period without bounds contains every time, and excludes null."
)
class DateTimeRange:
    """Its fields are `db.criterion.ENDS`."""

    gte: datetime | None = given("At this time or later.")
    gt: datetime | None = given("After this time.")
    lte: datetime | None = given("At this time or earlier.")
    lt: datetime | None = given("Before this time.")


@strawberry.input(
    description="Selects conversations. All given fields apply (AND). A list matches any of its items; `[]` matches "
    "nothing; null is ignored. An empty filter matches everything."
)
class ConversationFilter:
    """Its fields have the names of `db.queries.conversation.filters.FILTERS`."""

    ids: list[strawberry.ID] | None = given("Conversations with these ids.", ids_of=t.Conversation)
    closed: bool | None = given("Whether they are closed.")
    marked_as_spam: bool | None = given("Whether they are marked as spam.")
    read: bool | None = given("Whether they were read and no guest message is unread.")
    assigned: bool | None = given("Whether they have an assignee.")
    assignee_ids: list[strawberry.ID] | None = given("Assigned to one of these hosts.", ids_of=t.Host)
    mine: bool | None = given(
        "Whether they are assigned to a host of the viewer; never for an application.", of_actor=True
    )
    source_ids: list[strawberry.ID] | None = given("With one of these sources.", ids_of=t.Source)
    channels: list[Channel] | None = given("With one of these default channels.")
    booking_ids: list[strawberry.ID] | None = given("Connected to one of these bookings.", ids_of=t.Booking)
    inquiry_ids: list[strawberry.ID] | None = given("With one of these inquiries.", ids_of=t.Inquiry)
    booking_statuses: list[BookingStatus] | None = given("Connected to a booking with one of these statuses.")
    rental_ids: list[strawberry.ID] | None = given("Connected to a booking of one of these rentals.", ids_of=t.Rental)
    client_ids: list[strawberry.ID] | None = given("With one of these clients as a participant.", ids_of=t.Client)
    host_ids: list[strawberry.ID] | None = given("With one of these hosts as a participant.", ids_of=t.Host)
    updated_since: datetime | None = given(
        "Changed at this time or later. It can miss changes that were committed late: to follow changes, use `changes`."
    )
    external_ids: list[str] | None = given("With one of these external ids.")
    created_at: DateTimeRange | None = given("Created in this period.")
    updated_at: DateTimeRange | None = given("Last changed in this period.")
    last_message_at: DateTimeRange | None = given("The newest message was sent in this period.")
    deadline_response_at: DateTimeRange | None = given("An answer is due in this period.")
    needs_reply: bool | None = given("Whether a guest waits for an answer.")
    overdue: bool | None = given("Whether a guest waits for an answer and `deadlineResponseAt` has passed.")
    delivery_failed: bool | None = given("Whether a message has the delivery state `FAILED`.")
    stages: list[JourneyStage] | None = given("With one of these stages.", weight=_LOOKING_AT_ALL)
    search: str | None = given(
        "Text of the subject, of messages and notes, names of participants and of the guests of bookings and "
        "inquiries, their e-mail addresses (whole, or the local part) and phones (the last four to nine digits, "
        "however they are written), booking references (whole, or their end). All words must match; `or` between "
        "words, a minus before a word and quotes around a phrase work as in web searches. Case, accents and other "
        "marks are ignored, and `Wi-Fi` and `wifi` match each other. The last word may be a prefix of at least two "
        "letters; in text without spaces, such as Chinese or Thai, any part is found. Only the first 1,000 characters "
        "are used. Blank text is ignored; text without a word, such as `!?`, matches nothing. If a conversation has "
        "more words than PostgreSQL can index (1 MB), or more than 2,000,000 characters, only the newest messages are "
        "searched. Phrases are found only in the newest 16,000 words or so.",
        weight=_LOOKING_AT_ALL,
    )
    not_: ConversationFilter | None = given(
        f"Excludes conversations that match this filter. `not` and `or` can be nested {MAX_DEPTH} levels deep.",
        name="not",
    )
    or_: list[ConversationFilter] | None = given("Matches any of these filters.", name="or")


@strawberry.input(
    description="Selects bookings. All given fields apply (AND). A list matches any of its items; `[]` matches "
    "nothing; null is ignored."
)
class BookingFilter:
    """Its fields have the names of `db.queries.booking.FILTERS`."""

    ids: list[strawberry.ID] | None = given("Bookings with these ids.", ids_of=t.Booking)
    statuses: list[BookingStatus] | None = given("With one of these statuses.")
    reference: str | None = given("With exactly this reference.")
    starts_before: datetime | None = given("The stay begins before this time.")
    ends_after: datetime | None = given("The stay ends after this time.")


def read_filter(input: Any, viewer: Viewer) -> tuple[Term, ...]:
    """The terms of a filter input; no terms for null.

    Raises `ClientError` for an id of another type and for a filter with too many levels or conditions.
    """
    if input is None:
        return ()
    terms = tuple(_read_terms(input, viewer, depth=0))
    if sum(size(term.clause) for term in terms) > MAX_TERMS:
        raise ClientError(f"A filter has at most {MAX_TERMS} conditions")
    return terms


def _read_terms(input: Any, viewer: Viewer, depth: int) -> Iterator[Term]:
    if depth > MAX_DEPTH:
        raise ClientError(f"A filter has at most {MAX_DEPTH} levels of not and or")
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
    if field.metadata["of_actor"]:
        return viewer, value
    if isinstance(value, DateTimeRange):
        return {name: end for name in ENDS if (end := getattr(value, name)) is not None}
    if isinstance(value, str) and "\0" in value:
        raise ClientError("Text cannot hold a NUL character")
    return value


def read_order(input: ConversationOrder | None, filter: ConversationFilter | None) -> Order:
    """The requested or default order. Raises `ClientError` for RELEVANCE if the filter's own `search` is missing."""
    asked = input or ConversationOrder()
    order = filters.ORDERS[asked.field.value, asked.direction is OrderDirection.DESC]
    if asked.field is not ConversationOrderField.RELEVANCE:
        return order
    search = (filter and filter.search) or ""
    if is_blank(search):
        raise ClientError("The order RELEVANCE needs a search in the filter")
    return order.bound(search)


ORDER_WEIGHTS: Weights = {ConversationOrderField.RELEVANCE.name: _LOOKING_AT_ALL}

FILTERS: Mapping[type, Mapping[str, Criterion]] = {
    ConversationFilter: filters.FILTERS,
    BookingFilter: booking.FILTERS,
}

# The fields of filters that depend on the actor, by their names in the schema.
PERSONAL: Weights = {
    to_camel_case(field.name): 1
    for input_type in FILTERS
    for field in dataclasses.fields(input_type)
    if field.metadata["of_actor"]
}
