"""Applications for tests: in this process, or served by Uvicorn in a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from gql.app import create_app
from tests.support.client import Client, Statements, make_settings


class Transport(httpx.ASGITransport):
    """Responds after asyncpg has reported the statements of a request, which it does in the loop's next iteration."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The application's response."""
        response = await super().handle_async_request(request)
        await asyncio.sleep(0)
        return response


@asynccontextmanager
async def serving(dsn: str, statements: Statements, **overrides: Any) -> AsyncIterator[Client]:
    """A client of an application in this process."""
    settings = make_settings(dsn, **overrides)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = Transport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox") as http:
            yield Client(http, settings, statements)


@dataclass(frozen=True)
class LiveServer:
    """A server on a port of this machine, with GraphiQL."""

    url: str
    token: str


@contextmanager
def live(dsn: str) -> Iterator[LiveServer]:
    """Uvicorn in a thread, with GraphiQL."""
    settings = make_settings(dsn, graphiql=True)
    token = Client(httpx.AsyncClient(), settings, Statements()).token
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(settings, token=token), log_config=None))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield LiveServer(f"http://127.0.0.1:{listener.getsockname()[1]}", token)
    finally:
        server.should_exit = True
        thread.join()
