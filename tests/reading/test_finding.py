"""Every filter and order uses an index, also with a million conversations.

By default there are 50,000; `--conversations 1000000` tests a million, in some minutes. The assertions are the same: no
table is scanned, and conditions that few conversations meet do not read the whole account.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db import tables as t
from db.engine import Database
from db.page import Order
from db.queries.conversation.filters import ORDERS
from gql.fields.connection import encode_cursor
from gql.fields.node import encode_id
from tests.support.client import Client, Statements
from tests.support.large import fill
from tests.support.plans import Plan, Ran, explain, hear, kinds, rows_read, steps
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

TABLES = {"conversations", "bookings", "conversation_bookings", "participants", "inquiries"}
# A page may read this many rows of each table, or this fraction of the number of conversations: those that meet a rare
# condition, for the page and for the rows before it, or those that do not meet a frequent one.
FEW, PART = 5_000, 0.05
FIELDS = ["CREATED_AT", "UPDATED_AT", "LAST_MESSAGE_AT", "DEADLINE_RESPONSE_AT", "WAITING_SINCE"]
PAGE = """
query ($filter: ConversationFilter, $order: ConversationOrder, $first: Int, $last: Int, $after: String) {
  conversations(filter: $filter, orderBy: $order, first: $first, last: $last, after: $after) { nodes { id subject } }
}
"""
COUNT = "query ($filter: ConversationFilter) { conversations(filter: $filter) { totalCount } }"


def ids(table: type[t.Table], *numbers: int) -> list[str]:
    """Ids of account 1."""
    return [encode_id(table, 1, number) for number in numbers]


def ago(days: float) -> str:
    """The time that many days ago."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")


CLIENT, RENTAL = {"clientIds": ids(t.Client, 9)}, {"rentalIds": ids(t.Rental, 1_999)}
# Filters that at most one in fifty conversations meets.
RARE: dict[str, dict[str, Any]] = {
    "ids": {"ids": ids(t.Conversation, 5, 777, 9_999)},
    "not closed": {"closed": False},
    "open": {"closed": False, "markedAsSpam": False},
    "spam": {"markedAsSpam": True},
    "unread": {"read": False},
    "assignee": {"assigneeIds": ids(t.Host, 40)},
    "mine": {"mine": True},
    "channel": {"channels": ["VRBO"]},
    "booking": {"bookingIds": ids(t.Booking, 1, 2, 3, 4, 5)},
    "booking status": {"bookingStatuses": ["LOCKED"]},
    "inquiry": {"inquiryIds": ids(t.Inquiry, 1, 2, 3, 4, 5)},
    "rental": RENTAL,
    "client": CLIENT,
    "external id": {"externalIds": ["5", "777", "none"]},
    "host": {"hostIds": ids(t.Host, 40)},
    "updated since": {"updatedSince": ago(1)},
    "created": {"createdAt": {"gte": ago(400), "lt": ago(395)}},
    "created first": {"createdAt": {"lt": ago(1_490)}},
    "updated": {"updatedAt": {"gt": ago(800), "lte": ago(797)}},
    "last message": {"lastMessageAt": {"gt": ago(800), "lte": ago(797)}},
    "deadline": {"deadlineResponseAt": {"gte": ago(0), "lt": ago(-1)}},
    "needs reply": {"needsReply": True},
    "overdue": {"overdue": True},
    "delivery failed": {"deliveryFailed": True},
    "not read": {"not": {"read": True}},
    "twice not": {"not": {"not": {"overdue": True}}},
    "not or": {"not": {"or": [{"needsReply": False}, {"closed": True}]}},
    "one or the other": {"or": [{"overdue": True}, {"markedAsSpam": True}, {"channels": ["VRBO"]}]},
    "client or rental": {"or": [CLIENT, RENTAL]},
    "client or overdue": {"or": [CLIENT, {"overdue": True}]},
    "client and or": {"closed": True, "or": [CLIENT, {"hostIds": ids(t.Host, 40), "markedAsSpam": True}]},
    "two rare ones": {"markedAsSpam": True, "channels": ["VRBO"]},
    "rental and status": {"rentalIds": ids(t.Rental, 5), "bookingStatuses": ["LOCKED"]},
}
# Filters that many conversations meet, in any part of an order.
FREQUENT: dict[str, dict[str, Any]] = {
    "everything": {},
    "closed": {"closed": True},
    "no spam": {"markedAsSpam": False},
    "read": {"read": True},
    "unassigned": {"assigned": False},
    "assignee": {"assigneeIds": ids(t.Host, 1)},
    "source": {"sourceIds": ids(t.Source, 1)},
    "channels": {"channels": ["AIRBNB", "EMAIL"]},
    "booking statuses": {"bookingStatuses": ["BOOKED", "CANCELED"]},
    "host": {"hostIds": ids(t.Host, 1)},
    "needs no reply": {"needsReply": False},
    "not overdue": {"overdue": False},
    "nothing failed": {"deliveryFailed": False},
    "not mine": {"mine": False},
    "not that client": {"not": CLIENT},
    "not those": {"not": {"or": [CLIENT, RENTAL]}},
    "client or closed": {"or": [CLIENT, {"closed": True}]},
}


