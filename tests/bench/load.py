"""The client: a closed loop over kept-alive connections, in a separate process.

A connection sends its next request after a response. Requests are encoded before the clock starts, and only the length
and the first bytes of a response are checked, because the client shares the machine with the servers; its CPU time is
measured too. A response other than `200` with `data` first ends the run; `workload` compares the data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import uvloop

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_OK = b"HTTP/1.1 200"
_DATA = b'{"data":'


class LoadError(RuntimeError):
    """A server responded without data, or closed the connection."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load on a port of this machine: `requests` in turn, beginning with index `start`, on several connections.

    It lasts `seconds`, or until `at_least` requests were sent.
    """

    port: int
    requests: Sequence[bytes]
    start: int = 0
    seconds: float = 2.0
    at_least: int = 8
    connections: int = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """The measurements of one load, in seconds. `latencies` are in the order of responses; `cpu` is the client's."""

    elapsed: float
    latencies: list[float]
    cpu: float


def run(load: Load) -> Outcome:
    """Send the load to a server. Raises LoadError."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(load))


async def _run(load: Load) -> Outcome:
    loop = asyncio.get_running_loop()
    turn = _Turn(load)
    senders = []
    for _ in range(load.connections):
        _, sender = await loop.create_connection(lambda: _Sender(turn), "127.0.0.1", load.port)
        senders.append(sender)
    started, used = turn.begin(), time.process_time()
    for sender in senders:
        sender.send()
    try:
        # The first failure ends the load.
        await asyncio.gather(*(sender.done for sender in senders))
    finally:
        for sender in senders:
            sender.close()
    return Outcome(time.perf_counter() - started, turn.latencies, time.process_time() - used)


class _Turn:
    """Distributes requests to connections until the time is over."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._sent = 0
        self._deadline = 0.0
        self.latencies: list[float] = []

    def begin(self) -> float:
        """Start the clock; return its time."""
        now = time.perf_counter()
        self._deadline = now + self._load.seconds
        return now

    def take(self, now: float) -> bytes | None:
        """The next request, or None when enough were sent."""
        if now >= self._deadline and self._sent >= self._load.at_least:
            return None
        place = (self._load.start + self._sent) % len(self._load.requests)
        self._sent += 1
        return self._load.requests[place]


class _Sender(asyncio.Protocol):
    """One connection, which sends one request after the other."""

    def __init__(self, turn: _Turn) -> None:
        self._turn = turn
        self._transport: asyncio.WriteTransport
        self._sent_at = 0.0
        self._head = b""
        self._missing = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        # uvloop's transports are not subclasses of asyncio's, although they have the same methods.
        self._transport = cast("asyncio.WriteTransport", transport)

    def send(self) -> None:
        """Send the next request, or finish."""
        self._sent_at = time.perf_counter()
        request = self._turn.take(self._sent_at)
        if request is None:
            self.done.set_result(None)
        else:
            self._transport.write(request)

    def close(self) -> None:
        """End the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Count the bytes of the response; the body is not stored."""
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(_HEAD_END)
            # Including the first bytes of the body, which are checked.
            if not end or len(body) < len(_DATA):
                return
            if not (head.startswith(_OK) and body.startswith(_DATA)):
                self._fail(f"{head.decode(errors='replace')}\n\n{body[:1_000].decode(errors='replace')}")
                return
            self._missing = _length(head) - len(body)
            self._head = b""
        if self._missing == 0:
            self._turn.latencies.append(time.perf_counter() - self._sent_at)
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail if a response was expected."""
        self._fail(f"the server closed the connection: {exc}")

    def _fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(LoadError(reason))


def _length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.index(_LENGTH) + len(_LENGTH)
    return int(lowered[start:].split(b"\r\n", 1)[0])
