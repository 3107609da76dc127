"""All errors of an input are reported at once, and a rejected mutation writes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.world import BOOKING, CONVERSATION, FREE_BOOKING, HOST, INTERNAL_SOURCE, SOURCE, Dump, World

pytestmark = pytest.mark.anyio

CONVERSATION_ID = encode_id(t.Conversation, 1, CONVERSATION)
UNKNOWN = 999


def host(id_: int = HOST, account: int = 1) -> str:
    """A host's global id."""
    return encode_id(t.Host, account, id_)


def source(id_: int = SOURCE, account: int = 1) -> str:
    """A source's global id."""
    return encode_id(t.Source, account, id_)


def bookings(*ids: int, account: int = 1) -> list[str]:
    """Bookings' global ids."""
    return [encode_id(t.Booking, account, id_) for id_ in ids]


def error(code: str, message: str, *path: str) -> dict[str, Any]:
    """A user error."""
    return {"code": code, "message": message, "path": ["input", *path]}


@pytest.fixture(scope="module")
async def untouched(shared: World) -> Dump:
    """All rows of the database, which tests must not change."""
    await shared.fill(1, 2)
    return await world.dump(shared.connection)


@pytest.fixture
async def inbox(shared: World, untouched: Dump) -> AsyncIterator[Client]:
    """A client of the first of two accounts. A test must not change the database."""
    yield shared.client
    assert await world.dump(shared.connection) == untouched


