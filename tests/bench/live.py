"""`uv run python -m tests.bench.live` measures subscriptions over WebSockets: their memory and their delay.

1. *Memory:* idle sockets with a session, and then with a subscription each, in one process.
2. *Delay:* subscribers of one document in each account, on one server; messages are written through a second server at
   a fixed rate. The delay is from the last statement of a transaction, which has its time in the change log, to the
   arrival of its event at a subscriber: it includes the COMMIT. Executions are those of the document on the first
   server, for all its subscribers.

Servers and load generator share the machine. The load generator reads the time of every tenth subscriber's events, and
only counts the messages of the others, which must all arrive. It exits with 1 if a target is missed: 200 MiB for 5,000
idle sockets, p99 of 250 ms, and no more executions than changes, however many subscribers there are.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import Annotated, Any, TypeAlias, cast
from urllib.request import ProxyHandler, build_opener

import asyncpg
import typer
import uvloop
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

# By account: a token, and the ids of conversations.
People: TypeAlias = dict[int, tuple[str, list[str]]]

# Of this many subscribers, one is timed.
TIMED = 10

# A message in an event.
_WORD = b"mark-"
_MARK = re.compile(rb"mark-(\d+)-")
_HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


class Subscriber(asyncio.Protocol):
    """A WebSocket that costs the load generator little: it looks for marks, and reads nothing else of an event.

    Without `arrivals`, it only counts them, and does not answer pings.
    """

    def __init__(self, arrivals: list[tuple[int, float]] | None, token: str) -> None:
        self.ready = asyncio.get_running_loop().create_future()
        self.arrived = 0
        self._arrivals = arrivals
        self._end = b""
        self._token = token
        self._buffer = bytearray()
        self._upgraded = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session."""
        # uvloop's transports are not subclasses of asyncio's, although they have the same methods.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(_HANDSHAKE.format(base64.b64encode(os.urandom(16)).decode()).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail if the session has not begun."""
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        """Read frames."""
        if self._arrivals is None and self.ready.done():
            text = self._end + data
            self.arrived += text.count(_WORD)
            self._end = text[1 - len(_WORD) :]
            return
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
            marks = _MARK.findall(payload)
            self.arrived += len(marks)
            if self._arrivals is not None:
                self._arrivals += [(int(mark), now) for mark in marks]

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


async def open_sockets(
    port: int, arrivals: list[tuple[int, float]], tokens: Sequence[str], *, timed: int = 1
) -> list[Subscriber]:
    """A socket with a session for each token. One of `timed` adds to `arrivals`."""
    loop = asyncio.get_running_loop()
    opened: list[Subscriber] = []

    async def open_one(number: int) -> None:
        found = None if number % timed else arrivals
        _, protocol = await loop.create_connection(lambda: Subscriber(found, tokens[number]), "127.0.0.1", port)
        await protocol.ready
        opened.append(protocol)

    for begin in range(0, len(tokens), OPENED_AT_ONCE):
        await asyncio.gather(*map(open_one, range(begin, min(begin + OPENED_AT_ONCE, len(tokens)))))
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


async def people(dsn: str, accounts: int) -> People:
    """For each account, the token of a user who is a host, and the ids of conversations."""
    connection = await asyncpg.connect(dsn)
    found: People = {}
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


@dataclass(frozen=True, slots=True)
class Traffic:
    """What subscribers follow and writers write."""

    accounts: int
    subscribers: int
    rate: int
    seconds: float


