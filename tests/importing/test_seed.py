"""A seed fills an empty database with a plausible inbox, the same each time, or changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import asyncpg
import pytest

from db.seed import SeedError, load, seed
from db.seed.rows import COLUMNS
from db.tables import (
    BookingStatus,
    Channel,
    CreatorType,
    MemberType,
    MessageOrigin,
    MessageVisibility,
    Table,
)

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 29, 0, 59, 59, 123_000, tzinfo=UTC)
ACCOUNTS = 2
CONVERSATIONS = 1_000

ENUMS: list[tuple[str, str, type[StrEnum]]] = [
    ("conversations", "default_channel", Channel),
    ("conversations", "created_by_type", CreatorType),
    ("messages", "channel", Channel),
    ("messages", "origin", MessageOrigin),
    ("messages", "visibility", MessageVisibility),
    ("messages", "created_by_type", CreatorType),
    ("participants", "member_type", MemberType),
    ("bookings", "status", BookingStatus),
]

# Conditions that some rows of every account meet.
STATES = {
    "open": ("conversations", "closed_at IS NULL AND marked_as_spam_at IS NULL"),
    "closed": ("conversations", "closed_at IS NOT NULL"),
    "spam": ("conversations", "marked_as_spam_at IS NOT NULL"),
    "read": ("conversations", "read_at >= last_message_at"),
    "never read": ("conversations", "read_at IS NULL"),
    "read before the last message": ("conversations", "read_at < last_message_at"),
    "assigned": ("conversations", "assignee_id IS NOT NULL"),
    "unassigned": ("conversations", "assignee_id IS NULL"),
    "without a deadline": ("conversations", "deadline_response_at IS NULL"),
    "overdue": ("conversations", "deadline_response_at < moment AND closed_at IS NULL"),
    "due": ("conversations", "deadline_response_at > moment AND closed_at IS NULL"),
    "without messages": ("conversations", "last_message_at IS NULL"),
    "without a source": ("conversations", "source_id IS NULL"),
    "without a channel": ("conversations", "default_channel IS NULL"),
    "without a subject": ("conversations", "subject IS NULL"),
    "with a subject": ("conversations", "subject IS NOT NULL"),
    "of an unknown creator": ("conversations", "created_by_type IS NULL"),
    "active in the last hour": ("conversations", "last_message_at > moment - interval '1 hour'"),
    "internal source": ("sources", "internal"),
    "other source": ("sources", "NOT internal"),
    "host with a user": ("hosts", "user_id IS NOT NULL"),
    "host without a user": ("hosts", "user_id IS NULL"),
    "host from a source": ("hosts", "source_id IS NOT NULL"),
    "stay ahead": ("bookings", "start_at > moment"),
    "stay behind": ("bookings", "end_at < moment"),
    "stay under way": ("bookings", "moment BETWEEN start_at AND end_at"),
    "booking without a price": ("bookings", "final_price IS NULL"),
    "price with cents": ("bookings", "final_price <> trunc(final_price)"),
    "inquiry that became a booking": ("inquiries", "booking_id IS NOT NULL"),
    "inquiry without a conversation": ("inquiries", "conversation_id IS NULL"),
    "name that is not ASCII": ("clients", "fullname ~ '[^[:ascii:]]'"),
    "name in Japanese": ("clients", "fullname ~ '[一-龠]'"),
    "unknown address": ("clients", "email IS NULL"),
}

# Queries for inconsistent rows, which find none.
CONTRADICTIONS = {
    "a sender takes part in another conversation": """
        SELECT FROM messages m JOIN participants p ON p.id = m.sender_id
        WHERE p.conversation_id <> m.conversation_id OR p.account_id <> m.account_id""",
    "the last message is not the newest": """
        SELECT FROM conversations c WHERE last_message_at IS DISTINCT FROM
            (SELECT max(sent_at) FROM messages m WHERE m.conversation_id = c.id)""",
    "a participant's last message is not the newest": """
        SELECT FROM participants p
        LEFT JOIN (SELECT sender_id, max(sent_at) AS newest FROM messages GROUP BY sender_id) m ON m.sender_id = p.id
        WHERE last_message_sent_at IS DISTINCT FROM newest""",
    "messages of one conversation were sent at once": """
        SELECT FROM messages GROUP BY conversation_id, sent_at HAVING count(*) > 1""",
    "message ids are not in the order of time": """
        SELECT FROM messages a JOIN messages b ON a.conversation_id = b.conversation_id
        WHERE a.id < b.id AND a.sent_at > b.sent_at""",
    "a message is older than its conversation": """
        SELECT FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.sent_at < c.created_at""",
    "a conversation changed after its update": """
        SELECT FROM conversations WHERE updated_at
            < greatest(created_at, last_message_at, closed_at, marked_as_spam_at, read_at)""",
    "a booking was connected after the update": """
        SELECT FROM conversations c JOIN conversation_bookings l ON l.conversation_id = c.id
        JOIN bookings b ON b.id = l.booking_id WHERE b.created_at > c.updated_at""",
    "a participant changed after its update": """
        SELECT FROM participants WHERE updated_at < greatest(created_at, last_message_sent_at, read_at)""",
    "a state is older than its conversation": """
        SELECT FROM conversations
        WHERE created_at > least(closed_at, marked_as_spam_at, read_at, deadline_response_at)""",
    "a cancellation is no cancellation": """
        SELECT FROM bookings WHERE (status = 'CANCELED') <> (canceled_at IS NOT NULL)
            OR canceled_at NOT BETWEEN created_at AND updated_at""",
    "a stay ends before it starts, or starts before it is booked": """
        SELECT FROM bookings WHERE end_at <= start_at OR start_at < created_at""",
    "a conversation is about somebody else's booking": """
        SELECT FROM conversation_bookings l JOIN bookings b ON b.id = l.booking_id WHERE NOT EXISTS
            (SELECT FROM participants p WHERE p.conversation_id = l.conversation_id AND p.client_id = b.client_id)""",
    "an inquiry became somebody else's booking": """
        SELECT FROM inquiries i JOIN bookings b ON b.id = i.booking_id WHERE i.rental_id <> b.rental_id
            OR i.start_at <> b.start_at OR NOT EXISTS (SELECT FROM conversation_bookings l
                WHERE l.booking_id = i.booking_id AND l.conversation_id = i.conversation_id)""",
    "an inquiry has no rental": "SELECT FROM inquiries WHERE rental_id IS NULL",
    "a conversation has no guest": """
        SELECT FROM conversations c WHERE NOT EXISTS
            (SELECT FROM participants p WHERE p.conversation_id = c.id AND p.client_id IS NOT NULL)""",
    "a member or creator is not linked": """
        SELECT FROM participants WHERE coalesce(client_id, host_id) IS DISTINCT FROM member_id
        UNION ALL SELECT FROM messages WHERE created_by_id IS NULL
            OR coalesce(created_by_user_id, created_by_application_id) <> created_by_id
        UNION ALL SELECT FROM conversations WHERE
            coalesce(created_by_user_id, created_by_application_id) IS DISTINCT FROM created_by_id""",
    "a guest wrote a note among hosts, or a channel relayed one": """
        SELECT FROM messages m JOIN participants p ON p.id = m.sender_id WHERE m.visibility = 'INTERNAL'
            AND (p.client_id IS NOT NULL OR m.channel IS NOT NULL)""",
    "a host wrote in another's name": """
        SELECT FROM messages m JOIN participants p ON p.id = m.sender_id JOIN hosts h ON h.id = p.host_id
        WHERE h.user_id IS DISTINCT FROM m.created_by_user_id""",
    "two hosts share a user": "SELECT FROM hosts WHERE user_id IS NOT NULL GROUP BY user_id HAVING count(*) > 1",
    "two bookings share a reference": "SELECT FROM bookings GROUP BY reference HAVING count(*) > 1",
    "a reference is not six letters and digits": "SELECT FROM bookings WHERE reference !~ '^[2-9A-HJ-NP-Z]{6}$'",
    "a field of a text was not filled": """
        SELECT FROM messages WHERE content ~ '[{}]' OR content = ''
        UNION ALL SELECT FROM conversations WHERE subject ~ '[{}]' OR subject = ''""",
}


@pytest.fixture(scope="module")
def filled(template: str, create_database: Callable[[str], str]) -> str:
    """A seeded database. Tests read it only, or roll back."""
    dsn = create_database(template)
    asyncio.run(_seed(dsn, accounts=ACCOUNTS, conversations=CONVERSATIONS))
    return dsn


@pytest.fixture
async def inbox(filled: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the seeded database."""
    connection = await asyncpg.connect(filled)
    yield connection
    await connection.close()


