"""Workers are killed at each step, PostgreSQL crashes, receivers are killed: every reply arrives, and in order."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from db import tables as t
from db.embedded import embedded
from db.migrations.apply import migrate
from gql.fields.node import encode_id
from tests.support.client import FERNET_KEY, SECRET
from tests.support.command import spawn, stops
from tests.support.delivering import receiving, settled, store_endpoint
from tests.support.process import Writers, prepare, restart_postgresql, serving_processes

pytestmark = [pytest.mark.anyio, pytest.mark.slow, stops]

ROOT = Path(__file__).parents[2]
STEPS = ("before", "after", "recording")
# At each step.
DEATHS = 3
WRITERS = 4
MESSAGES = 40


def start(module: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """Run a module of the tests in a new process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("INBOX_", "DATABASE_"))}
    return subprocess.Popen(  # noqa: S603  # the test's own arguments
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=inherited | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A migrated database on a PostgreSQL of the test's own, which does not forget on a crash."""
    with embedded(tmp_path) as dsn:
        migrate(dsn)
        yield dsn


@contextmanager
def stopping(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """Kill a process at the end."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that nothing uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Deaths:
    """Workers that kill themselves and are replaced, each at another step, until that has happened often enough."""

    def __init__(self, dsn: str) -> None:
        self.environment = {"DATABASE_URL": dsn, "INBOX_JWT_SECRET": SECRET, "INBOX_SECRET_KEY": FERNET_KEY}
        self.environment |= {"INBOX_WEBHOOK_LOOPBACK": "yes", "INBOX_RATE_LIMIT": "0"}
        self.by_step = dict.fromkeys(STEPS, 0)

    async def replace(self, first: int) -> None:
        """Start workers one after the other, until cancelled."""
        for nth in itertools.count(first):
            step = STEPS[nth % len(STEPS)] if min(self.by_step.values()) < DEATHS else "never"
            with stopping(start("tests.support.dying", step, str(3 + 2 * (nth % 4)), **self.environment)) as process:
                while process.poll() is None:  # noqa: ASYNC110  # a process has no event for it
                    await asyncio.sleep(0.05)
                assert process.returncode == -signal.SIGKILL
                self.by_step[step] += 1


async def test_each_reply_arrives_in_order_whatever_is_killed(server: str, tmp_path: Path) -> None:
    await prepare(server)
    port, file = free_port(), tmp_path / "received"
    connection = await asyncpg.connect(server)
    await store_endpoint(connection, f"http://127.0.0.1:{port}/")
    await connection.close()
    deaths = Deaths(server)
    writers = Writers(WRITERS, MESSAGES, pause=0.05)
    with ExitStack() as stack:
        served = stack.enter_context(serving_processes(server, tmp_path))
        receiver = stack.enter_context(stopping(start("tests.support.receiver", str(port), str(file))))
        workers = [asyncio.create_task(deaths.replace(first)) for first in range(2)]
        async with asyncio.timeout(240):
            async with asyncio.TaskGroup() as group:
                for name in range(WRITERS):
                    group.create_task(writers.write(served, name))
                await writers.reach(0.3)
                receiver.kill()
                await asyncio.sleep(0.5)
                stack.enter_context(stopping(start("tests.support.receiver", str(port), str(file))))
                await writers.reach(0.6)
                await restart_postgresql(tmp_path)
            order = await delivered(server)
        for task in workers:
            assert not task.done(), task
            task.cancel()
        await asyncio.wait(workers)
        received = [orjson.loads(line) for line in file.read_bytes().splitlines()]

    check(received, order)
    assert len(order) == len(writers.written) == WRITERS * MESSAGES
    assert min(deaths.by_step.values()) >= DEATHS
    # The test proves something: some were sent twice.
    assert len(received) > len(order)


async def delivered(dsn: str) -> list[tuple[int, int]]:
    """Conversation and id of all new messages, in the order of the log, once all are delivered."""
    connection = await asyncpg.connect(dsn)
    rows = await settled(connection, within=120)
    assert {row["state"] for row in rows} == {"DELIVERED"}
    rows = await connection.fetch("SELECT conversation_id, node_id FROM changes WHERE events <> '{}' ORDER BY number")
    await connection.close()
    return [(row["conversation_id"], row["node_id"]) for row in rows]


def check(received: list[Any], order: list[tuple[int, int]]) -> None:
    """Each message has arrived, under one id, and each conversation in its order."""
    places = {encode_id(t.Message, 1, message): place for place, (_, message) in enumerate(order)}
    ids: dict[str, set[str]] = {}
    arrived: dict[str, list[int]] = {}
    for each in received:
        data = each["payload"]["data"]
        ids.setdefault(data["messageId"], set()).add(each["id"])
        arrived.setdefault(data["conversationId"], []).append(places[data["messageId"]])
    assert ids.keys() == places.keys()
    assert {len(found) for found in ids.values()} == {1}
    for conversation in arrived.values():
        assert conversation == sorted(conversation)


@asynccontextmanager
async def working(dsn: str, folder: Path, *arguments: str) -> AsyncIterator[subprocess.Popen[str]]:
    """`inbox work`, or another command, in a process of its own, stopped by SIGTERM."""
    process = spawn(
        *(arguments or ("work",)),
        folder=folder,
        DATABASE_URL=dsn,
        INBOX_JWT_SECRET=SECRET,
        INBOX_SECRET_KEY=FERNET_KEY,
        INBOX_WEBHOOK_LOOPBACK="yes",
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 20)
    finally:
        process.kill()


async def test_the_command_delivers_until_it_is_stopped(dsn: str, tmp_path: Path) -> None:
    await prepare(dsn)
    connection = await asyncpg.connect(dsn)
    async with receiving() as receiver:
        await store_endpoint(connection, receiver.url)
        async with working(dsn, tmp_path) as process:
            with serving_processes(dsn, tmp_path) as served:
                async with served.client() as client:
                    await client.send("x")
            await receiver.wait(1)
        _, errors = process.communicate(timeout=20)

    lines = [orjson.loads(line) for line in errors.splitlines()]
    assert process.returncode == 0, errors
    assert [line["event"] for line in lines] == ["delivering webhooks", "webhook", "stopped"]
    await connection.close()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_server_can_deliver_too(dsn: str, tmp_path: Path, workers: str) -> None:
    await prepare(dsn)
    connection = await asyncpg.connect(dsn)
    environment = {"INBOX_SECRET_KEY": FERNET_KEY, "INBOX_WEBHOOK_LOOPBACK": "yes"}
    async with receiving() as receiver:
        await store_endpoint(connection, receiver.url)
        with serving_processes(dsn, tmp_path, "--work", "--workers", workers, **environment) as served:
            async with served.client() as client:
                for number in range(5):
                    await client.send(str(number))
                await receiver.wait(5)
    await connection.close()

    assert len(receiver.received) == 5
    assert served.process.returncode == 0
