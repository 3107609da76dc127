"""Idempotency keys: a request that arrives twice is executed once."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from db import tables as t
from db.queries.idempotency import SWEEP_EVERY, SWEPT_AT_ONCE
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.factories import store
from tests.support.replying import HOSTESS, NOW, STEP, THERE, UNKNOWN, changed, error, mark, prepare, shown, write
from tests.support.serving import serving
from tests.support.world import BOOKING, CONVERSATION, OTHER_BOOKING, World

pytestmark = pytest.mark.anyio

WEEK = timedelta(days=7)
WAITING = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, with a stopped clock."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def inbox(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A client of the first account."""
    return shared.client


async def send(client: Client, key: str | None, **input: Any) -> dict[str, Any]:
    """The payload of a message under a key."""
    given = {"conversationId": THERE, "content": "Hello", "idempotencyKey": key}
    return await write(client, "createMessage", "message { databaseId content }", **given | input)


async def start(client: Client, key: str | None, **input: Any) -> dict[str, Any]:
    """The payload of a conversation under a key."""
    return await write(client, "createConversation", "conversation { databaseId closed }", idempotencyKey=key, **input)


async def keys(connection: asyncpg.Connection[Any], account: int = 1) -> list[str]:
    """The stored keys of an account."""
    rows = await connection.fetch("SELECT key FROM idempotency_keys WHERE account_id = $1 ORDER BY key", account)
    return [row["key"] for row in rows]


async def store_keys(connection: asyncpg.Connection[Any], number: int, created_at: datetime, account: int = 1) -> None:
    """Store that many keys of another application, used at that time."""
    await connection.execute(
        "INSERT INTO idempotency_keys SELECT $1, 'APPLICATION', 7, $4 || n, '', n, $2 FROM generate_series(1, $3) n",
        account,
        created_at,
        number,
        created_at.isoformat(),
    )


async def test_a_message_that_arrives_again_is_not_written_again(
    inbox: Client, connection: asyncpg.Connection[Any]
) -> None:
    first = await send(inbox, "k")
    before = await world.dump(connection)

    assert await send(inbox, "k") == first
    assert first["message"]["content"] == "Hello"
    assert await world.dump(connection) == before


async def test_a_conversation_that_is_started_again_is_the_first_one_as_it_is_now(
    inbox: Client, connection: asyncpg.Connection[Any]
) -> None:
    first = await start(inbox, "k", subject="Keys")
    id_ = int(first["conversation"]["databaseId"])
    await write(inbox, "updateConversation", "", conversationId=encode_id(t.Conversation, 1, id_), closed=True)
    before = await world.dump(connection)

    again = await start(inbox, "k", subject="Keys")

    assert again == {"conversation": {"databaseId": str(id_), "closed": True}, "userErrors": []}
    assert await world.dump(connection) == before