@pytest.mark.slow
async def test_a_conversation_is_as_big_as_asked_on_average(inbox: asyncpg.Connection) -> None:
    averages = await inbox.fetch("""
        SELECT c.account_id, count(*) AS conversations,
            avg((SELECT count(*) FROM participants p WHERE p.conversation_id = c.id)) AS participants,
            avg((SELECT count(*) FROM messages m WHERE m.conversation_id = c.id)) AS messages,
            avg((SELECT count(*) FROM conversation_bookings b WHERE b.conversation_id = c.id)) AS bookings,
            avg((SELECT count(*) FROM inquiries i WHERE i.conversation_id = c.id)) AS inquiries
        FROM conversations c GROUP BY c.account_id ORDER BY c.account_id""")
    assert [row["account_id"] for row in averages] == [1, 2]
    for row in averages:
        assert row["conversations"] == CONVERSATIONS
        assert float(row["participants"]) == pytest.approx(2.6, abs=0.1)
        assert float(row["messages"]) == pytest.approx(8.7, abs=0.6)
        assert float(row["bookings"]) == pytest.approx(1, abs=0.2)
        assert float(row["inquiries"]) == pytest.approx(0.15, abs=0.05)


async def test_conversations_have_none_to_three_bookings(inbox: asyncpg.Connection) -> None:
    counts = await inbox.fetch("""
        SELECT DISTINCT (SELECT count(*) FROM conversation_bookings b WHERE b.conversation_id = c.id)
        FROM conversations c ORDER BY 1""")
    shared = await inbox.fetchval("SELECT count(*) - count(DISTINCT booking_id) FROM conversation_bookings")
    assert [count for (count,) in counts] == [0, 1, 2, 3]
    assert shared > 0


