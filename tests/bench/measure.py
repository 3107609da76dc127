"""Measures in rounds of turns, and computes ratios within a round.

For each document all servers are started and warmed up; then they take turns, round after round, first with many
clients and then with one. A ratio compares two turns of the same round, so that other load on the machine slows both.
The median round and the extremes are reported.
"""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeAlias

from pydantic import SecretStr

from gql.security.token import SCOPES, mint
from gql.settings import Settings
from tests.bench.contender import SERVER, Field
from tests.bench.cpu import cpu_seconds_of_family, find_postmaster
from tests.bench.load import Load, run
from tests.bench.process import ServerProcess, running
from tests.bench.workload import Case, run_compare

SECRET = "a key for a benchmark on one machine"
_POOL_SIZE = 10
# More nodes and seconds per minute than any run uses: the limiter counts as in production, but rejects nothing.
_RATE_LIMIT = 2_000_000_000
_RATE_SECONDS = 1_000_000
# The least number of requests in a turn, for slow documents.
_AT_LEAST = 8

MANY, ALONE = 8, 1


@dataclass(frozen=True, slots=True)
class Plan:
    """The number of rounds, and the seconds of each turn."""

    rounds: int = 5
    seconds: float = 2.0
    warm_up: float = 1.0
    clients: tuple[int, ...] = (MANY, ALONE)


@dataclass(frozen=True, slots=True)
class Turn:
    """One server's turn. CPU times are per request; None if the system does not count them."""

    rps: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float | None
    pg_cpu_ms: float | None
    client_cpu_ms: float


@dataclass(frozen=True, slots=True)
class Result:
    """A document on one server: its turns by number of clients, and the peak memory of its process before and after."""

    turns: Mapping[int, list[Turn]]
    idle_mb: float | None
    peak_mb: float | None

    def median(self, clients: int, pick: Callable[[Turn], float | None]) -> float | None:
        """The median over the turns; None without values."""
        values = [value for value in map(pick, self.turns[clients]) if value is not None]
        return statistics.median(values) if values else None


# By document and server.
Results: TypeAlias = Mapping[str, Mapping[str, Result]]


@dataclass(frozen=True, slots=True)
class Spread:
    """A ratio over the rounds."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Clock:
    """Sends loads to servers from a separate process, and measures the servers and PostgreSQL."""

    client: ProcessPoolExecutor
    postmaster: int | None

    def turn(self, server: ServerProcess, load: Load) -> tuple[Turn, int]:
        """The measured turn, and the number of requests."""
        before = server.cpu_seconds, cpu_seconds_of_family(self.postmaster)
        outcome = self.client.submit(run, load).result()
        after = server.cpu_seconds, cpu_seconds_of_family(self.postmaster)
        latencies = sorted(outcome.latencies)
        count = len(latencies)
        mine, postgres = (
            None if a is None or b is None else (b - a) / count * 1_000 for a, b in zip(before, after, strict=True)
        )
        measured = Turn(
            rps=count / outcome.elapsed,
            p50_ms=statistics.median(latencies) * 1_000,
            p99_ms=latencies[min(count - 1, count * 99 // 100)] * 1_000,
            cpu_ms=mine,
            pg_cpu_ms=postgres,
            client_cpu_ms=outcome.cpu / count * 1_000,
        )
        return measured, count


@dataclass(slots=True)
class _Match:
    """The servers of one document while they take turns."""

    case: Case
    servers: Mapping[str, ServerProcess]
    sent: int = 0
    """Mutations toggle a state: each request depends on the one before it, on whichever server."""
    requests: dict[str, list[bytes]] = field(init=False)

    def __post_init__(self) -> None:
        tokens = [token_of(self.case.account, actor) for actor in self.case.actors]
        self.requests = {name: self.case.requests(name, tokens) for name in self.servers}

    def compare(self) -> None:
        """Raise DifferenceError if responses differ."""
        token = token_of(self.case.account, self.case.actors[0])
        run_compare(self.case, {name: server.port for name, server in self.servers.items()}, token)

    def turn(self, clock: Clock, name: str, clients: int, seconds: float) -> Turn:
        """Send the load to one server."""
        server = self.servers[name]
        load = Load(server.port, self.requests[name], self.sent, seconds, at_least=_AT_LEAST, connections=clients)
        measured, count = clock.turn(server, load)
        self.sent += count
        return measured


def measure(dsn: str, cases: Iterable[Case], entered: Field, plan: Plan, progress: Callable[[str], None]) -> Results:
    """Measure each document on each server that answers it. Raises DifferenceError if responses differ."""
    results = {}
    with _client() as client:
        clock = Clock(client, asyncio.run(find_postmaster(dsn)))
        for case in cases:
            with _running(dsn, entered, entered.answering(case.name)) as servers:
                match = _Match(case, servers)
                results[case.name] = _measure_match(clock, match, plan, partial(_show, progress, case.name))
    return results


def compare(dsn: str, cases: Iterable[Case], entered: Field, progress: Callable[[str], None]) -> None:
    """Compare the responses of all servers without measuring. Raises DifferenceError if they differ."""
    with _running(dsn, entered, list(entered.runnable)) as servers:
        for case in cases:
            progress(f"{case.name}: comparing answers")
            answering = {name: servers[name] for name in entered.answering(case.name)}
            _Match(case, answering).compare()


@contextmanager
def _running(dsn: str, entered: Field, names: Iterable[str]) -> Iterator[dict[str, ServerProcess]]:
    environment = environment_of(dsn) | entered.environment()
    with ExitStack() as stack:
        yield {name: stack.enter_context(running(entered.command(name), environment)) for name in names}


def ratios(results: Mapping[str, Result], clients: int) -> dict[str, Spread]:
    """Requests/s of the server as multiples of each other server's."""
    return _compare(results, clients, lambda mine, other: mine.rps / other.rps)


