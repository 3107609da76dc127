"""PostgreSQL restarts under load as after a crash: no wrong answer, no lost write, and recovery within 2 seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from db.embedded import embedded
from db.migrations.apply import migrate
from tests.support.process import READ, READ_DATA, Insistent, prepare, restart_postgresql, serving_processes, written

pytestmark = pytest.mark.anyio

RESTARTS = 3
READERS, WRITERS = 10, 10
POOL = 4
# In a separate conversation, so that it does not wait for other writes.
CREATE = "mutation { createConversation(input: {}) { conversation { read } } }"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A migrated database on a new PostgreSQL with fsync."""
    with embedded(tmp_path) as dsn:
        migrate(dsn)
        yield dsn


async def healed(client: Insistent) -> float:
    """The time after which all connections of both pools have been used successfully."""
    await asyncio.gather(*(client.data(document) for document in (READ, CREATE) * POOL))
    return time.monotonic()


@pytest.mark.slow
async def test_a_restart_under_load_is_masked_and_heals_within_two_seconds(server: str, tmp_path: Path) -> None:
    await prepare(server)
    acknowledged: list[tuple[int, str]] = []
    stopped = asyncio.Event()

    async def write(client: Insistent, name: int) -> None:
        number = 0
        while not stopped.is_set():
            acknowledged.append(await client.send(f"{name} {number}"))
            number += 1

    async def read(client: Insistent) -> None:
        while not stopped.is_set():
            assert await client.data(READ) == READ_DATA

    with serving_processes(server, tmp_path, INBOX_POOL_SIZE=str(POOL)) as served:
        async with served.client() as load, served.client() as probe, asyncio.timeout(60), asyncio.TaskGroup() as group:
            await probe.data(READ)
            for name in range(WRITERS):
                group.create_task(write(load, name))
            for _ in range(READERS):
                group.create_task(read(load))
            took = []
            for _ in range(RESTARTS):
                await asyncio.sleep(0.5)
                await restart_postgresql(tmp_path)
                back = time.monotonic()
                took.append(await healed(probe) - back)
            stopped.set()
        rows = await written(server)
        states = await connections(server)
        async with served.client() as client:
            last = await client.http.get("/readyz")

    assert max(took) < 2
    assert sum(load.again.values()) >= RESTARTS
    assert not any('"internal error"' in line for line in served.lines)
    assert rows == sorted(acknowledged)
    assert len({content for _, content in rows}) == len(rows)
    assert last.status_code == 200
    assert len(states) <= 2 * POOL
    assert set(states) == {"idle"}


async def connections(dsn: str) -> list[str]:
    """The state of each connection of the application, once nothing runs."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        """SELECT state FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    )
    await connection.close()
    return [row["state"] for row in rows]
