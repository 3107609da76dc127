"""Writers and followers while a server is killed and PostgreSQL restarts: each change is seen, in order, and once.

Writers meet transactions that are late, that are rolled back, and that deadlock with theirs. Followers also disconnect
by themselves. `--messages 625` has the 16 writers send 10,000.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import httpx
import pytest
from websockets.exceptions import WebSocketException

from db.embedded import embedded
from db.migrations.apply import migrate
from tests.support.command import stops
from tests.support.process import CONVERSATIONS, Served, Writers, prepare, restart_postgresql, serving_processes
from tests.support.websocket import connected

pytestmark = [pytest.mark.anyio, pytest.mark.slow, stops]

WRITERS = 16
# How many of a follower's events or pages are followed by a disconnection.
DISCONNECTED = 0.02
LAST = "last"
PAGE = """query ($after: String!) {
  changes(after: $after, types: [MESSAGE]) { changes { node { ... on Message { content } } } endCursor }
}"""
FOLLOW = """subscription ($after: String) {
  changes(after: $after, types: [MESSAGE]) { changes { node { ... on Message { content } } } endCursor }
}"""
# What a follower meets while servers and databases come and go. It then connects again.
INTERRUPTED = (OSError, httpx.TransportError, WebSocketException, TimeoutError)


class Follower:
    """Follows one server until it has seen the last message, and connects again whenever it is interrupted."""

    def __init__(self, served: Served, cursor: str, dice: Random) -> None:
        self.served = served
        self.cursor = cursor
        self._dice = dice
        self.seen: list[str] = []
        self.interruptions = 0

    @property
    def is_done(self) -> bool:
        """Whether it has seen the last message."""
        return LAST in self.seen

    async def run(self, follow: Callable[[Follower], Awaitable[None]]) -> None:
        """Follow in one way."""
        while not self.is_done:
            try:
                await follow(self)
            except INTERRUPTED:
                self.interruptions += 1
                await asyncio.sleep(0.05)

    def take(self, payload: Any) -> bool:
        """Take the changes of an event or page, if it has any; whether to follow on this connection."""
        data = payload.get("data")
        if data is None:
            return False
        found = data["changes"]
        self.seen += [change["node"]["content"] for change in found["changes"]]
        self.cursor = found["endCursor"]
        return not self.is_done and self._dice.random() >= DISCONNECTED


async def by_page(follower: Follower) -> None:
    """Ask again and again."""
    async with follower.served.client() as client:
        going_on = True
        while going_on:
            response = await client.post(PAGE, after=follower.cursor)
            going_on = follower.take(response.json())
            await asyncio.sleep(0.02)


async def by_websocket(follower: Follower) -> None:
    """Subscribe over a WebSocket."""
    async with connected(follower.served.url) as socket:
        await socket.send({"type": "connection_init", "payload": {"token": follower.served.token}})
        assert await socket.receive() == {"type": "connection_ack"}
        await socket.subscribe(FOLLOW, after=follower.cursor)
        while (message := await socket.receive())["type"] == "next" and follower.take(message["payload"]):
            pass


async def by_event_stream(follower: Follower) -> None:
    """Subscribe by server-sent events."""
    headers = {"Authorization": f"Bearer {follower.served.token}", "Accept": "text/event-stream"}
    body = {"query": FOLLOW, "variables": {"after": follower.cursor}}
    async with (
        httpx.AsyncClient(timeout=20, headers=headers) as client,
        client.stream("POST", f"{follower.served.url}/graphql", json=body) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: {") and not follower.take(json.loads(line.removeprefix("data: "))):
                return


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A migrated database on a PostgreSQL of the test's own, which does not forget on a crash."""
    with embedded(tmp_path) as dsn:
        migrate(dsn)
        yield dsn


async def deadlocks(dsn: str) -> int:
    """The number of deadlocks since PostgreSQL started."""
    connection = await asyncpg.connect(dsn)
    number: int = await connection.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    await connection.close()
    return number


async def logged(dsn: str) -> list[str]:
    """The messages in the order of the change log."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "SELECT m.content FROM changes c JOIN messages m ON m.id = c.node_id AND m.account_id = c.account_id "
        "WHERE c.type = 'MESSAGE' ORDER BY c.number"
    )
    await connection.close()
    return [row["content"] for row in rows]


async def disturb(dsn: str, dice: Random) -> None:
    """Have writers wait for a transaction that is rolled back, again and again, and so commit late.

    Some writers, which have locked their conversation and wait for the counter, deadlock with it.
    """
    while True:
        try:
            connection = await asyncpg.connect(dsn)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.1)
            continue
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError), closing_at_once(connection):
            while True:
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute("UPDATE change_counters SET number = number + 1")
                await asyncio.sleep(0.05)
                with suppress(asyncpg.DeadlockDetectedError):
                    # The writer is the victim if it began to wait before this.
                    await connection.execute(
                        "SELECT FROM conversations WHERE id = $1 FOR UPDATE", dice.randint(1, len(CONVERSATIONS))
                    )
                await transaction.rollback()
                await asyncio.sleep(0.2)


@contextmanager
def closing_at_once(connection: asyncpg.Connection[Any]) -> Iterator[None]:
    """Terminate the connection at the end."""
    try:
        yield
    finally:
        connection.terminate()


async def test_no_change_is_lost_or_seen_twice_whatever_is_killed(
    server: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await prepare(server)
    connection = await asyncpg.connect(server)
    # Longer than a transaction of `disturb` sleeps, so that mostly the writer is the victim.
    await connection.execute("ALTER SYSTEM SET deadlock_timeout = '100ms'")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    messages: int = request.config.getoption("--messages")
    writers = Writers(WRITERS, messages)
    with ExitStack() as stack:
        killed, other = (stack.enter_context(serving_processes(server, tmp_path)) for _ in range(2))
        async with other.client() as client:
            cursor = (await client.data("{ changesCursor }"))["changesCursor"]
        ways = [by_page, by_websocket, by_event_stream]
        dice = Random(5)  # noqa: S311  # no secret
        followers = [(Follower(served, cursor, dice), way) for served in (killed, other) for way in ways]
        disturbing = asyncio.create_task(disturb(server, dice))
        async with asyncio.timeout(120 + messages), asyncio.TaskGroup() as group:
            for follower, way in followers:
                group.create_task(follower.run(way))
            writing = [group.create_task(writers.write((killed, other)[name % 2], name)) for name in range(WRITERS)]
            await writers.reach(0.3)
            killed.process.kill()
            await asyncio.to_thread(killed.process.wait)
            port = killed.url.rpartition(":")[2]
            again = serving_processes(server, tmp_path, "--port", port)
            await asyncio.to_thread(stack.enter_context, again)
            await writers.reach(0.6)
            deadlocked = await deadlocks(server)
            await restart_postgresql(tmp_path)
            await asyncio.wait(writing)
            async with other.client() as client:
                await client.send(LAST)
        disturbing.cancel()
        await asyncio.wait([disturbing])
        deadlocked += await deadlocks(server)
        order = await logged(server)

    assert sorted(order) == sorted([*writers.written, LAST])
    for follower, way in followers:
        assert follower.seen == order, (way.__name__, follower.served.url)
    # The disturbances happened: deadlocks, and an interruption of every way to follow the server that was killed.
    assert deadlocked > 0
    assert all(follower.interruptions for follower, _ in followers[: len(ways)])
