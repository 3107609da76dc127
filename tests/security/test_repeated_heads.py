"""A request whose head was kept gets the answer of one that is parsed, however it is divided into reads."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gql.app import create_app
from gql.security.auth import Authenticator
from gql.web.heads import FACTS, Heads
from tests.support.client import make_settings
from tests.support.connections import QUICK, Server, status
from tests.support.factories import store, store_account
from tests.support.properties import examples
from tests.support.tokens import NOW, SECRET, Clock, signed
from tests.support.wire import Wire, echo, respond

pytestmark = pytest.mark.anyio

HEAD = b"POST /graphql HTTP/1.1\r\nHost: inbox\r\nAuthorization:  Bearer a \r\nContent-Length: 5\r\n"
POST = HEAD + b"\r\nhello"
# Those that may be kept, and all others.
REPEATABLE = [
    POST,
    POST.replace(b"hello", b"HELLO"),
    POST.replace(b"Bearer a", b"Bearer b"),
    POST.replace(b"graphql", b"graphqL"),
    POST.replace(b": 5", b": 0")[:-5],
    POST.replace(b": 5", b": 05"),
    POST.replace(b"\r\nHost", b"\r\nX:\r\nX: a\r\nConnection: keep-alive\r\nHost"),
]
OTHERS = [
    HEAD + b"Expect: 100-continue\r\n\r\nhello",
    HEAD + b"Connection: close\r\n\r\nhello",
    HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\nhello",
    POST.replace(b"1.1", b"1.0"),
    POST.replace(b"/graphql", b"/graphql?a=b"),
    POST.replace(b"/graphql", b"http://other/graphql"),
    POST.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked").replace(b"hello", b"5\r\nhello\r\n0\r\n\r\n"),
    b"GET /graphql HTTP/1.1\r\nHost: inbox\r\n\r\n",
    HEAD.replace(b"inbox", b"inbox" + b"x" * 4_096) + b"\r\nhello",
    b"\r\n" + POST,
    HEAD + b"Content-Length: 5\r\n\r\nhello",
    HEAD + b"Host: other\r\n\r\nhello",
    POST.replace(b"1.1", b"1.1 "),
]


async def ask(heads: Heads, pieces: Iterable[bytes | None]) -> tuple[bytes, bool, list[bool]]:
    """What a new connection answers to these reads. None is a pause."""
    wire = Wire(heads)
    for piece in pieces:
        if piece is None:
            await wire.settle()
        else:
            wire.send(piece)
    return await wire.end()


async def warm(messages: Iterable[bytes]) -> Heads:
    """The heads that are kept after each message was sent twice."""
    heads = Heads()
    for message in messages:
        for _ in range(2):
            await ask(heads, [message])
    return heads


@pytest.mark.parametrize("message", REPEATABLE)
async def test_a_repeated_head_is_not_parsed_again(message: bytes) -> None:
    wire = Wire(Heads())
    for _ in range(4):
        wire.send(message)
        await wire.settle()
    answers = wire.written.split(b"HTTP/1.1 200 OK")

    assert [FACTS in scope for scope in wire.scopes] == [False, False, True, True]
    assert len(answers) == 5
    assert len(set(answers[1:])) == 1
    assert [scope.keys() - {FACTS} for scope in wire.scopes[1:]] == [wire.scopes[0].keys()] * 3
    # What one request changes, no other one sees.
    wire.scopes[2]["headers"].clear()
    wire.scopes[2]["state"].clear()
    wire.send(message)
    await wire.end()
    assert wire.written.endswith(answers[1])


@pytest.mark.parametrize("message", OTHERS)
async def test_what_differs_from_a_simple_request_is_always_parsed(message: bytes) -> None:
    assert len(await warm([message])) == 0


async def test_a_request_in_two_reads_gets_the_same_answer() -> None:
    heads = await warm([POST])
    for cut in range(1, len(POST)):
        pieces = [POST, None, POST[:cut], None, POST[cut:], None, POST]
        assert await ask(heads, pieces) == await ask(Heads(0), pieces)


@pytest.mark.parametrize("cuts", [[-5], [-3], [-5, -3, -1]])
async def test_a_head_is_kept_that_comes_before_the_body(cuts: list[int]) -> None:
    answers = []
    pieces = [POST[start:end] for start, end in pairwise([0, *(len(POST) + cut for cut in cuts), len(POST)])]
    for heads in (Heads(0), Heads()):
        wire = Wire(heads)
        for _ in range(4):
            for piece in pieces:
                wire.send(piece)
                await wire.settle()
        answers.append(await wire.end())

    assert answers[0] == answers[1]
    assert [FACTS in scope for scope in wire.scopes] == [False, False, True, True]


async def test_the_body_after_a_kept_head_must_arrive_in_time() -> None:
    limits = replace(QUICK, heads=await warm([POST]))
    async with Server().serving(limits) as server, server.connected() as (reader, writer):
        writer.write(POST)
        assert status(await reader.readuntil(b"hello")) == 200
        writer.write(POST[:-1])
        assert status(await asyncio.wait_for(reader.read(), 5)) == 408


async def answer_at_once(_scope: Any, receive: Any, send: Any) -> None:
    """Answer without reading the body."""
    await respond(b"hello", receive, send)


@pytest.mark.parametrize("app", [echo, answer_at_once])
@pytest.mark.parametrize("begin", [HEAD + b"X: ", HEAD[:-4] + b"%d\r\n\r\n" % len(POST)], ids=["a header", "a body"])
async def test_a_request_within_another_one_is_not_answered(app: Any, begin: bytes) -> None:
    heads, answers = await warm([POST]), []
    for kept in (Heads(0), heads):
        wire = Wire(kept, app)
        for piece in (POST, begin, POST, POST, POST[:-5], b"hello", POST[:-3], b"l", b"lo" + POST, POST):
            wire.send(piece)
            await wire.settle()
        answers.append((await wire.end(), len(wire.scopes)))

    assert answers[0] == answers[1]


async def test_a_body_that_comes_after_the_answer_keeps_the_connection() -> None:
    heads, answers = await warm([POST]), []
    for kept in (Heads(0), heads):
        wire = Wire(kept, answer_at_once)
        for piece in (POST[:-5], b"hello"):
            wire.send(piece)
            await wire.settle()
        answers.append(await wire.end())

    assert answers[0] == answers[1]
    assert answers[0][0].startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_read_of_several_requests_is_answered_completely() -> None:
    heads, pieces = await warm([POST]), [POST, None, POST + POST + POST[:-2], None, b"lo" + POST]

    answers = await ask(heads, pieces)
    assert answers == await ask(Heads(0), pieces)
    assert answers[0].count(b"HTTP/1.1 200") == 5


async def test_a_connection_is_not_closed_as_idle_while_a_repeated_request_is_answered() -> None:
    wire = Wire(await warm([POST]))
    wire.send(POST)
    await wire.settle()
    assert wire.protocol.timeout_keep_alive_task is not None
    wire.send(POST)
    assert FACTS in wire.protocol.cycle.scope
    assert wire.protocol.timeout_keep_alive_task is None
    await wire.end()


async def test_requests_that_do_not_wait_keep_their_order() -> None:
    heads = await warm(REPEATABLE)
    pieces = [*REPEATABLE, b"".join(REPEATABLE), None, POST, None, POST]

    answers = await ask(heads, pieces)
    assert answers == await ask(Heads(0), pieces)
    assert answers[0].count(b"HTTP/1.1 200") == 2 * len(REPEATABLE) + 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from(REPEATABLE + OTHERS) | st.sampled_from(REPEATABLE),
            st.sets(st.integers(1, 130), max_size=2),
            st.sampled_from([b"", b"", b"", b"\r\n", b"\0"]),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
@examples(120)
def test_any_requests_in_any_reads_get_the_same_answers(
    sent: list[tuple[bytes, set[int], bytes, bool, bool]],
) -> None:
    pieces: list[bytes | None] = []
    for message, cuts, after, is_joined, is_awaited in sent:
        ends = [0, *sorted(cut for cut in cuts if cut < len(message)), len(message)]
        first, *rest = [message[start:end] for start, end in pairwise(ends)]
        if is_joined and pieces and pieces[-1] is not None:
            pieces[-1] += first
        else:
            pieces.append(first)
        pieces += rest
        if after:
            pieces.append(after)
        if is_awaited:
            pieces.append(None)

    async def compare() -> None:
        heads = await warm(REPEATABLE)
        assert len(heads) == len(REPEATABLE) - 1
        assert await ask(heads, pieces) == await ask(Heads(0), pieces)

    asyncio.run(compare())


async def test_neither_tokens_nor_other_values_stay_in_memory() -> None:
    heads = await warm([POST.replace(b"Bearer a", b"Bearer tokentoken").replace(b"inbox", b"confidential")])

    assert len(heads) == 1
    kept = pickle.dumps(heads)
    assert b"authorization" in kept
    assert b"tokentoken" not in kept
    assert b"confidential" not in kept


async def test_kept_heads_are_limited() -> None:
    heads, wire = Heads(20), None
    for number in range(50):
        wire = Wire(heads)
        message = POST.replace(b"Bearer a", b"Bearer %d" % number)
        for _ in range(2):
            wire.send(message)
            await wire.settle()
    assert len(heads) == 20

    # Heads that are sent only once replace none.
    for number in range(100, 200):
        await ask(heads, [POST.replace(b"Bearer a", b"Bearer %d" % number)])
    wire = Wire(heads)
    wire.send(message)
    await wire.end()
    assert FACTS in wire.scopes[0]


async def test_many_short_headers_do_not_take_much_memory() -> None:
    heads, lines = Heads(), b"a:\r\n" * 900
    for number in range(40):
        message = HEAD.replace(b"Bearer a", b"Bearer %d" % number) + lines + b"\r\nhello"
        for _ in range(2):
            await ask(heads, [message])

    assert 0 < len(heads) < 20


async def test_a_repeated_request_is_answered_over_a_socket() -> None:
    limits = replace(QUICK, heads=Heads())
    async with Server(whole=True).serving(limits) as server, server.connected() as (reader, writer):
        for _ in range(5):
            writer.write(POST)
            assert status(await reader.readuntil(b"\r\n\r\nhello")) == 200

    assert len(limits.heads) == 1
    assert server.bodies == [b"hello"] * 5
    assert server.headers == {b"host": b"inbox", b"authorization": b"Bearer a ", b"content-length": b"5"}


@pytest.mark.parametrize("is_running", [False, True])
async def test_a_server_that_stops_closes_the_connection_of_a_repeated_request(*, is_running: bool) -> None:
    answers = []
    for heads in (Heads(0), await warm([POST])):
        wire = Wire(heads)
        wire.send(POST)
        if not is_running:
            await wire.settle()
        wire.protocol.shutdown()
        answers.append(await wire.end())

    assert answers[0] == answers[1]
    assert answers[0][1]
    assert (b"connection: close" in answers[0][0]) == is_running


@asynccontextmanager
async def serving(dsn: str, clock: Clock, **overrides: Any) -> AsyncIterator[Wire]:
    """A connection to an application with this clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gql.app.Authenticator", partial(Authenticator, clock=clock))
        app = create_app(make_settings(dsn, jwt_secret=SECRET, **overrides))
    async with app.router.lifespan_context(app):
        wire = Wire(Heads(), app)
        yield wire
        await wire.end()


