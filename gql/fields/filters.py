"""Filter inputs, and the conversion of their values into the terms of a statement.

The field of an input and its criterion in `db.queries` have the same name, so that a filter is one line in each. A
field that is null or left out is ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import strawberry
from strawberry.utils.str_converters import to_camel_case

from db import tables as t
from db.criterion import ENDS, Criterion, Term, every, opposite, size
from db.queries import booking, client, inquiry, message, rental
from db.queries.conversation import filters
from db.scope import Viewer
from gql.errors import ClientError
from gql.fields.cost import Weights
from gql.fields.enums import BookingStatus, Channel, JourneyStage, MessageVisibility
from gql.fields.node import decode_id

# The most levels of `not` and `or` in a filter, and the most conditions.
MAX_DEPTH = 3
MAX_TERMS = 100


# The cost in nodes of a condition that may read all conversations of the account, and of the order RELEVANCE.
# In an account of 2,000, a search or a stage takes 5 to 8 ms of PostgreSQL's time, and a page of 50 takes 0.2. It grows
# with the account: in one of 200,000 conversations, a search of a frequent word takes 50 ms.
LOOKING_AT_ALL = 100


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


@strawberry.input(description="A period. All given bounds apply, and exclude null. A period without bounds is ignored.")
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
    stages: list[JourneyStage] | None = given("With one of these stages.", weight=LOOKING_AT_ALL)
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
        weight=LOOKING_AT_ALL,
    )
    not_: ConversationFilter | None = given(
        f"Excludes conversations that match this filter. `not` and `or` can be nested {MAX_DEPTH} levels deep.",
        name="not",
    )
    or_: list[ConversationFilter] | None = given("Matches any of these filters.", name="or")


_APPLY = "All given fields apply (AND). A list matches any of its items; `[]` matches nothing; null is ignored."
_SINCE = (
    "Changed at this time or later. It can miss changes that were committed late: to follow changes, use `changes`."
)
_SEARCH = (
    "Words match as in `ConversationFilter.search`: all must match, the last one may be a prefix, and case and accents "
    "are ignored."
)


@strawberry.input(description=f"Selects bookings. {_APPLY}")
class BookingFilter:
    """Its fields have the names of `db.queries.booking.FILTERS`."""

    ids: list[strawberry.ID] | None = given("Bookings with these ids.", ids_of=t.Booking)
    statuses: list[BookingStatus] | None = given("With one of these statuses.")
    reference: str | None = given("With exactly this reference.")
    starts_before: datetime | None = given("The stay begins before this time.")
    ends_after: datetime | None = given("The stay ends after this time.")
    rental_ids: list[strawberry.ID] | None = given("Of one of these rentals.", ids_of=t.Rental)
    updated_since: datetime | None = given(_SINCE)
    search: str | None = given(
        f"Text of a reference (whole, or its end), or of the client: name, e-mail address and phone. {_SEARCH}",
        weight=LOOKING_AT_ALL,
    )


@strawberry.input(description=f"Selects rentals. {_APPLY}")
class RentalFilter:
    """Its fields have the names of `db.queries.rental.FILTERS`."""

    ids: list[strawberry.ID] | None = given("Rentals with these ids.", ids_of=t.Rental)
    updated_since: datetime | None = given(_SINCE)
    search: str | None = given(f"Text of the name and the city. {_SEARCH}", weight=LOOKING_AT_ALL)


@strawberry.input(description=f"Selects clients. {_APPLY}")
class ClientFilter:
    """Its fields have the names of `db.queries.client.FILTERS`."""

    ids: list[strawberry.ID] | None = given("Clients with these ids.", ids_of=t.Client)
    updated_since: datetime | None = given(_SINCE)
    search: str | None = given(
        f"Text of the name, the e-mail address (whole, or the local part) and the phone (the last four to nine digits, "
        f"however they are written). {_SEARCH}",
        weight=LOOKING_AT_ALL,
    )


@strawberry.input(description=f"Selects inquiries. {_APPLY}")
class InquiryFilter:
    """Its fields have the names of `db.queries.inquiry.FILTERS`."""

    ids: list[strawberry.ID] | None = given("Inquiries with these ids.", ids_of=t.Inquiry)
    updated_since: datetime | None = given(_SINCE)
    search: str | None = given(
        f"Text of the name, the e-mail address, the phone and the message. {_SEARCH}", weight=LOOKING_AT_ALL
    )


@strawberry.input(description=f"Selects messages. {_APPLY}")
class MessageFilter:
    """Its fields have the names of `db.queries.message.FILTERS`."""

    ids: list[strawberry.ID] | None = given("Messages with these ids.", ids_of=t.Message)
    conversation_ids: list[strawberry.ID] | None = given("Of one of these conversations.", ids_of=t.Conversation)
    visibility: MessageVisibility | None = given("With this visibility.")
    external_ids: list[str] | None = given("With one of these external ids.")
    updated_since: datetime | None = given(_SINCE)
    search: str | None = given(
        f"Text of the first 20,000 characters. {_SEARCH} A phrase in quotes is looked for in messages with all its "
        "words: `totalCount` takes a second for each 20,000 of them, and so does a page if hardly any has the phrase.",
        weight=LOOKING_AT_ALL,
    )


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


def read_text(value: Any) -> Any:
    """The value, unchanged. Raises `ClientError` for text that PostgreSQL cannot compare, by itself or in a list."""
    if any(isinstance(text, str) and "\0" in text for text in (value if isinstance(value, list) else [value])):
        raise ClientError("Text cannot hold a NUL character")
    return value


def _read_value(field: dataclasses.Field[Any], value: Any, viewer: Viewer) -> Any:
    table = field.metadata.get("ids_of")
    if table is not None:
        return [decode_id(text, table).seen_by(viewer) for text in value]
    if field.metadata["of_actor"]:
        return viewer, value
    if isinstance(value, DateTimeRange):
        return {name: end for name in ENDS if (end := getattr(value, name)) is not None}
    return read_text(value)


FILTERS: Mapping[type, Mapping[str, Criterion]] = {
    ConversationFilter: filters.FILTERS,
    BookingFilter: booking.FILTERS,
    ClientFilter: client.FILTERS,
    InquiryFilter: inquiry.FILTERS,
    MessageFilter: message.FILTERS,
    RentalFilter: rental.FILTERS,
}

# The fields of filters that depend on the actor, by their names in the schema.
PERSONAL: Weights = {
    to_camel_case(field.name): 1
    for input_type in FILTERS
    for field in dataclasses.fields(input_type)
    if field.metadata["of_actor"]
}
