"""Filters find exactly the rows that plain Python finds, each alone, in any combination, and given badly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import tables as t
from gql.node import encode_id
from tests.client import Client, Statements
from tests.conftest import NOW, serving
from tests.factories import MOMENT, store, store_account
from tests.properties import examples
from tests.relations import Rows, read

pytestmark = pytest.mark.anyio

CONVERSATIONS = """
query ($filter: ConversationFilter) {
  conversations(first: 100, filter: $filter, orderBy: { field: CREATED_AT, direction: ASC }) {
    totalCount
    nodes { databaseId }
  }
}
"""
BOOKINGS = """
query ($filter: BookingFilter) {
  bookings(first: 100, filter: $filter) { totalCount nodes { databaseId } }
}
"""


@dataclass(frozen=True)
class World:
    """The seeded account 1: a client, and all rows."""

    client: Client
    rows: Rows

    async def conversations(self, filter_: Any) -> tuple[int, list[int]]:
        """How many conversations the filter finds, and the ids of the first hundred by their creation."""
        return self._found((await self.client.data(CONVERSATIONS, filter=filter_))["conversations"])

    async def bookings(self, filter_: Any) -> tuple[int, list[int]]:
        """How many bookings the filter finds, and the ids of the first hundred."""
        return self._found((await self.client.data(BOOKINGS, filter=filter_))["bookings"])

    @staticmethod
    def _found(connection: Any) -> tuple[int, list[int]]:
        return connection["totalCount"], [int(node["databaseId"]) for node in connection["nodes"]]

    def expected(self, table: str, filter_: dict[str, Any] | None) -> tuple[int, list[int]]:
        """What must be found: every given condition is evaluated on every row."""
        conditions = CONDITIONS[table]
        given_ = {name: value for name, value in (filter_ or {}).items() if value is not None}
        rows = [
            row
            for row in self.rows[table]
            if all(conditions[name](self.rows, row, value) for name, value in given_.items())
        ]
        key = (lambda row: (row["created_at"], row["id"])) if table == "conversations" else (lambda row: row["id"])
        found = [row["id"] for row in sorted(rows, key=key)]
        return len(found), found[:100]


def number(id_: str) -> int:
    """The number in a global id of account 1, and 0 for another account's, which no row has."""
    return NUMBERS[id_]


# The global ids that the tests make, with what they must mean to account 1.
NUMBERS: dict[str, int] = {}


def own(table: type[t.Table], id_: int) -> str:
    """The id of account 1's row."""
    text = encode_id(table, 1, id_)
    NUMBERS[text] = id_
    return text


def foreign(table: type[t.Table], id_: int) -> str:
    """The id of account 2's row, which is none of account 1's even where the number is."""
    text = encode_id(table, 2, id_)
    NUMBERS[text] = 0
    return text


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_read(_: Rows, row: Any, value: bool) -> bool:
    return value is (
        row["read_at"] is not None and (row["last_message_at"] is None or row["last_message_at"] <= row["read_at"])
    )


def _is_set(column: str) -> Callable[[Rows, Any, Any], bool]:
    return lambda _, row, value: value is (row[column] is not None)


def _is_among(column: str) -> Callable[[Rows, Any, Any], bool]:
    return lambda _, row, values: row[column] in [number(value) for value in values]


CONDITIONS: dict[str, dict[str, Callable[[Rows, Any, Any], bool]]] = {
    "conversations": {
        "ids": _is_among("id"),
        "closed": _is_set("closed_at"),
        "markedAsSpam": _is_set("marked_as_spam_at"),
        "read": _is_read,
        "assigned": _is_set("assignee_id"),
        "assigneeIds": _is_among("assignee_id"),
        "sourceIds": _is_among("source_id"),
        "channels": lambda _, row, values: row["default_channel"] in values,
        "bookingIds": lambda rows, row, values: any(
            link["conversation_id"] == row["id"] and link["booking_id"] in [number(value) for value in values]
            for link in rows["conversation_bookings"]
        ),
        "inquiryIds": lambda rows, row, values: any(
            inquiry["conversation_id"] == row["id"] and inquiry["id"] in [number(value) for value in values]
            for inquiry in rows["inquiries"]
        ),
        "updatedSince": lambda _, row, value: row["updated_at"] >= _moment(value),
    },
    "bookings": {
        "ids": _is_among("id"),
        "statuses": lambda _, row, values: row["status"] in values,
        "reference": lambda _, row, value: row["reference"] == value,
        "startsBefore": lambda _, row, value: row["start_at"] < _moment(value),
        "endsAfter": lambda _, row, value: row["end_at"] > _moment(value),
    },
}


