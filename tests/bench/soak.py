"""`uv run python -m tests.bench.soak` mixes hostile requests with ordinary clients, and stops by itself.

First there are only ordinary clients: four users of one account, with ten requests a second each. Then an application
of another account sends the corpus of `tests/attacks`, filters of always new shapes and heavy queries, and opens
connections that are slow, never end, or send too much. All traffic is on the loopback interface. It prints, for each
tenth of the time: the ordinary clients' latencies, all statuses, and memory. It exits with 1 if a target is missed: p99
of ordinary clients below 3 times that without attacks, no 5xx except 503 and 504, and constant memory in the second
half.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from pydantic import SecretStr

from gql.security.token import SCOPES, mint
from gql.settings import Settings
from tests.attacks.documents import DOCUMENTS
from tests.attacks.requests import bodies, variables
from tests.bench.database import Size, prepared
from tests.bench.process import ServerProcess, running
from tests.support.client import SECRET

USERS = 4
PAUSE = 0.1
ATTACKERS = 6
# An ordinary response takes a fraction of a second even on a busy machine.
LONGEST = 30.0
MOST_P99 = 3.0
MOST_GROWTH = 0.15
_SIZE = Size(2, 1_000)

ORDINARY = (
    "{ conversations(first: 25) { nodes { id subject read lastMessage { content } } } inboxCounts { unread } }",
    "{ conversations(first: 10) { nodes { id messages(first: 5) { nodes { content sender { id } } } } } }",
    "{ hosts(first: 10) { nodes { id databaseId } } }",
    "{ viewer { scopes } }",
)
FLAGS = ("closed", "markedAsSpam", "read", "assigned", "needsReply", "overdue")
FILTERED = (
    "query ($filter: ConversationFilter) { conversations(first: 5, filter: $filter) { totalCount nodes { id } } }"
)
HEAD = b"POST /graphql HTTP/1.1\r\nHost: inbox\r\n"


@dataclass(slots=True)
class Slice:
    """The counts and latencies of a part of the time."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    lags: list[float] = field(default_factory=list)
    """How late this process noticed that a time was over: it is part of the latencies, and no fault of the server."""

    @property
    def p99(self) -> float:
        """The p99 of the ordinary clients, in milliseconds."""
        return _p99(self.latencies)


def _p99(seconds: list[float]) -> float:
    """The p99 in milliseconds."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1_000 if ordered else float("nan")


class Soak:
    """The clients of one server. `now` is the current slice."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.now = Slice()

    async def send(self, request: bytes) -> int:
        """Send bytes on a new connection; return the status of the response, 0 without one."""
        try:
            async with asyncio.timeout(LONGEST):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(request)
                    line = await reader.readline()
                    # Read the response.
                    while await reader.read(65_536):
                        pass
                finally:
                    writer.close()
                return int(line.split()[1]) if line else 0
        except (OSError, TimeoutError, ValueError, IndexError):
            return 0

    async def ask(self, body: bytes, token: str, headers: bytes = b"Content-Type: application/json\r\n") -> int:
        """The status of the response to a POST."""
        lines = f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n".encode()
        return await self.send(HEAD + headers + lines + b"\r\n" + body)

    async def use(self, token: str) -> None:
        """An ordinary client."""
        for document in itertools.cycle(ORDINARY):
            started = time.perf_counter()
            status = await self.ask(json.dumps({"query": document}).encode(), token)
            self.now.latencies.append(time.perf_counter() - started)
            self.now.statuses[f"ordinary {status}"] += 1
            await asyncio.sleep(PAUSE)

    async def attack(self, token: str, requests: Iterator[Callable[[], bytes]]) -> None:
        """A hostile client, with one request after the other."""
        for make in requests:
            status = await self.ask(make(), token)
            self.now.statuses[f"hostile {status}"] += 1
            # Otherwise a client that is rejected at once would only measure the speed of rejections.
            await asyncio.sleep(0.005)

    async def watch(self) -> None:
        """Measure the delays of this process."""
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.01)
            self.now.lags.append(time.perf_counter() - started - 0.01)

    async def press(self) -> None:
        """A client with invalid connections only."""
        for number in itertools.count():
            for name, request in connections(number):
                status = await self.send(request)
                self.now.statuses[f"{name} {status}"] += 1
                await asyncio.sleep(0.02)