async def test_a_member_may_stand_in_a_conversation_twice(inbox: asyncpg.Connection) -> None:
    twice = await inbox.fetch("""
        SELECT DISTINCT member_type FROM participants
        GROUP BY conversation_id, member_type, member_id HAVING count(*) > 1""")
    assert {kind for (kind,) in twice} == {"CLIENT", "HOST"}


@pytest.mark.parametrize(("table", "column", "values"), ENUMS)
async def test_every_value_occurs(inbox: asyncpg.Connection, table: str, column: str, values: type[StrEnum]) -> None:
    for account_id in range(1, ACCOUNTS + 1):
        found = await inbox.fetch(
            f"SELECT DISTINCT {column} FROM {table} WHERE account_id = $1 AND {column} IS NOT NULL",  # noqa: S608
            account_id,
        )
        assert {value for (value,) in found} == {str(value) for value in values}
    await inbox.close()


@pytest.mark.parametrize("state", STATES)
async def test_every_state_occurs(inbox: asyncpg.Connection, state: str) -> None:
    table, condition = STATES[state]
    accounts = await inbox.fetch(
        f"SELECT DISTINCT account_id FROM {table}, (VALUES ($1::timestamptz)) AS at (moment) WHERE {condition}",  # noqa: S608
        NOW,
    )
    assert {account_id for (account_id,) in accounts} == {1, 2}


@pytest.mark.parametrize("contradiction", CONTRADICTIONS)
async def test_rows_agree(inbox: asyncpg.Connection, contradiction: str) -> None:
    found = await inbox.fetchval(f"SELECT count(*) FROM ({CONTRADICTIONS[contradiction]}) AS found")  # noqa: S608
    assert found == 0


