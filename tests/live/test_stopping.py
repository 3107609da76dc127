"""A server that stops, or is killed, ends event streams in a way on which their clients connect again."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.support.client import Client, Statements, make_settings
from tests.support.command import stops
from tests.support.factories import log_changes
from tests.support.following import Follower, following
from tests.support.process import prepare, serving_processes

pytestmark = [pytest.mark.anyio, stops]

STREAMS = 60


async def ended_by(follower: Follower) -> str:
    """What the rest of a response was: its events, and how it ended."""
    try:
        events = await follower.rest()
    except httpx.TransportError as error:
        return type(error).__name__
    return f"{len(events)} events"


def client_of(http: httpx.AsyncClient, dsn: str) -> Client:
    """A client of a server in another process."""
    return Client(http, make_settings(dsn), Statements())


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_streams_are_interrupted_and_not_completed_when_the_server_stops(
    dsn: str, connection: asyncpg.Connection, tmp_path: Path, workers: str
) -> None:
    await prepare(dsn)
    environment = {"INBOX_MAX_SOCKETS_PER_PRINCIPAL": str(STREAMS)}
    limits = httpx.Limits(max_connections=None)
    with serving_processes(dsn, tmp_path, "--workers", workers, **environment) as served:
        async with httpx.AsyncClient(base_url=served.url, timeout=30, limits=limits) as http, AsyncExitStack() as stack:
            client = client_of(http, dsn)
            followers = [await stack.enter_async_context(following(client)) for _ in range(STREAMS)]
            await log_changes(connection, 1, ("BOOKING", 5, None))
            assert {(await follower.next()).changes[0][0] for follower in followers} == {"BOOKING"}
            asked = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            endings = await asyncio.gather(*map(ended_by, followers))
        code = await asyncio.to_thread(served.process.wait, 15)
        took = time.monotonic() - asked

    assert set(endings) == {"RemoteProtocolError"}
    assert (code, took < 10) == (0, True), took
    assert not any("Traceback" in line or '"level":"error"' in line for line in served.lines)


@pytest.mark.slow
async def test_nothing_is_lost_when_a_server_is_killed(
    dsn: str, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    await prepare(dsn)
    with serving_processes(dsn, tmp_path) as first, serving_processes(dsn, tmp_path) as second:
        async with (
            httpx.AsyncClient(base_url=first.url, timeout=30) as lost,
            httpx.AsyncClient(base_url=second.url, timeout=30) as other,
        ):
            async with following(client_of(lost, dsn)) as follower:
                await log_changes(connection, 1, ("BOOKING", 1, None))
                last = (await follower.next()).id
                first.process.kill()
                assert await ended_by(follower) in {"RemoteProtocolError", "ReadError"}
            await log_changes(connection, 1, ("BOOKING", 2, None))
            async with following(client_of(other, dsn), last=last) as follower:
                missed = await follower.next()
                await log_changes(connection, 1, ("BOOKING", 3, None))
                new = await follower.next()

    assert [len(event.changes) for event in (missed, new)] == [1, 1]
    assert missed.changes != new.changes
