"""`uv run python -m tests.bench.webhooks measure` measures `inbox work`, with receivers in a process.

1. *Throughput:* a backlog of deliveries for 1,000 healthy endpoints, until all have arrived; CPU time of the worker and
   of PostgreSQL for each delivery.
2. *Delay:* events at a fixed rate, from the last statement of the transaction that logs them, which has its time in the
   log, to their arrival at the receiver.
3. *Bad neighbours:* the same beside 100 endpoints that begin to hang and 100 that begin to answer 500. Rounds without
   and with them alternate, and in each round they are new, because known ones are seldom tried. p99 of the healthy ones
   over all rounds may be at most twice as high as without; the ratios of single rounds show the spread.

Everything shares the machine. A run takes about four minutes. It exits with 1 if the target is missed or a delivery
does not arrive. `--json FILE` stores the figures.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Any

import asyncpg
import orjson
import typer
import uvloop

from db.embedded import embedded
from db.listen import Signals
from db.migrations.apply import migrate
from tests.bench.cpu import cpu_seconds, cpu_seconds_of_family, find_postmaster
from tests.support.client import FERNET_KEY, SECRET
from tests.support.delivering import store_endpoint
from tests.support.factories import store_account

# Of each account.
ENDPOINTS = 20
MOST_SLOWER = 2.0
PATIENCE = 200
# What waits for them is sent to nobody.
NO_BAD = "DELETE FROM webhook_endpoints WHERE url NOT LIKE '%/ok'"
# The log of an event, as `db.commit` writes it.
LOG = """
WITH counter AS (
    INSERT INTO change_counters AS c (account_id, number, removed) SELECT a, $2::int, 0 FROM unnest($1::bigint[]) a
    ON CONFLICT (account_id) DO UPDATE SET number = c.number + $2::int RETURNING account_id, number
)
INSERT INTO changes (account_id, number, type, node_id, conversation_id, operation, at, events)
SELECT account_id, number - $2::int + n, 'MESSAGE', number - $2::int + n, (number - $2::int + n) % 50 + 1, 'UPSERTED',
    clock_timestamp(), '{MESSAGE_CREATED}'
FROM counter, generate_series(1, $2::int) n
"""


class Receiver(asyncio.Protocol):
    """Answers requests by their path: `/ok`, `/500`, and `/hang` never. `GET /` returns the delays so far.

    It reads requests as the worker writes them: the head and the body may come apart, and nothing follows the body.
    """

    delays: list[float] = []  # noqa: RUF012  # one list for the process

    def __init__(self) -> None:
        self._text = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer a request that is complete."""
        self._text += data
        head, found, body = self._text.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"GET"):
            answer = orjson.dumps(self.delays)
            self.delays.clear()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
        elif len(body) == int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]):
            self._answer(head.split(b" ", 2)[1], body)
        else:
            return
        self._text = b""

    def _answer(self, path: bytes, body: bytes) -> None:
        if path == b"/hang":
            return
        if path == b"/ok":
            sent = datetime.fromisoformat(orjson.loads(body)["timestamp"]).timestamp()
            self.delays.append(time.time() - sent)
        status = b"204 No Content" if path == b"/ok" else b"500 Internal Server Error"
        self._transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")


async def _receive(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port, backlog=2_048)
    await server.serve_forever()


