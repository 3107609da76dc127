"""Filters match exactly the same rows as in plain Python, alone and in any combination."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import tables as t
from tests.oracles.filtering import CONDITIONS, CONVERSATIONS, ROOTS, World, foreign, matches, own
from tests.oracles.relations import read
from tests.support.client import Client, Statements
from tests.support.database import NOW
from tests.support.properties import examples
from tests.support.serving import serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def world(seeded_dsn: str, anyio_backend: str) -> AsyncIterator[World]:  # noqa: ARG001  # for its scope
    """The seeded database, read by account 1."""
    async with serving(seeded_dsn, Statements()) as client:
        yield World(client, await read(seeded_dsn, 1))


# -------------------- random filters


def some(table: type[t.Table], most: int) -> st.SearchStrategy[list[str]]:
    """Lists of ids, also unknown and foreign ones, empty, or with repeats."""
    ids = st.integers(1, most).map(lambda id_: own(table, id_)) | st.integers(1, most).map(
        lambda id_: foreign(table, id_)
    )
    return st.lists(ids, max_size=30)


moments = st.integers(-100, 400 * 24).map(lambda hours: (NOW - timedelta(hours=hours)).isoformat())
periods = st.dictionaries(st.sampled_from(["gte", "gt", "lte", "lt"]), st.none() | moments, max_size=2)
flags = st.booleans()
conversation_fields = {
    "ids": some(t.Conversation, 150),
    "closed": flags,
    "markedAsSpam": flags,
    "read": flags,
    "assigned": flags,
    "assigneeIds": some(t.Host, 8),
    "mine": flags,
    "sourceIds": some(t.Source, 10),
    "channels": st.lists(st.sampled_from([channel.value for channel in t.Channel]), max_size=5),
    "bookingIds": some(t.Booking, 130),
    "inquiryIds": some(t.Inquiry, 30),
    "bookingStatuses": st.lists(st.sampled_from([status.value for status in t.BookingStatus]), max_size=3),
    "rentalIds": some(t.Rental, 20),
    "clientIds": some(t.Client, 130),
    "hostIds": some(t.Host, 8),
    "updatedSince": moments,
    "createdAt": periods,
    "updatedAt": periods,
    "lastMessageAt": periods,
    "deadlineResponseAt": periods,
    "needsReply": flags,
    "overdue": flags,
    "deliveryFailed": flags,
}
listed_fields: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "bookings": {
        "ids": some(t.Booking, 130),
        "statuses": st.lists(st.sampled_from([status.value for status in t.BookingStatus]), max_size=4),
        "reference": st.sampled_from(["nothing", "", "' OR 1=1 --", "%", "é"]),
        "startsBefore": moments,
        "endsAfter": moments,
        "rentalIds": some(t.Rental, 20),
        "updatedSince": moments,
    },
    "clients": {"ids": some(t.Client, 130), "updatedSince": moments},
    "inquiries": {"ids": some(t.Inquiry, 30), "updatedSince": moments},
    "messages": {
        "ids": some(t.Message, 900),
        "conversationIds": some(t.Conversation, 150),
        "visibility": st.sampled_from([value.value for value in t.MessageVisibility]),
        "externalIds": st.lists(st.sampled_from(["", "unknown"]), max_size=2),
        "updatedSince": moments,
    },
    "rentals": {"ids": some(t.Rental, 20), "updatedSince": moments},
}


def filters(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Filters of up to three fields, any of them null."""
    names = st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=3)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: st.none() | fields[name] for name in chosen}))


@st.composite
def nested(draw: st.DrawFn, count: int, depth: int = 3) -> dict[str, Any]:
    """Filters of `count` different fields, combined by `not` and `or` up to that many levels."""
    names = draw(st.permutations(sorted(conversation_fields)))[:count]
    fields = [{name: draw(st.none() | conversation_fields[name])} for name in names]
    return draw(joined(fields, depth))


