"""An outage of the database: the responses to clients and to the load balancer, and the recovery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from db.embedded import embedded
from db.migrations.apply import migrate
from db.tables.base import FIRST_OWN_ID
from tests.support.client import Client, Statements
from tests.support.factories import store, store_account
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

READ = "{ conversations { nodes { databaseId } } }"
WRITE = "mutation { createConversation(input: {}) { conversation { databaseId } userErrors { code } } }"
MESSAGE = "The database is unavailable: try again"
NEWER = "application/graphql-response+json"


class Server:
    """A PostgreSQL server that a test can switch off and on."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._stack = ExitStack()

    async def on(self) -> str:
        """Start the server; return its address once it accepts connections."""
        return await asyncio.to_thread(self._stack.enter_context, embedded(self._data))

    async def off(self) -> None:
        """Stop the server; return when it has ended."""
        await asyncio.to_thread(self._stack.close)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path)
    yield server
    await server.off()


@asynccontextmanager
async def prepared(server: Server, **settings: Any) -> AsyncIterator[Client]:
    """A client of an application on the migrated server, with an account."""
    dsn = await server.on()
    await asyncio.to_thread(migrate, dsn)
    connection = await asyncpg.connect(dsn)
    await store_account(connection)
    await store(connection, "applications", id=1)
    await connection.close()
    async with serving(dsn, Statements(), **settings) as client:
        yield client


async def health(client: Client) -> list[tuple[int, Any]]:
    """The responses to health checks."""
    responses = [await client.http.get(path) for path in ("/healthz", "/readyz")]
    return [(response.status_code, response.json()) for response in responses]


WELL = [(200, {"status": "ok"}), (200, {"status": "ok"})]
UNREACHABLE = [(200, {"status": "ok"}), (503, {"status": "unavailable", "database": "unreachable"})]


def failure(response: httpx.Response, **place: Any) -> dict[str, Any]:
    """The expected masked error, with the id of the response."""
    (error,) = response.json()["errors"]
    extensions = {"code": "SERVICE_UNAVAILABLE", "id": error["extensions"]["id"]}
    return {"message": MESSAGE, "extensions": extensions, **place}


async def test_an_outage_is_masked_and_ends_by_itself(server: Server) -> None:
    async with prepared(server) as client:
        assert await client.data(WRITE) == {
            "createConversation": {"conversation": {"databaseId": str(FIRST_OWN_ID)}, "userErrors": []}
        }
        assert await health(client) == WELL

        await server.off()
        async with asyncio.timeout(10):
            read, write = await client.post(READ), await client.post(WRITE)
            newer = await client.http.post("/graphql", json={"query": READ}, headers=client.headers | {"accept": NEWER})
            unknown = await client.as_(1, "application:1").post(READ)
            refused = await client.as_(1, scopes=[]).http.post("/graphql")
            assert await health(client) == UNREACHABLE

        await server.on()
        assert await health(client) == WELL
        assert await client.data(READ) == {"conversations": {"nodes": [{"databaseId": str(FIRST_OWN_ID)}]}}
        assert "errors" not in await client.answer(WRITE)
        assert "errors" not in await client.as_(1, "application:1").answer(READ)

    assert (read.status_code, read.json()) == (200, {"errors": [failure(read)]})
    assert (newer.status_code, newer.json()) == (503, {"errors": [failure(newer)]})
    assert newer.headers["retry-after"] == "1"
    places = {"locations": [{"line": 1, "column": 12}], "path": ["createConversation"]}
    assert (write.status_code, write.json()) == (
        200,
        {"errors": [failure(write, **places)], "data": {"createConversation": None}},
    )
    assert (unknown.status_code, unknown.json()) == (503, {"errors": [failure(unknown)]})
    assert unknown.headers["retry-after"] == "1"
    assert refused.status_code == 401


async def test_a_process_that_starts_in_an_outage_serves_when_it_is_over(server: Server) -> None:
    """For example a worker that replaces another one: if it failed, the service would stop."""
    async with prepared(server):
        dsn = await server.on()
        await server.off()
        async with serving(dsn, Statements()) as client:
            assert await health(client) == UNREACHABLE
            response = await client.post(READ)
            assert (response.status_code, response.json()["errors"][0]["message"]) == (503, MESSAGE)

            await server.on()

            assert await health(client) == WELL
            assert await client.data(READ) == {"conversations": {"nodes": []}}


async def test_operations_under_way_fail_and_the_next_succeed(server: Server) -> None:
    async with prepared(server, pool_size=2) as client:
        # PostgreSQL ends the newest sessions first: the operations end before the lock that they wait for is released.
        other = await asyncpg.connect(client.settings.database_url)
        await client.data(WRITE)
        transaction = other.transaction()
        await transaction.start()
        await other.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
        operations = [asyncio.create_task(client.post(document)) for document in (READ, WRITE)]
        async with asyncio.timeout(10):
            while await waiting(other) < len(operations):  # noqa: ASYNC110  # PostgreSQL has no event for it
                await asyncio.sleep(0.01)
            await server.off()
            responses = [await operation for operation in operations]
        await other.close()

        await server.on()
        answers = await asyncio.gather(*(client.data(document) for document in (READ, WRITE) * 4))

    assert [response.status_code for response in responses] == [200, 200]
    assert [error["message"] for response in responses for error in response.json()["errors"]] == [MESSAGE] * 2
    written = {answer["createConversation"]["conversation"]["databaseId"] for answer in answers[1::2]}
    assert len(written) == 4


async def waiting(connection: asyncpg.Connection) -> int:
    """The number of sessions that wait for a lock."""
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    return await connection.fetchval(  # type: ignore[no-any-return]
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )


async def test_pending_migrations_are_not_ready(create_database: Callable[[str], str]) -> None:
    dsn = await asyncio.to_thread(create_database, "template1")
    async with serving(dsn, Statements()) as client:
        before = await health(client)
        await asyncio.to_thread(migrate, dsn)
        after = await health(client)

    assert before == [(200, {"status": "ok"}), (503, {"status": "unavailable", "database": "migrations pending"})]
    assert after == WELL


async def test_readiness_does_not_wait_for_long(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gql.app._READY_WITHIN", 0.1)
    other = await asyncpg.connect(dsn)
    try:
        async with serving(dsn, Statements()) as client:
            async with other.transaction():
                await other.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
                async with asyncio.timeout(5):
                    locked = await health(client)
            released = await health(client)
    finally:
        await other.close()

    assert locked == UNREACHABLE
    assert released == WELL
