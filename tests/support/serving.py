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

# Seconds for a server in a thread.
START_WITHIN = 30.0
STOP_WITHIN = 20.0


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
    # A daemon, so that a server that does not stop fails a test and does not keep pytest.
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    begun = time.monotonic()
    while not server.started:
        if not thread.is_alive() or time.monotonic() > begun + START_WITHIN:
            raise RuntimeError(f"The server did not start within {START_WITHIN:g} s: its log says why")
        time.sleep(0.01)
    try:
        yield LiveServer(f"http://127.0.0.1:{listener.getsockname()[1]}", token)
    finally:
        server.should_exit = True
        thread.join(STOP_WITHIN)
        if thread.is_alive():
            reason = not_stopped(server)
            # Uvicorn then waits neither for connections nor for requests.
            server.force_exit = True
            thread.join(STOP_WITHIN)
            raise TimeoutError(reason)


def not_stopped(server: uvicorn.Server) -> str:
    """What a server waits for that does not stop."""
    state = server.server_state
    requests = ", ".join(sorted(repr(task.get_coro()) for task in state.tasks))
    return f"The server did not stop: it waits for {len(state.connections)} connections, and these requests: {requests}"
