"""SIGTERM and Ctrl-C with WebSockets: what is under way is answered, sockets close in batches with 1012, in time."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from tests.support.command import stops
from tests.support.process import Served, prepare, serving_processes
from tests.support.websocket import Socket, connected

pytestmark = [pytest.mark.anyio, stops, pytest.mark.slow]

RESTART = (1012, "The server restarts")


async def open_sockets(stack: AsyncExitStack, served: Served, number: int) -> list[Socket]:
    """That many sockets with a session."""
    sockets = [await stack.enter_async_context(connected(served.url)) for _ in range(number)]
    for socket in sockets:
        await socket.initialise(token=served.token)
    return sockets


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_signal_closes_sockets_after_what_is_under_way(
    dsn: str, connection: asyncpg.Connection, tmp_path: Path, workers: str, number: signal.Signals
) -> None:
    await prepare(dsn)
    with serving_processes(dsn, tmp_path, "--workers", workers) as served:
        async with AsyncExitStack() as stack, asyncio.timeout(60):
            busy, *idle = await open_sockets(stack, served, 20)
            async with connection.transaction():
                await connection.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
                await busy.subscribe("{ conversation(databaseId: 1) { subject } }")
                while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    pass
                asked = time.monotonic()
                served.process.send_signal(number)
                codes = await asyncio.gather(*(socket.closed() for socket in idle))
            answer, completed = await busy.receive(), await busy.receive()
            last = await busy.closed()
        code = await asyncio.to_thread(served.process.wait, 15)
        took = time.monotonic() - asked

    assert [*codes, last] == [RESTART] * 20
    assert answer["payload"] == {"data": {"conversation": {"subject": "Keys"}}}
    assert completed == {"id": "1", "type": "complete"}
    assert (code, took < 10) == (0, True), took
    assert not any('"internal error"' in line or "Traceback" in line for line in served.lines)


@pytest.mark.slow
async def test_many_sockets_are_closed_some_at_a_time_and_in_time(dsn: str, tmp_path: Path) -> None:
    await prepare(dsn)
    with serving_processes(dsn, tmp_path, INBOX_MAX_SOCKETS_PER_PRINCIPAL="1000") as served:
        async with AsyncExitStack() as stack, asyncio.timeout(120):
            sockets = await open_sockets(stack, served, 800)
            # One that reads nothing, and so does not answer the close.
            stuck = (await open_sockets(stack, served, 1))[0]
            stuck.connection.transport.pause_reading()
            asked = time.monotonic()
            served.process.send_signal(signal.SIGTERM)

            async def closed(socket: Socket) -> float:
                assert await socket.closed() == RESTART
                return time.monotonic() - asked

            moments = sorted(await asyncio.gather(*map(closed, sockets)))
            code = await asyncio.to_thread(served.process.wait, 15)
            took = time.monotonic() - asked

    assert (code, took < 10) == (0, True), took
    # They are spread over 0.8 s. A busy client notices any of them late, but none early.
    assert moments[-1] > 0.7
