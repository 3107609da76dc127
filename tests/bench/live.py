"""`uv run python -m tests.bench.live` measures subscriptions over WebSockets: their memory and their delay.

1. *Memory:* idle sockets with a session, and then with a subscription each, in one process.
2. *Delay:* subscribers of one document in each account, on one server; messages are written through a second server at
   a fixed rate. The delay is from the begin of the write's transaction to the arrival of its event at a subscriber: it
   includes the transaction itself. Executions are those of the document on the first server, for all its subscribers.

Servers and load generator share the machine. It exits with 1 if a target is missed: 200 MiB for 5,000 idle sockets, p99
of 250 ms, and no more executions than changes, however many subscribers there are.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import re
import resource
import struct
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Any
from urllib.request import ProxyHandler, build_opener

import asyncpg
import typer
from pydantic import SecretStr

from db import tables as t
from gql.fields.node import encode_id
from gql.security.token import SCOPES, mint
from gql.settings import Settings
from tests.bench.database import Size, prepared
from tests.bench.process import ServerProcess, running
from tests.support.client import SECRET

FOLLOW = """subscription Follow {
  changes(types: [MESSAGE]) {
    changes { node { ... on Message { content createdAt } } conversation { id unreadCount } }
    endCursor
  }
}"""
WRITE = """mutation ($there: ID!, $text: String!) {
  createMessage(input: {conversationId: $there, content: $text, visibility: INTERNAL}) { userErrors { code } }
}"""
MOST_MIB = 200.0
MOST_DELAY = 0.25
WRITERS = 16
# Sockets that are opened at once, and seconds that anything may take.
OPENED_AT_ONCE = 100
PATIENCE = 120

# A message in an event, as FOLLOW selects it, and when its transaction began.
_MARK = re.compile(rb'mark-(\d+)-[^"]*","createdAt":"([^"]+)"')
_HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


class Subscriber(asyncio.Protocol):
    """A WebSocket that costs the load generator little: it looks for marks, and reads nothing else of an event."""

    def __init__(self, arrivals: list[tuple[int, bytes, float]], token: str) -> None:
        self.ready = asyncio.get_running_loop().create_future()
        self._arrivals = arrivals
        self._token = token
        self._buffer = bytearray()
        self._upgraded = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_HANDSHAKE.format(base64.b64encode(os.urandom(16)).decode()).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail if the session has not begun."""
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        """Read frames."""
        self._buffer += data
        if not self._upgraded:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._upgraded = True
            self._buffer = bytearray(rest)
            self.send({"type": "connection_init", "payload": {"token": self._token}})
        while (frame := self._take()) is not None:
            self._read(*frame)

    def _take(self) -> tuple[int, bytes] | None:
        """The next frame's opcode and payload, if it is complete."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2:start])
        if len(buffer) < start + length:
            return None
        payload = bytes(buffer[start : start + length])
        opcode = buffer[0] & 0x0F
        del buffer[: start + length]
        return opcode, payload

    def _read(self, opcode: int, payload: bytes) -> None:
        if opcode == 0x9:
            self._write(0xA, payload)
        elif opcode == 0x1:
            if not self.ready.done():
                assert json.loads(payload) == {"type": "connection_ack"}, payload
                self.ready.set_result(None)
                return
            now = time.time()
            self._arrivals += [(int(mark), created, now) for mark, created in _MARK.findall(payload)]

    def send(self, message: Any) -> None:
        """Send a message."""
        self._write(0x1, json.dumps(message).encode())

    def _write(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
        # A mask of zeros.
        self._transport.write(head + b"\0\0\0\0" + payload)

    def close(self) -> None:
        """Close without a handshake."""
        self._transport.abort()


async def open_sockets(port: int, arrivals: list[tuple[int, bytes, float]], tokens: Sequence[str]) -> list[Subscriber]:
    """A socket with a session for each token."""
    loop = asyncio.get_running_loop()
    opened: list[Subscriber] = []

    async def open_one(token: str) -> None:
        _, protocol = await loop.create_connection(lambda: Subscriber(arrivals, token), "127.0.0.1", port)
        await protocol.ready
        opened.append(protocol)

    for begin in range(0, len(tokens), OPENED_AT_ONCE):
        await asyncio.gather(*map(open_one, tokens[begin : begin + OPENED_AT_ONCE]))
    return opened


def subscribe(sockets: Sequence[Subscriber]) -> None:
    """Have each socket follow its account."""
    for socket in sockets:
        socket.send({"id": "1", "type": "subscribe", "payload": {"query": FOLLOW}})


class Writer:
    """Writes messages over connections that are kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.sent: dict[int, float] = {}
        self.answered: dict[int, float] = {}

    async def connect(self) -> None:
        """Open the connections."""
        for _ in range(WRITERS):
            self._free.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))

    async def write(self, mark: int, conversation: str, token: str) -> None:
        """Write a message with a mark."""
        variables = {"there": conversation, "text": f"mark-{mark}- Towels, please"}
        body = json.dumps({"query": WRITE, "variables": variables}).encode()
        head = (
            "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.sent[mark] = time.time()
        reader, writer = await self._free.get()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(re.findall(rb"(?i)content-length: (\d+)", answer)[0])
        result = json.loads(await reader.readexactly(length))
        self._free.put_nowait((reader, writer))
        assert result == {"data": {"createMessage": {"userErrors": []}}}, result
        self.answered[mark] = time.time()


def token_for(account: int, subject: str) -> str:
    """A token for all scopes."""
    settings = Settings(jwt_secret=SecretStr(SECRET))
    return mint(settings, account=account, subject=subject, scopes=sorted(SCOPES), expires_in=timedelta(hours=2))


async def people(dsn: str, accounts: int) -> dict[int, tuple[str, list[str]]]:
    """For each account, the token of a user who is a host, and the ids of conversations."""
    connection = await asyncpg.connect(dsn)
    found: dict[int, tuple[str, list[str]]] = {}
    for account in range(1, accounts + 1):
        user = await connection.fetchval("SELECT min(user_id) FROM hosts WHERE account_id = $1", account)
        rows = await connection.fetch("SELECT id FROM conversations WHERE account_id = $1 LIMIT 50", account)
        ids = [encode_id(t.Conversation, account, row["id"]) for row in rows]
        found[account] = token_for(account, f"user:{user}"), ids
    await connection.close()
    return found


def resident_mib(server: ServerProcess) -> float:
    """The memory that the process has now."""
    pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1_048_576


def steps(server: ServerProcess) -> dict[str, float]:
    """The counters of the hub."""
    with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{server.port}/metrics", timeout=PATIENCE) as response:
        text = response.read().decode()
    return {name: float(value) for name, value in re.findall(r'inbox_live_total\{step="(\w+)"\} (\S+)', text)}


async def measure_memory(server: ServerProcess, token: str, sockets: int) -> bool:
    """Print the memory of idle sockets; whether it is within the target."""
    before = resident_mib(server)
    opened = await open_sockets(server.port, [], [token] * sockets)
    await asyncio.sleep(2)
    idle = resident_mib(server)
    subscribe(opened)
    await asyncio.sleep(10)
    subscribed = resident_mib(server)
    for socket in opened:
        socket.close()
    each = (idle - before) * 1_024 / sockets
    more = (subscribed - before) * 1_024 / sockets
    _print(f"memory: {before:.0f} MiB without sockets, {idle:.0f} MiB with {sockets} idle ones ({each:.1f} KiB each),")
    _print(f"        {subscribed:.0f} MiB with a subscription each ({more:.1f} KiB each)")
    return idle < MOST_MIB


async def measure_delay(  # noqa: PLR0913  # each is an option of the command
    dsn: str,
    followed: ServerProcess,
    written: ServerProcess,
    *,
    accounts: int,
    subscribers: int,
    rate: int,
    seconds: float,
) -> bool:
    """Print the delay of events, and executions per change; whether both are within the targets."""
    found = await people(dsn, accounts)
    arrivals: list[tuple[int, bytes, float]] = []
    tokens = [found[1 + number % accounts][0] for number in range(subscribers)]
    sockets = await open_sockets(followed.port, arrivals, tokens)
    subscribe(sockets)
    writer = Writer(written.port)
    await writer.connect()
    # Until every subscription has begun: each receives one of the first messages.
    marks = itertools.count(1)
    async with asyncio.timeout(PATIENCE):
        while len(arrivals) < subscribers:
            arrivals.clear()
            for account in found:
                await writer.write(next(marks), found[account][1][0], found[account][0])
            await asyncio.sleep(1)
    first = next(marks)
    arrivals.clear()
    before, cpu = steps(followed), (followed.cpu_seconds or 0.0, time.process_time())
    writing = []
    began = time.time()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.time()))
        token, conversations = found[1 + number % accounts]
        there = conversations[number // accounts % len(conversations)]
        writing.append(asyncio.create_task(writer.write(first + number, there, token)))
    await asyncio.gather(*writing)
    expected = len(writing) * subscribers // accounts
    async with asyncio.timeout(PATIENCE):
        while len(arrivals) < expected:  # noqa: ASYNC110  # the sockets have no event for it
            await asyncio.sleep(0.1)
    took = time.time() - began
    after = steps(followed)
    executed = after["execute"] - before.get("execute", 0.0)
    began_at = {created: datetime.fromisoformat(created.decode()).timestamp() for _, created, _ in arrivals}
    delays = [moment - began_at[created] for _, created, moment in arrivals]
    whole = [moment - writer.sent[mark] for mark, _, moment in arrivals]
    writes = [writer.answered[mark] - writer.sent[mark] for mark in range(first, first + len(writing))]
    server_cpu = ((followed.cpu_seconds or 0.0) - cpu[0]) / took
    _print(
        f"delay:  {len(writing)} changes at {rate}/s in {accounts} accounts, {subscribers} subscribers, {took:.1f} s"
    )
    _print(f"        transaction's begin to event: {_spread(delays)}")
    _print(f"        mutation sent to event:       {_spread(whole)}")
    _print(f"        mutation sent to answer:      {_spread(writes)}")
    _print(f"        {executed / len(writing):.2f} executions a change, {len(delays) / took:.0f} arrivals a second")
    _print(f"        CPU: server {server_cpu:.2f}, load generator {(time.process_time() - cpu[1]) / took:.2f}")
    for socket in sockets:
        socket.close()
    return _percentile(delays, 99) < MOST_DELAY and executed <= len(writing)


def _percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]


