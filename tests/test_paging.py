"""Connections page exactly: against random rows, every page is the slice that plain Python cuts.

The model is a sorted list. Nulls are last in both directions, ties go by id in the direction of the order. One database
serves all examples of a test; each example empties it first.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client import Client, Statements
from tests.conftest import serving
from tests.factories import MOMENT, store, store_account
from tests.properties import examples

pytestmark = pytest.mark.anyio

PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $order: ConversationOrder) {
  conversations(first: $first, after: $after, last: $last, before: $before, orderBy: $order) {
    totalCount
    nodes { databaseId }
    edges { cursor node { databaseId } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
FIELDS = ("CREATED_AT", "UPDATED_AT", "LAST_MESSAGE_AT", "DEADLINE_RESPONSE_AT")
NULLABLE = {"LAST_MESSAGE_AT", "DEADLINE_RESPONSE_AT"}
ORDERS = [(field, direction) for field in FIELDS for direction in ("ASC", "DESC")]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A conversation: its id, and its place in the order under test, in milliseconds after `MOMENT`."""

    id: int
    value: int | None


@dataclass(frozen=True)
class Ordered:
    """One order of conversations, as a client asks for it and as Python sorts by it."""

    field: str
    direction: str

    @property
    def argument(self) -> dict[str, str]:
        """The value of `orderBy`."""
        return {"field": self.field, "direction": self.direction}

    def fit(self, rows: Sequence[Row]) -> list[Row]:
        """The rows as the column can hold them."""
        return [row if row.value is not None or self.field in NULLABLE else Row(row.id, 0) for row in rows]

    def sort(self, rows: Sequence[Row]) -> list[Row]:
        """The naive order."""
        nulls = [row for row in rows if row.value is None]
        others = [row for row in rows if row.value is not None]
        down = self.direction == "DESC"
        return sorted(others, key=lambda row: (row.value, row.id), reverse=down) + sorted(
            nulls, key=lambda row: row.id, reverse=down
        )

    def cursor(self, row: Row) -> str:
        """The cursor that the server must give the row."""
        column = self.field.lower()
        value = None if row.value is None else (MOMENT - EPOCH) // timedelta(milliseconds=1) + row.value
        return encode(["Query.conversations", f"{column}:{self.direction.lower()}", value, row.id])


def encode(parts: Any) -> str:
    """What is inside a cursor, as text: `[field, order, milliseconds since 1970 or null, id]`."""
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


values = st.integers(-2, 2)
row_ids = st.integers(1, 40)


# With ties and nulls; `Ordered.fit` takes the nulls out where the column has none. All is drawn before a test runs, as
# what a strategy raises must not pass through the event loop.
a_row = st.builds(Row, row_ids, values | st.none())
some_rows = st.lists(a_row, unique_by=lambda row: row.id, max_size=12)
a_change = st.tuples(st.sets(row_ids, max_size=12), st.lists(a_row, unique_by=lambda row: row.id, max_size=2))


@dataclass
class Inbox:
    """An account whose conversations come and go, with a client that reads them."""

    client: Client
    connection: asyncpg.Connection

    async def hold(self, field: str, rows: Sequence[Row]) -> None:
        """Hold these conversations and no others."""
        await self.connection.execute(
            "TRUNCATE messages, participants, conversation_bookings, bookings, conversations CASCADE"
        )
        await self.insert(field, rows)

    async def insert(self, field: str, rows: Sequence[Row]) -> None:
        """Add conversations, to account 2 as well, whose rows must never show."""
        column = field.lower()
        stamps = [name for name in ("created_at", "updated_at") if name != column]
        names = ", ".join(["account_id", "id", column, *stamps])
        places = ", ".join(["$1", "$2", "$3", *("$4" for _ in stamps)])
        await self.connection.executemany(
            f"INSERT INTO conversations ({names}) VALUES ({places})",  # noqa: S608  # the names are this test's own
            [
                (account, row.id, None if row.value is None else MOMENT + timedelta(milliseconds=row.value), MOMENT)
                for row in rows
                for account in (1, 2)
            ],
        )

    async def delete(self, ids: Sequence[int]) -> None:
        """Remove conversations."""
        await self.connection.execute("DELETE FROM conversations WHERE id = ANY($1)", ids)

    async def page(self, order: Ordered, **arguments: Any) -> dict[str, Any]:
        """A page as the API shows it."""
        data = await self.client.data(PAGE, order=order.argument, **arguments)
        page: dict[str, Any] = data["conversations"]
        return page


