"""Connections page exactly: for random rows, every page equals the slice in plain Python.

One database serves all examples of a test; each example empties it first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import tables as t
from gql.fields.node import encode_id
from gql.schema import build_schema
from tests.oracles.filtering import ROOTS
from tests.oracles.paging import EPOCH, Inbox, Ordered, Row, encode, opened
from tests.oracles.relations import read
from tests.support.client import Client
from tests.support.factories import MOMENT, store
from tests.support.properties import examples

pytestmark = pytest.mark.anyio

FIELDS = ("CREATED_AT", "UPDATED_AT", "LAST_MESSAGE_AT", "DEADLINE_RESPONSE_AT")
ORDERS = [(field, direction) for field in FIELDS for direction in ("ASC", "DESC")]

values = st.integers(-2, 2)
row_ids = st.integers(1, 40)


# With equal values and nulls; `Ordered.fit` removes the nulls if the column has none. Everything is drawn before a test
# runs, because exceptions of a strategy must not pass through the event loop.
a_row = st.builds(Row, row_ids, values | st.none())
some_rows = st.lists(a_row, unique_by=lambda row: row.id, max_size=12)
a_change = st.tuples(st.sets(row_ids, max_size=12), st.lists(a_row, unique_by=lambda row: row.id, max_size=2))


@pytest.fixture(scope="module")
async def inbox(shared_dsn: str, anyio_backend: str) -> AsyncIterator[Inbox]:  # noqa: ARG001  # for its scope
    """Two accounts without conversations, and a client of the first."""
    async with opened(shared_dsn) as inbox:
        yield inbox


def expected(order: Ordered, rows: Sequence[Row], shown: Sequence[Row], *, following: bool, preceding: bool) -> Any:
    """The expected connection for the page `shown` of `rows`."""
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
    # A cursor may be of a row that was deleted since, or that never existed.
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
        # The cursor's own row can be deleted too; new rows have new ids.
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


# -------------------- the other roots


LISTED_PAGE = """
query (
  $first: Int, $after: String, $last: Int, $before: String, $order: %(type)sOrder, $filter: %(type)sFilter
) {
  %(root)s(first: $first, after: $after, last: $last, before: $before, orderBy: $order, filter: $filter) {
    totalCount nodes { databaseId } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
LISTED_ORDERS = [
    (root, field)
    for root in ROOTS
    for field in ("CREATED_AT", "UPDATED_AT", "SENT_AT", "START_AT", None)
    if field is None or field in build_schema()._schema.type_map[f"{ROOTS[root]}OrderField"].values  # type: ignore[attr-defined]  # noqa: SLF001
]


# For each root, a table and a column of texts that its search finds.
TEXTS = {
    "bookings": ("clients", "fullname"),
    "clients": ("clients", "fullname"),
    "inquiries": ("inquiries", "firstname"),
    "messages": ("messages", "content"),
    "rentals": ("rentals", "name"),
}


async def found_by(reader: Client, document: str, root: str, search: str, rows: Sequence[Any]) -> list[Any]:
    """Those of the rows that the search finds, looked for among a hundred of their ids at a time."""
    table: type[t.Table] = getattr(t, ROOTS[root])
    found: set[str] = set()
    for start in range(0, len(rows), 100):
        ids = [encode_id(table, 1, row["id"]) for row in rows[start : start + 100]]
        page = await reader.data(document, filter={"search": search, "ids": ids}, first=100)
        found |= {node["databaseId"] for node in page[root]["nodes"]}
    return [row for row in rows if str(row["id"]) in found]


@pytest.mark.parametrize(("root", "field"), LISTED_ORDERS)
@pytest.mark.parametrize(("direction", "searched"), [("ASC", False), ("DESC", False), ("DESC", True)])
async def test_every_root_walks_in_every_order_either_way(  # noqa: PLR0913  # all of a walk
    reader: Client, seeded_dsn: str, root: str, field: str | None, direction: str, *, searched: bool
) -> None:
    document = LISTED_PAGE % {"root": root, "type": ROOTS[root]}
    account = await read(seeded_dsn, 1)
    rows, filter_ = account[root], None
    if searched:
        texts, column = TEXTS[root]
        # The beginning of a word.
        filter_ = {"search": account[texts][0][column][:2]}
        rows = await found_by(reader, document, root, filter_["search"], rows)
        assert 0 < len(rows) < len(account[root])
    rows = sorted(rows, key=lambda row: (row[(field or "id").lower()], row["id"]))
    ordered = rows[::-1] if field and direction == "DESC" else rows
    order = field and {"field": field, "direction": direction}
    size = 100 if len(rows) > 500 else 19

    for backward in (False, True):
        seen: list[str] = []
        cursor, more = None, True
        while more:
            asked = {"last": size, "before": cursor} if backward else {"first": size, "after": cursor}
            page = (await reader.data(document, order=order, filter=filter_, **asked))[root]
            ids = [node["databaseId"] for node in page["nodes"]]
            seen = ids + seen if backward else seen + ids
            info = page["pageInfo"]
            more, cursor = (
                (info["hasPreviousPage"], info["startCursor"]) if backward else (info["hasNextPage"], info["endCursor"])
            )
            assert page["totalCount"] == len(rows)
            assert info["hasPreviousPage" if not backward else "hasNextPage"] is (len(seen) > len(ids))
        assert seen == [str(row["id"]) for row in ordered]


# -------------------- sizes


async def test_the_default_page_has_twenty_rows_and_the_largest_a_hundred(inbox: Inbox) -> None:
    order = Ordered("CREATED_AT", "ASC")
    rows = [Row(id_, 0) for id_ in range(1, 102)]
    await inbox.hold("CREATED_AT", rows)

    assert await inbox.page(order) == expected(order, rows, rows[:20], following=True, preceding=False)
    assert await inbox.page(order, first=100) == expected(order, rows, rows[:100], following=True, preceding=False)
    assert await inbox.page(order, last=100) == expected(order, rows, rows[1:], following=False, preceding=True)
    assert await inbox.page(order, last=None, first=None) == await inbox.page(order, first=20)


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
@pytest.mark.parametrize("field", ["conversations", "hosts", "sources", *ROOTS])
async def test_a_size_out_of_range_is_refused(
    inbox: Inbox, field: str, arguments: dict[str, int], message: str
) -> None:
    given_ = ", ".join(f"{name}: {value}" for name, value in arguments.items())

    assert await inbox.client.error(f"{{ {field}({given_}) {{ totalCount }} }}") == ("BAD_USER_INPUT", message)
