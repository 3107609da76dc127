"""Limits of connections, applied by the HTTP protocol before the application runs and before authentication.

| limit | answer |
|---|---|
| 64 KiB of request line and headers | 431 |
| 10 s for them | 408; the connection is closed without an answer if nothing was sent |
| 30 s for the body | 408 |
| 8 times `INBOX_MAX_BODY` of transfer-encoded body and trailers | 413 |
| 16 requests that wait for the answer to an earlier one | those are answered, then the connection is closed |
| 30 s in which a client reads less than 64 KiB of what is sent, and not all of it | the connection is closed |
| `INBOX_MAX_CONNECTIONS`, without those that stay open | 503 |

Trailers are ignored. An upgrade to a WebSocket is handed over to `gql/web/upgraded.py`, where other limits apply.

httptools has no limits of its own: a header of 150 MB took 22 s of CPU.
"""

from __future__ import annotations

import random
from asyncio import TimerHandle, Transport
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, cast

import structlog
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from gql.errors import Code
from gql.settings import Settings
from gql.web.heads import Heads, RepeatedHeadProtocol
from gql.web.http1 import StopParsingError
from gql.web.response import SECURITY, SECURITY_LINES, JsonResponse, error_body

# Seconds in which a rejected client can read the response while its further data are discarded: otherwise the system
# would reset the connection, and the client would lose the response.
_LINGER = 1.0
# Bytes of a header in addition to its name and value, and of a request line in addition to its target.
_SEPARATORS = 4

# The key of an ASGI scope under which an application finds the function to call when its response stays open.
STREAMING = "inbox.streaming"
# When the server stops, responses that stay open are ended at this rate, and all within this time: their clients
# connect again at once.
_ENDED_A_SECOND = 1_000
_ENDED_WITHIN = 5.0

_log = structlog.stdlib.get_logger("inbox")


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of the module's table, in bytes, seconds and numbers."""

    connections: int = 800
    body: int = 8 * 262_144
    head: int = 65_536
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    pipelined: int = 16
    unread: int = 65_536
    unread_seconds: float = 30.0
    heads: Heads = field(default_factory=Heads, compare=False)
    """The heads of requests that clients repeat, shared by all connections."""
    staying: set[object] = field(default_factory=set, compare=False)
    """The protocols of connections that stay open, which `INBOX_MAX_SOCKETS` limits instead of `connections`."""

    @classmethod
    def of(cls, settings: Settings) -> ConnectionLimits:
        """The limits that `settings` configure."""
        return cls(connections=settings.max_connections, body=8 * settings.max_body + 65_536)


