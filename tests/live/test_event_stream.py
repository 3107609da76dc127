"""GraphQL over server-sent events: which requests get a stream, what is in it, and how it ends."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest

from gql.web import sse
from gql.web.protocol import ConnectionLimits
from tests.support import serving
from tests.support.client import Client
from tests.support.factories import store_account
from tests.support.following import FOLLOW, STREAM, Follower, create, cursor, eventually, following, listening

pytestmark = pytest.mark.anyio

JSON = "application/json"
# What urql sends.
ANY = f"application/graphql-response+json, application/graphql+json, {JSON}, {STREAM}, multipart/mixed"
MUTATION = 'mutation { createConversation(input: {subject: "Keys"}) { conversation { subject } } }'


async def test_a_query_and_a_mutation_are_one_event_and_the_end(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        async with following(client, "{ __typename }") as follower:
            query = await follower.rest()
        async with following(client, MUTATION) as follower:
            mutation = await follower.rest()

    assert [(event.name, event.id, event.data) for event in query] == [
        ("next", None, {"data": {"__typename": "Query"}}),
        ("complete", None, None),
    ]
    assert [(event.name, event.data) for event in mutation] == [
        ("next", {"data": {"createConversation": {"conversation": {"subject": "Keys"}}}}),
        ("complete", None),
    ]


async def test_the_bytes_are_those_of_the_protocol(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        headers = client.headers | {"accept": STREAM}
        response = await client.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)

    assert response.content == b'event: next\ndata: {"data":{"__typename":"Query"}}\n\nevent: complete\ndata:\n\n'


async def test_a_get_can_subscribe(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        start = await cursor(client)
        conversation = await create(client)
        request = client.http.stream(
            "GET",
            "/graphql",
            params={"query": FOLLOW, "variables": f'{{"after": "{start}"}}'},
            headers=client.headers | {"accept": STREAM},
        )
        async with request as response:
            event = await Follower(response).next()

    assert event.changes == [("CONVERSATION", conversation)]


@pytest.mark.parametrize(
    ("accept", "document", "media"),
    [
        (ANY, "{ __typename }", "application/graphql-response+json"),
        (ANY, FOLLOW, STREAM),
        (f"{STREAM};q=0, {JSON}", "{ __typename }", JSON),
        ("*/*", "{ __typename }", JSON),
        (f"{STREAM}, */*;q=0.1", FOLLOW, STREAM),
        (f"{STREAM};charset=utf-8", "{ __typename }", STREAM),
        ("text/*", "{ __typename }", JSON),
    ],
)
async def test_the_form_of_the_answer_follows_accept(
    dsn: str, connection: asyncpg.Connection, accept: str, document: str, media: str
) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        request = client.http.stream(
            "POST", "/graphql", json={"query": document}, headers=client.headers | {"accept": accept}
        )
        async with request as response:
            assert response.headers["content-type"] == f"{media}; charset=utf-8"
            assert response.status_code == (406 if accept == "text/*" else 200)


async def test_what_is_wrong_before_the_first_event_is_json(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        answers = []
        for document, variables in (("subscription {", {}), ("subscription { x }", {}), (FOLLOW, {"after": "x"})):
            async with following(client, document, **variables) as refused:
                codes = [error["extensions"]["code"] for error in refused.response.json()["errors"]]
                answers.append((refused.response.status_code, refused.response.headers["content-type"], codes))

    media = "application/graphql-response+json; charset=utf-8"
    assert answers == [
        (400, media, ["GRAPHQL_PARSE_FAILED"]),
        (400, media, ["GRAPHQL_VALIDATION_FAILED"]),
        (400, media, ["BAD_USER_INPUT"]),
    ]


async def test_a_comment_is_sent_at_once_and_when_nothing_happens(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "IDLE", 0.05)
    await store_account(connection)
    async with listening(dsn) as client, following(client) as follower:
        waiting = asyncio.ensure_future(follower.next())
        await eventually(lambda: follower.comments, 4)
        conversation = await create(client)
        event = await waiting

    assert event.changes == [("CONVERSATION", conversation)]


async def test_the_headers_of_other_origins_are_those_of_any_answer(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn, cors_origins="https://app.example", rate_limit=1_000) as client:
        headers = client.headers | {"accept": STREAM, "origin": "https://app.example"}
        request = client.http.stream("POST", "/graphql", json={"query": FOLLOW}, headers=headers)
        async with request as response:
            shown = response.headers

    assert shown["access-control-allow-origin"] == "https://app.example"
    assert int(shown["ratelimit-remaining"]) < 1_000
    assert shown["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_streams_do_not_take_the_connections_of_requests(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    limits = ConnectionLimits(connections=2)
    async with listening(dsn, limits=limits) as client, following(client), following(client), following(client):
        async with httpx.AsyncClient(base_url=client.http.base_url) as another:
            response = await another.post("/graphql", json={"query": "{ __typename }"}, headers=client.headers)
        assert response.status_code == 200
        assert len(limits.staying) == 3
    assert len(limits.staying) == 0


async def test_a_trusted_document_can_be_a_subscription(
    dsn: str, connection: asyncpg.Connection, tmp_path: Any
) -> None:
    await store_account(connection)
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"follow": "subscription { changes { endCursor } }"}')
    async with listening(dsn, documents=manifest, documents_mode="only") as client:
        send = partial(client.http.stream, "POST", "/graphql", headers=client.headers | {"accept": STREAM})
        async with send(json={"documentId": "follow"}) as response, send(json={"query": FOLLOW}) as refused:
            await _write(client, connection)
            event = await Follower(response).next()

    assert event.id == event.data["data"]["changes"]["endCursor"]
    assert refused.status_code == 403


def test_a_server_of_a_test_that_does_not_stop_fails_it(seeded_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "STOP_WITHIN", 0.2)
    with httpx.Client() as http, pytest.raises(TimeoutError, match=r"waits for 1 connections, .*run_asgi"):
        _leave_a_stream_open(seeded_dsn, http)


def _leave_a_stream_open(dsn: str, http: httpx.Client) -> None:
    with serving.live(dsn) as server:
        headers = {"authorization": f"Bearer {server.token}", "accept": STREAM}
        request = http.build_request("POST", f"{server.url}/graphql", json={"query": FOLLOW}, headers=headers)
        assert http.send(request, stream=True).status_code == 200


async def _write(client: Client, connection: asyncpg.Connection) -> None:
    """Change something past the API, which executes trusted documents only."""
    del client
    await connection.execute(
        "WITH c AS (INSERT INTO change_counters VALUES (1, 1, 0)) INSERT INTO changes "
        "(account_id, number, type, node_id, operation, at) VALUES (1, 1, 'HOST', 1, 'UPSERTED', now())"
    )