@contextmanager
def _process(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of this benchmark, ended after the block."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("INBOX_", "DATABASE_"))}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  # the benchmark's own arguments
            [sys.executable, *arguments],
            env=inherited | environment,
            stderr=log,
            cwd=Path(__file__).parents[2],
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


@dataclass
class Bench:
    """The database, the receivers and the worker."""

    connection: asyncpg.Connection[Any]
    signals: Signals
    port: int
    worker: int
    postgresql: int | None

    async def delays(self) -> list[float]:
        """The delays of healthy endpoints since the last call, in seconds."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        found: list[float] = orjson.loads(await reader.readexactly(int(head.split()[-1])))
        writer.close()
        return found

    async def arrived(self, number: int) -> list[float]:
        """The delays, once that many deliveries have arrived. Exits if they do not."""
        found: list[float] = []
        started = time.monotonic()
        while len(found) < number:
            if time.monotonic() - started > PATIENCE:
                sys.exit(f"Only {len(found):,} of {number:,} deliveries have arrived")
            await asyncio.sleep(0.1)
            found += await self.delays()
        return found

    async def log(self, accounts: list[int], number: int) -> None:
        """Log events in each of the accounts, and announce them as a server does."""
        await self.connection.execute(LOG, accounts, number)
        for account in accounts:
            self.signals.mark(account)

    async def paced(self, accounts: list[int], rate: float, seconds: float) -> list[float]:
        """Log events of one account after the other, at a rate of deliveries per second; return their delays."""
        events = max(1, round(rate * seconds / ENDPOINTS))
        started = time.monotonic()
        for nth in range(events):
            await self.log([accounts[nth % len(accounts)]], 1)
            await asyncio.sleep(max(0.0, started + (nth + 1) * seconds / events - time.monotonic()))
        return await self.arrived(events * ENDPOINTS)


def _show(name: str, delays: list[float]) -> dict[str, float]:
    """Print and return percentiles in milliseconds."""
    cuts = quantiles(delays, n=100)
    found = {"deliveries": len(delays), "p50": cuts[49] * 1_000, "p99": cuts[98] * 1_000, "max": max(delays) * 1_000}
    print(  # noqa: T201  # the result
        f"{name:<36} {len(delays):>7,} deliveries, p50 {found['p50']:>6.0f} ms, p99 {found['p99']:>6.0f} ms, "
        f"longest {found['max']:>6.0f} ms"
    )
    return found


@asynccontextmanager
async def _prepared(accounts: int) -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="hooks", dir="/tmp") as folder, embedded(Path(folder)) as dsn:
        await asyncio.to_thread(migrate, dsn)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        connection = await asyncpg.connect(dsn)
        for account in range(1, accounts + 1):
            await store_account(connection, account)
            columns = {"account_id": account, "created_by_user_id": 1}
            for _ in range(ENDPOINTS):
                await store_endpoint(connection, f"http://127.0.0.1:{port}/ok", **columns)
        signals = Signals(dsn, lambda _: None, lambda error: print(error, file=sys.stderr))  # noqa: T201
        announcing = asyncio.create_task(signals.run())
        variables = {"INBOX_JWT_SECRET": SECRET, "INBOX_SECRET_KEY": FERNET_KEY, "INBOX_WEBHOOK_LOOPBACK": "yes"}
        with (
            _process("-m", "tests.bench.webhooks", "receive", str(port)),
            _process("-m", "gql", "work", DATABASE_URL=dsn, **variables) as worker,
        ):
            await _listening(port)
            yield Bench(connection, signals, port, worker.pid, await find_postmaster(dsn))
        announcing.cancel()
        await connection.close()


async def _listening(port: int) -> None:
    """Wait until something listens on the port."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


async def _measure(accounts: int, backlog: int, rate: float, seconds: float, rounds: int) -> dict[str, Any]:
    everyone = list(range(1, accounts + 1))
    without: list[list[float]] = []
    beside: list[list[float]] = []
    async with _prepared(accounts) as bench:
        await bench.log([1], 1)
        await bench.arrived(ENDPOINTS)
        throughput = await _measure_throughput(bench, everyone, backlog)
        for nth in range(rounds):
            without.append(await bench.paced(everyone, rate, seconds))
            _show(f"round {nth + 1}: {accounts * ENDPOINTS:,} healthy", without[-1])
            await _store_bad(bench, everyone)
            beside.append(await bench.paced(everyone, rate, seconds))
            _show(f"round {nth + 1}: beside {4 * accounts} bad ones", beside[-1])
            await bench.connection.execute(NO_BAD)
    both = [_show(name, [*chain(*delays)]) for name, delays in (("all without", without), ("all beside", beside))]
    ratios = [_p99(one) / _p99(other) for one, other in zip(beside, without, strict=True)]
    ratio = both[1]["p99"] / both[0]["p99"]
    print(  # noqa: T201  # the result
        f"p99 beside bad endpoints is {ratio:.2f} times that without (at most {MOST_SLOWER:g}); rounds: "
        + ", ".join(f"{each:.2f}" for each in sorted(ratios))
    )
    return {"throughput": throughput, "without": both[0], "beside": both[1], "ratio": ratio, "rounds": ratios}


def _p99(delays: list[float]) -> float:
    return quantiles(delays, n=100)[98]


async def _store_bad(bench: Bench, accounts: list[int]) -> None:
    """Store two endpoints that hang and two that answer 500 in each account. Each gets the events from now on."""
    rows = await bench.connection.fetch("SELECT account_id, number FROM change_counters")
    numbers = {row["account_id"]: row["number"] for row in rows}
    for path in ("hang", "hang", "500", "500"):
        for account in accounts:
            columns = {"account_id": account, "created_by_user_id": 1, "after_number": numbers[account]}
            await store_endpoint(bench.connection, f"http://127.0.0.1:{bench.port}/{path}", **columns)


async def _measure_throughput(bench: Bench, accounts: list[int], backlog: int) -> dict[str, float]:
    each = max(1, backlog // (len(accounts) * ENDPOINTS))
    total = each * len(accounts) * ENDPOINTS
    cpu = cpu_seconds(bench.worker) or 0.0
    postgresql = cpu_seconds_of_family(bench.postgresql) or 0.0
    started = time.monotonic()
    await bench.log(accounts, each)
    await bench.arrived(total)
    took = time.monotonic() - started
    worker = ((cpu_seconds(bench.worker) or 0.0) - cpu) / total * 1_000
    database = ((cpu_seconds_of_family(bench.postgresql) or 0.0) - postgresql) / total * 1_000
    print(  # noqa: T201  # the result
        f"{'throughput':<36} {total:>7,} deliveries in {took:.1f} s: {total / took:,.0f}/s; CPU of one: worker "
        f"{worker:.2f} ms, PostgreSQL {database:.2f} ms"
    )
    return {"deliveries": total, "per_second": total / took, "worker_ms": worker, "postgresql_ms": database}


app = typer.Typer(add_completion=False)


@app.command()
def receive(port: int) -> None:
    """Receive webhooks: a process of the benchmark."""
    uvloop.run(_receive(port))


@app.command()
def measure(  # noqa: PLR0913, PLR0917  # the options
    accounts: Annotated[int, typer.Option(min=1, help="Accounts, each with 20 healthy endpoints.")] = 50,
    backlog: Annotated[int, typer.Option(min=1, help="Deliveries that wait, for the throughput.")] = 50_000,
    rate: Annotated[float, typer.Option(min=1, help="Deliveries to healthy endpoints per second.")] = 100.0,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of each half of a round.")] = 20.0,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds without and beside bad endpoints.")] = 4,
    json: Annotated[Path | None, typer.Option(help="Where to store the figures.")] = None,
) -> None:
    """Measure."""
    found = uvloop.run(_measure(accounts, backlog, rate, seconds, rounds))
    if json is not None:
        json.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    if found["ratio"] > MOST_SLOWER:
        sys.exit(1)


if __name__ == "__main__":
    app()