def write_whole(send: Send, response: JsonResponse) -> bool:
    """Write a response with the security headers, in one step: if `send` is uvicorn's and need not wait for the client.

    Otherwise write nothing and return False: the caller sends the response by ASGI's messages. For these uvicorn
    examines each header; with Starlette's calls around them they took 15 % of the CPU time of `{ __typename }`.
    The headers must be those of this server, with `content-length` and without those of `SECURITY`, because they are
    not examined here.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or not cycle.keep_alive or cycle.disconnected or cycle.access_log:
        return False
    if cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *response.raw_headers)]
    head = b"".join([STATUS_LINE[response.status_code], *lines, SECURITY_LINES, b"\r\n"])
    cycle.transport.writelines([head, response.body])
    cycle.message_event.set()
    cycle.on_response()
    return True


def _closing(cycle: RequestResponseCycle, app: Any) -> Any:
    """`app`, with the connection closed after a response to a client that was not asked for the body.

    Such a client may send the body or not, so it would be unknown where its next request begins.
    """

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_checked(message: Message) -> None:
            if cycle.waiting_for_100_continue and cycle.more_body:
                cycle.keep_alive = False
            await send(message)

        await app(scope, receive, send_checked)

    return called


class _Phase(Enum):
    """What the client sends next."""

    REQUEST = auto()
    HEAD = auto()
    BODY = auto()


class LimitedProtocol(RepeatedHeadProtocol):
    """Uvicorn's protocol with limits. A request that arrives at once needs no timer."""

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **named: Any) -> None:
        super().__init__(*arguments, heads=limits.heads, **named)
        self._limits = limits
        self._phase = _Phase.REQUEST
        self._entered = False
        self._received = 0
        self._first = 0
        self._chunk = 0
        self._most = 0
        self._rejected = False
        self._upgraded = False
        self._timer: TimerHandle | None = None
        self._unread_timer: TimerHandle | None = None
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Accept the connection, unless there are too many."""
        if len(self.connections) - len(self._limits.staying) >= self._limits.connections:
            self._rejected = True
            self.transport = transport
            self._write_rejection(503, "There are too many connections: try again", Code.SERVICE_UNAVAILABLE)
            transport.close()
            return
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._limits.staying.discard(self)
        super().connection_lost(exc)
        self._disconnect_application()
        self._stop_timer()
        self._stop_watching()

    def data_received(self, data: bytes) -> None:
        """Parse the data, unless it repeats a request, and apply the limits to an incomplete request."""
        if self._rejected:
            return
        was_idle = self._is_idle()
        if was_idle and self._repeats(data):
            return
        self._received += len(data)
        self._chunk = len(data)
        self._most += self._chunk
        self._first = len(data) if self._phase is _Phase.REQUEST else 0
        super().data_received(data)
        if self._rejected or self._upgraded or self.transport.is_closing():
            return
        if self._entered:
            self._entered = False
            self._stop_timer()
            if self._phase is not _Phase.REQUEST:
                self._start_timer()
            if was_idle and self._phase is not _Phase.HEAD:
                self._keep_head(data)
        if self._timer is None and self._is_idle():
            # Uvicorn's own timer between two requests stops with any byte, also with a line break before a request.
            self._start_timer()
        if self._phase is _Phase.HEAD and self._received > self._limits.head:
            self._reject_head()
        elif self._phase is _Phase.BODY and self._received > self._limits.body:
            self._reject(413, "The body is too large", Code.BAD_USER_INPUT)

    def _is_idle(self) -> bool:
        """Whether no request is arriving or being answered."""
        return self._phase is _Phase.REQUEST and (self.cycle is None or self.cycle.response_complete)

    def _repeats(self, data: bytes) -> bool:
        """Whether the data begin a request that need not be parsed, which is started then."""
        if not self._start_repeated(data, {STREAMING: self._stay_open}):
            return False
        self._stop_timer()
        if self._missing:
            self._phase, self._received = _Phase.BODY, 0
            self._start_timer()
        return True

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[STREAMING] = self._stay_open
        self._enter(_Phase.HEAD)
        # The data that arrived with the first byte. After other requests, this request's part of them is unknown.
        self._received, self._first = self._first, 0
        # An upper bound of the data of this request.
        self._most = self._chunk

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header. Trailers are dropped: proxies do not check them, and each takes more memory than its bytes."""
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start or queue the request, unless its head is too large or too many are queued."""
        # A line may have fewer separators than are counted, but it is at least half as long as its size here. So the
        # sizes of most requests need not be added up, which takes time and rejects nothing.
        if 2 * self._most > self._limits.head:
            sizes = (len(name) + len(value) + _SEPARATORS for name, value in self.headers)
            if len(self.url) + sum(sizes) > self._limits.head:
                self._reject_head()
                raise StopParsingError
        if len(self.pipeline) >= self._limits.pipelined:
            # Queued requests are answered, however long it takes; then `on_response_complete` closes the connection.
            self._rejected = True
            self._stop_timer()
            raise StopParsingError
        if self.expect_100_continue and self.parser.get_http_version() == "1.0":
            # A client of that version does not expect another response before the final one.
            self.expect_100_continue = False
        super().on_headers_complete()
        self._enter(_Phase.BODY)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        super().on_message_complete()
        self._enter(_Phase.REQUEST)

    def on_response_complete(self) -> None:
        """Start the next queued request; close the connection after the last one before a rejection."""
        self._limits.staying.discard(self)
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_closing()
        elif self._rejected and self.cycle.response_complete:
            self._close()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which no further request began."""
        super().timeout_keep_alive_handler()
        self._watch_closing()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, without timers, unless an earlier answer is under way or not read."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering or self.transport.get_write_buffer_size():
            self._reject(400, "An upgrade must wait for the answers to earlier requests", Code.BAD_USER_INPUT)
            return
        self._upgraded = True
        self._stop_timer()
        super().handle_websocket_upgrade()
        upgraded: Any = self.transport.get_protocol()
        if not upgraded.handshake_initiated:
            # Uvicorn leaves a handshake that is no valid request without an answer, and open.
            if answer := b"".join(upgraded.conn.data_to_send()):
                self.transport.write(answer)
            else:
                self._write_rejection(400, "This is no valid handshake of a WebSocket", Code.BAD_USER_INPUT)
            self.transport.close()
        # They refer to this protocol, which would stay until Python collects cyclic garbage.
        self.scope = None  # type: ignore[assignment]  # as uvicorn has it at first
        self.parser = None  # type: ignore[assignment]  # as uvicorn has it at last

    def send_400_response(self, msg: str) -> None:
        """Respond to data that are not HTTP, unless the request was rejected already."""
        if not self._rejected:
            self._reject(400, msg, Code.BAD_USER_INPUT)

    def shutdown(self) -> None:
        """Close the connection, after its answer. One that stays open is closed soon, not all of them at a time."""
        super().shutdown()
        if self in self._limits.staying:
            within = min(_ENDED_WITHIN, len(self._limits.staying) / _ENDED_A_SECOND)
            self.loop.call_later(random.uniform(0, within), self.transport.close)  # noqa: S311  # no secret

    def _stay_open(self) -> None:
        """The application streams its response from now on."""
        self._limits.staying.add(self)

    def pause_writing(self) -> None:
        """The client reads more slowly than the server writes."""
        super().pause_writing()
        self._watch_reading(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_watching()

    def _watch_closing(self) -> None:
        """Do not wait for ever for a client to read what is left: only then does the system close the connection."""
        if self._unread_timer is None and (unread := self.transport.get_write_buffer_size()):
            self._watch_reading(unread)

    def _stop_watching(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _watch_reading(self, unread: int) -> None:
        self._unread_timer = self.loop.call_later(self._limits.unread_seconds, self._check_reading, unread)

    def _check_reading(self, before: int) -> None:
        unread = self.transport.get_write_buffer_size()
        if before - unread < self._limits.unread:
            _log.warning("connection closed", reason="the answer is not read")
            self.transport.abort()
        else:
            self._watch_reading(unread)

    def _enter(self, phase: _Phase) -> None:
        self._phase = phase
        self._entered = True
        self._received = 0

    def _start_timer(self) -> None:
        within = self._limits.body_seconds if self._phase is _Phase.BODY else self._limits.head_seconds
        self._timer = self.loop.call_later(within, self._expire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        if self._phase is _Phase.REQUEST:
            self.timeout_keep_alive_handler()
        elif self.flow.read_paused:
            # The rest may have arrived, but is not read while other requests are queued.
            self._start_timer()
        else:
            self._reject(408, "The request did not arrive in time", Code.TIMEOUT)

    def _reject_head(self) -> None:
        message = f"Request line and headers have at most {self._limits.head} bytes"
        self._reject(431, message, Code.BAD_USER_INPUT)

    def _reject(self, status: int, message: str, code: Code) -> None:
        """Respond, unless another response or the request's own has begun, and close the connection."""
        cycle = self.cycle
        ended = cycle is None or (cycle.response_complete and self._phase is not _Phase.BODY)
        begun = self._phase is _Phase.BODY and not self.pipeline and cycle is not None and not cycle.response_started
        self._rejected = True
        self._stop_timer()
        if ended or begun:
            self._write_rejection(status, message, code)
        self.pipeline.clear()
        self._disconnect_application()
        self.flow.resume_reading()
        self._close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, _closing(cycle, app) if cycle.waiting_for_100_continue else app)

    def _disconnect_application(self) -> None:
        """Notify the application that the client has disconnected.

        Uvicorn notifies it of the last request only. If an earlier one was running, the application would continue, and
        fail when it writes its response.
        """
        cycle = self._running
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.write_eof()
            self.loop.call_later(_LINGER, self.transport.abort)

    def _write_rejection(self, status: int, message: str, code: Code) -> None:
        _log.warning("request rejected", status=status, reason=message)
        body = error_body(message, code)
        headers = [
            *SECURITY,
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if code is Code.SERVICE_UNAVAILABLE:
            headers.append((b"retry-after", b"1"))
        lines = [b"%s: %s\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
