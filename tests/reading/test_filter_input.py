"""Invalid filters, orders and ids are rejected before anything is read, with messages that a client can display."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from db import tables as t
from gql.fields.node import encode_id
from gql.schema import build_schema
from tests.oracles.filtering import BOOKINGS, CONVERSATIONS, own
from tests.support.client import Client, Statements
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

LISTS: dict[str, type[t.Table]] = {
    "ids": t.Conversation,
    "assigneeIds": t.Host,
    "sourceIds": t.Source,
    "bookingIds": t.Booking,
    "inquiryIds": t.Inquiry,
    "rentalIds": t.Rental,
    "clientIds": t.Client,
    "hostIds": t.Host,
}
MALFORMED = [
    "",
    "1",
    "not an id",
    "\0",
    "é",
    "🏖",
    "A" * 5_000,
    encode_id(t.Host, 1, 1)[:-1],
    encode_id(t.Host, 1, 1) + "=",
    encode_id(t.Host, 1, 1) + "\n",
    encode_id(t.Host, 1, 2**63),
    encode_id(t.Host, 2**63, 1),
    encode_id(t.Host, 1, 0),
    encode_id(t.Host, 1, -1),
    encode_id(t.Host, 0, 1),
]


@pytest.fixture(scope="module")
async def inbox(seeded_dsn: str, anyio_backend: str) -> AsyncIterator[Client]:  # noqa: ARG001  # for its scope
    """A client of account 1 of the seeded database."""
    async with serving(seeded_dsn, Statements()) as client:
        yield client


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("id_", MALFORMED)
async def test_a_malformed_id_is_refused(inbox: Client, name: str, id_: str) -> None:
    good = own(LISTS[name], 1)

    code, message = await inbox.error(CONVERSATIONS, filter={name: [good, id_]})

    assert code == "BAD_USER_INPUT"
    assert message.endswith(" is not an id")
    assert len(message) < 100


@pytest.mark.parametrize("name", LISTS)
async def test_an_id_of_another_type_is_refused(inbox: Client, name: str) -> None:
    other = encode_id(t.Message, 1, 1)

    code, message = await inbox.error(CONVERSATIONS, filter={name: [other]})

    assert code == "BAD_USER_INPUT"
    assert message.startswith(f'"{other}" is the id of a Message, not of a')
    assert message.endswith(f" {LISTS[name].__name__}")


async def test_a_filter_that_is_refused_reads_nothing(reader: Client, statements: Statements) -> None:
    await reader.data("{ __typename }")
    assert len(statements.take()) == 1

    await reader.error(CONVERSATIONS, filter={"ids": ["not an id"]})

    assert statements.take() == []


def deep(levels: int, inside: Any) -> Any:
    """A filter with `inside` that many levels of `not` and `or` below it."""
    for level in range(levels):
        inside = {"not": inside} if level % 2 else {"or": [{"closed": True}, inside]}
    return inside


async def test_not_and_or_go_three_levels_deep_and_no_deeper(reader: Client, statements: Statements) -> None:
    await reader.data("{ __typename }")
    assert (await reader.data(CONVERSATIONS, filter=deep(3, {"read": True})))["conversations"]["totalCount"]
    statements.take()

    for levels in (4, 5):
        answer = await reader.error(CONVERSATIONS, filter=deep(levels, {"read": True}))
        assert answer == ("BAD_USER_INPUT", "A filter has at most 3 levels of not and or")
    answer = await reader.error(CONVERSATIONS, filter=deep(80, {"read": True}))
    assert answer == ("BAD_USER_INPUT", "The body has more than 100 JSON arrays and objects in each other")

    assert statements.take() == []


@pytest.mark.parametrize("alternative", [{"closed": True}, {}, {"or": []}, {"createdAt": {}}], ids=str)
async def test_a_filter_has_at_most_a_hundred_conditions(
    reader: Client, statements: Statements, alternative: dict[str, Any]
) -> None:
    await reader.data("{ __typename }")
    await reader.data(CONVERSATIONS, filter={"or": [alternative] * 100})
    statements.take()

    for filter_ in ({"or": [alternative] * 101}, {"closed": True, "or": [alternative] * 100}):
        answer = await reader.error(CONVERSATIONS, filter=filter_)
        assert answer == ("BAD_USER_INPUT", "A filter has at most 100 conditions")

    assert statements.take() == []


@pytest.mark.parametrize("wrap", [lambda inner: {"not": inner}, lambda inner: {"or": [{}, {"or": [inner]}]}])
async def test_ids_below_not_and_or_are_looked_at_too(inbox: Client, wrap: Any) -> None:
    code, message = await inbox.error(CONVERSATIONS, filter=wrap({"hostIds": ["not an id"]}))

    assert (code, message) == ("BAD_USER_INPUT", '"not an id" is not an id')


# A document for each text that is compared with stored text, by its place in the schema.
TEXTS = {
    "BookingFilter.reference": "{ bookings(filter: {reference: %s}) { totalCount } }",
    "BookingFilter.search": "{ bookings(filter: {search: %s}) { totalCount } }",
    "ClientFilter.search": "{ clients(filter: {search: %s}) { totalCount } }",
    "Conversation.messages(externalIds)": "{ conversations { nodes { messages(externalIds: %s) { totalCount } } } }",
    "ConversationFilter.externalIds": "{ conversations(filter: {not: {externalIds: [%s]}}) { totalCount } }",
    "ConversationFilter.search": "{ conversations(filter: {search: %s}) { totalCount } }",
    "InquiryFilter.search": "{ inquiries(filter: {search: %s}) { totalCount } }",
    "MessageFilter.externalIds": '{ messages(filter: {externalIds: ["a", %s]}) { nodes { id } } }',
    "MessageFilter.search": "{ messages(filter: {search: %s}) { totalCount } }",
    "RentalFilter.search": "{ rentals(filter: {search: %s}) { totalCount } }",
}
CURSORS = ("after", "before")


@pytest.mark.parametrize("document", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("text", ["\\u0000", "B1\\u0000", "\\u0000B1"])
async def test_text_with_nul_is_refused(inbox: Client, document: str, text: str) -> None:
    answer = await inbox.error(document % f'"{text}"')

    assert answer == ("BAD_USER_INPUT", "Text cannot hold a NUL character")


def test_each_text_that_selects_rows_is_tried_with_nul() -> None:
    types = build_schema()._schema.type_map.values()  # noqa: SLF001
    inputs = {
        f"{type_.name}.{name}": field
        for type_ in types
        if isinstance(type_, GraphQLInputObjectType) and type_.name.endswith("Filter")
        for name, field in type_.fields.items()
    }
    arguments = {
        f"{type_.name}.{name}({argument})": field
        for type_ in types
        if isinstance(type_, GraphQLObjectType)
        for name, field in type_.fields.items()
        for argument, field in field.args.items()
        if argument not in CURSORS
    }

    texts = {place for place, field in (inputs | arguments).items() if get_named_type(field.type).name == "String"}

    assert texts == set(TEXTS)


@pytest.mark.parametrize(
    ("document", "filter_"),
    [
        (CONVERSATIONS, {"channels": ["FAX"]}),
        (CONVERSATIONS, {"channels": ["airbnb"]}),
        (CONVERSATIONS, {"channels": [None]}),
        (CONVERSATIONS, {"ids": [None]}),
        (CONVERSATIONS, {"closed": "true"}),
        (CONVERSATIONS, {"closed": 1}),
        (CONVERSATIONS, {"updatedSince": "2026-05-04"}),
        (CONVERSATIONS, {"updatedSince": "yesterday"}),
        (CONVERSATIONS, {"unknown": 1}),
        (CONVERSATIONS, {"createdAt": "2026-05-04T09:30:00Z"}),
        (CONVERSATIONS, {"createdAt": {"gte": "today"}}),
        (CONVERSATIONS, {"createdAt": {"since": "2026-05-04T09:30:00Z"}}),
        (CONVERSATIONS, {"bookingStatuses": ["LOST"]}),
        (CONVERSATIONS, {"or": [None]}),
        (CONVERSATIONS, {"or": [{"unknown": 1}]}),
        (CONVERSATIONS, {"not": [{"closed": True}, {"closed": False}]}),
        (CONVERSATIONS, "closed"),
        (BOOKINGS, {"statuses": ["LOST"]}),
        (BOOKINGS, {"reference": 7}),
        (BOOKINGS, {"startsBefore": 0}),
    ],
)
async def test_a_variable_of_another_shape_is_bad_input(inbox: Client, document: str, filter_: Any) -> None:
    code, _ = await inbox.error(document, filter=filter_)

    assert code == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "filter_",
    ["{ channels: [FAX] }", '{ channels: ["AIRBNB"] }', "{ channels: [null] }", "{ closed: 1 }", "{ unknown: 1 }"],
)
async def test_a_literal_of_another_shape_makes_the_document_invalid(inbox: Client, filter_: str) -> None:
    code, _ = await inbox.error(f"{{ conversations(filter: {filter_}) {{ totalCount }} }}")

    assert code == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    "order", [{"field": None}, {"direction": None}, {"field": "SUBJECT"}, {"direction": "UP"}, "ASC"]
)
async def test_an_order_of_another_shape_is_bad_input(inbox: Client, order: Any) -> None:
    code, _ = await inbox.error(
        "query ($order: ConversationOrder) { conversations(orderBy: $order) { totalCount } }", order=order
    )

    assert code == "BAD_USER_INPUT"


@pytest.mark.parametrize("field", ["conversation", "booking"])
@pytest.mark.parametrize("arguments", ["", '(id: "x", databaseId: 1)', "(id: null, databaseId: null)"])
async def test_a_lookup_takes_exactly_one_of_the_two_ids(inbox: Client, field: str, arguments: str) -> None:
    answer = await inbox.error(f"{{ {field}{arguments} {{ databaseId }} }}")

    assert answer == ("BAD_USER_INPUT", "Give exactly one of id and databaseId")


@pytest.mark.parametrize("id_", MALFORMED)
async def test_a_lookup_refuses_a_malformed_id(inbox: Client, id_: str) -> None:
    for field in ("conversation", "booking", "node"):
        code, message = await inbox.error(f"query ($id: ID!) {{ {field}(id: $id) {{ id }} }}", id=id_)
        assert code == "BAD_USER_INPUT"
        assert message.endswith(" is not an id")
