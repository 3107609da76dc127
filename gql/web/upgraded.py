"""A connection that has become a WebSocket: uvicorn's protocol with limits, and an end in batches.

| limit | what happens |
|---|---|
| `INBOX_MAX_BODY` of a message, and 1,000 frames | closed with 1009 |
| 2,000 frames that arrive at once | closed with 1009 |
| text that is not UTF-8 | closed with 1007 |
| `INBOX_SOCKET_PING_SECONDS` without the answer to a ping | closed with 1011 |
| pings whose answers are not read | the connection is aborted |
| 2 s in which a client does not answer the server's close | the connection is aborted |

`INBOX_MAX_SOCKETS` is checked by the application (`gql/live/places.py`), as event streams count too.

A handshake that is not valid is answered in JSON, as any other error.
"""

from __future__ import annotations

import asyncio
import random
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from gql.errors import Code
from gql.web.closing import Close
from gql.web.response import JSON, SECURITY, error_body

# Seconds that a client has to answer a close. What it does not read would otherwise keep the connection.
_LINGER = 2.0
# When the server stops, this many sockets are closed per second, so that their clients do not all reconnect at once;
# and the seconds in which all are closed, however many there are: with _LINGER, less than the server's time to stop.
_CLOSED_A_SECOND = 1_000
_CLOSED_WITHIN = 4.0
# The key of an ASGI scope under which an application finds the function that writes a text message at once, if that is
# possible.
WRITING = "inbox.writing"
# Frames of a message: empty ones add no bytes.
_MOST_FRAMES = 1_000
# Bytes that are parsed at a time, and frames that may arrive at once. 256 KiB, the most that is read at a time, can be
# 43,000 pings: to answer them took 270 ms, in which no other client was answered. 2,000 take 12.
_PIECE = 8_192
_MOST_AT_ONCE = 2_000


class _Messages:
    """The messages that the application has not received. An `asyncio.Queue` takes 3 KiB, of each of 5,000 sockets."""

    __slots__ = ("_messages", "_waiter")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._waiter: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        """Whether there are none."""
        return not self._messages

    def put_nowait(self, message: Any) -> None:
        """Add a message."""
        self._messages.append(message)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> Any:
        """Wait for the next message. One task waits at a time."""
        while not self._messages:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._messages.pop(0)


class _Handshake(ServerProtocol):
    """The library's protocol, which would reject a handshake in plain text."""

    def reject(self, status: int, text: str) -> Response:
        """The response to a handshake that is not valid."""
        response = super().reject(status, text)
        code = Code.BAD_USER_INPUT if status < HTTPStatus.INTERNAL_SERVER_ERROR else Code.INTERNAL_SERVER_ERROR
        # Further lines are for people who have opened the URL in a browser.
        response.body = error_body(text.partition("\n")[0].rstrip("."), code)
        for name, value in (("Content-Type", f"{JSON}; charset=utf-8"), ("Content-Length", str(len(response.body)))):
            del response.headers[name]
            response.headers[name] = value
        response.headers.update((name.decode(), value.decode()) for name, value in SECURITY)
        return response


class LimitedSocket(WebSocketsSansIOProtocol):
    """Uvicorn's protocol with limits. `staying` are the process's connections that stay open; each adds itself."""

    def __init__(self, *arguments: Any, staying: set[object], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.queue = _Messages()  # type: ignore[assignment]  # has what uvicorn calls
        self.conn = _Handshake(max_size=self.config.ws_max_size, logger=self.logger)
        self.close_timeout = _LINGER
        self._staying = staying
        self._arrived = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        super().connection_made(transport)
        self._staying.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no longer."""
        super().connection_lost(exc)
        self._staying.discard(self)

    def shutdown(self) -> None:
        """Ask the application, at a moment of this socket's own, to end what it does here and close with RESTART."""
        if self.close_sent or not self.handshake_complete:
            super().shutdown()
            return
        within = min(_CLOSED_WITHIN, len(self._staying) / _CLOSED_A_SECOND)
        self.loop.call_later(random.uniform(0, within), self._ask_to_close)  # noqa: S311  # only spreads the load

    def _ask_to_close(self) -> None:
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": Close.RESTART})

    async def run_asgi(self) -> None:
        """Run the application, and do not wait for a client that reads nothing."""
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(_LINGER, self.transport.abort)

    def handle_connect(self, event: Request) -> None:
        """Start the application."""
        super().handle_connect(event)
        if self.handshake_initiated and not self.handshake_complete:
            cast("dict[str, Any]", self.scope)[WRITING] = self.write_now

    def write_now(self, text: bytes) -> bool:
        """Write a text message and return True, unless the client does not read or the socket is being closed."""
        if not self.writable.is_set() or self.conn.state is not OPEN or self.close_sent:
            return False
        self.conn.send_text(text)
        self.transport.write(b"".join(self.conn.data_to_send()))
        return True

    def start_keepalive(self) -> None:
        """Begin to send pings: the handshake is complete, and its headers, some 4 KiB, are not needed any more."""
        super().start_keepalive()
        # The library's parser keeps the request itself.
        self.request.headers.clear()
        del self.request, self.response

    def send_receive_event_to_app(self) -> None:
        """Queue the message. Uvicorn would log a traceback for text that is not UTF-8."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self._refuse(Close.NOT_UTF8, "The text is not UTF-8")
            return
        super().send_receive_event_to_app()

    def data_received(self, data: bytes) -> None:
        """Parse the data in pieces, until they have too many frames."""
        if len(data) <= _PIECE or not self.handshake_complete:
            super().data_received(data)
            return
        self._arrived = 0
        for start in range(0, len(data), _PIECE):
            super().data_received(data[start : start + _PIECE])
            if self._arrived > _MOST_AT_ONCE:
                self._refuse(Close.TOO_LARGE, f"At most {_MOST_AT_ONCE:,} frames may arrive at once")
            if self.transport.is_closing():
                return

    def handle_events(self) -> None:
        """Do what the frames ask for."""
        self._arrived += len(self.conn.events)
        super().handle_events()

    def handle_cont(self, event: Frame) -> None:
        """Add a frame to a message."""
        if len(self.frames) < _MOST_FRAMES:
            super().handle_cont(event)
        else:
            self._refuse(Close.TOO_LARGE, f"A message has at most {_MOST_FRAMES:,} frames")

    def _refuse(self, code: Close, reason: str) -> None:
        if self.transport.is_closing():
            return
        if self.close_sent:
            # The client was to answer the close, and not to send more.
            self.transport.abort()
        else:
            self.conn.send_close(code, reason)
            self.handle_parser_exception()

    def handle_ping(self) -> None:
        """Answer, unless the client does not read: the answers would need more and more memory."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        """Close the socket of a client that has not answered a ping, which need not read that either."""
        super().keepalive_timeout()
        self.loop.call_later(_LINGER, self.transport.abort)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