REJECTED: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    (
        "createConversation",
        {"subject": "x" * 256},
        [error("TOO_LONG", "A subject has at most 255 characters", "subject")],
    ),
    (
        "createConversation",
        {"subject": "🗝" * 256},
        [error("TOO_LONG", "A subject has at most 255 characters", "subject")],
    ),
    ("createConversation", {"subject": "a\0b"}, [error("INVALID", "A subject cannot hold a NUL character", "subject")]),
    (
        "createConversation",
        {"deadlineResponseAt": "0001-01-01T00:00:00Z"},
        [error("INVALID", "A deadline must be later than the year 1 begins", "deadlineResponseAt")],
    ),
    (
        "createConversation",
        {"sourceId": source(INTERNAL_SOURCE)},
        [error("READ_ONLY", "An internal source is read-only", "sourceId")],
    ),
    ("createConversation", {"sourceId": source(UNKNOWN)}, [error("NOT_FOUND", "There is no such source", "sourceId")]),
    (
        "createConversation",
        {"sourceId": source(account=2)},
        [error("NOT_FOUND", "There is no such source", "sourceId")],
    ),
    (
        # Another account's internal source is reported as missing, not as internal.
        "createConversation",
        {"sourceId": source(INTERNAL_SOURCE, account=2)},
        [error("NOT_FOUND", "There is no such source", "sourceId")],
    ),
    ("createConversation", {"assigneeId": host(UNKNOWN)}, [error("NOT_FOUND", "There is no such host", "assigneeId")]),
    (
        "createConversation",
        {"assigneeId": host(account=2)},
        [error("NOT_FOUND", "There is no such host", "assigneeId")],
    ),
    (
        "createConversation",
        {"subject": "fine", "bookingIds": bookings(BOOKING, UNKNOWN)},
        [error("NOT_FOUND", "There is no such booking", "bookingIds", "1")],
    ),
    (
        "createConversation",
        {
            "subject": "\0" * 256,
            "assigneeId": host(UNKNOWN),
            "sourceId": source(INTERNAL_SOURCE),
            "bookingIds": [*bookings(UNKNOWN, BOOKING), *bookings(BOOKING, account=2)],
        },
        [
            error("TOO_LONG", "A subject has at most 255 characters", "subject"),
            error("INVALID", "A subject cannot hold a NUL character", "subject"),
            error("NOT_FOUND", "There is no such host", "assigneeId"),
            error("READ_ONLY", "An internal source is read-only", "sourceId"),
            error("NOT_FOUND", "There is no such booking", "bookingIds", "0"),
            error("NOT_FOUND", "There is no such booking", "bookingIds", "2"),
        ],
    ),
    (
        "updateConversation",
        {"conversationId": encode_id(t.Conversation, 1, UNKNOWN), "closed": True},
        [error("NOT_FOUND", "There is no such conversation", "conversationId")],
    ),
    (
        "updateConversation",
        {"conversationId": encode_id(t.Conversation, 2, CONVERSATION), "closed": True},
        [error("NOT_FOUND", "There is no such conversation", "conversationId")],
    ),
    (
        "updateConversation",
        {"conversationId": CONVERSATION_ID, "closed": True, "assigneeId": host(UNKNOWN)},
        [error("NOT_FOUND", "There is no such host", "assigneeId")],
    ),
    (
        "updateConversation",
        {"conversationId": CONVERSATION_ID, "defaultChannel": "VRBO", "closed": None, "markedAsSpam": None},
        [
            error("BLANK", "closed must be true or false", "closed"),
            error("BLANK", "markedAsSpam must be true or false", "markedAsSpam"),
        ],
    ),
    (
        "updateConversation",
        {
            "conversationId": encode_id(t.Conversation, 1, UNKNOWN),
            "assigneeId": host(account=2),
            "closed": None,
        },
        [
            error("NOT_FOUND", "There is no such conversation", "conversationId"),
            error("NOT_FOUND", "There is no such host", "assigneeId"),
            error("BLANK", "closed must be true or false", "closed"),
        ],
    ),
]
REJECTED += [
    (field, {"conversationId": conversation, "bookingIds": ids}, errors)
    for field in ("connectBookings", "disconnectBookings")
    for conversation, ids, errors in (
        (CONVERSATION_ID, [], [error("BLANK", "Give at least one booking", "bookingIds")]),
        (
            CONVERSATION_ID,
            bookings(*range(1_000, 1_251)),
            [error("TOO_MANY", "Give at most 250 bookings", "bookingIds")],
        ),
        (
            CONVERSATION_ID,
            [*bookings(FREE_BOOKING, UNKNOWN, BOOKING, UNKNOWN), *bookings(FREE_BOOKING, account=2)],
            [error("NOT_FOUND", "There is no such booking", "bookingIds", place) for place in ("1", "3", "4")],
        ),
        (
            encode_id(t.Conversation, 2, CONVERSATION),
            bookings(FREE_BOOKING, account=2),
            [
                error("NOT_FOUND", "There is no such conversation", "conversationId"),
                error("NOT_FOUND", "There is no such booking", "bookingIds", "0"),
            ],
        ),
        (
            encode_id(t.Conversation, 1, UNKNOWN),
            [],
            [
                error("NOT_FOUND", "There is no such conversation", "conversationId"),
                error("BLANK", "Give at least one booking", "bookingIds"),
            ],
        ),
    )
]


@pytest.mark.parametrize(("field", "input", "errors"), REJECTED)
async def test_input_that_breaks_a_rule_is_reported_and_changes_nothing(
    inbox: Client, field: str, input: dict[str, Any], errors: list[dict[str, Any]]
) -> None:
    answer = await inbox.answer(_document(field), input=input)

    assert answer == {"data": {"it": {"conversation": None, "userErrors": errors}}}


def _document(field: str) -> str:
    type_ = f"{field[0].upper()}{field[1:]}Input"
    payload = "{ conversation { databaseId } userErrors { code message path } }"
    return f"mutation($input: {type_}!) {{ it: {field}(input: $input) {payload} }}"


TOO_LONG_ID = "x" * 51
MALFORMED: list[tuple[str, str]] = [
    ("10", '"10" is not an id'),
    ("", '"" is not an id'),
    ("a\0b", "What was given is not an id"),
    (TOO_LONG_ID, "What was given is not an id"),
    (encode_id(t.Message, 1, 50), f'"{encode_id(t.Message, 1, 50)}" is the id of a Message, not of a'),
]


