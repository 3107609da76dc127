"""Paths, GraphiQL's page, other origins, the demo's host, and the headers of every response."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import cast
from urllib.parse import urlencode

import asyncpg
import httpx
import pytest

from gql.app import create_app
from tests.support.client import Client, Statements, make_settings
from tests.support.factories import store_account
from tests.support.persisting import automatic, get
from tests.support.request import BROWSER, JSON, RESPONSE, TYPENAME, refusal, send
from tests.support.serving import serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def reader(seeded_dsn: str) -> AsyncIterator[Client]:
    """One application for all tests that only read."""
    async with serving(seeded_dsn, Statements()) as client:
        yield client


@pytest.mark.parametrize("path", ["/nope", "/", "/graphql/", "/graphql/nope", "/graphiql/x/page.js"])
async def test_an_unknown_path_is_404(reader: Client, path: str) -> None:
    response = await send(reader, method="GET", path=path)

    assert response.status_code == 404
    assert response.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert response.json() == refusal("Not Found")


async def test_another_method_of_another_path_is_405(reader: Client) -> None:
    response = await send(reader, method="POST", path="/healthz")

    assert (response.status_code, response.json()) == (405, refusal("Method Not Allowed"))
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


PREFLIGHT = {
    "origin": "https://app.example",
    "access_control_request_method": "POST",
    "access_control_request_headers": "authorization, content-type, if-none-match, x-request-cost",
}
SECURITY = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def security(response: httpx.Response) -> dict[str, str]:
    """The security headers of a response, which must have each of them once."""
    return {name: value for name in SECURITY for value in [", ".join(response.headers.get_list(name))]}


async def test_every_answer_has_the_security_headers(
    seeded_dsn: str, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object) -> None:
        raise LookupError

    monkeypatch.setattr("gql.app._healthy", fail)
    operation = {"query": "{ __typename }"}
    async with serving(seeded_dsn, statements, cors_origins="https://app.example", rate_limit=2) as client:
        transport = httpx.ASGITransport(cast("httpx.ASGITransport", client.http._transport).app, False)  # noqa: SLF001, FBT003
        answers = [
            await send(client, operation),
            await send(client, {"query": "{"}, accept=RESPONSE),
            await send(client, operation, authorization=None),
            await send(client, method="GET", path="/nope"),
            await send(client, operation, method="PUT"),
            await send(client, operation, accept="text/html"),
            await send(client, b"x" * 600_000),
            await send(client, operation, content_type="text/plain"),
            await send(client, operation),
            await send(client, operation),
            await send(client, method="OPTIONS", authorization=None, **PREFLIGHT),
            await send(client, method="OPTIONS", authorization=None, **(PREFLIGHT | {"origin": "https://c.example"})),
            await send(client, method="GET", path="/readyz"),
        ]
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox") as http:
            answers.append(await http.get("/healthz"))

    statuses = [200, 400, 401, 404, 405, 406, 413, 415, 200, 429, 200, 400, 200, 500]
    assert [answer.status_code for answer in answers] == statuses
    assert [security(answer) for answer in answers] == [SECURITY] * len(answers)


async def test_graphiql_cannot_be_framed_and_loads_from_here_alone(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, graphiql=True) as client:
        page = await send(client, method="GET", accept=BROWSER, authorization=None)
        root = await send(client, method="GET", path="/", authorization=None)
        (script, *_) = re.findall(r'src="([^"]*)"', page.text)
        file = await send(client, method="GET", path=f"/{script}", authorization=None)

    policy = page.headers.get_list("content-security-policy")
    assert len(policy) == 1
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} < set(policy[0].split("; "))
    own = {name: SECURITY[name] for name in SECURITY.keys() - {"content-security-policy"}}
    assert security(page) == own | {"content-security-policy": policy[0]}
    assert (root.status_code, security(root)) == (307, SECURITY)
    assert security(file) == SECURITY | {"cache-control": "public, max-age=31536000, immutable"}


# What a browser sends to another site without asking it first by a preflight request.
@pytest.mark.parametrize(
    "media",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/plain; application/json",
        "text/plain, application/json",
        "text/json",
        "",
        None,
    ],
)
@pytest.mark.parametrize("in_url", [False, True])
async def test_a_form_of_another_site_changes_nothing(
    client: Client, connection: asyncpg.Connection, media: str | None, *, in_url: bool
) -> None:
    """Even if the browser sent a token, which it does not."""
    await store_account(connection)
    body = {"query": "mutation { createConversation(input: {}) { userErrors { code } } }"}
    path = f"/graphql?{urlencode(body)}" if in_url else "/graphql"

    refused = await send(client, b"" if in_url else body, path=path, content_type=media, origin="https://evil.example")

    assert refused.status_code == 415
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 0
    assert (await send(client, body)).status_code == 200
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 1


async def test_what_a_browser_sends_by_itself_is_no_token(reader: Client) -> None:
    cookie = await send(
        reader, {"query": "{ __typename }"}, authorization=None, cookie=f"authorization=Bearer {reader.token}"
    )
    address = await send(
        reader,
        method="GET",
        path=f"/graphql?query={{__typename}}&access_token={reader.token}&authorization=Bearer%20{reader.token}",
        authorization=None,
    )

    assert [answer.status_code for answer in (cookie, address)] == [401, 401]


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("text/html;q=0.1, application/json", True),
        ("text/html;q=0, */*", False),
        ("*/*", False),
        (None, False),
        (JSON, False),
    ],
)
async def test_graphiql_is_served_to_clients_that_accept_html_explicitly(
    seeded_dsn: str, statements: Statements, accept: str | None, *, is_page: bool
) -> None:
    async with serving(seeded_dsn, statements, graphiql=True) as client:
        response = await send(client, method="GET", accept=accept, authorization=None)

    assert response.status_code == (200 if is_page else 401)
    assert response.headers["content-type"].startswith("text/html" if is_page else JSON)
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_graphiql_does_not_hide_operations(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, graphiql=True) as client:
        got = await send(client, method="GET", path="/graphql?query={__typename}", accept=BROWSER)
        posted = await send(client, {"query": "{ __typename }"}, accept=BROWSER)

    assert [got.json(), posted.json()] == [TYPENAME, TYPENAME]


async def test_graphiql_is_not_there_unless_switched_on(reader: Client) -> None:
    response = await send(reader, method="GET", accept=BROWSER, authorization=None)

    assert response.status_code == 401
    assert response.headers["content-type"] == f"{JSON}; charset=utf-8"


async def test_other_origins_are_refused_unless_configured(reader: Client) -> None:
    preflight = await send(reader, method="OPTIONS", authorization=None, **PREFLIGHT)
    answer = await send(reader, {"query": "{ __typename }"}, origin="https://app.example")

    assert preflight.status_code == 401
    assert [name for name in (*preflight.headers, *answer.headers) if name.startswith("access-control")] == []


async def test_configured_origins_are_let_in(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, cors_origins="https://app.example,https://b.example") as client:
        preflight = await send(client, method="OPTIONS", authorization=None, **PREFLIGHT)
        answer = await send(client, {"query": "{ __typename }"}, origin="https://app.example")
        refused = await send(client, {"query": "{ __typename }"}, origin="https://app.example", authorization=None)
        others = [
            await send(client, method="OPTIONS", authorization=None, **(PREFLIGHT | {"origin": "https://c.example"})),
            await send(client, {"query": "{ __typename }"}, origin="https://c.example"),
        ]

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-methods"] == "GET, POST"
    assert preflight.headers["access-control-allow-headers"] == PREFLIGHT["access_control_request_headers"]
    assert [response.headers.get("access-control-allow-credentials") for response in (preflight, answer)] == [None] * 2
    assert [answer.status_code, refused.status_code] == [200, 401]
    assert {response.headers["access-control-allow-origin"] for response in (preflight, answer, refused)} == {
        "https://app.example"
    }
    assert [other.headers.get("access-control-allow-origin") for other in others] == [None, None]
    assert [response.headers["vary"] for response in (answer, others[1])] == ["Origin", "Origin"]


OBSERVED = "apollographql-client-name, apollo-require-preflight, baggage, sentry-trace, traceparent, x-request-id"


@pytest.mark.parametrize(
    ("allowed", "asked", "status"),
    [
        ("", OBSERVED, 200),
        ("*", OBSERVED, 200),
        ("Authorization, Content-Type", "authorization, content-type", 200),
        ("Authorization, Content-Type", "authorization, traceparent", 400),
    ],
)
async def test_apps_of_other_origins_may_send_the_headers_that_are_configured(
    seeded_dsn: str, statements: Statements, allowed: str, asked: str, status: int
) -> None:
    wanted = PREFLIGHT | {"access_control_request_headers": asked}
    async with serving(seeded_dsn, statements, cors_origins="https://app.example", cors_headers=allowed) as client:
        preflight = await send(client, method="OPTIONS", authorization=None, **wanted)

    assert preflight.status_code == status
    assert status == 400 or set(asked.split(", ")) <= set(
        preflight.headers["access-control-allow-headers"].lower().split(", ")
    )


async def test_apps_of_other_origins_can_read_the_response_headers(seeded_dsn: str, statements: Statements) -> None:
    origin = {"origin": "https://app.example"}
    async with serving(seeded_dsn, statements, cors_origins="https://app.example", rate_limit=2) as client:
        document = {"query": "{ __typename }", "extensions": automatic("{ __typename }")}
        await send(client, document, **origin)
        kept = await get(client, origin, extensions=automatic("{ __typename }"))
        spent = await send(client, document, **origin)
        refused = await send(client, document, authorization=None, **origin)

    assert [answer.status_code for answer in (kept, spent, refused)] == [200, 429, 401]
    exposed = {name for answer in (kept, spent, refused) for name in _exposed(answer)}
    expected = {
        "etag",
        "retry-after",
        "www-authenticate",
        *(name for name in spent.headers if name.startswith("ratelimit-")),
    }
    assert exposed == expected
    assert len(expected) == 6
    assert expected <= {*kept.headers, *spent.headers, *refused.headers}


def _exposed(response: httpx.Response) -> set[str]:
    return set(response.headers["access-control-expose-headers"].lower().split(", "))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:8000", 200),
        ("192.168.1.20:8000", 200),
        ("[::1]:8000", 200),
        ("attacker.example", 421),
        ("localhost.attacker.example:8000", 421),
        ("127.0.0.1.attacker.example", 421),
        ("127.0.0.1@attacker.example", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
async def test_the_demo_and_its_token_are_for_addresses_only(seeded_dsn: str, host: str, status: int) -> None:
    app = create_app(make_settings(seeded_dsn, graphiql=True), token="the.demo.token")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inbox") as http:
        response = await http.get("/graphql", headers={"host": host, "accept": BROWSER})

    assert response.status_code == status
    assert ("the.demo.token" in response.text) == (status == 200)
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