@pytest.fixture(scope="module")
def shared_dsn(template: str, create_database: Callable[[str], str]) -> str:
    """One database for this module."""
    return create_database(template)


@pytest.fixture(scope="module")
async def inbox(shared_dsn: str, anyio_backend: str) -> AsyncIterator[Inbox]:  # noqa: ARG001  # for its scope
    """Two accounts without conversations, and a client of the first."""
    connection = await asyncpg.connect(shared_dsn)
    for account in (1, 2):
        await store_account(connection, account)
    async with serving(shared_dsn, Statements()) as client:
        yield Inbox(client, connection)
    await connection.close()


def expected(order: Ordered, rows: Sequence[Row], shown: Sequence[Row], *, following: bool, preceding: bool) -> Any:
    """The whole connection that must come of showing `shown` out of `rows`."""
    return {
        "totalCount": len(rows),
        "nodes": [{"databaseId": str(row.id)} for row in shown],
        "edges": [{"cursor": order.cursor(row), "node": {"databaseId": str(row.id)}} for row in shown],
        "pageInfo": {
            "hasNextPage": following,
            "hasPreviousPage": preceding,
            "startCursor": order.cursor(shown[0]) if shown else None,
            "endCursor": order.cursor(shown[-1]) if shown else None,
        },
    }


@pytest.mark.parametrize(("field", "direction"), ORDERS)
@given(drawn=some_rows, size=st.sampled_from([1, 2, 3, 5, 100]))
@examples(8)
async def test_walking_either_way_shows_every_row_once_and_in_order(
    inbox: Inbox, field: str, direction: str, drawn: list[Row], size: int
) -> None:
    order = Ordered(field, direction)
    rows = order.sort(order.fit(drawn))
    await inbox.hold(field, rows)

    after = None
    for start in range(0, max(len(rows), 1), size):
        shown = rows[start : start + size]
        page = await inbox.page(order, first=size, after=after)
        assert page == expected(order, rows, shown, following=start + size < len(rows), preceding=start > 0)
        after = page["pageInfo"]["endCursor"]

    before = None
    for end in range(len(rows), 0 if rows else -1, -size):
        shown = rows[max(end - size, 0) : end]
        page = await inbox.page(order, last=size, before=before)
        assert page == expected(order, rows, shown, following=end < len(rows), preceding=end > size)
        before = page["pageInfo"]["startCursor"]


@pytest.mark.parametrize(("field", "direction"), ORDERS)
@given(
    drawn=some_rows,
    # A cursor may be of a row that was deleted since, or that never was.
    ends=st.tuples(st.none() | a_row, st.none() | a_row),
    size=st.integers(1, 6),
    backward=st.booleans(),
)
@examples(20)
async def test_a_page_between_any_two_cursors_knows_what_lies_around_it(  # noqa: PLR0913, PLR0917  # all of a page
    inbox: Inbox,
    field: str,
    direction: str,
    drawn: list[Row],
    ends: tuple[Row | None, Row | None],
    size: int,
    backward: bool,
) -> None:
    order = Ordered(field, direction)
    rows = order.fit(drawn)
    after, before = (order.fit([end])[0] if end else None for end in ends)
    await inbox.hold(field, rows)

    page = await inbox.page(
        order,
        **{"last" if backward else "first": size},
        after=order.cursor(after) if after else None,
        before=order.cursor(before) if before else None,
    )

    earlier = [row for row in rows if (after and order.sort([row, after])[0] is row) or row == after]
    later = [row for row in rows if (before and order.sort([before, row])[-1] is row) or row == before]
    between = order.sort([row for row in rows if row not in earlier and row not in later])
    shown = between[-size:] if backward else between[:size]
    more = len(between) > size
    assert page == expected(
        order,
        rows,
        shown,
        following=bool(later) or (more and not backward),
        preceding=bool(earlier) or (more and backward),
    )


