"""A server on a port of this machine, in the test's own loop, and clients that follow changes by server-sent events."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import asyncpg
import httpx
import uvicorn

from gql.app import create_app
from gql.web.protocol import ConnectionLimits, LimitedProtocol
from tests.support.client import Client, Statements, make_settings
from tests.support.serving import not_stopped

STREAM = "text/event-stream"
FOLLOW = """
subscription Follow($after: String, $types: [ChangeType!], $conversation: ID) {
  changes(after: $after, types: $types, conversationId: $conversation) {
    changes { type operation nodeId }
    endCursor
  }
}
"""
# Seconds that anything expected has to come.
PATIENCE = 20.0


@dataclass(frozen=True)
class SentEvent:
    """One event of an event stream, its data read."""

    name: str
    id: str | None
    data: Any

    @property
    def changes(self) -> list[tuple[str, str]]:
        """Type and id of each change of an event of `FOLLOW`."""
        return [(change["type"], change["nodeId"]) for change in self.data["data"]["changes"]["changes"]]


class Follower:
    """The response to one request that accepts an event stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.comments = 0
        self._lines = response.aiter_lines()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SentEvent:
        """The next event; ends with the response."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                name, _, value = line.partition(":")
                if not line and fields:
                    data = json.loads(fields["data"]) if fields["data"] else None
                    return SentEvent(fields["event"], fields.get("id"), data)
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    fields[name] = value.removeprefix(" ")
        raise StopAsyncIteration

    async def next(self) -> SentEvent:
        """The next event, which is a `next`."""
        event = await anext(self)
        assert event.name == "next", event
        return event

    async def rest(self) -> list[SentEvent]:
        """The events until the response ends."""
        return [event async for event in self]


@asynccontextmanager
async def following(
    client: Client, document: str = FOLLOW, *, last: str | None = None, **variables: Any
) -> AsyncIterator[Follower]:
    """Send a document for an event stream, and read the response during the block."""
    headers = client.headers | {"Accept": STREAM, "Content-Type": "application/json"}
    if last is not None:
        headers["Last-Event-ID"] = last
    body = json.dumps({"query": document, "variables": variables})
    async with client.http.stream("POST", "/graphql", content=body, headers=headers) as response:
        if response.headers["content-type"].startswith(STREAM):
            assert response.status_code == 200
        else:
            await response.aread()
        yield Follower(response)


@asynccontextmanager
async def listening(
    dsn: str, statements: Statements | None = None, *, limits: ConnectionLimits | None = None, **overrides: Any
) -> AsyncIterator[Client]:
    """A client of a real server."""
    settings = make_settings(dsn, **{"rate_limit": 0, **overrides})
    config = uvicorn.Config(
        create_app(settings),
        http=partial(LimitedProtocol, limits=limits or ConnectionLimits.of(settings)),  # type: ignore[arg-type]  # called alike
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.serve([listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(
            base_url=url, timeout=PATIENCE, limits=httpx.Limits(max_connections=1_000)
        ) as http:
            yield Client(http, settings, statements or Statements())
    finally:
        server.should_exit = True
        stopped, _ = await asyncio.wait([running], timeout=PATIENCE)
        if not stopped:
            raise TimeoutError(not_stopped(server))
        await running


async def eventually(count: Callable[[], int | Awaitable[int]], least: int = 1) -> None:
    """Wait until the count is at least `least`."""
    async with asyncio.timeout(PATIENCE):
        found = 0
        while found < least:
            counted = count()
            found = counted if isinstance(counted, int) else await counted
            await asyncio.sleep(0.01)


async def cursor(client: Client) -> str:
    """The cursor of the log's end."""
    text: str = (await client.data("{ changesCursor }"))["changesCursor"]
    return text


async def create(client: Client, subject: str = "Keys") -> str:
    """Create a conversation; return its id."""
    document = "mutation($subject: String) { createConversation(input: {subject: $subject}) { conversation { id } } }"
    data = await client.data(document, subject=subject)
    id_: str = data["createConversation"]["conversation"]["id"]
    return id_


async def reply(client: Client, conversation: str, content: str = "Hello") -> str:
    """Write a message; return its id."""
    document = """
    mutation($id: ID!, $content: String!) {
      createMessage(input: {conversationId: $id, content: $content, channel: EMAIL}) { message { id } }
    }"""
    data = await client.data(document, id=conversation, content=content)
    id_: str = data["createMessage"]["message"]["id"]
    return id_


async def end_listening(connection: asyncpg.Connection[Any]) -> int:
    """Terminate the connections that listen; return how many there were."""
    rows = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'inbox listening'"
    )
    return len(rows)
