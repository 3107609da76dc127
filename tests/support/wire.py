"""A connection in memory to a server with this protocol, for tests that decide what each read is."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from gql.web.heads import FACTS, Heads
from gql.web.protocol import STREAMING, LimitedProtocol, write_whole
from gql.web.response import JsonResponse
from tests.support.connections import QUICK


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what the server says about the request, and its body."""
    body, more = b"", True
    while more and (message := await receive())["type"] == "http.request":
        body += message["body"]
        more = message["more_body"]
    scope = {name: value for name, value in scope.items() if name not in {FACTS, STREAMING}}
    await respond(repr((sorted(scope.items()), body)).encode(), receive, send)


async def respond(answer: bytes, receive: Any, send: Any) -> None:
    """Send an answer as the endpoint does."""
    response = JsonResponse(answer, 200, [(b"content-length", b"%d" % len(answer))])
    if not write_whole(send, response):
        await response({"type": "http"}, receive, send)


CONFIG = uvicorn.Config(echo, interface="asgi3", lifespan="off", log_config=None, access_log=False)


class Wire(asyncio.Transport):
    """A connection in memory, of which each read is exactly one piece. The client reads everything at once."""

    def __init__(self, heads: Heads, app: Any = echo) -> None:
        super().__init__()
        self.written = b""
        self.scopes: list[Any] = []
        self._app = app
        self._closed = self._paused = False
        self._pieces: deque[bytes] = deque()
        limits = replace(QUICK, heads=heads)
        self.protocol = LimitedProtocol(config=CONFIG, server_state=ServerState(), app_state={"a": 1}, limits=limits)
        self.protocol.app = self._call
        # As in production; here pytest listens to all logs.
        self.protocol.access_log = False
        self.protocol.connection_made(self)

    async def _call(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await self._app(scope, receive, send)

    def send(self, piece: bytes) -> None:
        """Let the server read a piece."""
        self._pieces.append(piece)
        self._read()

    def _read(self) -> None:
        while self._pieces and not self._paused and not self._closed:
            self.protocol.data_received(self._pieces.popleft())

    async def settle(self) -> None:
        """Let the server do what it can without more data."""
        for _ in range(40):
            await asyncio.sleep(0)

    async def end(self) -> tuple[bytes, bool, list[bool]]:
        """What the server has sent, whether it has closed the connection, and which timers run."""
        await self.settle()
        closed, protocol = self._closed, self.protocol
        timers = [protocol._timer is None, protocol.timeout_keep_alive_task is None]  # noqa: SLF001  # no answer has it
        self.abort()
        await self.settle()
        return self.written, closed, timers

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Both addresses."""
        return {"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2)}.get(name, default)

    def write(self, data: Any) -> None:
        """The client reads."""
        self.written += data

    def write_eof(self) -> None:
        """The server sends nothing more."""
        self.written += b"EOF"

    def get_write_buffer_size(self) -> int:
        """Nothing waits to be read."""
        return 0

    def is_closing(self) -> bool:
        """Whether the connection is closed."""
        return self._closed

    def close(self) -> None:
        """Close the connection."""
        if not self._closed:
            self._closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None:
        """Read nothing more for a while."""
        self._paused = True

    def resume_reading(self) -> None:
        """Read on."""
        self._paused = False
        asyncio.get_running_loop().call_soon(self._read)
