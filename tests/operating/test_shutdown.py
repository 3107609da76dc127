"""SIGTERM under load: accepted requests are answered, new connections are refused, the process ends within 10 s."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from tests.support.command import stops
from tests.support.process import CONVERSATIONS, SEND, Insistent, prepare, serving_processes, written

pytestmark = [pytest.mark.anyio, stops, pytest.mark.slow]

CLIENTS = 32
WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


@WORKERS
async def test_accepted_requests_are_answered_and_later_ones_are_refused(
    dsn: str, tmp_path: Path, workers: str
) -> None:
    await prepare(dsn)
    answered: set[str] = set()
    refusals: list[Exception] = []
    wrong: list[httpx.Response] = []

    async def send_until_refused(client: Insistent, name: int) -> None:
        number = 0
        while True:
            key = f"{name} {number}"
            there = CONVERSATIONS[name % len(CONVERSATIONS)]
            try:
                response = await client.post(SEND, key=key, text=key, there=there)
            except httpx.TransportError as error:
                refusals.append(error)
                return
            if response.status_code == 200 and "errors" not in response.json():
                answered.add(key)
            else:
                wrong.append(response)
            number += 1

    with serving_processes(dsn, tmp_path, "--workers", workers) as served:
        async with served.clients(CLIENTS) as clients, asyncio.timeout(60):
            await clients[0].data("{ __typename }")
            sending = asyncio.gather(*(send_until_refused(client, name) for name, client in enumerate(clients)))
            while len(answered) < 5 * CLIENTS:  # noqa: ASYNC110  # the clients have no event for it
                await asyncio.sleep(0.01)
            asked = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            await sending
        code = await asyncio.to_thread(served.process.wait, 15)
        took = time.monotonic() - asked

    assert wrong == []
    assert len(refusals) == CLIENTS
    # Every executed operation was answered.
    assert {content for _, content in await written(dsn)} == answered
    assert code == 0
    assert took < 10
    assert not any('"internal error"' in line or "Traceback" in line for line in served.lines)


@WORKERS
async def test_an_operation_under_way_is_finished_while_new_connections_are_refused(
    dsn: str, connection: asyncpg.Connection, tmp_path: Path, workers: str
) -> None:
    await prepare(dsn)
    with serving_processes(dsn, tmp_path, "--workers", workers) as served:
        async with served.client() as client, asyncio.timeout(30):
            await client.data("{ __typename }")
            async with connection.transaction():
                await connection.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
                asking = asyncio.create_task(client.data("{ conversation(databaseId: 1) { subject } }"))
                await until(lambda: connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
                served.process.send_signal(signal.SIGTERM)
                address = urlsplit(served.url)
                await until(lambda: asyncio.to_thread(is_refused, str(address.hostname), address.port or 0))
                # It is slow, but within the time for running operations.
                await asyncio.sleep(2)
                assert not asking.done()
            data = await asking
        code = await asyncio.to_thread(served.process.wait, 15)

    assert data == {"conversation": {"subject": "Keys"}}
    assert code == 0


@pytest.mark.slow
@WORKERS
async def test_neither_a_stuck_operation_nor_a_slow_client_delays_the_stop(
    dsn: str, connection: asyncpg.Connection, tmp_path: Path, workers: str
) -> None:
    await prepare(dsn)
    with serving_processes(dsn, tmp_path, "--workers", workers, INBOX_OPERATION_TIMEOUT="60") as served:
        address = urlsplit(served.url)
        head = "POST /graphql HTTP/1.1\r\nHost: inbox\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
        async with served.client() as client, asyncio.timeout(30):
            await client.data("{ __typename }")
            slow = socket.create_connection((str(address.hostname), address.port or 0))
            slow.sendall(f"{head}Authorization: Bearer {served.token}\r\n\r\n{{".encode())
            async with connection.transaction():
                await connection.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
                stuck = asyncio.create_task(client.post("{ conversation(databaseId: 1) { subject } }"))
                await until(lambda: connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
                asked = time.monotonic()
                served.process.send_signal(signal.SIGTERM)
                code = await asyncio.to_thread(served.process.wait, 20)
                took = time.monotonic() - asked
                await asyncio.wait([stuck])
        slow.close()

    assert (code, took < 10) == (0, True), took


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait for the condition."""
    while not await condition():  # noqa: ASYNC110  # neither PostgreSQL nor a port has an event
        await asyncio.sleep(0.01)


def is_refused(host: str, port: int) -> bool:
    """Whether no process listens."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
