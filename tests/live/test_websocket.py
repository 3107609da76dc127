"""GraphQL over WebSocket: sessions and operations of `graphql-transport-ws`, against a server on a real port."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from websockets.exceptions import InvalidStatus

from gql.log import SUBSCRIPTIONS
from tests.support.factories import store_account
from tests.support.process import CONVERSATIONS, SEND, prepare
from tests.support.websocket import Socket, SocketServer, listening

pytestmark = pytest.mark.anyio

QUERY = "query Names { conversations(first: 2) { nodes { subject } } }"
WRITE = """mutation ($input: CreateConversationInput!) {
  createConversation(input: $input) { conversation { subject } userErrors { code } }
}"""
# Waits while somebody holds a lock on the table.
WAITING = "{ sources { nodes { name } } }"
FORBIDDEN = (4403, "Forbidden")
APP = "https://app.example"


@pytest.fixture(scope="module")
async def server(seeded_dsn: str) -> AsyncIterator[SocketServer]:
    """A server for tests that only read."""
    async with listening(seeded_dsn, cors_origins=(APP,)) as server:
        yield server


# ------------------------------------------------------------------ the session


async def test_a_query_is_answered_as_over_http(server: SocketServer) -> None:
    async with server.session() as socket:
        first, second = await socket.answer(QUERY), await socket.answer(QUERY, "another")

    assert first == second == await server.client.answer(QUERY)
    assert len(first["data"]["conversations"]["nodes"]) == 2


async def test_a_mutation_is_carried_out(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as server, server.session() as socket:
        answer = await socket.answer(WRITE, input={"subject": "Keys"})

    expected = {"createConversation": {"conversation": {"subject": "Keys"}, "userErrors": []}}
    assert answer == {"data": expected}
    assert await connection.fetchval("SELECT count(*) FROM conversations WHERE subject = 'Keys'") == 1


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
async def test_the_token_may_be_an_authorization_in_the_payload(server: SocketServer, name: str) -> None:
    async with server.connect() as socket:
        await socket.initialise(**{name: f"Bearer {server.token()}"})


async def test_the_token_may_stand_alone_in_the_payload(server: SocketServer) -> None:
    async with server.connect() as socket:
        await socket.initialise(token=server.token())


@pytest.mark.parametrize("payload", [None, {}], ids=["none", "empty"])
async def test_the_token_may_be_in_the_header_of_the_upgrade(server: SocketServer, payload: Any) -> None:
    async with server.connect(headers={"Authorization": f"Bearer {server.token()}"}) as socket:
        await socket.send({"type": "connection_init", "payload": payload})
        assert await socket.receive() == {"type": "connection_ack"}
        assert "data" in await socket.answer(QUERY)


async def test_the_same_token_twice_is_one(server: SocketServer) -> None:
    token = server.token()
    async with server.connect(headers={"Authorization": f"Bearer {token}"}) as socket:
        await socket.initialise(token=token, Authorization=f"Bearer {token}")


async def test_two_tokens_are_4400(server: SocketServer) -> None:
    async with server.connect(headers={"Authorization": f"Bearer {server.token()}"}) as socket:
        await socket.send({"type": "connection_init", "payload": {"token": server.token("user:2")}})
        assert await socket.closed() == (4400, "Send one token")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "connection_init"},
        {"type": "connection_init", "payload": None},
        {"type": "connection_init", "payload": {}},
        {"type": "connection_init", "payload": {"token": ""}},
        {"type": "connection_init", "payload": {"token": "nonsense"}},
        {"type": "connection_init", "payload": {"token": 5}},
        {"type": "connection_init", "payload": {"Authorization": "Basic eDp5"}},
    ],
)
async def test_without_a_valid_token_a_session_is_4403(server: SocketServer, message: Any) -> None:
    async with server.connect() as socket:
        await socket.send(message)
        assert await socket.closed() == FORBIDDEN


async def test_an_actor_that_does_not_exist_is_4403(server: SocketServer) -> None:
    async with server.connect() as socket:
        await socket.send({"type": "connection_init", "payload": {"token": server.token("user:999999")}})
        assert await socket.closed() == FORBIDDEN


async def test_when_the_token_expires_the_socket_is_4403_within_a_second(server: SocketServer) -> None:
    token = server.token(seconds=2)
    # The token's times are whole seconds.
    expires = int(time.time()) + 2
    async with server.session(token) as socket:
        assert "data" in await socket.answer(QUERY)
        assert await socket.closed() == FORBIDDEN

    assert 0 <= time.time() - expires < 1


async def test_an_operation_before_the_session_is_4401(server: SocketServer) -> None:
    async with server.connect() as socket:
        await socket.subscribe(QUERY)
        assert await socket.closed() == (4401, "Unauthorized")


async def test_a_second_initialisation_is_4429(server: SocketServer) -> None:
    async with server.session() as socket:
        await socket.send({"type": "connection_init", "payload": {"token": server.token()}})
        assert await socket.closed() == (4429, "Too many initialisation requests")


async def test_without_an_initialisation_in_time_a_socket_is_4408(seeded_dsn: str) -> None:
    async with listening(seeded_dsn, socket_init_seconds=0.2) as server, server.connect() as socket:
        # Which does not count.
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}
        assert await socket.closed() == (4408, "Connection initialisation timeout")


@pytest.mark.parametrize("offered", [(), ("graphql-ws",)], ids=["none", "another"])
async def test_without_the_subprotocol_a_socket_is_4406(server: SocketServer, offered: tuple[str, ...]) -> None:
    async with server.connect(offered) as socket:
        assert socket.connection.subprotocol is None
        assert await socket.closed() == (4406, "Subprotocol not acceptable")


async def test_of_several_subprotocols_ours_is_taken(server: SocketServer) -> None:
    async with server.session(subprotocols=("graphql-ws", "graphql-transport-ws")) as socket:
        assert socket.connection.subprotocol == "graphql-transport-ws"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "5",
        "[]",
        "null",
        '{"type": "ping", "type": "pong"}',
        '{"type": "pong", "payload": ' + "[" * 101 + "]" * 101 + "}",
        b'{"type": "ping"}',
        {},
        {"type": None},
        {"type": "connection_ack"},
        {"type": "start", "id": "1", "payload": {"query": QUERY}},
        {"type": "ping", "payload": 5},
        {"type": "pong", "payload": []},
        {"type": "connection_init", "payload": "token"},
        {"type": "subscribe", "payload": {"query": QUERY}},
        {"type": "subscribe", "id": "", "payload": {"query": QUERY}},
        {"type": "subscribe", "id": 1, "payload": {"query": QUERY}},
        {"type": "subscribe", "id": "x" * 257, "payload": {"query": QUERY}},
        {"type": "subscribe", "id": "1"},
        {"type": "subscribe", "id": "1", "payload": [QUERY]},
        {"type": "complete"},
        {"type": "complete", "id": None},
    ],
)
async def test_what_is_no_message_is_4400(server: SocketServer, message: Any) -> None:
    async with server.connect() as socket:
        await socket.send(message)
        code, reason = await socket.closed()

    assert (code, bool(reason)) == (4400, True)


async def test_a_ping_is_answered_at_any_time_and_a_pong_is_ignored(server: SocketServer) -> None:
    async with server.connect() as socket:
        await socket.send({"type": "pong"}, {"type": "ping", "payload": {"a": [1]}})
        assert await socket.receive() == {"type": "pong", "payload": {"a": [1]}}
        await socket.initialise(token=server.token())
        await socket.send({"type": "pong", "payload": {}}, {"type": "ping", "payload": None})
        assert await socket.receive() == {"type": "pong"}


# ------------------------------------------------------------------- operations


@pytest.mark.parametrize(
    "document", ["{", "{ nope }", "query A { __typename } query B { __typename }", '{ node(id: "x") { id } }']
)
async def test_errors_are_those_of_http_and_the_session_goes_on(server: SocketServer, document: str) -> None:
    answer = await server.client.answer(document)
    async with server.session() as socket:
        await socket.subscribe(document)
        message = await socket.receive()
        expected = (answer, "next") if "data" in answer else (answer["errors"], "error")
        assert (message["payload"], message["type"]) == expected
        if "data" in answer:
            assert (await socket.receive())["type"] == "complete"
        assert "data" in await socket.answer(QUERY)


async def test_scopes_are_checked(server: SocketServer) -> None:
    async with server.session(server.token(scopes={"bookings_read"})) as socket:
        (error,) = await socket.errors(QUERY)

    assert error["extensions"] == {"code": "FORBIDDEN", "requiredScopes": ["inbox_read"]}


@pytest.mark.parametrize(
    "payload", [{}, {"query": 5}, {"query": QUERY, "variables": "x"}, {"query": QUERY, "operationName": 5}]
)
async def test_wrong_parameters_are_errors_of_the_operation(server: SocketServer, payload: dict[str, Any]) -> None:
    async with server.session() as socket:
        await socket.send({"id": "1", "type": "subscribe", "payload": payload})
        message = await socket.receive()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "BAD_USER_INPUT")
        assert "data" in await socket.answer(QUERY)


async def test_an_id_that_is_in_use_is_4409(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as server, server.session() as socket, connection.transaction():
        await connection.execute("LOCK TABLE sources IN ACCESS EXCLUSIVE MODE")
        await socket.subscribe(WAITING)
        await socket.subscribe(WAITING)
        assert await socket.closed() == (4409, "Subscriber for 1 already exists")


async def test_a_client_can_end_an_operation_and_use_its_id_again(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as server, server.session() as socket, connection.transaction():
        await connection.execute("LOCK TABLE sources IN ACCESS EXCLUSIVE MODE")
        await socket.subscribe(WAITING)
        await until_waiting(connection, 1)
        await socket.send({"id": "1", "type": "complete"}, {"id": "unknown", "type": "complete"})
        # In PostgreSQL too.
        await until_waiting(connection, 0)
        assert await socket.answer("{ __typename }") == {"data": {"__typename": "Query"}}


async def test_when_the_client_goes_its_operations_end(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as server, connection.transaction():
        await connection.execute("LOCK TABLE sources IN ACCESS EXCLUSIVE MODE")
        async with server.session() as socket:
            await socket.subscribe(WAITING)
            await until_waiting(connection, 1)
        await until_waiting(connection, 0)


async def until_waiting(connection: asyncpg.Connection, number: int) -> None:
    """Return once that many statements wait for a lock."""
    while await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") != number:
        pass


# -------------------------------------------------------------------- the upgrade


@pytest.mark.parametrize("origin", [None, APP, "own"])
async def test_a_socket_is_opened_from_the_servers_own_and_from_configured_origins(
    server: SocketServer, origin: str | None
) -> None:
    headers = {} if origin is None else {"Origin": server.url if origin == "own" else origin}
    async with server.session(headers=headers):
        pass


@pytest.mark.parametrize("origin", ["https://other.example", "null", "https://app.example.other.example", "x"])
async def test_from_another_origin_a_socket_is_403(server: SocketServer, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect(headers={"Origin": origin}):
            pass

    response = refused.value.response
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert b'"FORBIDDEN"' in (response.body or b"")


# ------------------------------------------------------------------ subscriptions

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


@pytest.mark.slow
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
