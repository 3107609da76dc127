"""PostgreSQL's plans of the statements: each uses an index, and a page of any depth reads one range of one index.

Plans are of statements that ran, with their values. For tables that are too small for an index, sequential scans are
made expensive, so that the test shows whether an index can be used.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.operations.documents import DOCUMENTS, as_written, writes
from tests.oracles.filtering import CONDITIONS, ROOTS
from tests.oracles.relations import MANY
from tests.support.client import Client, Statements
from tests.support.plans import Ran, explain, hear, index_conditions, kinds, rows_read, steps
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

# Scanning such a small table is the fastest way, and its key is only the id.
SHARED = {"applications"}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """All statements of snapshots during the test."""
    return hear(monkeypatch)


@pytest.fixture(scope="module")
def large_dsn(template: str, create_database: Callable[[str], str]) -> str:
    """Two accounts of 20,000 conversations, every third of which has no message and no deadline."""
    dsn = create_database(template)

    async def fill() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute(
            """
            INSERT INTO accounts (id, business_name, time_zone, created_at, updated_at)
            SELECT a, 'Villas', 'UTC', now(), now() FROM generate_series(1, 2) a;
            INSERT INTO users (account_id, id, name) SELECT a, 1, 'Uma' FROM generate_series(1, 2) a;
            INSERT INTO hosts (account_id, id, firstname, lastname, created_at, updated_at)
            SELECT a, 1, 'Hana', 'Host', now(), now() FROM generate_series(1, 2) a;
            INSERT INTO conversations (
                account_id, id, subject, assignee_id, closed_at, marked_as_spam_at, read_at,
                created_at, updated_at, last_message_at, deadline_response_at, unanswered_since
            )
            SELECT a, c, repeat('Hello ', 10), CASE WHEN c % 4 > 0 THEN 1 END, CASE WHEN c % 5 > 1 THEN at END,
                CASE WHEN c % 50 = 0 THEN at END, CASE WHEN c % 7 > 0 THEN at END,
                at, at, CASE WHEN c % 3 > 0 THEN at END, CASE WHEN c % 3 > 0 THEN at END,
                CASE WHEN c % 3 > 0 THEN at END
            FROM generate_series(1, 2) a, generate_series(1, 20000) c,
                LATERAL (SELECT timestamptz '2026-01-01Z' + (c * 7919 % 20000) * interval '1 minute' AS at) m
            ORDER BY c, a;
            """
        )
        # Updates the visibility map, for index-only scans.
        await connection.execute("VACUUM (ANALYZE)")
        await connection.close()

    asyncio.run(fill())
    return dsn


@pytest.fixture
async def large(large_dsn: str, ran: Ran) -> AsyncIterator[tuple[Client, asyncpg.Connection]]:
    """A client of the large database, and a connection to explain with."""
    connection = await asyncpg.connect(large_dsn)
    async with serving(large_dsn, Statements()) as client:
        await client.data("{ __typename }")
        ran.take()
        yield client, connection
    await connection.close()


@pytest.fixture
async def seeded(seeded_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the seeded database on which a sequential scan costs more than any index."""
    connection = await asyncpg.connect(seeded_dsn)
    await connection.execute("SET enable_seqscan = off")
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    "document",
    [text for path in DOCUMENTS if not writes(text := path.read_text())],
    ids=[f"{path.parent.name}/{path.stem}" for path in DOCUMENTS if not writes(path.read_text())],
)
async def test_no_document_reads_a_whole_table(
    document: str, reader: Client, ran: Ran, seeded: asyncpg.Connection
) -> None:
    await as_written(reader, document).answer(document)

    for sql, values in ran.take():
        plan = await explain(seeded, sql, values)
        scanned = {step["Relation Name"] for step in steps(plan) if step["Node Type"] == "Seq Scan"}
        assert scanned <= SHARED, sql


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("selection", ["nodes { id }", "totalCount"])
async def test_the_key_of_every_relation_to_many_is_served_by_an_index(
    reader: Client, ran: Ran, seeded: asyncpg.Connection, name: str, selection: str
) -> None:
    if selection == "totalCount" and seeded.get_server_version().major < 15:
        pytest.skip("PostgreSQL 14 counts so few rows by reading all of an account")
    type_, field = name.split(".")
    _, table, parent, *_ = MANY[name]
    # Without rows, PostgreSQL could use any index.
    assert await seeded.fetchval(f"SELECT count(*) FROM {table}") > 0  # noqa: S608  # a table of this list
    ids = [encode_id(getattr(t, type_), 1, id_) for id_ in range(1, 101)]
    await reader.data(
        f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {type_} {{ {field} {{ {selection} }} }} }} }}", ids=ids
    )

    sql, values = ran.take()[-1]
    conditions = index_conditions(await explain(seeded, sql, values), table)

    assert conditions
    for condition in conditions:
        assert "account_id = " in condition
        assert f"{parent} = " in condition