@pytest.fixture(scope="module")
async def world(seeded_dsn: str, anyio_backend: str) -> AsyncIterator[World]:  # noqa: ARG001  # for its scope
    """The seeded database, read by account 1."""
    async with serving(seeded_dsn, Statements()) as client:
        yield World(client, await read(seeded_dsn, 1))


# -------------------- random filters


def some(table: type[t.Table], most: int) -> st.SearchStrategy[list[str]]:
    """Lists of ids, among them unknown and foreign ones, empty and with repeats."""
    ids = st.integers(1, most).map(lambda id_: own(table, id_)) | st.integers(1, most).map(
        lambda id_: foreign(table, id_)
    )
    return st.lists(ids, max_size=30)


moments = st.integers(0, 400 * 24).map(lambda hours: (NOW - timedelta(hours=hours)).isoformat())
flags = st.booleans()
conversation_fields = {
    "ids": some(t.Conversation, 150),
    "closed": flags,
    "markedAsSpam": flags,
    "read": flags,
    "assigned": flags,
    "assigneeIds": some(t.Host, 8),
    "sourceIds": some(t.Source, 10),
    "channels": st.lists(st.sampled_from([channel.value for channel in t.Channel]), max_size=5),
    "bookingIds": some(t.Booking, 130),
    "inquiryIds": some(t.Inquiry, 30),
    "updatedSince": moments,
}
booking_fields = {
    "ids": some(t.Booking, 130),
    "statuses": st.lists(st.sampled_from([status.value for status in t.BookingStatus]), max_size=4),
    "reference": st.sampled_from(["nothing", "", "' OR 1=1 --", "%", "é"]),
    "startsBefore": moments,
    "endsAfter": moments,
}