@pytest.mark.parametrize(("field", "direction"), [("LAST_MESSAGE_AT", "DESC"), ("CREATED_AT", "ASC")])
@pytest.mark.parametrize("backward", [False, True])
@given(drawn=some_rows, size=st.integers(1, 4), changes=st.lists(a_change, max_size=5))
@examples(20)
async def test_no_row_that_was_there_all_along_is_skipped_or_repeated(  # noqa: PLR0913, PLR0917  # all of a walk
    inbox: Inbox,
    field: str,
    direction: str,
    backward: bool,
    drawn: list[Row],
    size: int,
    changes: list[tuple[set[int], list[Row]]],
) -> None:
    order = Ordered(field, direction)
    rows = {row.id: row for row in order.fit(drawn)}
    await inbox.hold(field, list(rows.values()))
    ever, lasting, seen = dict(rows), set(rows), list[int]()
    cursor, more = None, True

    while more:
        page = await inbox.page(
            order, **{"last" if backward else "first": size, "before" if backward else "after": cursor}
        )
        ids = [int(node["databaseId"]) for node in page["nodes"]]
        seen = ids + seen if backward else seen + ids
        info = page["pageInfo"]
        more = info["hasPreviousPage"] if backward else info["hasNextPage"]
        cursor = info["startCursor"] if backward else info["endCursor"]
        # The cursor's own row goes as readily as any other; what comes has an id that never was.
        gone, come = changes.pop() if changes else (set(), [])
        new = [row for row in order.fit(come) if row.id not in ever]
        await inbox.delete(sorted(gone))
        await inbox.insert(field, new)
        lasting -= gone
        ever |= {row.id: row for row in new}

    assert len(seen) == len(set(seen))
    assert lasting <= set(seen)
    shown = [ever[id_] for id_ in seen]
    assert shown == order.sort(shown)


# -------------------- nested


NESTED = """
query ($first: Int, $after: String, $last: Int, $before: String) {
  conversations(first: 100, orderBy: { field: CREATED_AT, direction: ASC }) {
    nodes {
      databaseId
      children: %s(first: $first, after: $after, last: $last, before: $before) {
        totalCount
        nodes { databaseId }
        edges { cursor }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
}
"""


async def hold_children(inbox: Inbox, messages: Sequence[tuple[int, int]], links: set[tuple[int, int]]) -> None:
    """Five conversations, messages of (conversation, milliseconds) with ids from 1, and links to five bookings."""
    await inbox.hold("CREATED_AT", [Row(id_, 0) for id_ in range(1, 6)])
    connection = inbox.connection
    for id_ in range(1, 6):
        await store(connection, "bookings", account_id=1, id=id_)
        await store(
            connection, "participants", account_id=1, id=id_, conversation_id=id_, member_type="HOST", member_id=1
        )
    for id_, (conversation, sent) in enumerate(messages, 1):
        await store(
            connection,
            "messages",
            account_id=1,
            id=id_,
            conversation_id=conversation,
            sender_id=conversation,
            sent_at=MOMENT + timedelta(milliseconds=sent),
        )
    for conversation, booking in links:
        await store(connection, "conversation_bookings", account_id=1, conversation_id=conversation, booking_id=booking)


parents = st.integers(1, 5)


@given(
    messages=st.lists(st.tuples(parents, values), max_size=14),
    links=st.sets(st.tuples(parents, parents)),
    size=st.integers(1, 4),
    backward=st.booleans(),
    after=st.none() | st.tuples(values, st.integers(1, 14)),
    before=st.none() | st.tuples(values, st.integers(1, 14)),
)
@examples(40)
async def test_each_parent_has_a_page_of_its_own(  # noqa: PLR0913, PLR0917  # all of a page
    inbox: Inbox,
    messages: list[tuple[int, int]],
    links: set[tuple[int, int]],
    size: int,
    backward: bool,
    after: tuple[int, int] | None,
    before: tuple[int, int] | None,
) -> None:
    await hold_children(inbox, messages, links)
    moment = (MOMENT - EPOCH) // timedelta(milliseconds=1)

    def of_message(key: tuple[int, int]) -> str:
        return encode(["Conversation.messages", "sent_at:asc", moment + key[0], key[1]])

    def of_booking(key: tuple[int, int]) -> str:
        return encode(["Conversation.bookings", "id", None, key[1]])

    # By parent, in order: the keys of messages are (sent, id), and those of bookings sort by id alone.
    sent = {
        parent: sorted((at, id_) for id_, (of, at) in enumerate(messages, 1) if of == parent) for parent in range(1, 6)
    }
    linked = {parent: sorted((0, booking) for of, booking in links if of == parent) for parent in range(1, 6)}
    ends = {
        "messages": (of_message, sent, after, before),
        "bookings": (of_booking, linked, after and (0, after[1]), before and (0, before[1])),
    }
    for name, (cursor, children, start, end) in ends.items():
        data = await inbox.client.data(
            NESTED % name,
            **{"last" if backward else "first": size},
            after=cursor(start) if start else None,
            before=cursor(end) if end else None,
        )
        assert data["conversations"]["nodes"] == [
            {"databaseId": str(parent), "children": _slice(keys, cursor, size, backward, start, end)}
            for parent, keys in children.items()
        ]


