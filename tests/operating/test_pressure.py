"""Many more clients than connections: each gets an answer or a 503, and a client that leaves frees its connection."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.process import CONVERSATIONS, READ, READ_DATA, SEND, Insistent, prepare, serving_processes, written

pytestmark = pytest.mark.anyio

POOL, CLIENTS, EACH = 2, 200, 4
# Half of the time limit of operations. Nearly all of it is waiting for one of the two connections.
LONGEST = 5.0
BUSY = "Too many operations are waiting: try again"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("places", "expected"),
    [({}, {200}), ({"INBOX_MAX_RUNNING": "8", "INBOX_MAX_WAITING": "24"}, {200, 503})],
    ids=["places for all", "places for some"],
)
async def test_two_hundred_clients_of_two_connections_are_served_or_rejected(
    dsn: str, tmp_path: Path, places: dict[str, str], expected: set[int]
) -> None:
    await prepare(dsn)
    took: list[float] = []
    statuses: Counter[int] = Counter()
    sent: set[str] = set()

    async def ask(client: Insistent, name: int) -> None:
        for number in range(EACH):
            key = f"{name} {number}"
            begun = time.monotonic()
            if number % 2:
                response = await client.post(SEND, key=key, text=key, there=CONVERSATIONS[name % len(CONVERSATIONS)])
            else:
                response = await client.post(READ)
            took.append(time.monotonic() - begun)
            statuses[response.status_code] += 1
            answer = response.json()
            if response.status_code == 503:
                extensions = {"code": "SERVICE_UNAVAILABLE"}
                assert answer == {"errors": [{"message": BUSY, "extensions": extensions}]}
                assert response.headers["retry-after"] == "1"
            elif number % 2:
                assert answer["data"]["createMessage"]["message"]["content"] == key
                sent.add(key)
            else:
                assert answer == {"data": READ_DATA}

    with serving_processes(dsn, tmp_path, INBOX_POOL_SIZE=str(POOL), **places) as served:
        async with served.clients(CLIENTS) as clients, asyncio.timeout(60):
            await clients[0].data(READ)
            await asyncio.gather(*(ask(client, name) for name, client in enumerate(clients)))

    assert set(statuses) == expected
    assert statuses.total() == len(took) == CLIENTS * EACH
    assert sorted(took)[len(took) * 99 // 100] < LONGEST
    assert {content for _, content in await written(dsn)} == sent


@pytest.mark.parametrize("document", [READ, SEND], ids=["reading", "writing"])
async def test_clients_that_leave_free_their_connections_within_a_second(
    dsn: str, connection: asyncpg.Connection, tmp_path: Path, document: str
) -> None:
    await prepare(dsn)
    variables = {"key": "k", "text": "k", "there": CONVERSATIONS[0]} if document is SEND else {}
    body = json.dumps({"query": document, "variables": variables})
    # An actor can use a quarter of the connections for reading, and half of those for writing.
    with serving_processes(dsn, tmp_path, INBOX_POOL_SIZE=str((4 if document is READ else 2) * POOL)) as served:
        address = urlsplit(served.url)
        request = (
            f"POST /graphql HTTP/1.1\r\nHost: inbox\r\nAuthorization: Bearer {served.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        async with served.client() as client, asyncio.timeout(30):
            assert await client.data(READ) == READ_DATA
            async with connection.transaction():
                await connection.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
                streams = [await asyncio.open_connection(address.hostname, address.port) for _ in range(50)]
                for _, writer in streams:
                    writer.write(request)
                while await waiting(connection) < POOL:
                    pass
                for _, writer in streams:
                    writer.close()
                left = time.monotonic()
                while await waiting(connection):
                    pass
                # The table is still locked, so this uses a connection that was returned.
                hosts = await client.data("{ hosts { nodes { databaseId } } }")
                freed = time.monotonic() - left
            assert await client.data(READ) == READ_DATA

    assert hosts == {"hosts": {"nodes": [{"databaseId": "1"}]}}
    assert freed < 1
    assert await written(dsn) == []


async def waiting(connection: asyncpg.Connection) -> int:
    """The number of connections that wait for a lock."""
    return await connection.fetchval("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")  # type: ignore[no-any-return]
