"""Before authentication: requests that are ambiguous, too large, too slow or too many are rejected cheaply."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gql.web.protocol import ConnectionLimits
from tests.support.connections import QUICK, Server, emptied, message, status
from tests.support.process import READ, prepare, serving_processes

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: inbox\r\n\r\n"
HTTP = b"HTTP/1.1\r\nHost: inbox"
HEAD = b"GET / HTTP/1.1\r\nHost: inbox\r\nX: "
POST = b"POST / HTTP/1.1\r\nHost: inbox\r\nContent-Length: 100\r\n\r\n"
EXPECTING = b"POST / HTTP/1.1\r\nHost: inbox\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
BODY = b"a" * 100
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: inbox\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# As `curl --http2` and Java's client send a request to an address without TLS. The body looks like a request.
HTTP2 = POST[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
INNER = GET.ljust(100)
CHUNKED = b"POST / HTTP/1.1\r\nHost: inbox\r\nTransfer-Encoding: chunked\r\n\r\n"

LINE = b"GET / HTTP/1.1\r\n"
HOST = b"Host: inbox\r\n"
# What httptools accepts, and this server rejects by itself.
CHECKED = {
    "chunks of a coded body": LINE + HOST + b"Transfer-Encoding: gzip, chunked\r\n",
    "another coding": LINE + HOST + b"Transfer-Encoding: xchunked\r\n",
    "no coding": LINE + HOST + b"Transfer-Encoding: identity\r\n",
    "chunks of HTTP/1.0": b"GET / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n",
    "no host": LINE,
    "an upgrade without a host": UPGRADE[:-2].replace(HOST, b""),
    **{
        protocol.decode(): LINE.replace(b"HTTP/1.1", protocol) + HOST
        for protocol in (b"HTTP/2.0", b"HTTP/0.9", b"RTSP/1.0")
    },
    "ICE/1.0": b"SOURCE / ICE/1.0\r\n" + HOST,
    "another protocol of an absolute target": b"GET http://inbox/a RTSP/1.0\r\n" + HOST,
    "two hosts": LINE + HOST + b"Host: other\r\n",
    "the same host twice": LINE + HOST + HOST,
    "two hosts of HTTP/1.0": b"GET / HTTP/1.0\r\n" + HOST + HOST,
    "two hosts and an ignored upgrade": HTTP2[:-2] + HOST,
    "a target with a user": b"GET http://user@inbox/ HTTP/1.1\r\n" + HOST,
    "an absolute target without a host": b"GET http://inbox/ HTTP/1.1\r\n",
    **{
        f"the host {host!r}": LINE + b"Host: " + host + b"\r\n"
        for host in (b"a b", b"a/b", b"user@a", b"a:x", b"a:1:2", b"::1", b"[::1", b"[]", b"a?b", b'"a"', b"\xc3\xa4")
    },
}
AMBIGUOUS = CHECKED | {
    "two lengths": LINE + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "the same length twice": LINE + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "a list of lengths": LINE + HOST + b"Content-Length: 5, 5\r\n",
    "a length with a sign": LINE + HOST + b"Content-Length: +5\r\n",
    "a length and chunks": LINE + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "chunks and a length": LINE + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    "chunks that are coded": LINE + HOST + b"Transfer-Encoding: chunked, gzip\r\n",
    "chunks twice": LINE + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "a folded header": LINE + HOST + b"X: a\r\n b\r\n",
    "a folded host": LINE + b"Host:\r\n inbox\r\n",
    "a space before the first header": LINE + b" " + HOST,
    "a space before the colon": LINE + b"Host : inbox\r\n",
    "a tab before the colon": LINE + HOST + b"X\t: a\r\n",
    "no colon": LINE + HOST + b"X\r\n",
    "no name": LINE + HOST + b": a\r\n",
    "a line feed after the line": LINE.replace(b"\r", b"") + HOST,
    "a line feed after a header": LINE + HOST.replace(b"\r", b"") + b"X: a\r\n",
    "a carriage return in a header": LINE + HOST + b"X: a\rb\r\n",
    "NUL in a header": LINE + HOST + b"X: a\0b\r\n",
    "a target of a proxy": b"GET inbox:80 HTTP/1.1\r\n" + HOST,
    "a target without a slash": b"GET graphql HTTP/1.1\r\n" + HOST,
}


async def test_a_head_without_end_is_rejected_and_costs_little() -> None:
    async with Server().serving() as server:
        started = time.process_time()
        answer = await server.ask(itertools.chain([HEAD], itertools.repeat(b"a" * 65_536, 800)))
        took = time.process_time() - started

    assert status(answer) == 431
    assert message(answer) == "Request line and headers have at most 65536 bytes"
    assert server.calls == 0
    # 50 MB took 3 s, and 150 MB took 22 s.
    assert took < 0.5


@pytest.mark.parametrize(("size", "expected"), [(65_000, 200), (65_600, 431)])
@pytest.mark.parametrize("make", [lambda size: HEAD + b"a" * size, lambda size: b"GET /" + b"a" * size + b" " + HTTP])
async def test_a_head_has_64_kib(make: Callable[[int], bytes], size: int, expected: int) -> None:
    async with Server().serving() as server, server.connected() as (reader, writer):
        writer.write(make(size) + b"\r\n\r\n")
        assert status(await reader.readuntil(b"\r\n\r\n")) == expected
        assert server.calls == int(expected == 200)


@pytest.mark.parametrize("size", [1, 50, len(HTTP2), len(HTTP2) + 50, 1_000], ids=lambda size: f"{size} bytes at once")
@pytest.mark.parametrize("repeated", [1, 3])
async def test_an_upgrade_to_another_protocol_is_ignored(size: int, repeated: int) -> None:
    sent = (HTTP2 + INNER) * repeated + GET
    async with Server().serving() as server, server.connected() as (reader, writer):
        for start in range(0, len(sent), size):
            writer.write(sent[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)
        answers = [await reader.readuntil(b"hello") for _ in range(repeated + 1)]

    assert [status(answer) for answer in answers] == [200] * (repeated + 1)
    assert server.bodies == [INNER] * repeated + [b""]


async def test_an_upgrade_to_another_protocol_loosens_no_limit() -> None:
    long = HTTP2.replace(b"Host", b"X: " + b"a" * 65_536 + b"\r\nHost")
    async with Server().serving() as server:
        assert status(await server.ask(iter([long]))) == 431
        # 18 requests: one runs, 16 are queued, and the last one ends the connection.
        answers = await server.ask(iter([(HTTP2 + INNER) * 18]))
        assert answers.count(b"hello") == 17


@pytest.mark.parametrize(("target", "expected"), [(b"/", 200), (b"inbox:80", 400)])
@pytest.mark.parametrize("headers", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"])
async def test_connect_opens_no_tunnel(target: bytes, expected: int, headers: bytes) -> None:
    async with Server().serving() as server:
        answer = await server.ask(
            iter([b"CONNECT " + target + b" HTTP/1.1\r\nHost: inbox\r\n" + headers + b"\r\n" + GET])
        )

    assert (status(answer), server.calls) == (expected, int(expected == 200))


async def test_trailers_are_limited() -> None:
    async with Server().serving() as server:
        pieces = itertools.chain([CHUNKED, b"0\r\nX: "], itertools.repeat(b"a" * 65_536, 800))
        assert status(await server.ask(pieces)) == 413


@pytest.mark.parametrize(
    ("start", "slowly", "expected"),
    [(b"GET / HT", b"", 408), (HEAD, b"a", 408), (POST, b"a", 408), (POST, b"", 408), (b"", b"", None)],
    ids=["a line", "a header", "a body", "no body", "nothing"],
)
async def test_a_late_request_is_rejected(start: bytes, slowly: bytes, expected: int | None) -> None:
    async with Server().serving() as server:
        started = time.monotonic()
        answer = await server.ask(itertools.chain([start], itertools.repeat(slowly, 60)), pause=0.05)
        took = time.monotonic() - started
        await emptied(server)

    assert (status(answer) if answer else None) == expected
    assert 0.35 < took < 2.5


async def test_trailers_are_no_headers() -> None:
    trailers = b"5\r\nhello\r\n0\r\nAuthorization: Bearer a\r\nHost: other\r\nX: %b\r\n\r\n" % (b"a" * 300)
    async with Server().serving() as server, server.connected() as (reader, writer):
        for _ in range(2):
            writer.write(CHUNKED + trailers)
            assert status(await reader.readuntil(b"hello")) == 200
            assert server.headers == {b"host": b"inbox", b"transfer-encoding": b"chunked"}


@pytest.mark.parametrize(
    ("begin", "then"),
    [(POST, b""), (CHUNKED, b""), (CHUNKED, b"no size\r\n"), (CHUNKED, b"10000\r\n" + b"a" * 65_536)],
    ids=["too late", "too late in pieces", "no HTTP", "too large"],
)
async def test_a_request_that_was_answered_early_has_no_second_answer(begin: bytes, then: bytes) -> None:
    async with Server(reads=False).serving() as server, server.connected() as (reader, writer):
        writer.write(begin)
        answer = await reader.readuntil(b"hello")
        writer.write(then)
        rest = await asyncio.wait_for(reader.read(), 5)

    assert (status(answer), rest, server.calls) == (200, b"", 1)


@pytest.mark.parametrize("whole", [False, True])
async def test_a_client_that_was_not_asked_for_the_body_is_disconnected(*, whole: bool) -> None:
    async with Server(reads=False, whole=whole).serving() as server, server.connected() as (reader, writer):
        writer.write(EXPECTING)
        answer = await asyncio.wait_for(reader.read(), 5)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize("whole", [False, True])
async def test_a_client_that_was_asked_for_the_body_or_has_sent_it_stays_connected(*, whole: bool) -> None:
    async with Server(whole=whole).serving() as server, server.connected() as (reader, writer):
        for reads in (True, False, True):
            server.reads = reads
            writer.write(EXPECTING if reads else EXPECTING + BODY)
            if reads:
                assert status(await reader.readuntil(b"\r\n\r\n")) == 100
                writer.write(BODY)
            answer = await asyncio.wait_for(reader.readuntil(b"hello"), 5)
            assert status(answer) == 200
            assert b"connection: close" not in answer


async def test_a_client_of_http_1_0_gets_one_response() -> None:
    async with Server().serving() as server, server.connected() as (reader, writer):
        writer.write(EXPECTING.replace(b"1.1", b"1.0") + BODY)
        assert status(await asyncio.wait_for(reader.read(), 5)) == 200


async def test_a_request_is_not_late_that_is_not_read_while_earlier_ones_are_queued() -> None:
    async with Server().serving() as server, server.connected() as (reader, writer):
        server.answering.clear()
        # The running application reads from the connection again, and then the third request is queued.
        writer.write(GET * 2)
        while not server.calls:  # noqa: ASYNC110  # the application has no event for it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        writer.write(GET + HEAD)
        await asyncio.sleep(0.1)
        writer.write(b"a\r\n\r\n")
        await asyncio.sleep(3 * QUICK.head_seconds)
        server.answering.set()
        for _ in range(4):
            assert status(await asyncio.wait_for(reader.readuntil(b"hello"), 5)) == 200


@pytest.mark.parametrize("first", [b"", GET], ids=["at first", "after a request"])
async def test_line_breaks_keep_no_connection(first: bytes) -> None:
    async with Server().serving() as server:
        started = time.monotonic()
        await server.ask(itertools.chain([first], itertools.repeat(b"\r\n", 60)), pause=0.05)
        assert time.monotonic() - started < 2.5


async def test_a_hundred_thousand_requests_at_once_are_not_queued() -> None:
    async with Server().serving() as server:
        started = time.process_time()
        answer = await server.ask(itertools.repeat(GET * 1_000, 100))
        took = time.process_time() - started

    assert server.calls <= 1 + QUICK.pipelined
    assert answer.count(b"HTTP/1.1 200") == server.calls
    assert answer.endswith(b"hello")
    assert took < 0.5


async def test_requests_at_once_are_answered_however_long_it_takes() -> None:
    async with Server().serving() as server:
        server.answering.clear()
        asyncio.get_running_loop().call_later(3 * QUICK.head_seconds, server.answering.set)
        answer = await server.ask(iter([GET * 30]))

    assert server.calls == 1 + QUICK.pipelined
    assert answer.count(b"HTTP/1.1 200") == server.calls
    assert server.disconnected == 0


@pytest.mark.parametrize("then", [b"no HTTP\r\n\r\n", None], ids=["no HTTP", "the connection is closed"])
async def test_the_application_learns_that_a_client_has_disconnected(
    then: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with Server().serving() as server:
        server.answering.clear()
        async with server.connected() as (reader, writer):
            writer.write(GET * 3)
            while not server.calls:  # noqa: ASYNC110  # the application has no event for it
                await asyncio.sleep(0.01)
            if then is not None:
                writer.write(then)
                await reader.read()
        await emptied(server)
        async with asyncio.timeout(5):
            while server.state.tasks:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)

    assert (server.calls, server.disconnected) == (1, 1)
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_few_requests_at_once_are_all_answered() -> None:
    async with Server().serving() as server, server.connected() as (reader, writer):
        for _ in range(3):
            writer.write(GET * 10)
            for _ in range(10):
                assert status(await reader.readuntil(b"hello")) == 200


async def test_a_client_that_does_not_read_is_disconnected() -> None:
    async with Server(b"a" * 8_000_000).serving() as server, server.connected() as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a stream that reads
        writer.write(GET)
        while not server.calls:  # noqa: ASYNC110  # the application has no event for it
            await asyncio.sleep(0.01)
        await emptied(server)


@pytest.mark.parametrize(
    ("first", "then"),
    [(b"GET / HTTP/1.0\r\n\r\n", b""), (GET, b""), (GET, b"\r\n"), (GET, UPGRADE)],
    ids=["closed after the answer", "kept alive", "a line break", "an upgrade"],
)
async def test_a_client_that_leaves_a_little_unread_is_disconnected(first: bytes, then: bytes) -> None:
    # Too little for the transport to report that the client does not read.
    async with Server(b"a" * 30_000).serving() as server, server.unread() as client:
        loop, [protocol] = asyncio.get_running_loop(), server.state.connections
        await loop.sock_sendall(client, first)
        while not (unread := protocol.transport.get_write_buffer_size()):  # noqa: ASYNC110  # it has no event for it
            await asyncio.sleep(0.01)
        assert unread < 65_536
        await loop.sock_sendall(client, then)
        await emptied(server)


async def test_a_client_that_reads_slowly_gets_the_whole_answer() -> None:
    size = 8_000_000
    # Long enough for a busy machine, and less than it takes to read everything.
    limits = ConnectionLimits(unread_seconds=1)
    async with Server(b"a" * size).serving(limits) as server, server.connected() as (reader, writer):
        started = time.monotonic()
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        read = 0
        while read < size:
            piece = await reader.read(400_000)
            assert piece, "disconnected"
            read += len(piece)
            await asyncio.sleep(0.07)

    assert time.monotonic() - started > limits.unread_seconds


async def test_connections_are_limited() -> None:
    async with Server().serving(ConnectionLimits(connections=2)) as server:
        async with server.connected() as first, server.connected():
            async with asyncio.timeout(5):
                while len(server.state.connections) < 2:  # noqa: ASYNC110  # it has no event for it
                    await asyncio.sleep(0.01)
            refused = await server.ask(iter([]))
            first[1].write(GET)
            assert status(await first[0].readuntil(b"hello")) == 200
        await emptied(server)
        async with server.connected() as (reader, writer):
            writer.write(GET)
            assert status(await reader.readuntil(b"hello")) == 200

    assert status(refused) == 503
    assert b"retry-after: 1" in refused.lower()


async def test_a_server_has_these_limits(dsn: str, tmp_path: Path) -> None:
    await prepare(dsn)
    with serving_processes(dsn, tmp_path, INBOX_MAX_CONNECTIONS="2") as served:
        async with served.client() as client:
            await client.data(READ)
        server = Server()
        server.port = int(served.url.rpartition(":")[2])
        large = await server.ask(iter([HEAD + b"a" * 70_000]))
        async with server.connected() as first, server.connected() as second:
            for reader, writer in (first, second):
                writer.write(GET)
                await reader.readuntil(b"\r\n\r\n")
            many = await server.ask(iter([]))

    assert (status(large), status(many)) == (431, 503)
    assert sum('"request rejected"' in line for line in served.lines) == 2


@pytest.mark.parametrize("head", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_an_ambiguous_request_is_400_and_nothing_after_it_is_read(head: bytes) -> None:
    async with Server().serving() as server:
        answer = await server.ask(iter([head + b"\r\n" + GET]))

    assert (status(answer), server.calls) == (400, 0)
    assert (message(answer) == "Invalid HTTP request received.") == (head not in CHECKED.values())


@pytest.mark.parametrize(
    "host", [b"", b"inbox", b"INBOX.example:8000", b"a_b", b"127.0.0.1:80", b"[::1]:80", b"[fe80::1%25eth0]", b"a:"]
)
async def test_every_valid_host_is_accepted(host: bytes) -> None:
    async with Server().serving() as server, server.connected() as (reader, writer):
        writer.write(LINE + b"Host: " + host + b"\r\n\r\n")
        assert status(await reader.readuntil(b"hello")) == 200

    assert server.headers == {b"host": host}


async def test_a_client_of_http_1_0_need_not_name_the_host() -> None:
    async with Server().serving() as server:
        assert status(await server.ask(iter([b"GET / HTTP/1.0\r\n\r\n"]))) == 200


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        (b"http://other", b"other", "/"),
        (b"http://other:80?a=/b", b"other:80", "/"),
        (b"https://[::1]:8000/graphql?a=b", b"[::1]:8000", "/graphql"),
    ],
)
async def test_an_absolute_target_names_the_host_and_the_path(target: bytes, host: bytes, path: str) -> None:
    async with Server().serving() as server, server.connected() as (reader, writer):
        writer.write(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"X: a\r\n\r\n")
        assert status(await reader.readuntil(b"hello")) == 200

    assert (server.headers, server.path) == ({b"host": host, b"x": b"a"}, path)