async def test_nothing_happened_in_the_future(inbox: asyncpg.Connection) -> None:
    ahead = {"start_at", "end_at", "deadline_response_at"}
    for table, columns in COLUMNS.items():
        for column in (column for column in columns if column.endswith("_at") and column not in ahead):
            latest = await inbox.fetchval(f"SELECT max({column}) FROM {table}")  # noqa: S608
            assert latest is None or latest <= NOW, (table, column)
    await inbox.close()


async def test_accounts_differ(inbox: asyncpg.Connection) -> None:
    first, second = await inbox.fetch("SELECT business_name, time_zone, email FROM accounts ORDER BY id")
    alike = await inbox.fetchval(
        "SELECT count(*) FROM conversations a JOIN conversations b USING (created_at) WHERE b.id = a.id + $1",
        CONVERSATIONS,
    )
    assert all(one != other for one, other in zip(first, second, strict=True))
    assert alike < 0.01 * CONVERSATIONS


async def test_ids_are_dense_and_start_at_1(inbox: asyncpg.Connection) -> None:
    for table, columns in COLUMNS.items():
        if "id" in columns:
            first, last, rows = await inbox.fetchrow(
                f"SELECT min(id), max(id), count(DISTINCT id) FROM {table}"  # noqa: S608
            )
            assert (first, last) == (1, rows), table
    spans = await inbox.fetch("SELECT min(id), max(id) FROM conversations GROUP BY account_id ORDER BY account_id")
    assert [tuple(span) for span in spans] == [(1, 1_000), (1_001, 2_000)]


async def test_the_next_row_gets_an_id_of_its_own(inbox: asyncpg.Connection) -> None:
    largest = max(
        [await inbox.fetchval(f"SELECT max(id) FROM {table}") for table in COLUMNS if "id" in COLUMNS[table]]  # noqa: S608
    )
    transaction = inbox.transaction()
    await transaction.start()
    new = await inbox.fetchval("INSERT INTO users (account_id, name) VALUES (1, 'Ada') RETURNING id")
    await transaction.rollback()
    assert new > largest


async def test_the_planner_knows_all_rows(connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "BATCH", 10)
    counts = await seed(connection, accounts=1, conversations=30)
    estimates = await connection.fetch(
        "SELECT relname, reltuples FROM pg_class WHERE relname = ANY($1) AND relkind = 'r'", list(COLUMNS)
    )
    assert {table: int(rows) for table, rows in estimates} == counts


async def test_foreign_keys_are_looked_up_by_whole_keys(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a check reads an index by the account only, the time of a seed grows with the square of its size."""
    if connection.get_server_version().major < 15:
        pytest.skip("PostgreSQL 14 cannot be asked to publish its statistics now")
    monkeypatch.setattr(load, "BATCH", 100)
    await seed(connection, accounts=1, conversations=500)
    await connection.execute("SELECT pg_stat_force_next_flush()")
    by_key, by_others = await connection.fetchrow("""
        SELECT sum(idx_scan) FILTER (WHERE indisunique), sum(idx_scan) FILTER (WHERE NOT indisunique)
        FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid) WHERE relname = 'conversations'""")
    # The checks of the first batch run before there are statistics.
    assert by_others < by_key / 2


async def test_the_values_of_a_new_account_are_derived_without_reading_the_others_again(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's statistics know only the first account, so it expects one row of the second."""
    monkeypatch.setattr(load, "BATCH", 100)
    async with connection.transaction():
        await seed(connection, accounts=2, conversations=100)
        read = await connection.fetchval("""
            SELECT sum(idx_tup_fetch) FROM pg_stat_xact_user_tables
            WHERE relname IN ('conversations', 'conversation_bookings', 'bookings')""")

    # Each row of a batch may read the batch, but not each pair of its rows.
    assert read < 20 * 100**2


async def test_the_answer_counts_the_rows(connection: asyncpg.Connection) -> None:
    counts = await seed(connection, accounts=3, conversations=20)
    there = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in COLUMNS}  # noqa: S608
    assert counts == there
    not_copied = {"conversation_texts", "idempotency_keys", "changes", "change_counters", "epochs"}
    webhooks = {name for name in Table.metadata.tables if name.startswith("webhook_")}
    assert set(Table.metadata.tables) - set(counts) == not_copied | webhooks
    assert counts["accounts"] == 3
    assert counts["conversations"] == 60


