"""Filters, orders and ids that are none are refused in words that a client can show, before anything is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from db import tables as t
from gql.node import encode_id
from tests.client import Client, Statements
from tests.conftest import serving
from tests.filtering import BOOKINGS, CONVERSATIONS, own

pytestmark = pytest.mark.anyio

LISTS: dict[str, type[t.Table]] = {
    "ids": t.Conversation,
    "assigneeIds": t.Host,
    "sourceIds": t.Source,
    "bookingIds": t.Booking,
    "inquiryIds": t.Inquiry,
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


@pytest.mark.parametrize("text", ["\0", "B1\0", "\0B1"])
async def test_a_reference_with_nul_is_refused(inbox: Client, text: str) -> None:
    answer = await inbox.error(BOOKINGS, filter={"reference": text})

    assert answer == ("BAD_USER_INPUT", "Text cannot hold a NUL character")


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
