"""GraphQL over WebSocket: sessions and operations of `graphql-transport-ws`, against a server on a real port."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.factories import store_account
from tests.support.websocket import SocketServer, listening

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
