"""Limits of WebSockets: how many, how large, how long; and a client that does not read slows no other."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from gql.execution.aside import LONG_BODY
from tests.support.factories import store_account
from tests.support.request import refusal
from tests.support.websocket import SocketServer, listening

pytestmark = pytest.mark.anyio

TYPENAME = {"data": {"__typename": "Query"}}
HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: inbox\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n"
)


async def status(server: SocketServer) -> tuple[int, str | None]:
    """The status of the answer to an upgrade that is refused, and when to try again."""
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect():
            pass
    return refused.value.response.status_code, refused.value.response.headers.get("retry-after")


async def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # neither sockets nor buffers have an event for it
            await asyncio.sleep(0.01)


async def test_the_sockets_of_a_process_are_limited(seeded_dsn: str) -> None:
    async with (
        listening(seeded_dsn, max_sockets=2, max_connections=2) as server,
        server.connect() as first,
        server.session(),
    ):
        assert await status(server) == (503, "1")
        # Connections of sockets are not among those of HTTP.
        assert await server.client.answer("{ __typename }") == TYPENAME
        await first.connection.close()
        await until(lambda: len(server.sockets) == 1)
        async with server.session() as next_:
            assert await next_.answer("{ __typename }") == TYPENAME


async def test_the_sockets_of_a_principal_are_limited(seeded_dsn: str) -> None:
    async with listening(seeded_dsn, max_sockets_per_principal=2) as server:
        async with server.session(), server.session():
            async with server.connect() as third:
                await third.send({"type": "connection_init", "payload": {"token": server.token()}})
                assert await third.closed() == (1013, "A user or application has at most 2 open sockets and streams")
            # Another principal has its own.
            async with server.session(server.token("user:2")), server.session(server.token("application:1", account=2)):
                pass
        await until(lambda: len(server.state.connections) == 0)
        async with server.session(), server.session():
            pass


async def test_the_operations_of_a_socket_are_limited(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn, max_operations_per_socket=2) as server, server.session() as socket:
        async with connection.transaction():
            await connection.execute("LOCK TABLE sources IN ACCESS EXCLUSIVE MODE")
            for id_ in ("1", "2"):
                await socket.subscribe("{ sources { nodes { id } } }", id_)
            (error,) = await socket.errors("{ __typename }", "3")
        answers = [await socket.receive() for _ in range(4)]
        assert await socket.answer("{ __typename }") == TYPENAME

    assert error["message"] == "A socket has at most 2 operations at once"
    assert error["extensions"] == {"code": "RATE_LIMITED"}
    assert sorted((each["id"], each["type"]) for each in answers) == [
        *(("1", "complete"), ("1", "next")),
        *(("2", "complete"), ("2", "next")),
    ]


@pytest.mark.parametrize("frames", [1, 3])
async def test_the_bytes_of_a_message_are_limited(seeded_dsn: str, frames: int) -> None:
    message = json.dumps({"type": "ping", "payload": {"a": "x" * 2_000}})
    async with listening(seeded_dsn, max_body=len(message)) as server:
        async with server.connect() as socket:
            await socket.send(message)
            assert (await socket.receive())["type"] == "pong"
        async with server.connect() as socket:
            size = len(message) // frames
            parts = [message[start : start + size] for start in range(0, len(message), size)]
            await socket.connection.send([*parts, " "] if frames > 1 else f"{message} ")
            code, _ = await socket.closed()

    assert code == 1009


async def test_the_frames_of_a_message_are_limited(seeded_dsn: str) -> None:
    first, empty, last = b"\x01\x80" + bytes(4), b"\x00\x80" + bytes(4), b"\x80\x8f" + bytes(4) + b'{"type":"ping"}'
    async with listening(seeded_dsn) as server:
        async with raw(server) as (reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(first + empty * 998 + last)
            pong = await reader.readexactly(2 + 15)
        async with raw(server) as (reader, writer), asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(first + empty * 1_100)
            close = await reader.read()

    assert pong[2:] == b'{"type":"pong"}'
    assert int.from_bytes(close[2:4]) == 1009


async def test_the_frames_that_arrive_at_once_are_limited(seeded_dsn: str) -> None:
    pong, ping = b"\x8a\x80" + bytes(4), b"\x89\x80" + bytes(4)
    async with listening(seeded_dsn) as server:
        async with raw(server) as (reader, writer), asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(3):
                writer.write(pong * 1_900 + ping)
                assert await reader.readexactly(2) == b"\x8a\x00"
        async with raw(server) as (reader, writer), asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(pong * 2_100)
            close = await reader.read()

    assert int.from_bytes(close[2:4]) == 1009


async def test_before_a_session_a_message_is_short(seeded_dsn: str) -> None:
    message = {"type": "ping", "payload": {"a": "x" * LONG_BODY}}
    async with listening(seeded_dsn) as server:
        async with server.connect() as socket:
            await socket.send(message)
            closed = await socket.closed()
        async with server.session() as socket:
            await socket.send(message)
            answer = await socket.receive()

    assert closed == (4400, f"Before connection_ack, a message has less than {LONG_BODY} bytes")
    assert answer == message | {"type": "pong"}


async def test_who_has_no_time_left_cannot_send_long_messages(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn, rate_seconds=0.000_001) as server, server.session() as socket:
        await socket.answer("{ sources { nodes { id } } }")
        await socket.send({"type": "ping", "payload": {"a": "x" * LONG_BODY}})
        closed = await socket.closed()

    assert closed == (1013, "The rate limit is exceeded: try again later")


async def test_text_that_is_not_utf8_is_1007_and_one_line_of_the_log(
    seeded_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(seeded_dsn) as server:
        with capture_logs() as logs:
            async with server.connect() as socket:
                await socket.connection.send(b'{"type": "ping", "payload": {"a": "\xff"}}', text=True)
                closed = await socket.closed()
            await until(lambda: not server.state.connections)
        # A character may be in two frames.
        async with server.connect() as socket:
            await socket.connection.send([b'{"type": "ping", "payload": {"a": "\xc3', b'\xa9"}}'], text=True)
            answer = await socket.receive()

    assert closed == (1007, "The text is not UTF-8")
    assert [(line["event"], line["code"]) for line in logs] == [("socket closed", 1007)]
    assert caplog.records == []
    assert answer == {"type": "pong", "payload": {"a": "é"}}


async def test_who_does_not_answer_a_ping_is_disconnected(seeded_dsn: str) -> None:
    async with listening(seeded_dsn, socket_ping_seconds=0.2) as server, raw(server) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        # A ping, and then a close, whose code is 1011.
        ping = await reader.readexactly(6)
        close = await reader.readexactly(4)
        await until(lambda: not server.state.connections)

    assert (ping[0], close[0], int.from_bytes(close[2:])) == (0x89, 0x88, 1011)


async def test_who_answers_pings_stays(seeded_dsn: str) -> None:
    async with listening(seeded_dsn, socket_ping_seconds=0.2) as server, server.session() as socket:
        await asyncio.sleep(1)
        assert await socket.answer("{ __typename }") == TYPENAME


@pytest.mark.slow
async def test_a_socket_that_nobody_reads_does_not_slow_another(seeded_dsn: str) -> None:
    # Without rate limits: the queries that nobody reads would use up the budget of both, which have one principal.
    async with (
        listening(seeded_dsn, socket_ping_seconds=5, rate_limit=0, rate_seconds=0) as server,
        server.session() as other,
    ):
        async with server.session() as stuck:
            stuck.connection.transport.pause_reading()
            document = "{ conversations(first: 100) { nodes { subject messages { nodes { content } } } } }"
            # Until what the system keeps for both sides is full.
            for number in itertools.count():
                if not all(protocol.writable.is_set() for protocol in server.sockets):
                    break
                await stuck.subscribe(document, str(number))
                assert await other.answer("{ __typename }") == TYPENAME
            for _ in range(5):
                assert await other.answer("{ __typename }") == TYPENAME
            # It answers no ping.
            await until(lambda: len(server.sockets) == 1)
            stuck.connection.transport.abort()
        assert await other.answer("{ __typename }") == TYPENAME


async def test_who_sends_pings_and_reads_nothing_is_disconnected(seeded_dsn: str) -> None:
    async with listening(seeded_dsn) as server, raw(server) as (_, writer):
        await until(lambda: len(server.sockets) == 1)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a stream that reads
        # A masked ping of 125 bytes.
        ping = b"\x89" + bytes([0x80 | 125]) + bytes(4 + 125)
        async with asyncio.timeout(30):
            while server.sockets:
                writer.write(ping * 1_000)
                await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        (HANDSHAKE, b"101"),
        (HANDSHAKE.replace(b"/graphql", b"/nope"), b"404"),
        (HANDSHAKE.replace(b"/graphql", b"/healthz"), b"404"),
        (HANDSHAKE.replace(b"GET", b"POST"), b"405"),
        (HANDSHAKE.replace(b"Version: 13", b"Version: 8"), b"400"),
        (HANDSHAKE + b"X: " + b"a" * 9_000 + b"\r\n", b"431"),
        (HANDSHAKE + b"X: a\r\n" * 200, b"431"),
        (HANDSHAKE.replace(b"Host", b"H\x01st"), b"400"),
        (HANDSHAKE.replace(b"/graphql", b"/graphql\xff"), b"400"),
        (HANDSHAKE.replace(b"/graphql", b"/graphql?\xff"), b"400"),
        (HANDSHAKE + b"Origin: http://[\r\n", b"403"),
        (HANDSHAKE + b"Origin: \xff\r\n", b"403"),
        (HANDSHAKE + b"Content-Length: 5\r\n", b"400"),
    ],
)
async def test_every_handshake_is_answered_and_no_connection_stays(
    seeded_dsn: str, begin: bytes, expected: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        listening(seeded_dsn, socket_init_seconds=0.2) as server,
        raw(server, begin) as (reader, _),
        asyncio.timeout(10),
    ):
        answer = await reader.read()
        await until(lambda: not server.state.connections)

    assert answer.partition(b" ")[2][:3] == expected
    if expected != b"101":
        head, _, body = answer.partition(b"\r\n\r\n")
        [error] = json.loads(body)["errors"]
        assert error["extensions"]["code"] == ("FORBIDDEN" if expected == b"403" else "BAD_USER_INPUT")
        assert "\n" not in error["message"]
        for line in (b"content-type: application/json; charset=utf-8", b"content-length: %d" % len(body)):
            assert head.lower().count(line) == 1
        assert b"x-content-type-options: nosniff" in head.lower()
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("path", [b"/nope", b"/graphql/", b"/healthz"])
@pytest.mark.parametrize("origins", ["", "https://app.example"])
async def test_a_handshake_on_another_path_is_answered_like_a_request(
    seeded_dsn: str, path: bytes, origins: str
) -> None:
    async with (
        listening(seeded_dsn, cors_origins=origins) as server,
        raw(server, HANDSHAKE.replace(b"/graphql", path)) as (reader, _),
        asyncio.timeout(10),
    ):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"content-type: application/json; charset=utf-8" in head.lower()
    assert b"x-content-type-options: nosniff" in head.lower()
    assert json.loads(body) == refusal("Not Found")


@pytest.mark.parametrize(("host", "expected"), [(b"evil.example", b"421"), (b"localhost:80", b"101")])
async def test_the_demo_opens_sockets_for_this_machine_only(seeded_dsn: str, host: bytes, expected: bytes) -> None:
    begin = HANDSHAKE.replace(b"Host: inbox", b"Host: " + host)
    async with listening(seeded_dsn, token="a token") as server, raw(server, begin) as (reader, _):
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)

    assert answer.partition(b" ")[2][:3] == expected


async def test_an_upgrade_waits_for_earlier_answers(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as server, connection.transaction():
        await connection.execute("LOCK TABLE sources IN ACCESS EXCLUSIVE MODE")
        query = b"GET /graphql?query=%7Bsources%7Bnodes%7Bid%7D%7D%7D HTTP/1.1\r\nHost: inbox\r\n"
        authorization = f"Authorization: Bearer {server.token()}\r\n\r\n".encode()
        async with raw(server, query + authorization + HANDSHAKE) as (reader, _):
            assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_an_upgraded_connection_has_no_timer_of_http(seeded_dsn: str) -> None:
    limits = {"head_seconds": 0.3, "body_seconds": 0.3}
    async with listening(seeded_dsn, limits=limits, socket_init_seconds=60) as server, server.connect() as socket:
        await asyncio.sleep(1)
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}


@asynccontextmanager
async def raw(
    server: SocketServer, begin: bytes = HANDSHAKE
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of the test's own, after the first bytes of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(begin + b"\r\n")
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