@pytest.mark.parametrize(
    "table",
    [t.Conversation, t.Message, t.Participant, t.Booking, t.Inquiry, t.Host, t.Client, t.Source, t.Rental, t.User],
)
async def test_rows_are_found_by_their_ids_in_the_primary_key(
    reader: Client, ran: Ran, seeded: asyncpg.Connection, table: Any
) -> None:
    await reader.data("query ($id: ID!) { node(id: $id) { id } }", id=encode_id(table, 1, 1))

    sql, values = ran.take()[-1]
    (condition,) = index_conditions(await explain(seeded, sql, values), table.__tablename__)

    assert "account_id = " in condition
    assert "id = ANY" in condition


ORDERS = [
    ("CREATED_AT", "ASC", "ix_conversations_account_id_created_at_id"),
    ("CREATED_AT", "DESC", "ix_conversations_account_id_created_at_id"),
    ("UPDATED_AT", "ASC", "ix_conversations_account_id_updated_at_id"),
    ("UPDATED_AT", "DESC", "ix_conversations_account_id_updated_at_id"),
    ("LAST_MESSAGE_AT", "ASC", "ix_conversations_last_message_at_asc"),
    ("LAST_MESSAGE_AT", "DESC", "ix_conversations_last_message_at_desc"),
    ("DEADLINE_RESPONSE_AT", "ASC", "ix_conversations_deadline_response_at_asc"),
    ("DEADLINE_RESPONSE_AT", "DESC", "ix_conversations_deadline_response_at_desc"),
    ("WAITING_SINCE", "ASC", "ix_conversations_waiting_since_asc"),
    ("WAITING_SINCE", "DESC", "ix_conversations_waiting_since_desc"),
]
PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $order: ConversationOrder) {
  conversations(first: $first, after: $after, last: $last, before: $before, orderBy: $order) {
    nodes { id } pageInfo { startCursor endCursor }
  }
}
"""


@pytest.mark.parametrize(("field", "direction", "index"), ORDERS)
@pytest.mark.parametrize("backward", [False, True])
async def test_a_page_is_a_range_of_the_orders_index(  # noqa: PLR0913, PLR0917  # all of an order
    large: tuple[Client, asyncpg.Connection], ran: Ran, field: str, direction: str, index: str, backward: bool
) -> None:
    client, connection = large
    order = {"field": field, "direction": direction}
    size, bound, end = ("last", "before", "startCursor") if backward else ("first", "after", "endCursor")
    opening = await client.data(PAGE, order=order, **{size: 20})
    await client.data(PAGE, order=order, **{size: 100, bound: opening["conversations"]["pageInfo"][end]})

    for sql, values in ran.take():
        plan = await explain(connection, sql, values)

        scans = [step for step in steps(plan) if step.get("Relation Name") == "conversations"]
        assert {step.get("Index Name") for step in scans} == {index}
        assert not kinds(plan) & {"Sort", "Incremental Sort", "Seq Scan", "Bitmap Heap Scan"}
        if len(values) > 3:
            # The row comparison is an index condition, on both sides of the cursor.
            assert all("ROW(" in step["Index Cond"] for step in scans)


LISTED = [
    (root, field)
    for root, fields in {
        "bookings": ("CREATED_AT", "UPDATED_AT", "START_AT"),
        "clients": ("CREATED_AT", "UPDATED_AT"),
        "inquiries": ("CREATED_AT", "UPDATED_AT"),
        "messages": ("SENT_AT", "UPDATED_AT"),
        "rentals": ("CREATED_AT", "UPDATED_AT"),
    }.items()
    for field in fields
]


@pytest.mark.parametrize(("root", "field"), LISTED)
@pytest.mark.parametrize("backward", [False, True])
async def test_a_page_of_another_root_is_a_range_of_the_orders_index(  # noqa: PLR0913, PLR0917  # all of an order
    reader: Client, ran: Ran, seeded: asyncpg.Connection, root: str, field: str, backward: bool
) -> None:
    await seeded.execute("SET enable_bitmapscan = off; SET enable_sort = off")
    size, bound, end = ("last", "before", "startCursor") if backward else ("first", "after", "endCursor")
    document = f"""query ($bound: String) {{ {root}({size}: 10, {bound}: $bound, orderBy: {{field: {field}}}) {{
        nodes {{ id }} pageInfo {{ {end} }} }} }}"""
    opening = await reader.data(document)
    ran.take()
    await reader.data(document, bound=opening[root]["pageInfo"][end])

    ((sql, values),) = ran.take()
    plan = await explain(seeded, sql, values)

    scans = [step for step in steps(plan) if step.get("Relation Name") == root]
    assert {step.get("Index Name") for step in scans} == {f"ix_{root}_account_id_{field.lower()}_id"}
    assert "Sort" not in kinds(plan)
    assert all("ROW(" in step["Index Cond"] for step in scans)


@pytest.fixture(scope="module")
def listed_dsn(template: str, create_database: Callable[[str], str]) -> str:
    """An account with 50,000 rows of each root, and another one with a tenth of them."""
    dsn = create_database(template)

    async def fill() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute(
            """
            SET session_replication_role = replica;
            INSERT INTO accounts (id, business_name, time_zone, created_at, updated_at)
            SELECT a, 'Villas', 'UTC', now(), now() FROM generate_series(1, 2) a;
            INSERT INTO users (account_id, id, name) VALUES (1, 1, 'Uma');
            CREATE TEMPORARY TABLE given AS
            SELECT 1 + (n > 50000)::integer AS a, n,
                timestamptz '2026-01-01Z' + (n * 7919 % 55000) * interval '1 min' AS at,
                'word' || n % 5000 || ' common' AS said FROM generate_series(1, 55000) n;
            INSERT INTO rentals (account_id, id, name, created_at, updated_at) SELECT a, n, said, at, at FROM given;
            INSERT INTO clients (account_id, id, fullname, created_at, updated_at) SELECT a, n, said, at, at FROM given;
            INSERT INTO bookings (
                account_id, id, reference, status, start_at, end_at, client_id, rental_id, created_at, updated_at
            )
            SELECT a, n, said, 'BOOKED', at, at, n, n, at, at FROM given;
            INSERT INTO inquiries (account_id, id, firstname, lastname, email, created_at, updated_at)
            SELECT a, n, said, 'Guest', 'guest@example.com', at, at FROM given;
            INSERT INTO messages (
                account_id, id, conversation_id, sender_id, content, origin, visibility, sent_at, created_at, updated_at
            )
            SELECT a, n, n / 9, n / 9, said, 'EMAIL', 'EXTERNAL', at, at, at FROM given;
            """
        )
        await connection.execute("VACUUM (ANALYZE)")
        await connection.close()

    asyncio.run(fill())
    return dsn


RARE_FILTERS: dict[str, Any] = {
    "search": "word77",
    "updatedSince": "2026-02-08T03:00:00Z",
    "ids": 3,
    "rentalIds": 9,
    "conversationIds": 9,
}


@pytest.mark.slow
@pytest.mark.parametrize("root", ROOTS)
async def test_each_filter_and_order_of_a_large_root_reads_no_whole_table(listed_dsn: str, ran: Ran, root: str) -> None:
    connection = await asyncpg.connect(listed_dsn)
    type_ = ROOTS[root]
    tables = {"ids": type_, "rentalIds": "Rental", "conversationIds": "Conversation"}
    filters: list[dict[str, Any]] = [{}]
    for name, value in RARE_FILTERS.items():
        if name in CONDITIONS[root] or name == "search":
            rare = [encode_id(getattr(t, tables[name]), 1, value)] if name in tables else value
            filters.append({name: rare})
    orders = [
        None,
        *({"field": field, "direction": way} for name, field in LISTED if name == root for way in ("ASC", "DESC")),
    ]
    document = f"""query ($filter: {type_}Filter, $order: {type_}Order, $first: Int!) {{
        {root}(first: $first, filter: $filter, orderBy: $order) {{ nodes {{ id }} }} }}"""
    async with serving(listed_dsn, Statements(), rate_limit=0) as client:
        for filter_ in filters:
            for order in orders:
                ran.take()
                nodes = (await client.data(document, filter=filter_, order=order, first=20))[root]["nodes"]
                assert nodes, filter_
                plan = await explain(connection, *ran.take()[-1], "ANALYZE, FORMAT JSON")
                # The other account has a tenth of the rows, so that a scan of the whole account is noticed.
                assert "Seq Scan" not in kinds(plan), (filter_, order)
                assert rows_read(plan, root) < 2_500, (filter_, order)
                if "search" in filter_:
                    assert f"ix_{root}_words" in {step.get("Index Name") for step in steps(plan)}
            await client.data(
                f"query ($filter: {type_}Filter) {{ {root}(filter: $filter) {{ totalCount }} }}", filter=filter_
            )
            assert "Seq Scan" not in kinds(await explain(connection, *ran.take()[-1])) or not filter_, filter_
        common = (await client.data(document, filter={"search": "common"}, order=None, first=100))[root]["nodes"]
        assert len(common) == 100
        assert "Seq Scan" not in kinds(await explain(connection, *ran.take()[-1]))
    await connection.close()


async def test_a_page_deep_down_reads_no_more_rows_than_the_first(
    large: tuple[Client, asyncpg.Connection], ran: Ran
) -> None:
    client, connection = large
    middle = await connection.fetchrow(
        "SELECT id, created_at FROM conversations WHERE account_id = 1 ORDER BY created_at, id OFFSET 10000 LIMIT 1"
    )
    order = {"field": "CREATED_AT", "direction": "ASC"}
    data = await client.data(
        "query ($ids: [ID!], $order: ConversationOrder) {"
        " conversations(filter: { ids: $ids }, orderBy: $order) { pageInfo { endCursor } } }",
        ids=[encode_id(t.Conversation, 1, middle["id"])],
        order=order,
    )
    ran.take()
    await client.data(PAGE, order=order, first=20, after=data["conversations"]["pageInfo"]["endCursor"])

    ((sql, values),) = ran.take()
    plan = await explain(connection, sql, values, "ANALYZE, FORMAT JSON")

    # The page, and one more row on each side.
    assert rows_read(plan, "conversations") == 22


@pytest.mark.parametrize("filter_", [{}, {"closed": False}, {"or": [{"closed": False}, {"markedAsSpam": True}]}])
@pytest.mark.parametrize("size", ["first", "last"])
async def test_the_rows_that_a_page_refers_to_are_joined_in_its_order(
    large: tuple[Client, asyncpg.Connection], ran: Ran, filter_: dict[str, Any], size: str
) -> None:
    """By nested loops, which keep the order. The page is not sorted again, and no more of it is read."""
    client, connection = large
    selection = "nodes { subject assignee { firstname } source { name } createdBy { ... on User { name } } }"
    await client.data(
        f"query ($filter: ConversationFilter) {{ conversations({size}: 50, filter: $filter) {{ {selection} }} }}",
        filter=filter_,
    )

    ((sql, values),) = ran.take()
    plan = await explain(connection, sql, values, "ANALYZE, FORMAT JSON")

    joins = [step for step in steps(plan) if step.get("Join Type") == "Left"]
    assert {step["Node Type"] for step in joins} == {"Nested Loop"}
    assert len(joins) == 4
    # The outermost steps are the joins.
    assert plan in joins
    assert plan["Actual Rows"] == 51
    assert rows_read(plan, "hosts") <= 2 * 51
    assert rows_read(plan, "conversations") < 500
