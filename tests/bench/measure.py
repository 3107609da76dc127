"""Claim: a ratio is of two servers that ran right after each other, and its spread says how much to believe of it.

For each document every server starts anew, is warmed up, and then they take turns, round after round. Ratios are made
within a round, so that what slows the machine for a while slows both; reported are the median round and the extremes.
"""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr

from gql.security.token import SCOPES, mint
from gql.settings import Settings
from tests.bench.load import Load, run
from tests.bench.process import ServerProcess, running
from tests.bench.workload import SERVER, SERVERS, Case, run_compare

_SECRET = "a key for a benchmark on one machine"
_POOL_SIZE = 10
# What is slow is asked for at least this often in a round.
_AT_LEAST = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure: so many rounds, of so many seconds for each server."""

    rounds: int = 5
    seconds: float = 2.0
    warm_up: float = 1.0


@dataclass(frozen=True, slots=True)
class Round:
    """One server's turn. CPU is of the server's process; None where the system does not tell."""

    rps: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """A document on one server: all its turns, and the most memory that its process had before them and in them."""

    rounds: list[Round]
    idle_mb: float | None
    peak_mb: float | None

    def median(self, pick: Callable[[Round], float | None]) -> float | None:
        """The median round's number; None where there is none."""
        values = [value for value in map(pick, self.rounds) if value is not None]
        return statistics.median(values) if values else None


@dataclass(frozen=True, slots=True)
class Spread:
    """A ratio over the rounds."""

    median: float
    min: float
    max: float


def measure(
    dsn: str, cases: Iterable[Case], plan: Plan, progress: Callable[[str], None]
) -> dict[str, dict[str, Result]]:
    """Measure each document on each server that answers it. Raises DifferenceError where answers differ."""
    environment = environment_of(dsn)
    results = {}
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as client:
        for case in cases:
            progress(case.name)
            token = token_of(case.account)
            with ExitStack() as stack:
                servers = {name: stack.enter_context(running(SERVERS[name], environment)) for name in case.servers}
                results[case.name] = _measure_case(client, case, servers, token, plan)
    return results


def ratios(results: Mapping[str, Result]) -> dict[str, Spread]:
    """Requests/s of the server as multiples of each other server's."""
    mine = results[SERVER].rounds
    return {
        name: spread([a.rps / b.rps for a, b in zip(mine, result.rounds, strict=True)])
        for name, result in results.items()
        if name != SERVER
    }


def spread(values: Sequence[float]) -> Spread:
    """The median and the extremes."""
    return Spread(statistics.median(values), min(values), max(values))


def environment_of(dsn: str) -> dict[str, str]:
    """What the servers are configured with."""
    return {
        "DATABASE_URL": dsn,
        "INBOX_JWT_SECRET": _SECRET,
        "INBOX_POOL_SIZE": str(_POOL_SIZE),
        # One user asks for as much as the machine gives, and a refusal would be the fastest answer of all.
        "INBOX_RATE_LIMIT": "0",
    }


def token_of(account: int) -> str:
    """A token of the account's first user, for a day."""
    settings = Settings(jwt_secret=SecretStr(_SECRET))
    # The seed gives users their ids account by account: the application is the same for all.
    return mint(settings, account=account, subject="application:1", scopes=sorted(SCOPES), expires_in=timedelta(days=1))


def turn(client: ProcessPoolExecutor, server: ServerProcess, load: Load) -> tuple[Round, int]:
    """Put one load on a server. Returns what was measured, and how many requests were sent."""
    before = server.cpu_seconds
    outcome = client.submit(run, load).result()
    after = server.cpu_seconds
    latencies = sorted(outcome.latencies)
    count = len(latencies)
    measured = Round(
        rps=count / outcome.elapsed,
        p50_ms=statistics.median(latencies) * 1_000,
        p99_ms=latencies[min(count - 1, count * 99 // 100)] * 1_000,
        cpu_ms=None if before is None or after is None else (after - before) / count * 1_000,
    )
    return measured, count


def _measure_case(
    client: ProcessPoolExecutor, case: Case, servers: Mapping[str, ServerProcess], token: str, plan: Plan
) -> dict[str, Result]:
    ports = {name: server.port for name, server in servers.items()}
    requests = {name: case.requests(name, token) for name in servers}
    rounds: dict[str, list[Round]] = {name: [] for name in servers}
    # Mutations toggle: each request must find what the one before it left, whoever answered it.
    sent = 0
    idle = {name: server.peak_mb for name, server in servers.items()}
    run_compare(case, ports, token)
    for number in range(plan.rounds + 1):
        for name, server in servers.items():
            seconds = plan.seconds if number else plan.warm_up
            load = Load(server.port, requests[name], start=sent, seconds=seconds, at_least=_AT_LEAST)
            measured, count = turn(client, server, load)
            sent += count
            if number:
                rounds[name].append(measured)
    run_compare(case, ports, token)
    return {name: Result(rounds[name], idle[name], server.peak_mb) for name, server in servers.items()}