def cpu_ratios(results: Mapping[str, Result], clients: int) -> dict[str, Spread]:
    """The CPU time of each other server and PostgreSQL per request, as multiples of this server's.

    Unlike requests/s, it hardly depends on other load on the machine.
    """
    return _compare(results, clients, lambda mine, other: _cpu(other) / (_cpu(mine) or math.nan))


def _cpu(turn: Turn) -> float:
    return (turn.cpu_ms or 0.0) + (turn.pg_cpu_ms or 0.0)


def _compare(results: Mapping[str, Result], clients: int, compare: Callable[[Turn, Turn], float]) -> dict[str, Spread]:
    mine = results[SERVER].turns[clients]
    return {
        name: spread([compare(*pair) for pair in zip(mine, result.turns[clients], strict=True)])
        for name, result in results.items()
        if name != SERVER
    }


def spread(values: Sequence[float]) -> Spread:
    """The median and the extremes."""
    return Spread(statistics.median(values), min(values), max(values))


def environment_of(dsn: str) -> dict[str, str]:
    """The settings of the servers, as in production."""
    return {
        "DATABASE_URL": dsn,
        "INBOX_JWT_SECRET": SECRET,
        "INBOX_POOL_SIZE": str(_POOL_SIZE),
        "INBOX_RATE_LIMIT": str(_RATE_LIMIT),
        "INBOX_RATE_SECONDS": str(_RATE_SECONDS),
    }


def token_of(account: int, actor: str = "application:1") -> str:
    """A token for an actor, valid for a day. The first application acts in every account."""
    settings = Settings(jwt_secret=SecretStr(SECRET))
    return mint(settings, account=account, subject=actor, scopes=sorted(SCOPES), expires_in=timedelta(days=1))


def _client() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def _show(progress: Callable[[str], None], document: str, doing: str) -> None:
    progress(f"{document}: {doing}")


def _measure_match(clock: Clock, match: _Match, plan: Plan, progress: Callable[[str], None]) -> dict[str, Result]:
    idle = {name: server.peak_mb for name, server in match.servers.items()}
    turns: dict[str, dict[int, list[Turn]]] = {name: {count: [] for count in plan.clients} for name in match.servers}
    progress("comparing answers")
    match.compare()
    for name in match.servers:
        match.turn(clock, name, max(plan.clients), plan.warm_up)
    for number in range(plan.rounds):
        progress(f"round {number + 1} of {plan.rounds}")
        for clients in plan.clients:
            for name in match.servers:
                turns[name][clients].append(match.turn(clock, name, clients, plan.seconds))
    match.compare()
    return {name: Result(turns[name], idle[name], server.peak_mb) for name, server in match.servers.items()}
