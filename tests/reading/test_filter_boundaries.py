"""Filters at their boundaries: the ends of periods, null, values derived from other rows, and searches of all roots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import relations, seek
from db import tables as t
from db.cache import Cache
from tests.oracles.filtering import BOOKINGS, CONVERSATIONS, ROOTS, own
from tests.support.client import Client
from tests.support.factories import MOMENT, derive_all, store, store_account
from tests.support.properties import examples
from tests.support.world import World, empty

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({"gte": 0}, [2, 3]),
        ({"gt": 0}, [3]),
        ({"lte": 0}, [1, 2]),
        ({"lt": 0}, [1]),
        ({"gte": 0, "lte": 0}, [2]),
        ({"gte": 0, "gt": 0}, [3]),
        ({"gt": -1, "lt": 1}, [2]),
        ({"gt": 1, "lt": -1}, []),
        ({"gte": None}, [1, 2, 3]),
        ({"lte": None}, [1, 2, 3]),
    ],
)
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("createdAt", "created_at"),
        ("updatedAt", "updated_at"),
        ("lastMessageAt", "last_message_at"),
        ("deadlineResponseAt", "deadline_response_at"),
    ],
)
async def test_a_period_includes_its_ends_or_not_and_never_what_is_null(
    shared: World, name: str, column: str, ends: dict[str, int | None], expected: list[int]
) -> None:
    connection = shared.connection
    await connection.execute("TRUNCATE accounts CASCADE")
    await store_account(connection)
    for id_, offset in ((1, -1), (2, 0), (3, 1)):
        moment = {column: MOMENT + timedelta(milliseconds=offset)}
        await store(connection, "conversations", **{"account_id": 1, "id": id_, **moment})
    nothing = {"last_message_at": None, "deadline_response_at": None}
    # Null is excluded even with the earliest and the latest possible bounds.
    first, last = "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"
    edges = {"gte": first, "gt": first, "lte": last, "lt": last}
    given_ = {
        end: edges[end]
        if offset is None
        else (MOMENT + timedelta(milliseconds=offset)).isoformat(timespec="milliseconds")
        for end, offset in ends.items()
    }
    if column in nothing:
        await store(connection, "conversations", account_id=1, id=4, **nothing)

    for direction in ("ASC", "DESC"):
        data = await shared.client.data(
            "query ($filter: ConversationFilter, $direction: OrderDirection!) {"
            " conversations(filter: $filter, orderBy: { field: LAST_MESSAGE_AT, direction: $direction }) {"
            " totalCount nodes { databaseId } } }",
            filter={name: given_},
            direction=direction,
        )
        found = sorted(int(node["databaseId"]) for node in data["conversations"]["nodes"])
        assert (data["conversations"]["totalCount"], found) == (len(expected), expected)


async def test_overdue_is_what_a_guest_waits_for_after_the_deadline(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    past, future = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    states: list[dict[str, Any]] = [
        {"unanswered_since": past, "deadline_response_at": past},
        {"unanswered_since": past, "deadline_response_at": future},
        {"unanswered_since": past, "deadline_response_at": None},
        {"unanswered_since": None, "deadline_response_at": past},
        {"unanswered_since": past, "deadline_response_at": past, "closed_at": past},
        {"unanswered_since": past, "deadline_response_at": past, "marked_as_spam_at": past},
    ]
    for id_, state in enumerate(states, 1):
        await store(connection, "conversations", account_id=1, id=id_, **state)

    found = {
        str(filter_): [
            int(node["databaseId"])
            for node in (await client.data(CONVERSATIONS, filter=filter_))["conversations"]["nodes"]
        ]
        for filter_ in ({"overdue": True}, {"overdue": False}, {"needsReply": True}, {"needsReply": False})
    }

    assert found == {
        "{'overdue': True}": [1],
        "{'overdue': False}": [2, 3, 4, 5, 6],
        "{'needsReply': True}": [1, 2, 3],
        "{'needsReply': False}": [4, 5, 6],
    }


@pytest.mark.parametrize(("direction", "expected"), [("ASC", [2, 3, 1, 4]), ("DESC", [1, 3, 2, 4])])
async def test_who_waits_longest_is_first_and_who_does_not_wait_is_last(
    client: Client, connection: asyncpg.Connection, direction: str, expected: list[int]
) -> None:
    await store_account(connection)
    for id_, hours in ((1, 1), (2, 3), (3, 2), (4, None)):
        since = None if hours is None else MOMENT - timedelta(hours=hours)
        await store(connection, "conversations", account_id=1, id=id_, unanswered_since=since)

    data = await client.data(
        "query ($direction: OrderDirection!) {"
        " conversations(orderBy: { field: WAITING_SINCE, direction: $direction }) { nodes { databaseId } } }",
        direction=direction,
    )

    assert [int(node["databaseId"]) for node in data["conversations"]["nodes"]] == expected


async def test_two_bookings_of_a_conversation_may_meet_a_condition_each(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    await store(connection, "conversations", account_id=1, id=1)
    for id_, status in ((1, "BOOKED"), (2, "CANCELED")):
        await store(connection, "rentals", account_id=1, id=id_)
        await store(connection, "bookings", account_id=1, id=id_, rental_id=id_, status=status)
        await store(connection, "conversation_bookings", account_id=1, conversation_id=1, booking_id=id_)
    await derive_all(connection)

    for filter_, total in (
        ({"rentalIds": [own(t.Rental, 1)], "bookingStatuses": ["CANCELED"]}, 1),
        ({"rentalIds": [own(t.Rental, 1), own(t.Rental, 2)], "bookingStatuses": ["BOOKED", "CANCELED"]}, 1),
        ({"rentalIds": [own(t.Rental, 1)], "not": {"rentalIds": [own(t.Rental, 2)]}}, 0),
    ):
        assert (await client.data(CONVERSATIONS, filter=filter_))["conversations"]["totalCount"] == total


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
    states = [(None, 0), (None, 1), (MOMENT, 0), (MOMENT, 1), (MOMENT, 2)]
    for id_, (read_at, unread) in enumerate(states, 1):
        await store(connection, "conversations", account_id=1, id=id_, read_at=read_at, unread_count=unread)
    document = "query ($read: Boolean) { conversations(filter: { read: $read }) { nodes { databaseId read } } }"

    for value, ids in ((True, {"3"}), (False, {"1", "2", "4", "5"})):
        nodes = (await client.data(document, read=value))["conversations"]["nodes"]
        assert {node["databaseId"] for node in nodes} == ids
        assert {node["read"] for node in nodes} == {value}


# -------------------- other roots


PEOPLE: dict[str, Any] = {"fullname": "Søren Kjær", "email": "soren@mail.example", "phone": "+45 20 30 40 50"}
SENDER = {"conversation_id": 1, "sender_id": 1}


@pytest.mark.parametrize(
    ("root", "values", "searches", "others"),
    [
        ("rentals", {"name": "Casa São João", "city": "Évora"}, ["casa", "sao jo", "evora CASA", "ca"], ["c", "ao"]),
        ("clients", PEOPLE, ["soren kjaer", "kjæ", "soren@mail.example", "4050", "0045 2030 4050"], ["mail kjaerx"]),
        ("bookings", {"reference": "REF-4711", "external_reference": "HMABC"}, ["ref-4711", "711", "abc"], ["11"]),
        ("bookings", {"client_id": 1}, ["soren", "kjaer sor", "4050"], ["clara"]),
        ("inquiries", {"lastname": "Łódź", "message": "A pool?"}, ["lodz", "pool ina", "ina@example.com"], ["-pool"]),
        (
            "messages",
            {"content": "Wi-Fi at 日本語", **SENDER},
            ["wifi", "wi-fi", "日本", "本", "hello or wifi"],
            ["fi -wi"],
        ),
        ("messages", {"content": "x " * 10_000 + "late", **SENDER}, ["x"], ["late"]),
        (
            "messages",
            {"content": "The keys are late, the wi-fi is not", **SENDER},
            [
                '"the keys"',
                '"Keys are" late',
                '"the keys" -door',
                '"keys door" or late',
                '"the wi-fi is"',
                '-"keys the"',
            ],
            ['"keys the"', '"the late"', '"the keys" -late', '-"the keys"', '"the keys" "is the"'],
        ),
    ],
)
async def test_another_root_is_searched_like_conversations(
    shared: World, root: str, values: dict[str, Any], searches: list[str], others: list[str]
) -> None:
    await empty(shared.connection)
    for account in (1, 2):
        await store_account(shared.connection, account)
        own = {"account_id": account}
        await store(shared.connection, "clients", id=1, **own, **PEOPLE)
        await store(shared.connection, "conversations", id=1, **own)
        member = {"member_type": "CLIENT", "member_id": 1, "client_id": 1, "conversation_id": 1}
        await store(shared.connection, "participants", id=1, **own, **member)
        await store(shared.connection, root, id=7, **own, **values)
    if root != "clients":
        await store(shared.connection, root, id=8, account_id=1, **(SENDER if root == "messages" else {}))

    async def found(search: str) -> set[str]:
        data = await shared.client.data(
            f"query ($s: String) {{ {root}(filter: {{search: $s}}) {{ totalCount nodes {{ databaseId }} }} }}", s=search
        )
        assert data[root]["totalCount"] == len(data[root]["nodes"])
        return {node["databaseId"] for node in data[root]["nodes"]}

    assert {search for search in searches if "7" not in await found(search)} == set()
    assert {search for search in others if "7" in await found(search)} == set()
    assert await found(" ") >= {"7"}
    assert await found("!?") == set()


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("phrase", ["red house", "house by", "house red by", "by by"])
async def test_pages_of_a_phrase_are_full_and_in_order(shared: World, phrase: str, size: int) -> None:
    await empty(shared.connection)
    await store_account(shared.connection)
    names = [" ".join(words) for words in permutations(["red", "old", "house", "by"], 3)]
    for id_, name in enumerate(names):
        await store(shared.connection, "rentals", account_id=1, id=id_ + 1, name=name)
    document = """query ($search: String, $size: Int, $after: String) {
      rentals(filter: {search: $search}, first: $size, after: $after) {
        totalCount nodes { name } pageInfo { endCursor hasNextPage }
      }
    }"""

    found, cursor, more = [], None, True
    while more:
        page = (await shared.client.data(document, search=f'"{phrase}"', size=size, after=cursor))["rentals"]
        found += [node["name"] for node in page["nodes"]]
        cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert len(page["nodes"]) == size or not more

    assert found == [name for name in names if f" {phrase} " in f" {name} "]
    assert page["totalCount"] == len(found)


@given(search=st.text(max_size=40), content=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=60))
@examples(40)
async def test_any_text_can_be_stored_and_searched_in_another_root(shared: World, search: str, content: str) -> None:
    await empty(shared.connection)
    await store_account(shared.connection)
    await store(shared.connection, "rentals", account_id=1, id=1, name=content)

    answer = await shared.client.answer("query ($s: String) { rentals(filter: {search: $s}) { totalCount } }", s=search)

    assert "\0" in search or "errors" not in answer


SINCE = """
query ($since: DateTime, $order: %(type)sOrder, $first: Int, $after: String, $last: Int, $before: String) {
  %(root)s(
    filter: {updatedSince: $since}, orderBy: $order, first: $first, after: $after, last: $last, before: $before
  ) {
    nodes { databaseId updatedAt %(sorted)s } pageInfo { endCursor startCursor hasNextPage hasPreviousPage }
  }
}
"""


@pytest.mark.parametrize(
    ("root", "order"),
    [
        ("bookings", ("startAt", "START_AT", "ASC")),
        ("bookings", ("createdAt", "CREATED_AT", "DESC")),
        ("clients", None),
        ("inquiries", ("createdAt", "CREATED_AT", "ASC")),
        ("messages", ("sentAt", "SENT_AT", "DESC")),
        ("messages", None),
    ],
)
async def test_what_changed_since_then_is_paged_in_every_order(
    reader: Client, monkeypatch: pytest.MonkeyPatch, root: str, order: tuple[str, str, str] | None
) -> None:
    """Each page is the slice in plain Python, whether the first rows of the order fill it or all rows are sorted."""
    monkeypatch.setattr(seek, "_FEW", 0)
    monkeypatch.setattr(seek, "_PROBED", 80)
    # These numbers are in its statements.
    monkeypatch.setattr(relations._page_statement, "cache", Cache(100, 1_000_000))  # noqa: SLF001
    field, by, direction = order or ("databaseId", None, "ASC")
    document = SINCE % {"root": root, "type": ROOTS[root], "sorted": field}
    order_by = by and {"field": by, "direction": direction}

    async def walk(since: str | None, *, backward: bool) -> list[dict[str, str]]:
        nodes: list[dict[str, str]] = []
        size, cursor, start, more = (
            ("last", "before", "startCursor", "hasPreviousPage")
            if backward
            else ("first", "after", "endCursor", "hasNextPage")
        )
        at = None
        while True:
            page = (await reader.data(document, since=since, order=order_by, **{size: 50, cursor: at}))[root]
            nodes = page["nodes"] + nodes if backward else nodes + page["nodes"]
            at = page["pageInfo"][start]
            if not page["pageInfo"][more]:
                return nodes

    every = await walk(None, backward=False)
    since = sorted(node["updatedAt"] for node in every)[len(every) * 2 // 3]
    expected = sorted(
        (node for node in every if node["updatedAt"] >= since),
        key=lambda node: (node[field], int(node["databaseId"])) if by else int(node["databaseId"]),
        reverse=direction == "DESC",
    )

    assert await walk(since, backward=False) == expected
    assert await walk(since, backward=True) == expected