@pytest.mark.parametrize(("id_", "message"), MALFORMED)
@pytest.mark.parametrize(
    ("field", "input"),
    [
        ("createConversation", {"assigneeId": None}),
        ("createConversation", {"sourceId": None}),
        ("createConversation", {"bookingIds": [BOOKING, None]}),
        ("updateConversation", {"conversationId": None, "closed": True}),
        ("updateConversation", {"conversationId": CONVERSATION_ID, "closed": True, "assigneeId": None}),
        ("connectBookings", {"conversationId": None, "bookingIds": bookings(FREE_BOOKING)}),
        ("connectBookings", {"conversationId": CONVERSATION_ID, "bookingIds": [FREE_BOOKING, None]}),
        ("disconnectBookings", {"conversationId": None, "bookingIds": bookings(BOOKING)}),
        ("disconnectBookings", {"conversationId": CONVERSATION_ID, "bookingIds": [BOOKING, None]}),
    ],
)
async def test_a_malformed_id_in_an_input_is_refused(
    inbox: Client, field: str, input: dict[str, Any], id_: str, message: str
) -> None:
    """None in the input stands for the malformed id; numbers in a list for valid ids."""
    filled: dict[str, Any] = {
        name: id_
        if value is None
        else [id_ if item is None else bookings(item)[0] for item in value]
        if name == "bookingIds" and None in value
        else value
        for name, value in input.items()
    }

    answer = await inbox.answer(_document(field), input=filled)

    (only,) = answer["errors"]
    assert (answer["data"], only["path"], only["extensions"]) == ({"it": None}, ["it"], {"code": "BAD_USER_INPUT"})
    assert only["message"].startswith(message)


@pytest.mark.parametrize(
    ("field", "input", "message"),
    [
        ("updateConversation", {"closed": True}, "required field 'conversationId'"),
        ("updateConversation", {"conversationId": None}, "at .conversationId: Expected value of non-null type 'ID!'"),
        (
            "connectBookings",
            {"conversationId": "x", "bookingIds": None},
            "at .bookingIds: Expected value of non-null type '[ID!]!'",
        ),
        (
            "connectBookings",
            {"conversationId": "x", "bookingIds": [None]},
            "at .bookingIds[0]: Expected value of non-null type 'ID!'",
        ),
        ("createConversation", {"bookingIds": [None]}, "at .bookingIds[0]: Expected value of non-null"),
        ("createConversation", {"closed": "yes"}, "Boolean cannot represent a non boolean value"),
        ("createConversation", {"subject": 5}, "String cannot represent a non string value"),
        ("createConversation", {"deadlineResponseAt": "tomorrow"}, "give RFC 3339"),
        ("createConversation", {"defaultChannel": "FAX"}, "FAX"),
        ("createConversation", {"createdById": "5"}, "unknown field 'createdById'"),
        ("updateConversation", {"conversationId": "x", "subject": "new"}, "unknown field 'subject'"),
    ],
)
async def test_an_input_of_the_wrong_shape_is_refused_before_anything_runs(
    inbox: Client, field: str, input: dict[str, Any], message: str
) -> None:
    answer = await inbox.answer(_document(field), input=input)

    (only,) = answer["errors"]
    assert ("data" in answer, only["extensions"]) == (False, {"code": "BAD_USER_INPUT"})
    assert message in only["message"]


ELSEWHERE = encode_id(t.Conversation, 2, CONVERSATION)

REFUSED_READS: list[tuple[str, str]] = [
    ("conversations(first: 0) { totalCount }", "first must be from 1 to 100, not 0"),
    ("conversations(first: 101) { totalCount }", "first must be from 1 to 100, not 101"),
    ("conversations(last: -1) { totalCount }", "last must be from 1 to 100, not -1"),
    ("conversations(first: 1, last: 1) { totalCount }", "Give first or last, not both"),
    ('conversations(after: "") { totalCount }', "This is not a cursor"),
    ('conversations(after: "a\\u0000b") { totalCount }', "This is not a cursor"),
    ('conversations(before: "eyJ4IjoxfQ") { totalCount }', "This is not a cursor"),
    ('conversations(filter: {ids: ["10"]}) { totalCount }', '"10" is not an id'),
    ('conversations(filter: {bookingIds: [""]}) { totalCount }', '"" is not an id'),
    (
        f'conversations(filter: {{inquiryIds: ["{ELSEWHERE}"]}}) {{ totalCount }}',
        f'"{ELSEWHERE}" is the id of a Conversation, not of an Inquiry',
    ),
    ('bookings(filter: {reference: "a\\u0000b"}) { totalCount }', "Text cannot hold a NUL character"),
    ("conversation { databaseId }", "Give exactly one of id and databaseId"),
    ("conversation(id: null, databaseId: null) { databaseId }", "Give exactly one of id and databaseId"),
    (f'conversation(id: "{ELSEWHERE}", databaseId: 10) {{ databaseId }}', "Give exactly one of id and databaseId"),
    ("booking { databaseId }", "Give exactly one of id and databaseId"),
]