def connections(number: int) -> Iterator[tuple[str, bytes]]:
    """Connections that are slow, never end, or send too much."""
    yield "large head", HEAD + b"X: " + b"a" * (65_536 + number % 65_536)
    yield (
        "accept",
        HEAD + b"Accept: text/%d" % number + b"a" * 30_000 + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    yield "pipelined", b"GET /healthz HTTP/1.1\r\nHost: inbox\r\n\r\n" * 1_000
    yield "not HTTP", bytes([number % 256]) * 1_000
    if number % 50 == 0:
        yield "half a head", HEAD


@cache
def prepared_corpus() -> tuple[list[bytes], list[bytes]]:
    """The bodies with the documents of `tests/attacks`, and its other bodies.

    They are made once: whatever takes long in this process would be measured as the latency of ordinary clients.
    """
    documents = [json.dumps({"query": make()}).encode() for make in DOCUMENTS]
    return documents, [body for _, body in (*bodies(), *variables())]


def corpus() -> Iterator[Callable[[], bytes]]:
    """The documents, bodies and variables of `tests/attacks`, repeatedly, each time with another text."""
    documents, others = prepared_corpus()
    for number in itertools.count():
        for body in documents:
            yield lambda body=body, number=number: body[:-2] + b" " * (number % 50) + body[-2:]  # type: ignore[misc]
        for body in others:
            yield lambda body=body: body  # type: ignore[misc]


def shapes() -> Iterator[Callable[[], bytes]]:
    """Filters of always new shapes, and heavy queries."""
    choice = random.Random(1)  # noqa: S311  # only for variation
    while True:
        some = [dict.fromkeys(choice.sample(FLAGS, choice.randint(1, 5)), True) for _ in range(choice.randint(1, 20))]
        yield lambda some=some: json.dumps({"query": FILTERED, "variables": {"filter": {"or": some}}}).encode()  # type: ignore[misc]
        words = [{"search": f"{choice.choice('aeinorst')}{choice.choice('aeiou')}"} for _ in range(30)]
        yield lambda words=words: json.dumps({"query": FILTERED, "variables": {"filter": {"or": words}}}).encode()  # type: ignore[misc]


def token_for(account: int, subject: str) -> str:
    """A token for a day."""
    settings = Settings(jwt_secret=SecretStr(SECRET))
    return mint(settings, account=account, subject=subject, scopes=sorted(SCOPES), expires_in=timedelta(days=1))


async def memory(dsn: str, server: ServerProcess) -> tuple[float, float]:
    """Megabytes of the server and of its PostgreSQL processes."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
    return _private(server.pid), sum(_private(row["pid"]) for row in rows)


def _private(pid: int) -> float:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1_000
    return 0.0


async def users_of(dsn: str, account: int) -> list[int]:
    """Ids of users of the account."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT id FROM users WHERE account_id = $1 ORDER BY id LIMIT $2", account, USERS)
    finally:
        await connection.close()
    return [row["id"] for row in rows]


async def run(dsn: str, server: ServerProcess, seconds: float) -> bool:
    """Whether all targets are met."""
    soak = Soak(server.port)
    users = await users_of(dsn, 2)
    attacker = token_for(1, "application:1")
    part = seconds / 10
    tasks = [asyncio.create_task(soak.use(token_for(2, f"user:{users[n % len(users)]}"))) for n in range(USERS)]
    tasks.append(asyncio.create_task(soak.watch()))
    prepared_corpus()
    # Warm up: compile statements, open connections.
    await asyncio.sleep(min(5.0, part))
    soak.now = quiet = Slice()
    await asyncio.sleep(part)
    cpu = server.cpu_seconds or 0.0
    _print("quiet", quiet, await memory(dsn, server), 0.0)
    for number in range(ATTACKERS):
        kind = (corpus, shapes, None)[number % 3]
        tasks.append(asyncio.create_task(soak.attack(attacker, kind()) if kind else soak.press()))
    mixed, sizes = Slice(), []
    for number in range(1, 10):
        soak.now = Slice()
        await asyncio.sleep(part)
        sizes.append(await memory(dsn, server))
        used, cpu = (server.cpu_seconds or 0.0) - cpu, server.cpu_seconds or 0.0
        _print(f"{number * part:.0f} s", soak.now, sizes[-1], used / part)
        mixed.latencies += soak.now.latencies
        mixed.statuses += soak.now.statuses
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    for failed in (each for each in ended if isinstance(each, Exception)):
        raise failed
    return _judge(quiet, mixed, [sum(size) for size in sizes])


def _print(name: str, part: Slice, size: tuple[float, float], busy: float) -> None:
    statuses = ", ".join(f"{status} x {count}" for status, count in sorted(part.statuses.items()))
    latency = f"p99 {part.p99:7.1f} ms (own lag {_p99(part.lags):5.1f} ms)"
    sizes = f"server {size[0]:6.1f} MB  PostgreSQL {size[1]:6.1f} MB"
    sys.stdout.write(f"{name:>8}  {latency}  busy {busy:4.0%}  {sizes}  {statuses}\n")
    sys.stdout.flush()


def _judge(quiet: Slice, mixed: Slice, sizes: list[float]) -> bool:
    wrong = [
        status for status in mixed.statuses if status.split()[-1] >= "5" and status.split()[-1] not in {"503", "504"}
    ]
    middle = sizes[len(sizes) // 2]
    results: dict[str, tuple[Any, bool]] = {
        "ordinary p99 against quiet": (round(mixed.p99 / quiet.p99, 2), mixed.p99 < MOST_P99 * quiet.p99),
        "statuses that may not be": (wrong, not wrong),
        "growth of memory in the second half": (
            round(sizes[-1] / middle - 1, 3),
            sizes[-1] < middle * (1 + MOST_GROWTH),
        ),
    }
    for name, (value, met) in results.items():
        sys.stdout.write(f"{name}: {value} {'ok' if met else 'MISSED'}\n")
    return all(met for _, met in results.values())


def main(
    seconds: Annotated[float, typer.Option(min=10, max=3_600, help="How long it lasts.")] = 600.0,
    data: Annotated[Path, typer.Option(help="Folder of the embedded server.")] = Path(".data/bench"),
) -> None:
    """Run, and exit with 1 if a target is missed."""
    with prepared(data, None, _SIZE) as dsn:
        environment = {"DATABASE_URL": dsn, "INBOX_JWT_SECRET": SECRET}
        command = [sys.executable, "-m", "tests.bench.process", "gql.app:create_configured_app"]
        with running(command, environment) as server:
            met = asyncio.run(run(dsn, server, seconds))
    raise typer.Exit(0 if met else 1)


if __name__ == "__main__":
    typer.run(main)
