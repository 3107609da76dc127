"""How a process learns of changes: its own at once, others' by notification, and all of them within a second."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from db import changes
from gql.live import hub
from gql.log import LIVE_STEPS, TASK_FAILURES
from tests.support.factories import log_changes, store_account
from tests.support.following import create, end_listening, eventually, following, listening, reply

pytestmark = pytest.mark.anyio

# A look at the counters does not come in time.
NEVER = 3_600.0


async def listeners(connection: asyncpg.Connection) -> int:
    """How many connections listen."""
    number: int = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'inbox listening' AND query <> ''"
    )
    return number


async def test_another_process_is_heard_without_a_look(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_INTERVAL", NEVER)
    await store_account(connection)
    async with listening(dsn) as writer, listening(dsn) as reader, following(reader) as follower:
        await eventually(lambda: listeners(connection))
        reads = LIVE_STEPS["read"]
        conversation = await create(writer)
        event = await follower.next()

    assert event.changes == [("CONVERSATION", conversation)]
    assert LIVE_STEPS["read"] - reads == 1


async def test_a_process_hears_itself_once_and_without_a_connection_that_listens(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_INTERVAL", NEVER)
    await store_account(connection)
    async with listening(dsn, pooler="transaction") as client, following(client) as follower:
        reads = LIVE_STEPS["read"]
        await create(client)
        await follower.next()
        assert await listeners(connection) == 0

    assert LIVE_STEPS["read"] - reads == 1


async def test_what_nobody_announces_arrives_within_a_second_or_so(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn, pooler="transaction") as client, following(client) as follower:
        await create(client)
        await follower.next()
        began = time.monotonic()
        await log_changes(connection, 1, ("BOOKING", 5, None))
        event = await follower.next()
        took = time.monotonic() - began

    assert [type_ for type_, _ in event.changes] == ["BOOKING"]
    assert took < 5


async def test_a_connection_that_is_terminated_is_replaced_and_nothing_is_lost(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    async with listening(dsn) as writer, listening(dsn) as reader, following(reader, types=["MESSAGE"]) as follower:
        conversation = await create(writer)
        failures = TASK_FAILURES["listening"]
        sent: list[str] = []
        seen: list[str] = []
        for _ in range(3):
            await eventually(lambda: listeners(connection), 2)
            assert await end_listening(connection) == 2
            sent.append(await reply(writer, conversation))
            while len(seen) < len(sent):
                seen += [id_ for _, id_ in (await follower.next()).changes]
        await eventually(lambda: TASK_FAILURES["listening"], failures + 6)

    assert seen == sent


async def test_who_follows_nothing_does_not_look(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    heads = changes.heads

    async def counted(*arguments: Any) -> object:
        nonlocal looks
        looks += 1
        return await heads(*arguments)

    monkeypatch.setattr(hub, "_INTERVAL", 0.01)
    monkeypatch.setattr(changes, "heads", counted)
    await store_account(connection)
    async with listening(dsn) as client:
        await create(client)
        assert looks == 0
        async with following(client):
            await eventually(lambda: looks, 3)
        async with asyncio.timeout(20):
            stopped = -1
            while stopped != looks:
                stopped = looks
                await asyncio.sleep(0.3)


async def test_the_database_may_be_away_for_a_while(dsn: str, connection: asyncpg.Connection, server_dsn: str) -> None:
    """Connections are terminated and new ones refused, as when PostgreSQL restarts."""
    await store_account(connection)
    name = await connection.fetchval("SELECT current_database()")
    outside = await asyncpg.connect(server_dsn)
    try:
        async with listening(dsn) as client, following(client) as follower:
            first = await create(client)
            await follower.next()
            await outside.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await outside.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2",
                name,
                connection.get_server_pid(),
            )
            failures = TASK_FAILURES["change counters"]
            await log_changes(connection, 1, ("BOOKING", 5, None))
            await eventually(lambda: TASK_FAILURES["change counters"], failures + 1)
            await outside.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            event = await follower.next()
            second = await reply(client, first)
            after = await follower.next()
    finally:
        await outside.close()

    assert [type_ for type_, _ in event.changes] == ["BOOKING"]
    assert second in {id_ for _, id_ in after.changes}
