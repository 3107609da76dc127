"""Subscriptions over a WebSocket: what is written meanwhile over HTTP arrives, and every end of a subscription."""

from __future__ import annotations

from typing import Any

import pytest

from gql.log import SUBSCRIPTIONS
from tests.support.process import CONVERSATIONS, SEND, prepare
from tests.support.websocket import Socket, SocketServer, listening

pytestmark = pytest.mark.anyio

FOLLOW = """subscription ($after: String) {
  changes(after: $after, types: [MESSAGE]) {
    changes { operation node { ... on Message { content } } }
    endCursor
  }
}"""


async def send(server: SocketServer, text: str) -> None:
    """Write a message by a mutation over HTTP."""
    data = await server.client.data(SEND, key=text[:20], text=text, there=CONVERSATIONS[0])
    assert data["createMessage"]["userErrors"] == []


async def cursor(server: SocketServer) -> str:
    """Where the change log ends."""
    found: str = (await server.client.data("{ changesCursor }"))["changesCursor"]
    return found


def contents(message: Any) -> list[str]:
    """The texts in an event."""
    assert message["type"] == "next", message
    return [change["node"]["content"] for change in message["payload"]["data"]["changes"]["changes"]]


async def read(socket: Socket, number: int) -> list[tuple[str, str]]:
    """The next texts with the ids of the operations that they came by."""
    found: list[tuple[str, str]] = []
    while len(found) < number:
        message = await socket.receive()
        found += [(message["id"], content) for content in contents(message)]
    return found


@pytest.fixture
async def filled(dsn: str) -> str:
    """A database with an account and conversations."""
    await prepare(dsn)
    return dsn


async def test_what_is_written_meanwhile_arrives_after_what_was_missed(filled: str) -> None:
    async with listening(filled) as server, server.session() as socket:
        after = await cursor(server)
        await send(server, "missed")
        await socket.subscribe(FOLLOW, "all", after=after)
        assert await read(socket, 1) == [("all", "missed")]
        for text in ("a", "b"):
            await send(server, text)
        assert await read(socket, 2) == [("all", "a"), ("all", "b")]
        # Beside it, other operations are answered.
        await socket.subscribe("{ __typename }", "query")
        assert [(await socket.receive())["type"] for _ in range(2)] == ["next", "complete"]
        await socket.send({"id": "all", "type": "complete"})
        await send(server, "after the end")
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}


async def test_several_subscriptions_of_a_socket_are_apart(filled: str) -> None:
    async with listening(filled) as server, server.session() as socket:
        after = await cursor(server)
        await socket.subscribe(FOLLOW, "1", after=after)
        await socket.subscribe(FOLLOW, "2", after=after)
        await send(server, "a")
        assert sorted(await read(socket, 2)) == [("1", "a"), ("2", "a")]
        await socket.send({"id": "1", "type": "complete"})
        await send(server, "b")
        assert await read(socket, 1) == [("2", "b")]


async def test_a_cursor_that_cannot_be_continued_is_an_error(filled: str) -> None:
    async with listening(filled) as server, server.session() as socket:
        (error,) = await socket.errors(FOLLOW, after="nonsense")
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        (error,) = await socket.errors("subscription { changes { changes { id } } }")
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_the_token_ends_subscriptions_with_the_session(filled: str) -> None:
    async with listening(filled) as server:
        token = server.token(seconds=2)
        async with server.session(token) as socket:
            await socket.subscribe(FOLLOW)
            assert await socket.closed() == (4403, "Forbidden")


async def test_a_subscriber_that_does_not_read_ends_and_slows_no_other(filled: str) -> None:
    async with listening(filled, max_body=2_000_000) as server, server.session() as other, server.session() as stuck:
        after = await cursor(server)
        for socket in (other, stuck):
            await socket.subscribe(FOLLOW, after=after)
        stuck.connection.transport.pause_reading()
        text = "x" * 60_000
        sent = 0
        # Until the buffers of the system and the queue of the stream are full: the subscription then ends by itself.
        before = SUBSCRIPTIONS["overflow"]
        while SUBSCRIPTIONS["overflow"] == before:
            sent += 1
            await send(server, f"{sent} {text}")
            assert await read(other, 1) == [("1", f"{sent} {text}")]
        stuck.connection.transport.resume_reading()
        messages = [await stuck.receive()]
        while messages[-1]["type"] != "complete":
            messages.append(await stuck.receive())

    *events, last, _ = messages
    (error,) = last["payload"]["errors"]
    assert error["extensions"]["code"] == "RESYNC_REQUIRED"
    # What it has read comes without a gap, and the cursor is where it continues.
    read_by_it = [content for event in events for content in contents(event)]
    assert read_by_it == [f"{number} {text}" for number in range(1, len(read_by_it) + 1)]
    assert error["extensions"]["cursor"] == events[-1]["payload"]["data"]["changes"]["endCursor"]
    assert len(read_by_it) < sent