async def test_without_a_key_everything_is_written(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    ids = {(await send(inbox, None))["message"]["databaseId"] for _ in range(2)}

    assert (len(ids), await keys(connection)) == (2, [])


async def test_a_key_is_kept_with_what_was_written(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    before = await world.dump(connection)

    payload = await send(inbox, "k")

    (key,) = (await changed(connection, before))["idempotency_keys"]
    assert len(key.pop("digest")) == 32
    assert key == {
        "account_id": 1,
        "actor_type": "USER",
        "actor_id": 1,
        "key": "k",
        "written_id": int(payload["message"]["databaseId"]),
        "created_at": NOW,
    }


async def test_the_same_input_written_otherwise_is_the_same(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    sent = ["2026-06-01T10:00:00.000Z", "2026-06-01T12:00:00+02:00"]
    for literal in (
        f'conversationId: "{THERE}", content: "Hello", sentAt: "{sent[0]}", idempotencyKey: "k"',
        f'idempotencyKey: "k", sentAt: "{sent[1]}", content: """Hello""", conversationId: "{THERE}"',
        f'idempotencyKey: "k", sentAt: "{sent[1]}", content: "Hello", conversationId: "{THERE}", visibility: EXTERNAL',
    ):
        data = await inbox.data(f"mutation {{ createMessage(input: {{{literal}}}) {{ userErrors {{ code }} }} }}")
        assert data == {"createMessage": {"userErrors": []}}

    assert await connection.fetchval("SELECT count(*) FROM messages WHERE id > 10000") == 1


@pytest.mark.parametrize(
    "other",
    [
        {"content": "Hello "},
        {"visibility": "INTERNAL"},
        {"senderId": HOSTESS},
        {"automatic": True},
        {"sentAt": shown(NOW)},
        {"conversationId": encode_id(t.Conversation, 1, UNKNOWN)},
    ],
)
async def test_the_same_key_with_another_input_is_a_conflict(
    inbox: Client, connection: asyncpg.Connection[Any], other: dict[str, Any]
) -> None:
    await send(inbox, "k")
    before = await world.dump(connection)

    payload = await send(inbox, "k", **other)

    assert payload == {"message": None, "userErrors": [error("CONFLICT", "idempotencyKey")]}
    assert await world.dump(connection) == before


@pytest.mark.parametrize(
    "same",
    [
        {"channel": None},
        {"senderId": None, "sentAt": None},
        {"automatic": False, "externalId": None},
        {"visibility": "EXTERNAL", "origin": "BOOKINGSYNC_INBOX"},
    ],
)
async def test_an_input_of_the_same_effect_is_the_same_message(
    inbox: Client, connection: asyncpg.Connection[Any], same: dict[str, Any]
) -> None:
    first = await send(inbox, "k")
    before = await world.dump(connection)

    assert await send(inbox, "k", **same) == first
    assert first["userErrors"] == []
    assert await world.dump(connection) == before


@pytest.mark.parametrize(
    "same",
    [
        {"bookingIds": [], "closed": False},
        {"bookingIds": None, "closed": None, "subject": None, "defaultChannel": None},
        {"assigneeId": None, "sourceId": None, "deadlineResponseAt": None, "externalId": None},
    ],
)
async def test_an_input_of_the_same_effect_is_the_same_conversation(
    inbox: Client, connection: asyncpg.Connection[Any], same: dict[str, Any]
) -> None:
    first = await start(inbox, "k")
    before = await world.dump(connection)

    assert await start(inbox, "k", **same) == first
    assert first["userErrors"] == []
    assert await world.dump(connection) == before


async def test_bookings_in_another_order_or_twice_are_the_same_conversation(inbox: Client) -> None:
    ids = [encode_id(t.Booking, 1, id_) for id_ in (BOOKING, OTHER_BOOKING)]

    first = await start(inbox, "k", bookingIds=ids)

    assert first["userErrors"] == []
    assert await start(inbox, "k", bookingIds=[ids[1], ids[0], ids[1]]) == first


async def test_the_same_key_for_another_mutation_is_a_conflict(
    inbox: Client, connection: asyncpg.Connection[Any]
) -> None:
    await start(inbox, "k")
    before = await world.dump(connection)

    payload = await send(inbox, "k")

    assert payload == {"message": None, "userErrors": [error("CONFLICT", "idempotencyKey")]}
    assert await world.dump(connection) == before


async def test_keys_are_each_actors_own(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    # With the same id as the user.
    await store(connection, "applications", id=1)
    viewers = [inbox.as_(account, subject) for account in (1, 2) for subject in ("user:1", "application:1")]

    first = [await start(viewer, "k") for viewer in viewers]

    assert len({payload["conversation"]["databaseId"] for payload in first}) == 4
    assert [await start(viewer, "k") for viewer in viewers] == first
    assert [await keys(connection, account) for account in (1, 2)] == [["k", "k"]] * 2


async def test_a_write_that_is_rejected_leaves_no_key(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    before = await world.dump(connection)

    rejected = [await send(inbox, "k", content=" "), await start(inbox, "k", subject="x" * 256)]

    assert [payload["userErrors"] for payload in rejected] == [
        [error("BLANK", "content")],
        [error("TOO_LONG", "subject")],
    ]
    assert await world.dump(connection) == before
    assert (await send(inbox, "k"))["userErrors"] == []


@pytest.mark.parametrize("key", ["k", " ", "🗝" * 255, "'; DROP TABLE idempotency_keys; --"])
async def test_a_key_is_any_text(inbox: Client, connection: asyncpg.Connection[Any], key: str) -> None:
    assert await send(inbox, key) == await send(inbox, key)
    assert await keys(connection) == [key]


@pytest.mark.parametrize(("key", "code"), [("", "BLANK"), ("x" * 256, "TOO_LONG"), ("a\0b", "INVALID")])
async def test_what_is_no_key_changes_nothing(
    inbox: Client, connection: asyncpg.Connection[Any], key: str, code: str
) -> None:
    before = await world.dump(connection)

    payloads = [await send(inbox, key), await start(inbox, key)]

    assert [payload["userErrors"] for payload in payloads] == [[error(code, "idempotencyKey")]] * 2
    assert await world.dump(connection) == before


async def test_a_key_is_kept_for_seven_days(
    inbox: Client, connection: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await send(inbox, "k")
    monkeypatch.setattr("db.queries.writing.now", lambda: NOW + WEEK)
    assert await send(inbox, "k") == first
    monkeypatch.setattr("db.queries.writing.now", lambda: NOW + WEEK + STEP)

    second = await send(inbox, "k", content="Another")

    assert (second["message"]["content"], second["userErrors"]) == ("Another", [])
    assert await send(inbox, "k", content="Another") == second
    stored = await connection.fetchrow("SELECT * FROM idempotency_keys")
    assert (stored["written_id"], stored["created_at"]) == (int(second["message"]["databaseId"]), NOW + WEEK + STEP)


async def test_keys_that_are_no_longer_kept_are_removed_some_at_a_time(
    inbox: Client, connection: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.queries.idempotency.SWEEP_EVERY", 1)
    await store_keys(connection, 250, NOW - WEEK - STEP)
    await store_keys(connection, 5, NOW - WEEK)
    await store_keys(connection, 250, NOW - WEEK - STEP, account=2)

    left = []
    for place in range(4):
        await send(inbox, f"k{place}")
        left.append(await connection.fetchval("SELECT count(*) FROM idempotency_keys WHERE account_id = 1"))

    assert SWEPT_AT_ONCE == 100
    assert left == [255 - 100 + 1, 255 - 200 + 2, 5 + 3, 5 + 4]
    assert len(await keys(connection, 2)) == 250


async def test_keys_are_removed_faster_than_they_come(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    await store_keys(connection, 2 * SWEPT_AT_ONCE, NOW - WEEK - STEP)

    for place in range(5 * SWEEP_EVERY):
        await start(inbox, f"{place}")

    assert len(await keys(connection)) == 5 * SWEEP_EVERY


async def test_a_key_that_arrives_20_times_at_once_writes_once(shared: World, inbox: Client, shared_dsn: str) -> None:
    booking = encode_id(t.Booking, 1, BOOKING)
    async with serving(shared_dsn, inbox.statements, pool_size=40) as other:
        await other.data("{ __typename }")
        requests = {
            ("conversations", CONVERSATION): partial(send, other, "m"),
            ("bookings", BOOKING): partial(start, other, "c", bookingIds=[booking]),
        }
        for (table, id_), request in requests.items():
            # A lock holds the first one until all of them wait, for the lock or for the key.
            async with shared.connection.transaction():
                await shared.connection.execute(f"SELECT 1 FROM {table} WHERE id = $1 FOR UPDATE", id_)  # noqa: S608
                tasks = [asyncio.ensure_future(request()) for _ in range(20)]
                async with asyncio.timeout(8):
                    while await shared.connection.fetchval(WAITING) < 20:
                        pass
            payloads = await asyncio.gather(*tasks)

            assert payloads[0]["userErrors"] == []
            assert payloads == [payloads[0]] * 20
    for table in ("messages", "conversations"):
        assert await shared.connection.fetchval(f"SELECT count(*) FROM {table} WHERE id > 10000") == 1  # noqa: S608


async def test_a_client_that_goes_away_while_waiting_leaves_no_key(shared: World, inbox: Client) -> None:
    before = await world.dump(shared.connection)
    async with shared.connection.transaction():
        await shared.connection.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", CONVERSATION)
        request = asyncio.ensure_future(send(inbox, "k"))
        async with asyncio.timeout(8):
            while not await shared.connection.fetchval(WAITING):
                pass
        request.cancel()
        await asyncio.wait([request])

    assert request.cancelled()
    # It waits for the end of the cancelled one.
    assert (await mark(inbox, read=False))["userErrors"] == []
    assert await world.dump(shared.connection) == before


async def test_a_repetition_shows_the_bookings_that_are_still_there(
    inbox: Client, connection: asyncpg.Connection[Any]
) -> None:
    given = {"bookingIds": [encode_id(t.Booking, 1, id_) for id_ in (OTHER_BOOKING, BOOKING, OTHER_BOOKING)]}
    shown_ = "bookings { databaseId }"
    first = await write(inbox, "createConversation", shown_, idempotencyKey="k", **given)
    for table, column in (("conversation_bookings", "booking_id"), ("bookings", "id")):
        await connection.execute(f"DELETE FROM {table} WHERE account_id = 1 AND {column} = $1", OTHER_BOOKING)  # noqa: S608

    again = await write(inbox, "createConversation", shown_, idempotencyKey="k", **given)

    assert [booking["databaseId"] for booking in first["bookings"]] == [str(OTHER_BOOKING), str(BOOKING)]
    assert [booking["databaseId"] for booking in again["bookings"]] == [str(BOOKING)]