class Large:
    """The large database: a client, and a connection with the settings of those for reading."""

    def __init__(self, client: Client, connection: asyncpg.Connection, ran: Ran, conversations: int) -> None:
        self.client, self.connection, self.ran, self.conversations = client, connection, ran, conversations
        self._cursors: dict[Order, str] = {}

    async def plan(self, document: str, **variables: Any) -> Plan:
        """The executed plan of a document's statement."""
        await self.client.data(document, **variables)
        # The actor is sometimes looked up first.
        *_, (sql, values) = self.ran.take()
        return await explain(self.connection, sql, values, "ANALYZE, FORMAT JSON")

    async def pages(self, filter_: dict[str, Any]) -> AsyncIterator[tuple[str, Plan]]:
        """The plans of the first page, the last page and a deep page of each order."""
        for field in FIELDS:
            for direction in ("ASC", "DESC"):
                order = {"field": field, "direction": direction}
                deep = {"first": 20, "after": await self._cursor(ORDERS[field.lower(), direction == "DESC"])}
                for page in ({"first": 20}, {"last": 20}, deep):
                    yield f"{field} {direction} {page}", await self.plan(PAGE, filter=filter_, order=order, **page)

    async def _cursor(self, order: Order) -> str:
        """A cursor after three quarters of the order."""
        if order not in self._cursors:
            column, way = order.column.key, "DESC" if order.descending else "ASC"
            known = f"FROM conversations WHERE account_id = 1 AND {column} IS NOT NULL"
            row = await self.connection.fetchrow(
                f"SELECT id, {column} {known} ORDER BY {column} {way}, id {way}"
                f" OFFSET (SELECT count(*) * 3 / 4 {known}) LIMIT 1"
            )
            self._cursors[order] = encode_cursor("Query.conversations", order, row)
        return self._cursors[order]


@pytest.fixture(scope="module")
def conversations(request: pytest.FixtureRequest) -> int:
    """The number of conversations in account 1."""
    return int(request.config.getoption("--conversations"))


@pytest.fixture(scope="module")
def large_dsn(template: str, create_database: Callable[[str], str], conversations: int) -> str:
    """The large account."""
    dsn = create_database(template)

    async def make() -> None:
        connection = await asyncpg.connect(dsn)
        await fill(connection, conversations)
        await connection.close()

    asyncio.run(make())
    return dsn


@pytest.fixture(scope="module")
async def large(
    large_dsn: str,
    conversations: int,
    anyio_backend: str,  # noqa: ARG001  # for its scope
) -> AsyncIterator[Large]:
    """The large account, read by account 1."""
    database = Database(large_dsn)
    await database.start()
    with pytest.MonkeyPatch.context() as monkeypatch:
        ran = hear(monkeypatch)
        async with serving(large_dsn, Statements()) as client, database.pool.connection() as connection:
            await client.data("{ __typename }")
            ran.take()
            yield Large(client, connection, ran, conversations)
    await database.stop()


def scanned(plan: Plan) -> set[str]:
    """The tables that are scanned completely."""
    return {step["Relation Name"] for step in steps(plan) if step["Node Type"] == "Seq Scan"}


@pytest.mark.slow
@pytest.mark.parametrize("name", RARE)
async def test_what_few_conversations_meet_is_found_without_going_through_the_account(large: Large, name: str) -> None:
    async for page, plan in large.pages(RARE[name]):
        assert not scanned(plan), page
        for table in TABLES:
            assert rows_read(plan, table) <= max(FEW, PART * large.conversations), (page, table)


@pytest.mark.parametrize("name", FREQUENT)
async def test_what_many_conversations_meet_is_found_on_the_way_through_an_order(large: Large, name: str) -> None:
    async for page, plan in large.pages(FREQUENT[name]):
        assert not scanned(plan), page
        assert not kinds(plan) & {"Sort", "Incremental Sort"}, page
        for table in TABLES:
            assert rows_read(plan, table) <= max(FEW, PART * large.conversations), (page, table)


@pytest.mark.parametrize("name", RARE)
async def test_few_conversations_are_counted_without_going_through_the_account(large: Large, name: str) -> None:
    plan = await large.plan(COUNT, filter=RARE[name])

    assert not scanned(plan)
    for table in TABLES:
        assert rows_read(plan, table) <= max(FEW, PART * large.conversations), table


@pytest.mark.parametrize("name", RARE)
@pytest.mark.parametrize("page", [{"first": 20}, {"last": 20}], ids=str)
async def test_a_page_of_a_filter_is_planned_with_its_values_however_often_it_is_asked_for(
    large: Large, name: str, page: dict[str, int]
) -> None:
    await large.client.data(PAGE, filter=RARE[name], order={"field": "WAITING_SINCE"}, **page)
    *_, (sql, values) = large.ran.take()

    for _ in range(10):
        await large.connection.fetch(sql, *values)

    plans = "SELECT custom_plans >= 10 AND generic_plans = 0 FROM pg_prepared_statements WHERE statement = $1"
    assert await large.connection.fetchval(plans, sql)


