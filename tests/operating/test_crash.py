"""Workers that die: each write takes effect once, no acknowledged write is lost, and workers are replaced."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from db.embedded import embedded
from db.migrations.apply import migrate
from tests.support.client import SECRET
from tests.support.command import spawn
from tests.support.process import READ, READ_DATA, Served, command_line, prepare, serving_processes, written

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for the workers in /proc"),
]

MUTATIONS = 1_000
CLIENTS = 100
KILLS = 5
WORKERS = 2


async def kill_one(served: Served, killed: set[int]) -> None:
    """Kill a worker, once all workers run. A killed process that has not ended yet does not count."""
    while len(running := set(served.workers()) - killed) < WORKERS:  # noqa: ASYNC110  # the supervisor has no event for it
        await asyncio.sleep(0.01)
    victim = min(running)
    os.kill(victim, signal.SIGKILL)
    killed.add(victim)


@pytest.mark.slow
async def test_each_of_a_thousand_writes_takes_effect_once_though_workers_are_killed(tmp_path: Path) -> None:
    keys = [f"key {number}" for number in range(MUTATIONS)]
    killed: set[int] = set()
    with embedded(tmp_path) as dsn:
        await asyncio.to_thread(migrate, dsn)
        await prepare(dsn)
        with serving_processes(dsn, tmp_path, "--workers", str(WORKERS)) as served:
            async with served.clients(CLIENTS) as clients, asyncio.timeout(120):
                tasks = [asyncio.create_task(clients[place % CLIENTS].send(key)) for place, key in enumerate(keys)]
                for number in range(KILLS):
                    while sum(task.done() for task in tasks) < MUTATIONS * (number + 1) / (KILLS + 1):  # noqa: ASYNC110
                        await asyncio.sleep(0.001)
                    await kill_one(served, killed)
                acknowledged = [await task for task in tasks]
                while not killed.isdisjoint(served.workers()):  # noqa: ASYNC110  # the kernel has no event for it either
                    await asyncio.sleep(0.01)
        rows = await written(dsn)

    assert len(killed) == KILLS
    deaths = [line for line in served.lines if '"worker died"' in line]
    assert [json.loads(line)["pid"] in killed for line in deaths] == [True] * KILLS
    # Some requests were cut off; otherwise the test would prove nothing.
    assert any(cause.endswith("Error") for client in clients for cause in client.again)
    assert [content for _, content in acknowledged] == keys
    assert rows == sorted(acknowledged)


@pytest.mark.slow
async def test_workers_may_take_their_time_to_start(dsn: str, tmp_path: Path) -> None:
    # Longer than a running worker may take to answer its supervisor.
    site = tmp_path / "sitecustomize.py"
    site.write_text("import sys, time\nif 'spawn_main' in ' '.join(sys.orig_argv):\n    time.sleep(7)\n")
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"
    await prepare(dsn)
    with serving_processes(dsn, tmp_path, "--workers", "2", PYTHONPATH=path) as served:
        while len(started := served.workers()) < WORKERS:  # noqa: ASYNC110  # the supervisor has no event for it
            await asyncio.sleep(0.01)
        async with served.client() as client:
            assert await client.data(READ) == READ_DATA
        answering = served.workers()

    assert answering == started
    assert not any('"worker died"' in line for line in served.lines)


@pytest.mark.slow
def test_workers_that_cannot_make_their_application_are_not_started_for_ever(dsn: str, tmp_path: Path) -> None:
    site = tmp_path / "sitecustomize.py"
    site.write_text(
        "import os, sys\nif 'spawn_main' in ' '.join(sys.orig_argv):\n    os.environ['INBOX_POOL_SIZE'] = 'none'\n"
    )
    process = spawn(
        *("serve", "--port", "0", "--workers", "2"),
        folder=tmp_path,
        DATABASE_URL=dsn,
        INBOX_JWT_SECRET=SECRET,
        PYTHONPATH=f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}",
    )
    try:
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()

    assert process.returncode == 1
    assert errors.splitlines()[-1] == "inbox: The server did not start"
    assert 1 <= errors.count('"failed to start"') <= 2
    assert "none" not in errors


@pytest.mark.slow
async def test_workers_whose_supervisor_is_killed_stop(dsn: str, tmp_path: Path) -> None:
    await prepare(dsn)
    with serving_processes(dsn, tmp_path, "--workers", "2") as served:
        async with served.client() as client:
            assert await client.data(READ) == READ_DATA
        while len(workers := served.workers()) < WORKERS:  # noqa: ASYNC110  # the supervisor has no event for it
            await asyncio.sleep(0.01)
        served.process.kill()
        async with asyncio.timeout(20):
            while any(b"spawn_main" in command_line(str(worker)) for worker in workers):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.05)