@pytest.mark.parametrize(("field", "message"), REFUSED_READS)
async def test_a_field_that_cannot_be_read_is_refused(inbox: Client, field: str, message: str) -> None:
    assert await inbox.error(f"{{ it: {field} }}") == ("BAD_USER_INPUT", message)


@pytest.mark.parametrize(
    "number", ["9223372036854775808", "-9223372036854775809", "1.0", "1e3", "true", '"1 "', '"٣"', '""', "[]"]
)
async def test_a_number_beyond_64_bits_is_refused(inbox: Client, number: str) -> None:
    answer = await inbox.answer(f"{{ conversation(databaseId: {number}) {{ databaseId }} }}")

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["GRAPHQL_VALIDATION_FAILED"]
    assert answer["errors"][0]["locations"] == [{"line": 1, "column": 28}]
    assert "data" not in answer


@pytest.mark.parametrize("number", [9_223_372_036_854_775_807, "9223372036854775807", -(2**63), 0, -1, "999"])
async def test_a_number_that_no_row_has_finds_nothing(inbox: Client, number: int | str) -> None:
    answer = await inbox.answer(
        "query($n: BigInt) { conversation(databaseId: $n) { databaseId } booking(databaseId: $n) { databaseId } }",
        n=number,
    )

    assert answer == {"data": {"conversation": None, "booking": None}}


@pytest.mark.parametrize(
    "filter",
    [
        "{ids: []}",
        "{bookingIds: []}",
        "{channels: []}",
        "{assigned: true, ids: []}",
        f'{{assigned: false, assigneeIds: ["{host()}"]}}',
        f'{{ids: ["{ELSEWHERE}"]}}',
        f'{{bookingIds: ["{bookings(BOOKING, account=2)[0]}"]}}',
        '{updatedSince: "9999-12-31T23:59:59.999Z"}',
    ],
)
async def test_filters_that_contradict_themselves_match_nothing(inbox: Client, filter: str) -> None:
    answer = await inbox.answer(f"{{ conversations(filter: {filter}) {{ totalCount nodes {{ databaseId }} }} }}")

    assert answer == {"data": {"conversations": {"totalCount": 0, "nodes": []}}}


async def test_repeats_in_a_filter_count_once(inbox: Client) -> None:
    ids = [CONVERSATION_ID, CONVERSATION_ID, ELSEWHERE]

    answer = await inbox.answer(
        "query($ids: [ID!]) { conversations(filter: {ids: $ids}) { totalCount nodes { databaseId } } }", ids=ids
    )

    assert answer == {"data": {"conversations": {"totalCount": 1, "nodes": [{"databaseId": "10"}]}}}


async def test_a_lone_surrogate_cannot_be_sent(inbox: Client) -> None:
    body = '{"query": "mutation { createConversation(input: {subject: \\"\\\\uD800\\"}) { userErrors { code } } }"}'
    literal = await inbox.http.post(
        "/graphql", content=body, headers=inbox.headers | {"Content-Type": "application/json"}
    )
    raw = await inbox.http.post(
        "/graphql", content='{"query": "\\ud800"}', headers=inbox.headers | {"Content-Type": "application/json"}
    )

    assert [response.json()["errors"][0]["extensions"]["code"] for response in (literal, raw)] == [
        "GRAPHQL_PARSE_FAILED",
        "BAD_USER_INPUT",
    ]
