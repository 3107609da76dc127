"""A limited number of operations run at once: others wait, and those beyond the queue are rejected with 503.

Free connections are used again, unless they are closed or have been free for too long, and no place is lost.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import pytest
from starlette.types import Message

from db.pool import Pool
from gql.app import create_app
from tests.support.client import Client, Statements, make_settings
from tests.support.factories import store, store_account
from tests.support.request import refusal
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

# One actor can use a quarter of the connections for reading.
_POOL = 16
# Those of a pool that is tested by itself.
_CONNECTIONS = 2

READ = "{ conversations { nodes { subject } } }"
ANSWER = {"data": {"conversations": {"nodes": [{"subject": "Keys"}]}}}
WRITE = "mutation { createConversation(input: {}) { userErrors { code } } }"
BUSY = refusal("Too many operations are waiting: try again", "SERVICE_UNAVAILABLE")


@pytest.fixture(autouse=True)
async def _conversation(connection: asyncpg.Connection[Any]) -> None:
    await store_account(connection)
    await store(connection, "conversations", account_id=1, id=1, subject="Keys")


@asynccontextmanager
async def locked(connection: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """Lock the conversations against other readers and writers during the block."""
    async with connection.transaction():
        await connection.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
        yield


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as the condition holds."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110  # PostgreSQL has no notification of a session that waits
            await asyncio.sleep(0.01)


def waiting(connection: asyncpg.Connection[Any], number: int) -> Callable[[], Awaitable[bool]]:
    """Whether that many of the application's connections wait for the lock."""

    async def wait() -> bool:
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        found: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return found == number

    return wait


