"""A server in this process that listens on a port, with our protocols, and a client of `graphql-transport-ws`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gql.app import create_app
from gql.security.token import SCOPES, mint
from gql.web.server import configure
from gql.web.upgraded import LimitedSocket
from gql.web.websocket import SUBPROTOCOL
from tests.support.client import Client, Statements, make_settings

# Seconds after which a test that waits for a message has failed.
PATIENCE = 20


@dataclass
class Socket:
    """A WebSocket whose messages are JSON."""

    connection: ClientConnection

    async def send(self, *messages: Any) -> None:
        """Send messages, those that are text or bytes as they are."""
        for message in messages:
            await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def receive(self) -> Any:
        """The next message."""
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.connection.recv())

    async def closed(self) -> tuple[int, str]:
        """Code and reason, once the server has closed the socket. Fails if it sends anything before."""
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ConnectionClosed) as closed:
                await self.connection.recv()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code, closed.value.rcvd.reason

    async def initialise(self, **payload: Any) -> None:
        """Begin a session, and wait until the server has acknowledged it."""
        await self.send({"type": "connection_init", "payload": payload})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, document: str, id_: str = "1", **variables: Any) -> None:
        """Begin an operation."""
        payload = {"query": document, "variables": variables}
        await self.send({"id": id_, "type": "subscribe", "payload": payload})

    async def answer(self, document: str, id_: str = "1", **variables: Any) -> Any:
        """The whole answer to a query or mutation."""
        await self.subscribe(document, id_, **variables)
        following = await self.receive()
        assert (following["id"], following["type"]) == (id_, "next")
        assert await self.receive() == {"id": id_, "type": "complete"}
        return following["payload"]

    async def errors(self, document: str, id_: str = "1", **variables: Any) -> Any:
        """The errors that an operation ends with."""
        await self.subscribe(document, id_, **variables)
        message = await self.receive()
        assert (message["id"], message["type"]) == (id_, "error")
        return message["payload"]


@asynccontextmanager
async def connected(
    url: str, subprotocols: tuple[str, ...] = (SUBPROTOCOL,), headers: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Socket]:
    """A socket to the server at an http URL, before its session."""
    offered = [Subprotocol(name) for name in subprotocols]
    async with connect(
        f"{url.replace('http', 'ws', 1)}/graphql",
        subprotocols=offered or None,
        additional_headers=headers,
        proxy=None,
        compression=None,
        # A server that starts on a busy machine accepts later.
        open_timeout=60,
        **options,
    ) as connection:
        yield Socket(connection)


@dataclass
class SocketServer:
    """A server on a port of this machine, and a client of it over HTTP."""

    url: str
    client: Client
    state: ServerState

    @property
    def sockets(self) -> list[LimitedSocket]:
        """The connections that have become WebSockets."""
        return [each for each in self.state.connections if isinstance(each, LimitedSocket)]

    def token(self, subject: str = "user:1", *, seconds: float = 3_600, account: int = 1, scopes: Any = SCOPES) -> str:
        """A token. Its times are whole seconds."""
        return mint(
            self.client.settings,
            account=account,
            subject=subject,
            scopes=sorted(scopes),
            expires_in=timedelta(seconds=seconds),
            now=datetime.now(UTC),
        )

    @asynccontextmanager
    async def connect(self, *arguments: Any, **named: Any) -> AsyncIterator[Socket]:
        """A socket, before its session; arguments as of `connected`."""
        async with connected(self.url, *arguments, **named) as socket:
            yield socket

    @asynccontextmanager
    async def session(self, token: str | None = None, **options: Any) -> AsyncIterator[Socket]:
        """A socket with a session."""
        async with self.connect(**options) as socket:
            await socket.initialise(Authorization=f"Bearer {token or self.token()}")
            yield socket


@asynccontextmanager
async def listening(
    dsn: str, *, limits: dict[str, Any] | None = None, token: str | None = None, **overrides: Any
) -> AsyncIterator[SocketServer]:
    """A server as `inbox serve` configures it, in this process, with other `limits` of connections.

    With a `token`, the application is that of the demo.
    """
    settings = make_settings(dsn, **overrides)
    app = create_app(settings, token=token)
    config = configure(app, settings)
    config.load()
    state = ServerState()
    configured: Any = config.http_protocol_class
    # The set of connections that stay open remains shared.
    limited = replace(configured.keywords["limits"], **(limits or {}))
    make = partial(configured, config=config, server_state=state, app_state={}, limits=limited)

    async with (
        app.router.lifespan_context(app),
        await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server,
    ):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url) as http:
            yield SocketServer(url, Client(http, settings, Statements()), state)
        for protocol in list(state.connections):
            protocol.transport.abort()
        if state.tasks:
            await asyncio.wait(state.tasks)