async def measure_delay(dsn: str, followed: ServerProcess, written: ServerProcess, traffic: Traffic) -> bool:
    """Print the delay of events, and executions per change; whether both are within the targets."""
    found = await people(dsn, traffic.accounts)
    arrivals: list[tuple[int, float]] = []
    # Each account has as many timed subscribers.
    tokens = [found[1 + number // TIMED % traffic.accounts][0] for number in range(traffic.subscribers)]
    sockets = await open_sockets(followed.port, arrivals, tokens, timed=TIMED)
    subscribe(sockets)
    writer = Writer(written.port)
    await writer.connect()
    first = await warm_up(writer, found, sockets)
    for socket in sockets:
        socket.arrived = 0
    arrivals.clear()
    processes = {"server of subscribers": followed, "server of writers": written}
    before, cpu = steps(followed), cpu_times(processes)
    began = time.time()
    changes = await write_all(writer, found, traffic, first)
    expected = changes * traffic.subscribers // traffic.accounts
    async with asyncio.timeout(PATIENCE):
        while sum(socket.arrived for socket in sockets) < expected:  # noqa: ASYNC110  # the sockets have no event for it
            await asyncio.sleep(0.1)
    took = time.time() - began
    after, used = steps(followed), cpu_times(processes)
    executed, published = (after[name] - before.get(name, 0.0) for name in ("execute", "publish"))
    logged = await logged_at(dsn)
    delays = [moment - logged[mark] for mark, moment in arrivals]
    whole = [moment - writer.sent[mark] for mark, moment in arrivals]
    writes = [writer.answered[mark] - writer.sent[mark] for mark in range(first, first + changes)]
    _print(
        f"delay:  {changes} changes at {traffic.rate}/s in {traffic.accounts} accounts, "
        f"{traffic.subscribers} subscribers, {took:.1f} s"
    )
    _print(f"        commit to event:         {_spread(delays)}")
    _print(f"        mutation sent to event:  {_spread(whole)}")
    _print(f"        mutation sent to answer: {_spread(writes)}")
    _print(f"        {executed / changes:.2f} executions a change, {published / took:.0f} events sent a second,")
    _print(f"        {expected / took:.0f} changes arrived a second, {len(delays)} of them timed")
    _print(f"        CPU: {', '.join(f'{name} {(used[name] - cpu[name]) / took:.2f}' for name in cpu)}")
    for socket in sockets:
        socket.close()
    return _percentile(delays, 99) < MOST_DELAY and executed <= changes


async def warm_up(writer: Writer, found: People, sockets: Sequence[Subscriber]) -> int:
    """Write until every subscription has begun and received a message. Returns the next mark."""
    marks = itertools.count(1)
    async with asyncio.timeout(PATIENCE):
        while not all(socket.arrived for socket in sockets):
            for token, conversations in found.values():
                await writer.write(next(marks), conversations[0], token)
            await asyncio.sleep(1)
    return next(marks)


async def write_all(writer: Writer, found: People, traffic: Traffic, first: int) -> int:
    """Write messages at the rate; return how many."""
    writing = []
    began = time.time()
    for number in range(int(traffic.rate * traffic.seconds)):
        await asyncio.sleep(max(0.0, began + number / traffic.rate - time.time()))
        token, conversations = found[1 + number % traffic.accounts]
        there = conversations[number // traffic.accounts % len(conversations)]
        writing.append(asyncio.create_task(writer.write(first + number, there, token)))
    await asyncio.gather(*writing)
    return len(writing)


async def logged_at(dsn: str) -> dict[int, float]:
    """When each marked message was logged, in seconds since the epoch. The latest of messages with the same mark."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "SELECT m.content, c.at FROM changes c JOIN messages m ON m.account_id = c.account_id AND m.id = c.node_id "
        "WHERE c.type = 'MESSAGE' AND m.content LIKE 'mark-%' AND c.at > now() - interval '1 hour' ORDER BY c.at"
    )
    await connection.close()
    return {int(row["content"].split("-")[1]): row["at"].timestamp() for row in rows}


def cpu_times(servers: Mapping[str, ServerProcess]) -> dict[str, float]:
    """The CPU seconds of the servers and of this process."""
    return {name: server.cpu_seconds or 0.0 for name, server in servers.items()} | {
        "load generator": time.process_time()
    }


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
            # Longer than the measurement: most subscribers do not answer.
            "INBOX_SOCKET_PING_SECONDS": "600",
        }
        command = [sys.executable, "-m", "tests.bench.process", "gql.app:create_configured_app"]
        with running(command, environment) as server:
            token = asyncio.run(people(dsn, 1))[1][0]
            small = asyncio.run(measure_memory(server, token, sockets))
        with running(command, environment) as followed, running(command, environment) as written:
            traffic = Traffic(accounts, subscribers, rate, seconds)
            quick = uvloop.run(measure_delay(dsn, followed, written, traffic))
    _print("all targets are met" if small and quick else "a target is missed")
    raise typer.Exit(0 if small and quick else 1)


if __name__ == "__main__":
    typer.run(main)