@pytest.mark.parametrize(
    ("limits", "inside"), [({}, 64 + 256), ({"max_running": 2, "max_waiting": 3}, 5), ({"max_waiting": 0}, 64)]
)
async def test_requests_within_the_queue_are_answered_and_one_more_is_rejected(
    dsn: str, connection: asyncpg.Connection[Any], limits: dict[str, int], inside: int
) -> None:
    running = limits.get("max_running", 64)
    async with serving(dsn, Statements(), pool_size=_POOL, **limits) as client:
        await client.data("{ __typename }")
        async with locked(connection):
            requests = [asyncio.create_task(client.post(READ)) for _ in range(inside)]
            # Of the running operations, those with a connection of the actor wait for PostgreSQL.
            await until(waiting(connection, min(running, _POOL // 4)))
            refused = [await client.post(document) for document in (READ, WRITE)]
        responses = await asyncio.gather(*requests)
        after = await client.post(READ)

    for response in refused:
        assert (response.status_code, response.json(), response.headers["retry-after"]) == (503, BUSY, "1")
    assert [(response.status_code, response.json()) for response in [*responses, after]] == [(200, ANSWER)] * (
        inside + 1
    )
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 1


async def test_no_more_than_may_run_reach_the_database(dsn: str, connection: asyncpg.Connection[Any]) -> None:
    async with serving(dsn, Statements(), pool_size=_POOL, max_running=3) as client:
        await client.data("{ __typename }")
        async with locked(connection):
            requests = [asyncio.create_task(client.post(READ)) for _ in range(20)]
            await until(waiting(connection, 3))
            # A fourth one would have arrived by now, because an actor has four connections.
            await asyncio.sleep(0.1)
            assert await waiting(connection, 3)()
        responses = await asyncio.gather(*requests)

    assert {response.status_code for response in responses} == {200}


async def test_an_invalid_request_takes_no_place(dsn: str, connection: asyncpg.Connection[Any]) -> None:
    async with serving(dsn, Statements(), max_running=1, max_waiting=0) as client:
        await client.data("{ __typename }")
        async with locked(connection):
            request = asyncio.create_task(client.post(READ))
            await until(waiting(connection, 1))
            codes = [(await client.error(document))[0] for document in ("{", "{ nothing }", READ)]
        response = await request

    assert codes == ["GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "SERVICE_UNAVAILABLE"]
    assert response.json() == ANSWER


async def test_a_rejected_operation_costs_one_node(dsn: str, connection: asyncpg.Connection[Any]) -> None:
    async with serving(dsn, Statements(), max_running=1, max_waiting=0, rate_limit=1_000) as client:
        await client.data("{ __typename }")
        async with locked(connection):
            running = asyncio.create_task(client.post(READ))
            await until(waiting(connection, 1))
            before, after = [await client.post(READ) for _ in range(2)]
        await running

    assert [response.status_code for response in (before, after)] == [503, 503]
    remaining = [int(response.headers["ratelimit-remaining"]) for response in (before, after)]
    assert remaining[0] - remaining[1] == 1


class Guest:
    """A client that disconnects when `gone` is set."""

    def __init__(self, app: Any, client: Client) -> None:
        self.app = app
        self.client = client
        self.gone = asyncio.Event()

    async def ask(self) -> int:
        """The status of the answer to READ."""
        headers = {"authorization": f"Bearer {self.client.token}", "content-type": "application/json"}
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/graphql",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        arriving = iter([{"type": "http.request", "body": json.dumps({"query": READ}).encode()}])
        sent: list[Message] = []

        async def receive() -> Message:
            message = next(arriving, None)
            if message is None:
                await self.gone.wait()
            return message or {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        status: int = sent[0]["status"]
        return status


async def test_a_client_that_disconnects_while_waiting_leaves_its_place_to_another(
    dsn: str, connection: asyncpg.Connection[Any]
) -> None:
    settings = make_settings(dsn, max_running=1, max_waiting=1)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        viewer = Client(None, settings, Statements())  # type: ignore[arg-type]
        first, second, third, fourth = (Guest(app, viewer) for _ in range(4))
        assert await first.ask() == 200
        async with locked(connection):
            running = asyncio.create_task(first.ask())
            await until(waiting(connection, 1))
            leaving = asyncio.create_task(second.ask())
            await asyncio.sleep(0)
            assert await third.ask() == 503
            second.gone.set()
            assert await leaving == 499
            staying = asyncio.create_task(third.ask())
            await asyncio.sleep(0)
            assert await fourth.ask() == 503
        assert (await running, await staying) == (200, 200)
        assert await fourth.ask() == 200


# -------------------- Connections


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    """A pool of two connections, both of which can be used in the end."""
    pool = Pool(partial(asyncpg.connect, dsn), _CONNECTIONS)
    yield pool
    async with asyncio.timeout(5):
        await use_all(pool)
        await pool.close()


async def use_all(pool: Pool) -> set[int]:
    """The backends of all connections, used at once."""
    held = [await pool.acquire() for _ in range(_CONNECTIONS)]
    pids = {await connection.fetchval("SELECT pg_backend_pid()") for connection in held}
    for connection in held:
        await pool.release(connection)
    assert pool.used == 0
    return pids


async def pid(pool: Pool) -> int:
    """The backend of the next connection."""
    async with pool.connection() as connection:
        return int(await connection.fetchval("SELECT pg_backend_pid()"))


async def test_a_free_connection_is_used_again(pool: Pool) -> None:
    assert await pid(pool) == await pid(pool)


async def test_a_connection_that_was_free_for_too_long_is_replaced(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await use_all(pool)
    monkeypatch.setattr("db.pool._FRESH", 0.0)

    assert await pid(pool) not in before


async def end(pool: Pool, connection: asyncpg.Connection) -> None:
    """The server closes the connection, and asyncpg notices it."""
    async with pool.connection() as free:
        number = await free.fetchval("SELECT pg_backend_pid()")
    await connection.execute("SELECT pg_terminate_backend($1)", number)
    async with asyncio.timeout(5):
        while not free.is_closed():  # noqa: ASYNC110  # asyncpg has no event for it
            await asyncio.sleep(0.01)


async def abort(pool: Pool, _connection: asyncpg.Connection) -> None:
    """The connection breaks while it is free, and asyncpg has not noticed its end."""
    async with pool.connection() as free:
        raw: Any = free
    raw._protocol.abort()  # noqa: SLF001


async def break_in_use(pool: Pool, _connection: asyncpg.Connection) -> None:
    """The connection breaks while it is used."""
    async with pool.connection() as used:
        used._protocol.abort()  # noqa: SLF001


@pytest.mark.parametrize("lose", [end, abort, break_in_use])
async def test_a_lost_connection_is_replaced_and_keeps_no_place(
    pool: Pool, connection: asyncpg.Connection, lose: Any
) -> None:
    for _ in range(_CONNECTIONS + 1):
        await lose(pool, connection)
        async with asyncio.timeout(5):
            assert len(await use_all(pool)) == _CONNECTIONS


async def test_who_waits_for_a_connection_and_is_cancelled_takes_none(pool: Pool) -> None:
    held = [await pool.acquire() for _ in range(_CONNECTIONS)]
    with pytest.raises(TimeoutError):
        async with pool.connection(0.01):
            pass
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    for connection in held:
        await pool.release(connection)

    assert len(await use_all(pool)) == _CONNECTIONS