def filters(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Filters of up to three fields, any of them null."""
    names = st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=3)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: st.none() | fields[name] for name in chosen}))


@given(filter_=filters(conversation_fields))
@examples(150)
async def test_any_filter_finds_the_conversations_that_meet_all_of_it(world: World, filter_: dict[str, Any]) -> None:
    assert await world.conversations(filter_) == world.expected("conversations", filter_)


@given(filter_=filters(booking_fields))
@examples(60)
async def test_any_filter_finds_the_bookings_that_meet_all_of_it(world: World, filter_: dict[str, Any]) -> None:
    assert await world.bookings(filter_) == world.expected("bookings", filter_)


@pytest.mark.parametrize(
    "filter_",
    [
        {"ids": [own(t.Conversation, id_) for id_ in (3, 1, 2, 1)]},
        {"closed": True},
        {"closed": False},
        {"markedAsSpam": True},
        {"markedAsSpam": False},
        {"read": True},
        {"read": False},
        {"assigned": True},
        {"assigned": False},
        {"assigneeIds": [own(t.Host, 1), own(t.Host, 2)]},
        {"sourceIds": [own(t.Source, 1)]},
        {"channels": ["AIRBNB", "EMAIL"]},
        {"bookingIds": [own(t.Booking, id_) for id_ in range(1, 40)]},
        {"inquiryIds": [own(t.Inquiry, id_) for id_ in range(1, 15)]},
        {"updatedSince": (NOW - timedelta(days=100)).isoformat()},
    ],
    ids="-".join,
)
async def test_each_filter_alone_finds_some_conversations_and_not_all(world: World, filter_: dict[str, Any]) -> None:
    total, ids = await world.conversations(filter_)

    assert (total, ids) == world.expected("conversations", filter_)
    assert 0 < total < len(world.rows["conversations"])


@pytest.mark.parametrize("status", [status.value for status in t.BookingStatus])
async def test_bookings_are_found_by_their_status(world: World, status: str) -> None:
    assert await world.bookings({"statuses": [status]}) == world.expected("bookings", {"statuses": [status]})


async def test_a_booking_is_found_by_its_reference(world: World) -> None:
    booking = world.rows["bookings"][10]

    filter_ = {"reference": booking["reference"]}

    assert await world.bookings(filter_) == world.expected("bookings", filter_)
    assert booking["id"] in (await world.bookings(filter_))[1]


# -------------------- nothing, and everything


@pytest.mark.parametrize("filter_", [None, {}, *({name: None} for name in CONDITIONS["conversations"])])
async def test_null_asks_for_nothing(world: World, filter_: dict[str, Any] | None) -> None:
    assert (await world.conversations(filter_))[0] == len(world.rows["conversations"])


@pytest.mark.parametrize(
    "filter_",
    [
        *({name: []} for name in ("ids", "assigneeIds", "sourceIds", "channels", "bookingIds", "inquiryIds")),
        {"assigned": False, "assigneeIds": [own(t.Host, 1)]},
        {"ids": [own(t.Conversation, 1)], "closed": True, "channels": []},
        {"updatedSince": "9999-12-31T23:59:59.999Z"},
        {"ids": [own(t.Conversation, 2**63 - 1)]},
        {"ids": [foreign(t.Conversation, 1)]},
        {"assigneeIds": [foreign(t.Host, 1)]},
        {"sourceIds": [foreign(t.Source, 1)]},
        {"bookingIds": [foreign(t.Booking, 1)]},
        {"inquiryIds": [foreign(t.Inquiry, 1)]},
    ],
)
async def test_what_nothing_can_meet_finds_nothing(world: World, filter_: dict[str, Any]) -> None:
    assert await world.conversations(filter_) == (0, [])


@pytest.mark.parametrize(
    "filter_", [{"ids": []}, {"statuses": []}, {"reference": ""}, {"ids": [foreign(t.Booking, 1)]}]
)
async def test_what_no_booking_can_meet_finds_nothing(world: World, filter_: dict[str, Any]) -> None:
    assert await world.bookings(filter_) == (0, [])


async def test_opposite_flags_part_the_conversations_in_two(world: World) -> None:
    for name in ("closed", "markedAsSpam", "read", "assigned"):
        parts = [(await world.conversations({name: value}))[0] for value in (True, False)]
        assert sum(parts) == len(world.rows["conversations"])


async def test_unknown_and_foreign_ids_cost_what_known_ones_cost(reader: Client, statements: Statements) -> None:
    await reader.data("{ __typename }")
    costs = []
    for id_ in (own(t.Booking, 1), own(t.Booking, 999_999), foreign(t.Booking, 200)):
        statements.take()
        await reader.data(CONVERSATIONS, filter={"bookingIds": [id_]})
        costs.append(statements.take())

    assert len(costs[0]) == 2
    assert costs[0] == costs[1] == costs[2]


async def test_a_filter_has_the_same_statements_for_lists_of_any_length(reader: Client, statements: Statements) -> None:
    await reader.data("{ __typename }")
    ran = []
    for length in (0, 1, 50):
        statements.take()
        await reader.data(CONVERSATIONS, filter={"ids": [own(t.Conversation, id_) for id_ in range(1, length + 1)]})
        ran.append(statements.take())

    assert len(ran[0]) == 2
    assert ran[0] == ran[1] == ran[2]


# -------------------- boundaries


async def test_updated_since_includes_its_moment(client: Client, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    for id_, offset in ((1, -1), (2, 0), (3, 1)):
        await store(
            connection, "conversations", account_id=1, id=id_, updated_at=MOMENT + timedelta(milliseconds=offset)
        )

    data = await client.data(CONVERSATIONS, filter={"updatedSince": "2026-05-04T09:30:00.000Z"})

    assert data["conversations"] == {"totalCount": 2, "nodes": [{"databaseId": "2"}, {"databaseId": "3"}]}


async def test_stays_begin_before_and_end_after_and_not_at_the_moment(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    for id_, offset in ((1, -1), (2, 0), (3, 1)):
        moment = MOMENT + timedelta(milliseconds=offset)
        await store(connection, "bookings", account_id=1, id=id_, start_at=moment, end_at=moment)

    before = await client.data(BOOKINGS, filter={"startsBefore": MOMENT.isoformat()})
    after = await client.data(BOOKINGS, filter={"endsAfter": MOMENT.isoformat()})

    assert before["bookings"] == {"totalCount": 1, "nodes": [{"databaseId": "1"}]}
    assert after["bookings"] == {"totalCount": 1, "nodes": [{"databaseId": "3"}]}


async def test_read_is_the_same_on_both_sides_of_the_api(client: Client, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    earlier = MOMENT - timedelta(milliseconds=1)
    states = [(None, None), (None, MOMENT), (MOMENT, None), (MOMENT, MOMENT), (earlier, MOMENT), (MOMENT, earlier)]
    for id_, (read_at, last_message_at) in enumerate(states, 1):
        await store(connection, "conversations", account_id=1, id=id_, read_at=read_at, last_message_at=last_message_at)
    document = "query ($read: Boolean) { conversations(filter: { read: $read }) { nodes { databaseId read } } }"

    for value, ids in ((True, {"3", "4", "6"}), (False, {"1", "2", "5"})):
        nodes = (await client.data(document, read=value))["conversations"]["nodes"]
        assert {node["databaseId"] for node in nodes} == ids
        assert {node["read"] for node in nodes} == {value}


# -------------------- bad input


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


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("id_", MALFORMED)
async def test_a_malformed_id_is_refused(world: World, name: str, id_: str) -> None:
    good = own(LISTS[name], 1)

    code, message = await world.client.error(CONVERSATIONS, filter={name: [good, id_]})

    assert code == "BAD_USER_INPUT"
    assert message.endswith(" is not an id")
    assert len(message) < 100


@pytest.mark.parametrize("name", LISTS)
async def test_an_id_of_another_type_is_refused(world: World, name: str) -> None:
    other = encode_id(t.Message, 1, 1)

    code, message = await world.client.error(CONVERSATIONS, filter={name: [other]})

    assert code == "BAD_USER_INPUT"
    assert message.startswith(f'"{other}" is the id of a Message, not of a')
    assert message.endswith(f" {LISTS[name].__name__}")


async def test_a_filter_that_is_refused_reads_nothing(reader: Client, statements: Statements) -> None:
    await reader.data("{ __typename }")
    assert len(statements.take()) == 1

    await reader.error(CONVERSATIONS, filter={"ids": ["not an id"]})

    assert statements.take() == []


@pytest.mark.parametrize("text", ["\0", "B1\0", "\0B1"])
async def test_a_reference_with_nul_is_refused(world: World, text: str) -> None:
    answer = await world.client.error(BOOKINGS, filter={"reference": text})

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
async def test_a_variable_of_another_shape_is_bad_input(world: World, document: str, filter_: Any) -> None:
    code, _ = await world.client.error(document, filter=filter_)

    assert code == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "filter_",
    ["{ channels: [FAX] }", '{ channels: ["AIRBNB"] }', "{ channels: [null] }", "{ closed: 1 }", "{ unknown: 1 }"],
)
async def test_a_literal_of_another_shape_makes_the_document_invalid(world: World, filter_: str) -> None:
    code, _ = await world.client.error(f"{{ conversations(filter: {filter_}) {{ totalCount }} }}")

    assert code == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    "order", [{"field": None}, {"direction": None}, {"field": "SUBJECT"}, {"direction": "UP"}, "ASC"]
)
async def test_an_order_of_another_shape_is_bad_input(world: World, order: Any) -> None:
    code, _ = await world.client.error(
        "query ($order: ConversationOrder) { conversations(orderBy: $order) { totalCount } }", order=order
    )

    assert code == "BAD_USER_INPUT"


@pytest.mark.parametrize("order", [None, {}, {"field": "LAST_MESSAGE_AT"}, {"direction": "DESC"}])
async def test_the_newest_message_is_first_where_nothing_else_is_asked_for(world: World, order: Any) -> None:
    data = await world.client.data(
        "query ($order: ConversationOrder) { conversations(first: 100, orderBy: $order) { nodes { databaseId } } }",
        order=order,
    )

    earliest = datetime(1, 1, 1, tzinfo=UTC)
    rows = sorted(
        world.rows["conversations"], key=lambda row: (row["last_message_at"] or earliest, row["id"]), reverse=True
    )
    assert [node["databaseId"] for node in data["conversations"]["nodes"]] == [str(row["id"]) for row in rows[:100]]


@pytest.mark.parametrize("field", ["conversation", "booking"])
@pytest.mark.parametrize("arguments", ["", '(id: "x", databaseId: 1)', "(id: null, databaseId: null)"])
async def test_a_lookup_takes_exactly_one_of_the_two_ids(world: World, field: str, arguments: str) -> None:
    answer = await world.client.error(f"{{ {field}{arguments} {{ databaseId }} }}")

    assert answer == ("BAD_USER_INPUT", "Give exactly one of id and databaseId")


@pytest.mark.parametrize("id_", MALFORMED)
async def test_a_lookup_refuses_a_malformed_id(world: World, id_: str) -> None:
    for field in ("conversation", "booking", "node"):
        code, message = await world.client.error(f"query ($id: ID!) {{ {field}(id: $id) {{ id }} }}", id=id_)
        assert code == "BAD_USER_INPUT"
        assert message.endswith(" is not an id")
