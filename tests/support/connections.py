"""Connections to a server with this protocol, on which a test writes bytes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gql.web.protocol import ConnectionLimits, LimitedProtocol, write_whole
from gql.web.response import JsonResponse

# Short, so that the tests are short.
QUICK = ConnectionLimits(body=65_536, head_seconds=0.4, body_seconds=0.4, unread_seconds=0.3)


class Server:
    """An application with this protocol, on a port of this machine."""

    def __init__(self, answer: bytes = b"hello", *, reads: bool = True, whole: bool = False) -> None:
        self.answer = answer
        self.reads = reads
        self.whole = whole
        self.headers: dict[bytes, bytes] = {}
        self.bodies: list[bytes] = []
        self.calls = 0
        self.disconnected = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self.state = ServerState()
        self.port = 0
        self.path = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request, and respond."""
        self.calls += 1
        self.headers = dict(scope["headers"])
        self.path = scope["path"]
        self.bodies.append(b"")
        while self.reads and (message := await receive())["type"] == "http.request":
            self.bodies[-1] += message["body"]
            if not message["more_body"]:
                break
        if not self.answering.is_set():
            gone = asyncio.ensure_future(receive())
            answering = asyncio.create_task(self.answering.wait())
            await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
            answering.cancel()
            self.disconnected += gone.done()
            gone.cancel()
        headers = [(b"content-length", str(len(self.answer)).encode())]
        if self.whole and write_whole(send, JsonResponse(self.answer, 200, headers)):
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.answer})

    @asynccontextmanager
    async def serving(self, limits: ConnectionLimits = QUICK) -> AsyncIterator[Server]:
        """Serve during the block."""
        config = uvicorn.Config(self, lifespan="off", log_config=None, access_log=False, timeout_keep_alive=1)
        config.load()
        make = partial(LimitedProtocol, config=config, server_state=self.state, app_state={}, limits=limits)
        async with await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
            for protocol in list(self.state.connections):
                protocol.transport.abort()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection to the server."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    @asynccontextmanager
    async def unread(self) -> AsyncIterator[socket.socket]:
        """A connection on which the system keeps only a few KiB between the server and a client that does not read."""
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.setblocking(False)  # noqa: FBT003  # it has no keyword
            await loop.sock_connect(client, ("127.0.0.1", self.port))
            while not self.state.connections:  # noqa: ASYNC110  # it has no event for it
                await asyncio.sleep(0.01)
            [protocol] = self.state.connections
            accepted = protocol.transport.get_extra_info("socket")
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
            yield client

    async def ask(self, sending: Iterator[bytes], pause: float = 0.0) -> bytes:
        """Send one piece after the other until the server closes the connection; return all responses."""
        async with self.connected() as (reader, writer):
            answer = asyncio.create_task(reader.read())
            for piece in sending:
                if answer.done():
                    break
                with suppress(ConnectionError):
                    writer.write(piece)
                    await writer.drain()
                await asyncio.sleep(pause)
            try:
                return await asyncio.wait_for(answer, 5)
            except ConnectionError:
                return b""


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def message(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"nosniff" in head
    assert b"connection: close" in head.lower()
    return json.loads(body)["errors"][0]["message"]


async def emptied(server: Server) -> None:
    """Return once the server has no connections."""
    async with asyncio.timeout(5):
        while server.state.connections:  # noqa: ASYNC110  # it has no event for it
            await asyncio.sleep(0.02)
