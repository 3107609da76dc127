"""Receivers that hang do not delay the others, however many begin to hang at once."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from db.queries.webhook.lease import AT_ONCE, take
from gql.security import resolver
from gql.security.resolver import SystemResolver
from gql.webhooks.places import AttemptPlaces
from tests.support.client import FERNET_KEY, SECRET
from tests.support.command import kill, spawn, stops
from tests.support.delivering import (
    FAST,
    Received,
    Receiver,
    delivering,
    log_events,
    make_all,
    receiving,
    store_endpoint,
    until,
)

pytestmark = pytest.mark.anyio

# The fewest places that can be configured, and more endpoints than those.
PLACES = 8
HANGING = 20
# No attempt of these tests ends by itself.
PATIENT = replace(FAST, timeout=60, lease=120, grace=0.2, prompt=0.1)


async def hang(received: Received) -> web.StreamResponse:
    """Answer requests to `/healthy` only."""
    if received.path != "/healthy":
        await asyncio.sleep(600)
    return web.Response()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that hangs, except at `/healthy`."""
    async with receiving(hang) as receiver:
        yield receiver


async def test_more_endpoints_than_places_begin_to_hang_and_a_healthy_one_is_not_delayed(
    connection: asyncpg.Connection[Any], dsn: str, receiver: Receiver
) -> None:
    for number in range(HANGING):
        await store_endpoint(connection, f"{receiver.url}/{number}")
    await store_endpoint(connection, f"{receiver.url}/healthy", account_id=2, created_by_user_id=1)
    await log_events(connection, 2 * AT_ONCE, conversations=2 * AT_ONCE)
    await make_all(connection)
    async with delivering(dsn, PATIENT, webhook_at_once=PLACES):
        await receiver.wait(HANGING)
        await log_events(connection, 3, account=2)
        # One after the other, as they are of one conversation, and all long before the time-out of the others.
        await until(lambda: _healthy(receiver, 3), within=20)

    counts = [sum(each.path == f"/{number}" for each in receiver.received) for number in range(HANGING)]
    assert min(counts) == 1
    # Only those that began while few attempts were running.
    assert sum(count > 1 for count in counts) <= PLACES


async def _healthy(receiver: Receiver, number: int) -> bool:
    return sum(each.path == "/healthy" for each in receiver.received) == number


async def test_attempts_have_a_limit_even_if_all_hang(
    connection: asyncpg.Connection[Any], dsn: str, receiver: Receiver
) -> None:
    for _ in range(4 * PLACES + 5):
        await store_endpoint(connection, f"{receiver.url}/hangs")
    await log_events(connection, 1)
    await make_all(connection)
    async with delivering(dsn, replace(PATIENT, prompt=0.02), webhook_at_once=PLACES):
        await receiver.wait(4 * PLACES)
        await asyncio.sleep(0.3)
        assert len(receiver.received) == 4 * PLACES


def test_places_are_free_again_while_attempts_only_wait() -> None:
    places = AttemptPlaces(100)
    assert (places.free, places.each, places.free_for_failing) == (100, AT_ONCE, 50)
    places.open, places.failing = 50, 60
    assert (places.free, places.each, places.free_for_failing) == (50, 1, 0)
    places.open, places.waiting = 300, 290
    assert (places.free, places.each) == (90, 1)
    places.open, places.waiting = 380, 375
    assert places.free == 20
    places.open, places.waiting = 390, 385
    assert places.free == 0


async def test_of_endpoints_that_fail_no_more_are_served_than_there_is_room_for(
    connection: asyncpg.Connection[Any],
) -> None:
    healthy = await store_endpoint(connection, "https://hooks.example/")
    for _ in range(3):
        failing = await store_endpoint(connection, "https://hooks.example/")
        await connection.execute("UPDATE webhook_endpoints SET failing_since = now() WHERE id = $1", failing)
    await log_events(connection, 6, conversations=6)
    await make_all(connection)

    first = await take(connection, 50, 60, each=1, failing=2)
    second = await take(connection, 50, 60, each=AT_ONCE, failing=0)

    assert [row["endpoint_id"] == healthy for row in first.deliveries].count(True) == 1
    assert len(first.deliveries) == 3
    assert [row["endpoint_id"] for row in second.deliveries] == [healthy] * (AT_ONCE - 1)