def _slice(  # noqa: PLR0913, PLR0917  # all of a page
    keys: list[tuple[int, int]],
    cursor: Callable[[tuple[int, int]], str],
    size: int,
    backward: bool,
    after: tuple[int, int] | None,
    before: tuple[int, int] | None,
) -> dict[str, Any]:
    earlier = [key for key in keys if after and key <= after]
    later = [key for key in keys if before and key >= before]
    between = [key for key in keys if key not in earlier and key not in later]
    shown = between[-size:] if backward else between[:size]
    more = len(between) > size
    return {
        "totalCount": len(keys),
        "nodes": [{"databaseId": str(id_)} for _, id_ in shown],
        "edges": [{"cursor": cursor(key)} for key in shown],
        "pageInfo": {
            "hasNextPage": bool(later) or (more and not backward),
            "hasPreviousPage": bool(earlier) or (more and backward),
            "startCursor": cursor(shown[0]) if shown else None,
            "endCursor": cursor(shown[-1]) if shown else None,
        },
    }


async def test_both_ends_of_a_link_table_page_alike(inbox: Inbox) -> None:
    await hold_children(inbox, [], {(1, 1), (2, 1), (3, 1), (2, 2)})

    data = await inbox.client.data(
        "{ bookings { nodes { conversations(last: 2) { nodes { databaseId } pageInfo { hasPreviousPage } } } } }"
    )

    def page(*ids: int, more: bool = False) -> dict[str, Any]:
        return {
            "conversations": {
                "nodes": [{"databaseId": str(id_)} for id_ in ids],
                "pageInfo": {"hasPreviousPage": more},
            }
        }

    assert data == {"bookings": {"nodes": [page(2, 3, more=True), page(2), page(), page(), page()]}}


async def test_the_default_page_has_twenty_rows_and_the_largest_a_hundred(inbox: Inbox) -> None:
    order = Ordered("CREATED_AT", "ASC")
    rows = [Row(id_, 0) for id_ in range(1, 102)]
    await inbox.hold("CREATED_AT", rows)

    assert await inbox.page(order) == expected(order, rows, rows[:20], following=True, preceding=False)
    assert await inbox.page(order, first=100) == expected(order, rows, rows[:100], following=True, preceding=False)
    assert await inbox.page(order, last=100) == expected(order, rows, rows[1:], following=False, preceding=True)
    assert await inbox.page(order, last=None, first=None) == await inbox.page(order, first=20)


# -------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": 0}, "first must be from 1 to 100, not 0"),
        ({"first": 101}, "first must be from 1 to 100, not 101"),
        ({"first": -1}, "first must be from 1 to 100, not -1"),
        ({"last": 0}, "last must be from 1 to 100, not 0"),
        ({"last": 101}, "last must be from 1 to 100, not 101"),
        ({"last": -(2**31)}, "last must be from 1 to 100, not -2147483648"),
        ({"first": 1, "last": 1}, "Give first or last, not both"),
    ],
)
@pytest.mark.parametrize("field", ["conversations", "bookings", "hosts", "sources"])
async def test_a_size_out_of_range_is_refused(
    inbox: Inbox, field: str, arguments: dict[str, int], message: str
) -> None:
    given_ = ", ".join(f"{name}: {value}" for name, value in arguments.items())

    assert await inbox.client.error(f"{{ {field}({given_}) {{ totalCount }} }}") == ("BAD_USER_INPUT", message)


CREATED = ["Query.conversations", "created_at:asc", 0, 1]
NO_CURSOR = "This is not a cursor"
OTHER = "This cursor is not one of Query.conversations in this order"