async def post(wire: Wire, authorization: str, body: bytes = b'{"query":"{__typename}"}') -> tuple[int, bytes]:
    """The status of the answer to a request, and all of the answer."""
    wire.written = b""
    head = f"POST /graphql HTTP/1.1\r\nHost: inbox\r\nAuthorization: {authorization}\r\n"
    wire.send(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    async with asyncio.timeout(10):
        while wire.protocol.tasks:  # noqa: ASYNC110  # they have no common event
            await asyncio.sleep(0.001)
    return status(wire.written), wire.written


def repeated(wire: Wire) -> list[bool]:
    """Which requests had a kept head."""
    return [FACTS in scope for scope in wire.scopes]


async def test_each_token_has_its_own_viewer_in_turn(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    tokens = {}
    for id_ in (12, 13):
        await store(connection, "users", account_id=1, id=id_)
        tokens[id_] = signed({"sub": f"user:{id_}", "scope": "inbox_read"})
    document = b'{"query":"{viewer{actor{... on User{databaseId}}}}"}'
    async with serving(dsn, Clock()) as wire:
        for _ in range(4):
            for id_, token in tokens.items():
                code, answer = await post(wire, token, document)
                assert (code, b'"databaseId":"%d"' % id_ in answer) == (200, True)

    assert repeated(wire) == [False] * 4 + [True] * 4


async def test_a_repeated_token_expires_and_its_actor_is_looked_up_again(
    dsn: str, connection: asyncpg.Connection
) -> None:
    clock = Clock()
    await store_account(connection)
    await store(connection, "users", account_id=1, id=12)
    short, long = signed({"exp": NOW + 30}), signed()
    async with serving(dsn, clock) as wire:
        for token in (short, short, short, long, long, long):
            assert (await post(wire, token))[0] == 200
        clock.now += 30
        assert [(await post(wire, token))[0] for token in (short, long)] == [401, 200]
        await connection.execute("DELETE FROM users WHERE id = 12")
        clock.now += 29
        assert (await post(wire, long))[0] == 200
        clock.now += 1
        with capture_logs() as logs:
            assert [(await post(wire, token))[0] for token in (short, long)] == [401, 401]

    assert [line["refused"] for line in logs] == ["expired", "unknown_actor"]
    assert repeated(wire)[6:] == [True] * 5


async def test_repeated_requests_are_charged_and_logged_one_by_one(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    await store(connection, "users", account_id=1, id=12)
    async with serving(dsn, Clock(), rate_limit=5) as wire:
        with capture_logs() as logs:
            answers = [await post(wire, signed()) for _ in range(7)]

    assert [code for code, _ in answers] == [200] * 5 + [429] * 2
    assert [
        b"ratelimit-remaining: %d\r\n" % left in answer
        for left, (_, answer) in zip([4, 3, 2, 1, 0, 0, 0], answers, strict=True)
    ] == [True] * 7
    assert [(line["event"], line["status"]) for line in logs] == [("request", code) for code, _ in answers]
    assert repeated(wire) == [False] * 2 + [True] * 5


async def test_repeated_bodies_that_are_too_large_are_rejected(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    await store(connection, "users", account_id=1, id=12)
    async with serving(dsn, Clock(), max_body=2_000) as wire:
        answers = [await post(wire, signed(), b"a" * 2_001) for _ in range(4)]

    assert {code for code, _ in answers} == {413}
    assert len(set(answers)) == 1
    assert repeated(wire) == [False] * 2 + [True] * 2
