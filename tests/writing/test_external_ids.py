"""External ids: a channel delivers at least once, and a record is stored once, without a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.support import world
from tests.support.client import Client
from tests.support.factories import store
from tests.support.replying import BY_APPLICATION, GUEST, NOW, THERE, error, prepare, write
from tests.support.serving import serving
from tests.support.world import CONVERSATION, World

pytestmark = pytest.mark.anyio

WAITING = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, with a stopped clock."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def channel(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A channel's application."""
    return shared.client.as_(1, BY_APPLICATION)


@pytest.fixture
async def other(channel: Client, shared_dsn: str) -> AsyncIterator[Client]:
    """The same application on the same database, with room for 20 simultaneous writes."""
    async with serving(shared_dsn, channel.statements, pool_size=40) as client:
        other = client.as_(1, BY_APPLICATION)
        await other.data("{ __typename }")
        yield other


async def deliver(client: Client, external_id: str | None = "m", **input: Any) -> dict[str, Any]:
    """The payload of a guest's message."""
    given = {"conversationId": THERE, "senderId": GUEST, "content": "Hello", "externalId": external_id}
    return await write(client, "createMessage", "message { databaseId externalId }", **given | input)


async def start(client: Client, external_id: str | None = "c", **input: Any) -> dict[str, Any]:
    """The payload of a conversation."""
    shown = "conversation { databaseId externalId }"
    return await write(client, "createConversation", shown, externalId=external_id, **input)


@pytest.mark.parametrize("request_", [deliver, start])
async def test_the_same_id_again_gives_the_first_record(
    channel: Client, connection: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch, request_: Any
) -> None:
    first = await request_(channel)
    before = await world.dump(connection)
    monkeypatch.setattr("db.queries.writing.now", lambda: NOW + timedelta(days=4_000))

    assert await request_(channel) == first
    assert first["userErrors"] == []
    assert await world.dump(connection) == before


async def test_the_same_id_with_another_content_is_a_conflict(
    channel: Client, connection: asyncpg.Connection[Any]
) -> None:
    await deliver(channel)
    await start(channel)
    before = await world.dump(connection)

    payloads = [await deliver(channel, content="Hello!"), await start(channel, subject="Keys")]

    assert payloads == [
        {"message": None, "userErrors": [error("CONFLICT", "externalId")]},
        {"conversation": None, "userErrors": [error("CONFLICT", "externalId")]},
    ]
    assert await world.dump(connection) == before


async def test_ids_are_each_applications_own_and_of_one_kind(
    channel: Client, connection: asyncpg.Connection[Any]
) -> None:
    await store(connection, "applications", id=66)
    other = channel.as_(1, "application:66")

    payloads = [await deliver(client, "x") for client in (channel, other)]
    started = [await start(client, "x") for client in (channel, other, channel.as_(2, BY_APPLICATION))]

    assert len({payload["message"]["databaseId"] for payload in payloads}) == 2
    assert len({payload["conversation"]["databaseId"] for payload in started}) == 3


async def test_ids_are_each_users_own(channel: Client, connection: asyncpg.Connection[Any]) -> None:
    await store(connection, "users", account_id=1, id=2)
    users = [channel.as_(1, "user:1"), channel.as_(1, "user:2")]

    payloads = [await start(client, "x") for client in (channel, *users)]
    again = [await start(client, "x") for client in users]
    differing = await start(users[0], "x", subject="Keys")

    assert len({payload["conversation"]["databaseId"] for payload in payloads}) == 3
    assert again == payloads[1:]
    assert differing == {"conversation": None, "userErrors": [error("CONFLICT", "externalId")]}


@pytest.mark.parametrize(
    ("external_id", "code"), [("", "BLANK"), ("\u200b", "BLANK"), ("x" * 256, "TOO_LONG"), ("a\0b", "INVALID")]
)
async def test_what_is_no_id_changes_nothing(
    channel: Client, connection: asyncpg.Connection[Any], external_id: str, code: str
) -> None:
    before = await world.dump(connection)

    payloads = [await deliver(channel, external_id), await start(channel, external_id)]

    assert [payload["userErrors"] for payload in payloads] == [[error(code, "externalId")]] * 2
    assert await world.dump(connection) == before


async def deliver_at_once(shared: World, other: Client, contents: list[str]) -> list[dict[str, Any]]:
    """The payloads of messages with one id, all of which waited for the conversation before the first was stored."""
    async with shared.connection.transaction():
        await shared.connection.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", CONVERSATION)
        tasks = [asyncio.ensure_future(deliver(other, content=content)) for content in contents]
        async with asyncio.timeout(8):
            while await shared.connection.fetchval(WAITING) < len(contents):
                pass
    return await asyncio.gather(*tasks)


async def test_a_message_that_arrives_20_times_at_once_is_stored_once(
    shared: World, channel: Client, other: Client
) -> None:
    assert channel.account == 1
    payloads = await deliver_at_once(shared, other, ["Hello"] * 20)

    assert payloads[0]["userErrors"] == []
    assert payloads == [payloads[0]] * 20
    assert await shared.connection.fetchval("SELECT count(*) FROM messages WHERE external_id = 'm'") == 1


async def test_of_two_contents_with_one_id_at_once_one_is_stored_and_the_other_is_a_conflict(
    shared: World, channel: Client, other: Client
) -> None:
    assert channel.account == 1
    contents = ["Hello", "Bye"] * 5
    payloads = await deliver_at_once(shared, other, contents)

    stored = await shared.connection.fetch("SELECT id, content FROM messages WHERE external_id = 'm'")
    [(id_, first)] = stored
    done = {"message": {"databaseId": str(id_), "externalId": "m"}, "userErrors": []}
    refused = {"message": None, "userErrors": [error("CONFLICT", "externalId")]}
    assert payloads == [done if content == first else refused for content in contents]


async def test_the_same_moment_in_another_time_zone_is_the_same_content(channel: Client) -> None:
    moments = ["2026-06-01T11:00:00Z", "2026-06-01T13:00:00.000+02:00"]

    payloads = [await deliver(channel, sentAt=moment) for moment in moments]

    assert payloads[0]["userErrors"] == []
    assert payloads[1] == payloads[0]


async def test_records_are_found_by_their_external_ids(channel: Client) -> None:
    await deliver(channel, "m1")
    await deliver(channel, "m2")
    await start(channel, "c1")

    data = await channel.data("""{
      conversations(filter: {externalIds: ["c1", "m1"]}) { nodes { externalId } }
      conversation(databaseId: 10) { messages(externalIds: ["m2", "c1"]) { nodes { externalId } } }
    }""")

    assert data == {
        "conversations": {"nodes": [{"externalId": "c1"}]},
        "conversation": {"messages": {"nodes": [{"externalId": "m2"}]}},
    }