@pytest.mark.parametrize(
    ("cursor", "message"),
    [
        ("", NO_CURSOR),
        ("random text", NO_CURSOR),
        ("\0", NO_CURSOR),
        ("é", NO_CURSOR),
        ("🏖", NO_CURSOR),
        ("A", NO_CURSOR),
        ("A" * 10_000, NO_CURSOR),
        ("WyJ", NO_CURSOR),
        (encode(CREATED)[:-1], NO_CURSOR),
        (encode(CREATED)[:-9], NO_CURSOR),
        (encode(CREATED) + "=", NO_CURSOR),
        (encode(CREATED) + "\n", NO_CURSOR),
        ("!" + encode(CREATED), NO_CURSOR),
        (urlsafe_b64encode(b'["Query.conversations", "created_at:asc", 0, 1]').decode().rstrip("="), NO_CURSOR),
        (urlsafe_b64encode(b'["Query.conversations","created_at:asc",0,1]\0').decode().rstrip("="), NO_CURSOR),
        (urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="), NO_CURSOR),
        (encode("text"), NO_CURSOR),
        (encode(7), NO_CURSOR),
        (encode(None), NO_CURSOR),
        (encode([]), NO_CURSOR),
        (encode({"a": 1, "b": 2, "c": 3, "d": 4}), NO_CURSOR),
        (encode(CREATED[:3]), NO_CURSOR),
        (encode([*CREATED, 1]), NO_CURSOR),
        (encode([*CREATED[:2], "0", 1]), NO_CURSOR),
        (encode([*CREATED[:2], 0.5, 1]), NO_CURSOR),
        (encode([*CREATED[:2], True, 1]), NO_CURSOR),
        (encode([*CREATED[:2], [], 1]), NO_CURSOR),
        (encode([*CREATED[:2], None, 1]), NO_CURSOR),
        (encode([*CREATED[:3], None]), NO_CURSOR),
        (encode([*CREATED[:3], "1"]), NO_CURSOR),
        (encode([*CREATED[:3], False]), NO_CURSOR),
        (encode([*CREATED[:3], 2**63]), NO_CURSOR),
        (encode([*CREATED[:3], 1e300]), NO_CURSOR),
        (urlsafe_b64encode(b'["Query.conversations","created_at:asc",0,' + b"9" * 400 + b"]").decode(), NO_CURSOR),
        # Moments before the year 1 and after the year 9999.
        (encode([*CREATED[:2], -(2**62), 1]), NO_CURSOR),
        (encode([*CREATED[:2], 2**62, 1]), NO_CURSOR),
        (encode([*CREATED[:2], 253_402_300_800_000, 1]), NO_CURSOR),
        (encode(["Query.bookings", "created_at:asc", 0, 1]), OTHER),
        (encode(["Query.bookings", "id", None, 1]), OTHER),
        (encode(["Query.conversations", "created_at:desc", 0, 1]), OTHER),
        (encode(["Query.conversations", "updated_at:asc", 0, 1]), OTHER),
        (encode(["Query.conversations", "id", None, 1]), OTHER),
        (encode([None, None, 0, 1]), OTHER),
        (encode([[], {}, 0, 1]), OTHER),
    ],
)
@pytest.mark.parametrize("side", ["after", "before"])
async def test_what_is_not_a_cursor_of_this_field_and_order_is_refused(
    inbox: Inbox, side: str, cursor: str, message: str
) -> None:
    response = await inbox.client.post(PAGE, order={"field": "CREATED_AT", "direction": "ASC"}, **{side: cursor})

    assert response.status_code == 200
    (error,) = response.json()["errors"]
    assert (error["extensions"]["code"], error["message"]) == ("BAD_USER_INPUT", message)


@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: urlsafe_b64encode(raw).decode()))
@examples(60)
async def test_no_text_makes_a_cursor_argument_fail_otherwise(inbox: Inbox, text: str) -> None:
    code, message = await inbox.client.error(PAGE, after=text)

    assert (code, message) == ("BAD_USER_INPUT", NO_CURSOR)


async def test_an_order_by_id_has_no_value_in_its_cursors(inbox: Inbox) -> None:
    answer = await inbox.client.error(
        "query ($after: String) { hosts(after: $after) { totalCount } }", after=encode(["Query.hosts", "id", 0, 1])
    )

    assert answer == ("BAD_USER_INPUT", NO_CURSOR)


@pytest.mark.parametrize("value", [-62_135_596_800_000, 253_402_300_799_999])
async def test_the_outermost_moments_are_cursors(inbox: Inbox, value: int) -> None:
    order = Ordered("CREATED_AT", "ASC")
    await inbox.hold("CREATED_AT", [Row(1, 0)])

    page = await inbox.page(order, after=encode([*CREATED[:2], value, 1]))

    assert [node["databaseId"] for node in page["nodes"]] == (["1"] if value < 0 else [])


async def test_a_cursor_tells_no_more_than_a_place() -> None:
    order = Ordered("LAST_MESSAGE_AT", "DESC")

    text = order.cursor(Row(7, 250))

    assert urlsafe_b64decode(text + "==") == b'["Query.conversations","last_message_at:desc",1777887000250,7]'