@pytest.mark.slow
async def test_the_same_seed_gives_the_same_rows(template: str, create_database: Callable[[str], str]) -> None:
    async def digest(seed_: int, now: datetime) -> dict[str, str]:
        dsn = await asyncio.to_thread(create_database, template)
        await _seed(dsn, accounts=2, conversations=60, seed_=seed_, now=now)
        return await _digest(dsn)

    first = await digest(1, NOW)
    assert first == await digest(1, NOW.astimezone(timezone(timedelta(hours=9))))
    assert first["messages"] != (await digest(2, NOW))["messages"]
    assert first["messages"] != (await digest(1, NOW + timedelta(days=1)))["messages"]


@pytest.mark.slow
async def test_an_account_does_not_depend_on_those_after_it(dsn: str, filled: str) -> None:
    await _seed(dsn, accounts=1, conversations=CONVERSATIONS)
    assert await _digest(dsn, account_id=1) == await _digest(filled, account_id=1)


@pytest.mark.parametrize(
    "there",
    [
        "INSERT INTO accounts (business_name, time_zone, created_at, updated_at) VALUES ('Ours', 'UTC', now(), now())",
        "INSERT INTO applications (name) VALUES ('Ours')",
    ],
)
async def test_a_database_with_data_is_refused(dsn: str, connection: asyncpg.Connection, there: str) -> None:
    await connection.execute(there)
    before = await _digest(dsn)
    with pytest.raises(SeedError, match="needs an empty one"):
        await seed(connection, conversations=5)
    assert await _digest(dsn) == before


async def test_of_two_seeds_at_once_one_is_refused(dsn: str) -> None:
    outcomes = await asyncio.gather(_seed(dsn), _seed(dsn), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["SeedError", "dict"]


async def test_a_seed_that_fails_leaves_nothing(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "BATCH", 10)

    def stop(done: int, _total: int) -> None:
        if done == 20:
            raise BrokenPipeError

    before = await _digest(dsn)
    with pytest.raises(BrokenPipeError):
        await seed(connection, accounts=1, conversations=30, progress=stop)
    assert await _digest(dsn) == before
    assert (await seed(connection, accounts=1, conversations=5))["accounts"] == 1


async def test_progress_counts_the_conversations_of_all_accounts(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "BATCH", 10)
    reported: list[tuple[int, int]] = []
    await seed(connection, accounts=2, conversations=15, progress=lambda done, total: reported.append((done, total)))
    assert reported == [(10, 30), (15, 30), (25, 30), (30, 30)]


async def test_accounts_can_be_without_conversations(connection: asyncpg.Connection) -> None:
    counts = await seed(connection, accounts=2, conversations=0)
    assert counts["accounts"] == 2
    assert counts["hosts"] > 0
    assert counts["conversations"] == 0


@pytest.mark.parametrize(
    ("accounts", "conversations", "now"),
    [(0, 1, NOW), (-1, 1, NOW), (1, -1, NOW), (1, 1, NOW.replace(tzinfo=None))],
)
async def test_impossible_sizes_are_refused(
    connection: asyncpg.Connection, accounts: int, conversations: int, now: datetime
) -> None:
    with pytest.raises(SeedError):
        await seed(connection, accounts=accounts, conversations=conversations, now=now)


async def _seed(
    dsn: str, *, accounts: int = 1, conversations: int = 5, seed_: int = 1, now: datetime = NOW
) -> dict[str, int]:
    connection = await asyncpg.connect(dsn)
    try:
        return await seed(connection, accounts=accounts, conversations=conversations, seed=seed_, now=now)
    finally:
        await connection.close()


async def _digest(dsn: str, account_id: int | None = None) -> dict[str, str]:
    """A hash of all rows by table; or of the rows of one account, in the tables that have accounts."""
    connection = await asyncpg.connect(dsn)
    where = "" if account_id is None else f"WHERE account_id = {account_id}"
    try:
        return {
            table: await connection.fetchval(
                f"SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {table} r {where}"  # noqa: S608
            )
            for table, columns in COLUMNS.items()
            if account_id is None or "account_id" in columns
        }
    finally:
        await connection.close()