@st.composite
def joined(draw: st.DrawFn, fields: list[dict[str, Any]], depth: int) -> dict[str, Any]:
    """All of `fields` in one filter: some at its top level, the others in its `not` and its `or`."""
    cuts = sorted(draw(st.integers(0, len(fields))) for _ in range(3)) if depth else [len(fields)] * 3
    beside, denied, *others = (fields[start:end] for start, end in zip([0, *cuts], [*cuts, len(fields)], strict=True))
    filter_ = {name: value for field in beside for name, value in field.items()}
    if denied:
        filter_["not"] = draw(joined(denied, depth - 1))
    if any(others):
        filter_["or"] = [draw(joined(group, depth - 1)) for group in others if group]
    return filter_


@given(filter_=nested(10))
@examples(200)
async def test_any_ten_conditions_combine_with_and_or_and_not(world: World, filter_: dict[str, Any]) -> None:
    assert await world.conversations(filter_) == world.expected("conversations", filter_)


@given(filter_=filters(conversation_fields))
@examples(150)
async def test_any_filter_finds_the_conversations_that_meet_all_of_it(world: World, filter_: dict[str, Any]) -> None:
    assert await world.conversations(filter_) == world.expected("conversations", filter_)


@given(
    drawn=st.sampled_from(sorted(listed_fields)).flatmap(
        lambda root: st.tuples(st.just(root), filters(listed_fields[root]))
    )
)
@examples(150)
async def test_any_filter_of_another_root_finds_the_rows_that_meet_all_of_it(
    world: World, drawn: tuple[str, dict[str, Any]]
) -> None:
    root, filter_ = drawn
    assert await world.listed(root, filter_) == world.expected(root, filter_)


def test_every_condition_of_the_other_roots_is_drawn() -> None:
    assert {root: set(fields) for root, fields in listed_fields.items()} == {
        root: set(CONDITIONS[root]) for root in ROOTS
    }


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
        {"mine": True},
        {"mine": False},
        {"sourceIds": [own(t.Source, 1)]},
        {"channels": ["AIRBNB", "EMAIL"]},
        {"bookingIds": [own(t.Booking, id_) for id_ in range(1, 40)]},
        {"inquiryIds": [own(t.Inquiry, id_) for id_ in range(1, 15)]},
        {"updatedSince": (NOW - timedelta(days=100)).isoformat()},
        {"bookingStatuses": ["CANCELED"]},
        {"rentalIds": [own(t.Rental, id_) for id_ in range(1, 5)]},
        {"clientIds": [own(t.Client, id_) for id_ in range(1, 40)]},
        {"hostIds": [own(t.Host, 1)]},
        {"createdAt": {"lt": (NOW - timedelta(days=100)).isoformat()}},
        {"updatedAt": {"gte": (NOW - timedelta(days=100)).isoformat()}},
        {"lastMessageAt": {"gt": (NOW - timedelta(days=100)).isoformat()}},
        {"deadlineResponseAt": {"lte": NOW.isoformat()}},
        {"needsReply": True},
        {"not": {"closed": True}},
        {"or": [{"markedAsSpam": True}, {"hostIds": [own(t.Host, 1)]}]},
    ],
    ids="-".join,
)
async def test_each_filter_alone_finds_some_conversations_and_not_all(world: World, filter_: dict[str, Any]) -> None:
    total, ids = await world.conversations(filter_)

    assert (total, ids) == world.expected("conversations", filter_)
    assert 0 < total < len(world.rows["conversations"])


# -------------------- pages of alternatives


