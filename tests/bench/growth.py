"""Shows that time grows linearly with the requested rows, and not with the rows of the table.

It measures only this server, on one connection: pages of 10 conversations and pages of 100 from the same positions, and
the first page and the one after 100,000 conversations. The two alternate request by request, so that other load on the
machine slows both. Throughput is not measured.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import asyncpg

from tests.bench.contender import SERVER, assemble
from tests.bench.database import ACCOUNT
from tests.bench.load import Load, run
from tests.bench.measure import Plan, Spread, environment_of, spread, token_of
from tests.bench.process import running
from tests.bench.workload import Case, cursor_after, read_document

DEPTH = 100_000
MOST_BY_ROWS = 11.0
MOST_BY_DEPTH = 1.3
_FEW, _MANY = 10, 100
_STARTS = 10


@dataclass(frozen=True, slots=True)
class Growth:
    """The ratio of the times of two pages, and the limit of that ratio."""

    document: str
    what: str
    times: Spread
    most: float

    @property
    def passed(self) -> bool:
        """Whether the target is met."""
        return self.times.median <= self.most


def measure_growth(dsn: str, conversations: int, plan: Plan, progress: Callable[[str], None]) -> list[Growth]:
    """Both comparisons. With too few conversations, the deep page is in the middle."""
    depth = min(DEPTH, conversations // 2)
    # Small and large pages begin at the same positions, none of them at the top, where threads are still short.
    *starts, deep = asyncio.run(_cursors(dsn, [depth * number // _STARTS for number in range(1, _STARTS + 1)]))
    few, many = ([{"first": size, "after": start} for start in starts] for size in (_FEW, _MANY))
    by_rows = f"{_MANY} : {_FEW} conversations", few, many, MOST_BY_ROWS
    first: Mapping[str, Any] = {}
    by_depth = f"after {depth:,} : first page", [first], [{"after": deep}], MOST_BY_DEPTH
    found = []
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as client,
        running(assemble([SERVER], "not needed").command(SERVER), environment_of(dsn)) as server,
    ):
        for document, (what, small, large, most) in (("list", by_rows), ("nested", by_rows), ("list", by_depth)):
            progress(f"{document}, {what}")
            sizes = _requests(document, small), _requests(document, large)
            ratio = spread([_times(client, server.port, sizes, plan) for _ in range(plan.rounds + 1)][1:])
            found.append(Growth(document, what, ratio, most))
    return found


def _requests(document: str, variables: Sequence[Mapping[str, Any]]) -> list[bytes]:
    case = Case(document, read_document(document), ACCOUNT, [], variables, [])
    return case.requests(SERVER, [token_of(ACCOUNT)])


def _times(client: ProcessPoolExecutor, port: int, sizes: tuple[list[bytes], list[bytes]], plan: Plan) -> float:
    """The time of the second kind of request, as a multiple of the first."""
    alternating = [request for pair in zip(*sizes, strict=True) for request in pair]
    load = Load(port, alternating, seconds=2 * plan.seconds, connections=1)
    # Responses on one connection are in the order of the requests.
    latencies = client.submit(run, load).result().latencies
    return statistics.median(latencies[1::2]) / statistics.median(latencies[::2])


async def _cursors(dsn: str, depths: Sequence[int]) -> list[str]:
    connection: Any = await asyncpg.connect(dsn)
    try:
        return [await cursor_after(connection, depth) for depth in depths]
    finally:
        await connection.close()
