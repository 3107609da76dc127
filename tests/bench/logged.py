"""`uv run python -m tests.bench.logged` measures what the change log costs writes, in one account and in many.

Two servers on one database take turns, round after round: one as it is, and one that commits without logging. Each
request writes a message in another account, as far as there are several.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Annotated

import asyncpg
import typer
from starlette.applications import Starlette

from db import commit, engine
from gql.app import create_configured_app
from tests.bench.cpu import find_postmaster
from tests.bench.database import Size, prepared
from tests.bench.live import WRITE, People, people
from tests.bench.load import Load
from tests.bench.measure import Clock, Turn
from tests.bench.process import ServerProcess, running
from tests.support.client import SECRET

# The share of the rate without the log that is to remain in many accounts.
LEAST = 0.8
FACTORIES = {"with": "gql.app:create_configured_app", "without": "tests.bench.logged:create_app_without_log"}


def create_app_without_log() -> Starlette:
    """The application, whose writes are committed without being logged."""
    vars(engine)["commit"] = lambda viewer, journal, *, prepared: commit.commit(
        viewer, replace(journal, changes={}), prepared=prepared
    )
    return create_configured_app()


def requests(found: People, accounts: int) -> list[bytes]:
    """A request for each of some conversations of the accounts, whose accounts take turns."""
    return [
        _request(token, conversations[place % len(conversations)], place)
        for place in range(10)
        for token, conversations in list(found.values())[:accounts]
    ]


def _request(token: str, conversation: str, place: int) -> bytes:
    body = json.dumps({"query": WRITE, "variables": {"there": conversation, "text": f"Towels, please {place}"}})
    return (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@contextmanager
def servers(dsn: str) -> Iterator[dict[str, ServerProcess]]:
    """Both servers."""
    environment = {"DATABASE_URL": dsn, "INBOX_JWT_SECRET": SECRET, "INBOX_RATE_LIMIT": "0", "INBOX_RATE_SECONDS": "0"}
    command = [sys.executable, "-m", "tests.bench.process"]
    with (
        running([*command, FACTORIES["with"]], environment) as with_,
        running([*command, FACTORIES["without"]], environment) as without,
    ):
        yield {"with": with_, "without": without}


def measure(clock: Clock, running_: dict[str, ServerProcess], sent: list[bytes], rounds: int, seconds: float) -> float:
    """Print the rates, and the CPU of a mutation; return the median ratio of the rates."""
    turns: dict[str, list[Turn]] = {name: [] for name in running_}
    for number in range(rounds + 1):
        for name, server in running_.items():
            turn, _ = clock.turn(server, Load(server.port, sent, seconds=seconds))
            if number:
                turns[name].append(turn)
    for name, measured in turns.items():
        cpu, postgres = (median(getattr(turn, field) or 0.0 for turn in measured) for field in ("cpu_ms", "pg_cpu_ms"))
        rate = median(turn.rps for turn in measured)
        _print(f"        {name:7} the log: {rate:.0f} mutations/s, CPU {cpu:.2f} ms, of PostgreSQL {postgres:.2f} ms")
    ratios = [logged.rps / plain.rps for logged, plain in zip(turns["with"], turns["without"], strict=True)]
    _print(f"        rate with : without {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return median(ratios)


async def _flush(dsn: str, *, flush: bool) -> None:
    connection = await asyncpg.connect(dsn)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = {'on' if flush else 'off'}")
    await connection.close()


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(
    *,
    accounts: Annotated[int, typer.Option(min=2, help="Accounts, where there are many.")] = 1_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, after one that is not counted.")] = 7,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of a turn.")] = 3.0,
    flush: Annotated[bool, typer.Option(help="Whether a COMMIT waits for the disk.")] = True,
    data: Annotated[Path, typer.Option(help="Folder of the embedded server, kept for the next run.")] = Path(
        ".data/live"
    ),
) -> None:
    """Measure mutations with and without the change log."""
    # Not forked, as this process has connections.
    clients = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    with prepared(data, None, Size(accounts, 10)) as dsn, clients as client:
        asyncio.run(_flush(dsn, flush=flush))
        found = asyncio.run(people(dsn, accounts))
        clock = Clock(client, asyncio.run(find_postmaster(dsn)))
        with servers(dsn) as running_:
            for number in (1, accounts):
                _print(f"{number} accounts, COMMIT {'waits' if flush else 'does not wait'} for the disk:")
                ratio = measure(clock, running_, requests(found, number), rounds, seconds)
    raise typer.Exit(0 if ratio >= LEAST else 1)


if __name__ == "__main__":
    typer.run(main)