def _spread(values: Sequence[float]) -> str:
    found = {"p50": _percentile(values, 50), "p99": _percentile(values, 99), "max": max(values)}
    return ", ".join(f"{name} {value * 1_000:.0f} ms" for name, value in found.items())


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(  # noqa: PLR0913  # each is an option of the command
    *,
    sockets: Annotated[int, typer.Option(min=1, help="Idle sockets.")] = 5_000,
    subscribers: Annotated[int, typer.Option(min=1, help="Subscribers.")] = 1_000,
    accounts: Annotated[int, typer.Option(min=1, help="Accounts that they follow.")] = 10,
    rate: Annotated[int, typer.Option(min=1, help="Messages a second.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="How long messages are written.")] = 20.0,
    data: Annotated[Path, typer.Option(help="Folder of the embedded server, kept for the next run.")] = Path(
        ".data/live"
    ),
) -> None:
    """Measure subscriptions over WebSockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with prepared(data, None, Size(accounts, 1_000)) as dsn:
        environment = {
            "DATABASE_URL": dsn,
            "INBOX_JWT_SECRET": SECRET,
            "INBOX_METRICS": "true",
            "INBOX_RATE_LIMIT": "0",
            "INBOX_MAX_SOCKETS_PER_PRINCIPAL": "100000",
        }
        command = [sys.executable, "-m", "tests.bench.process", "gql.app:create_configured_app"]
        with running(command, environment) as server:
            token = asyncio.run(people(dsn, 1))[1][0]
            small = asyncio.run(measure_memory(server, token, sockets))
        with running(command, environment) as followed, running(command, environment) as written:
            options = {"accounts": accounts, "subscribers": subscribers, "rate": rate}
            quick = asyncio.run(measure_delay(dsn, followed, written, **options, seconds=seconds))
    _print("all targets are met" if small and quick else "a target is missed")
    raise typer.Exit(0 if small and quick else 1)


if __name__ == "__main__":
    typer.run(main)