# Few conversations meet each of these conditions, so the page of an `or` is made of a page for each alternative.
ALTERNATIVES: list[dict[str, Any]] = [
    {"hostIds": [own(t.Host, 1)]},
    {"rentalIds": [own(t.Rental, id_) for id_ in range(1, 9)]},
    {"clientIds": [own(t.Client, id_) for id_ in range(1, 40)]},
    {"bookingIds": [own(t.Booking, id_) for id_ in range(1, 40)], "read": True},
    {"markedAsSpam": True},
    {"needsReply": True, "assigned": False},
]
WALK = """
query (
  $filter: ConversationFilter, $order: ConversationOrder, $first: Int, $after: String, $last: Int, $before: String
) {
  conversations(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
    nodes { databaseId } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


def sorted_by(rows: list[Any], field: str, direction: str) -> list[int]:
    """The ids of `rows` in the order of the API: nulls last, equal values by id."""
    last = datetime.max.replace(tzinfo=UTC) if direction == "ASC" else datetime.min.replace(tzinfo=UTC)
    keys = sorted((row[field.lower()] or last, row["id"]) for row in rows)
    return [id_ for _, id_ in (keys if direction == "ASC" else keys[::-1])]


@given(
    chosen=st.lists(st.sampled_from(ALTERNATIVES), min_size=2, max_size=4, unique_by=id),
    beside=st.sampled_from([{}, {"closed": False}, {"assigneeIds": [own(t.Host, 1), own(t.Host, 2)]}]),
    field=st.sampled_from(["CREATED_AT", "LAST_MESSAGE_AT", "DEADLINE_RESPONSE_AT", "WAITING_SINCE"]),
    direction=st.sampled_from(["ASC", "DESC"]),
    size=st.integers(1, 30),
)
@examples(25)
async def test_pages_of_alternatives_show_each_conversation_once_and_in_order(  # noqa: PLR0913, PLR0917  # all of a page
    world: World, chosen: list[dict[str, Any]], beside: dict[str, Any], field: str, direction: str, size: int
) -> None:
    filter_ = {**beside, "or": chosen}
    rows = [row for row in world.rows["conversations"] if matches(world.rows, "conversations", row, filter_)]
    ordered = sorted_by(rows, field, direction)
    order = {"field": field, "direction": direction}

    async def page(**part: Any) -> tuple[list[int], Any]:
        found = (await world.client.data(WALK, filter=filter_, order=order, **part))["conversations"]
        return [int(node["databaseId"]) for node in found["nodes"]], found["pageInfo"]

    first, around = await page(first=size)
    assert (first, around["hasNextPage"], around["hasPreviousPage"]) == (ordered[:size], len(ordered) > size, False)
    if len(ordered) <= size:
        return
    second, around = await page(first=size, after=around["endCursor"])
    assert (second, around["hasPreviousPage"]) == (ordered[size : 2 * size], True)
    assert around["hasNextPage"] is (len(ordered) > 2 * size)
    back, around = await page(last=size, before=around["startCursor"])
    assert (back, around["hasNextPage"], around["hasPreviousPage"]) == (first, True, False)
    end, around = await page(last=size)
    assert (end, around["hasNextPage"], around["hasPreviousPage"]) == (ordered[-size:], False, True)


@pytest.mark.parametrize("status", [status.value for status in t.BookingStatus])
async def test_bookings_are_found_by_their_status(world: World, status: str) -> None:
    assert await world.listed("bookings", {"statuses": [status]}) == world.expected("bookings", {"statuses": [status]})


async def test_a_booking_is_found_by_its_reference(world: World) -> None:
    booking = world.rows["bookings"][10]

    filter_ = {"reference": booking["reference"]}

    assert await world.listed("bookings", filter_) == world.expected("bookings", filter_)
    assert booking["id"] in (await world.listed("bookings", filter_))[1]


# -------------------- nothing, and everything


@pytest.mark.parametrize(
    "filter_",
    [
        None,
        {},
        *({name: None} for name in CONDITIONS["conversations"]),
        *({"lastMessageAt": {end: None}} for end in ("gte", "gt", "lte", "lt")),
        {"lastMessageAt": {}},
        {"or": [{}]},
        {"or": [{"closed": None}, {"ids": []}]},
        {"not": {"or": []}},
        {"not": {"not": {}}},
    ],
)
async def test_null_is_ignored(world: World, filter_: dict[str, Any] | None) -> None:
    assert (await world.conversations(filter_))[0] == len(world.rows["conversations"])


@pytest.mark.parametrize(
    "filter_",
    [
        *({name: []} for name in ("ids", "assigneeIds", "sourceIds", "channels", "bookingIds", "inquiryIds")),
        *({name: []} for name in ("bookingStatuses", "rentalIds", "clientIds", "hostIds", "or")),
        {"not": {}},
        {"not": {"closed": None}},
        {"not": {"or": [{}]}},
        {"or": [{"ids": []}, {"not": {}}]},
        {"closed": True, "not": {"closed": True}},
        {"lastMessageAt": {"gt": "2026-01-01T00:00:00Z", "lt": "2026-01-01T00:00:00Z"}},
        {"assigned": False, "assigneeIds": [own(t.Host, 1)]},
        {"ids": [own(t.Conversation, 1)], "closed": True, "channels": []},
        {"updatedSince": "9999-12-31T23:59:59.999Z"},
        {"ids": [own(t.Conversation, 2**63 - 1)]},
        {"ids": [foreign(t.Conversation, 1)]},
        {"assigneeIds": [foreign(t.Host, 1)]},
        {"sourceIds": [foreign(t.Source, 1)]},
        {"bookingIds": [foreign(t.Booking, 1)]},
        {"inquiryIds": [foreign(t.Inquiry, 1)]},
        {"rentalIds": [foreign(t.Rental, 1)]},
        {"clientIds": [foreign(t.Client, 1)]},
        {"hostIds": [foreign(t.Host, 1)]},
    ],
)
async def test_an_impossible_filter_matches_nothing(world: World, filter_: dict[str, Any]) -> None:
    assert await world.conversations(filter_) == (0, [])


@pytest.mark.parametrize(
    "filter_", [{"ids": []}, {"statuses": []}, {"reference": ""}, {"ids": [foreign(t.Booking, 1)]}]
)
async def test_an_impossible_filter_of_bookings_matches_nothing(world: World, filter_: dict[str, Any]) -> None:
    assert await world.listed("bookings", filter_) == (0, [])


@given(filter_=filters(conversation_fields))
@examples(60)
async def test_a_filter_and_its_opposite_match_each_conversation_once(world: World, filter_: dict[str, Any]) -> None:
    found = [(await world.conversations(part))[0] for part in (filter_, {"not": filter_}, {"not": {"not": filter_}})]

    assert found[0] + found[1] == len(world.rows["conversations"])
    assert found[0] == found[2]


async def test_an_application_has_no_conversations_of_its_own(world: World) -> None:
    application = World(world.client.as_(1, "application:1"), world.rows)

    assert await application.conversations({"mine": True}) == (0, [])
    assert await application.conversations({"mine": False}) == world.expected("conversations", None)


async def test_opposite_flags_match_each_conversation_once(world: World) -> None:
    for name in ("closed", "markedAsSpam", "read", "assigned", "mine", "needsReply", "overdue"):
        parts = [(await world.conversations({name: value}))[0] for value in (True, False)]
        assert sum(parts) == len(world.rows["conversations"])


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


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            {"or": [{"clientIds": [own(t.Client, 1)]}, {"not": {"rentalIds": [own(t.Rental, 2)]}}]},
            {"or": [{"clientIds": []}, {"not": {"rentalIds": [own(t.Rental, id_) for id_ in (1, 3)]}}]},
        ),
        ({"createdAt": {"gte": NOW.isoformat()}}, {"createdAt": {"gte": "2020-01-01T00:00:00Z", "lt": None}}),
        ({"not": {"read": True, "or": [{"closed": True}]}}, {"not": {"read": True, "or": [{"closed": True}]}}),
    ],
)
async def test_a_nested_filter_has_the_same_statements_for_all_values(
    reader: Client, statements: Statements, first: dict[str, Any], second: dict[str, Any]
) -> None:
    await reader.data("{ __typename }")
    ran = []
    for filter_ in (first, second):
        statements.take()
        await reader.data(CONVERSATIONS, filter=filter_)
        ran.append(statements.take())

    assert len(ran[0]) == 2
    assert ran[0] == ran[1]


async def test_equal_filters_are_read_once(reader: Client, statements: Statements) -> None:
    await reader.data("{ __typename }")
    statements.take()
    fields = "conversations(filter: $filter) { totalCount }"
    literal = "conversations(filter: { or: [{ closed: true }, { not: { channels: [EMAIL] } }] }) { totalCount }"

    await reader.data(
        f"query ($filter: ConversationFilter) {{ a: {fields} b: {fields} c: {literal} }}",
        filter={"or": [{"closed": True}, {"not": {"channels": ["EMAIL"]}}]},
    )

    assert len(statements.take()) == 1