async def test_names_whose_servers_do_not_answer_do_not_delay_others(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def look_up(host: str) -> list[tuple[Any, ...]]:
        if host != "healthy":
            answers.wait(60)
        return [(0, 0, 0, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(resolver, "_look_up", look_up)
    resolve = SystemResolver()
    hanging = [asyncio.create_task(resolve("hangs")) for _ in range(300)]
    try:
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            assert await resolve("healthy") == ["127.0.0.1"]
    finally:
        answers.set()
        await asyncio.gather(*hanging)


async def test_no_more_names_are_resolved_at_once_than_threads_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, running = threading.Event(), []

    def look_up(host: str) -> list[tuple[Any, ...]]:
        running.append(host)
        answers.wait(60)
        raise OSError(host)

    monkeypatch.setattr(resolver, "_look_up", look_up)
    monkeypatch.setattr(resolver, "_RESOLVING", 2)
    resolve = SystemResolver()
    hanging = [asyncio.create_task(resolve(str(number))) for number in range(4)]
    await asyncio.sleep(0.05)
    # Its thread is still busy.
    hanging[0].cancel()
    await asyncio.sleep(0.05)
    before = list(running)
    answers.set()
    ended = await asyncio.gather(*hanging, return_exceptions=True)

    assert before == ["0", "1"]
    assert [type(each) for each in ended] == [asyncio.CancelledError, OSError, OSError, OSError]


# Imported by Python at its start.
HANGING_RESOLVER = """
import socket, sys, time
from pathlib import Path

resolve = socket.getaddrinfo

def hang(host, *arguments, **named):
    if host != "hangs.example":
        return resolve(host, *arguments, **named)
    Path(__file__).with_name("hangs").touch()
    time.sleep(60)

socket.getaddrinfo = hang
"""


@stops
@pytest.mark.slow
@pytest.mark.parametrize("command", [("work",), ("serve", "--port", "0", "--work")])
async def test_a_name_that_is_not_resolved_does_not_keep_the_process(
    dsn: str, connection: asyncpg.Connection[Any], tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(HANGING_RESOLVER)
    await store_endpoint(connection, "https://hangs.example/")
    await log_events(connection, 1)
    variables = {"DATABASE_URL": dsn, "INBOX_JWT_SECRET": SECRET, "INBOX_SECRET_KEY": FERNET_KEY}
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"
    process = spawn(*command, folder=tmp_path, PYTHONPATH=path, **variables)
    try:
        async with asyncio.timeout(60):
            while not (tmp_path / "hangs").exists():  # noqa: ASYNC110  # a file has no event for it
                await asyncio.sleep(0.05)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.communicate, timeout=40)
        took = time.monotonic() - asked
    finally:
        kill(process)

    assert process.returncode == 0
    # GRACE seconds for the attempt, as for a request.
    assert took < 12


async def test_a_process_without_free_files_does_not_blame_the_endpoint(
    connection: asyncpg.Connection[Any], dsn: str, receiver: Receiver
) -> None:
    left = [True]

    async def resolve(_host: str) -> list[str]:
        if left and left.pop():
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return ["127.0.0.1"]

    await store_endpoint(connection, f"http://localhost:{receiver.port}/healthy")
    await log_events(connection, 1)
    async with delivering(dsn, resolve=resolve):
        await receiver.wait(1)
        (row,) = await until(
            lambda: connection.fetch("SELECT attempt_count, failures FROM webhook_deliveries WHERE state = 'DELIVERED'")
        )

    assert tuple(row) == (2, 0)
    error = await connection.fetchval("SELECT error FROM webhook_attempts WHERE number = 1")
    assert error == "The server could not open a connection"