async def test_a_user_without_conversations_reads_none(large: Large) -> None:
    await large.connection.execute("UPDATE hosts SET user_id = NULL WHERE user_id = 1")
    await large.connection.execute("UPDATE hosts SET user_id = 1, account_id = 1 WHERE id = 4999")
    try:
        async for page, plan in large.pages({"mine": True}):
            assert rows_read(plan, "conversations") == 0, page
    finally:
        await large.connection.execute("UPDATE hosts SET user_id = NULL WHERE id = 4999")
        await large.connection.execute("UPDATE hosts SET user_id = 1 WHERE id = 40")


@pytest.mark.parametrize("idle", ["closed", "markedAsSpam"])
@pytest.mark.parametrize("waiting", ["needsReply", "overdue"])
async def test_flags_that_exclude_each_other_read_nothing(large: Large, idle: str, waiting: str) -> None:
    async for page, plan in large.pages({idle: True, waiting: True}):
        assert rows_read(plan, "conversations") == 0, page


@pytest.mark.parametrize(
    "filter_",
    [
        {"or": [{"closed": True, "needsReply": True}]},
        {"or": [{"closed": True, "needsReply": True}, {"overdue": True, "or": [{"markedAsSpam": True}]}]},
        {"needsReply": True, "or": [{"closed": True}, {"markedAsSpam": True}]},
        {"not": {"or": [{"closed": False}, {"needsReply": False}]}},
        {"closed": True, "not": {"not": {"needsReply": True}}},
        {"read": True, "or": [{"not": {"read": True}}, {"read": False, "sourceIds": []}]},
        {"stages": ["RESERVED"], "not": {"stages": ["RESERVED"]}},
    ],
    ids=str,
)
async def test_contradictions_are_found_at_every_level(large: Large, filter_: dict[str, Any]) -> None:
    async for page, plan in large.pages(filter_):
        assert rows_read(plan, "conversations") == 0, page
    assert rows_read(await large.plan(COUNT, filter=filter_), "conversations") == 0


async def test_an_alternative_that_is_possible_is_found_beside_one_that_is_not(large: Large) -> None:
    impossible = {"closed": True, "needsReply": True, "clientIds": []}
    both = await large.client.data(COUNT, filter={"or": [impossible, {"needsReply": True}]})
    one = await large.client.data(COUNT, filter={"needsReply": True})

    assert both == one
    assert one["conversations"]["totalCount"] > 0


@pytest.mark.parametrize(
    "filter_",
    [
        {},
        {"closed": True},
        {"closed": False},
        {"closed": False, "markedAsSpam": False, "assigned": False},
        {"closed": True, "read": True},
        {"markedAsSpam": False, "needsReply": False},
        {"overdue": False},
    ],
    ids=str,
)
async def test_counting_by_state_reads_an_index_alone(large: Large, filter_: dict[str, bool]) -> None:
    plan = await large.plan(COUNT, filter=filter_)

    scans = [step["Node Type"] for step in steps(plan) if step.get("Relation Name") == "conversations"]
    assert scans == ["Index Only Scan"]


async def test_alternatives_on_other_tables_are_counted_without_a_join(large: Large) -> None:
    plan = await large.plan(COUNT, filter={"or": [{"hostIds": ids(t.Host, 1)}, CLIENT, {"markedAsSpam": True}]})

    assert not kinds(plan) & {"Hash Join", "Merge Join", "Nested Loop"}


async def test_stays_of_today_are_found_in_indexes_alone(large: Large) -> None:
    plan = await large.plan(COUNT, filter={"stages": ["RESERVED"]})

    scans = {step["Node Type"] for step in steps(plan) if step.get("Relation Name") == "bookings"}
    assert scans == {"Index Only Scan"}


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_what_changed_lately_is_found_at_either_end_of_another_order(large: Large, direction: str) -> None:
    changed, order = {"updatedSince": ago(50)}, {"field": "START_AT", "direction": direction}
    found = await large.client.data(
        "query ($filter: BookingFilter) { bookings(filter: $filter) { totalCount } }", filter=changed
    )

    plan = await large.plan(
        """query ($filter: BookingFilter, $order: BookingOrder) {
        bookings(filter: $filter, orderBy: $order) { nodes { reference } } }""",
        filter=changed,
        order=order,
    )

    # The first rows of the order, those that match twice, enough to know that they are many, and the page.
    most = 500 + 2 * found["bookings"]["totalCount"] + 1_001 + 21
    assert rows_read(plan, "bookings") <= most < 0.1 * large.conversations


async def test_every_field_of_the_filter_is_looked_at(large: Large) -> None:
    data = await large.client.data('{ __type(name: "ConversationFilter") { inputFields { name } } }')

    named = {field["name"] for field in data["__type"]["inputFields"]}
    # Other tests measure these.
    assert {name for filter_ in (*RARE.values(), *FREQUENT.values()) for name in filter_} | {
        "stages",
        "search",
    } == named
