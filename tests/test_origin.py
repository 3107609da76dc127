"""Who may ask and from where: paths, GraphiQL's page, other origins, the demo's host; and what every answer has."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from gql.app import create_app
from tests.client import Client, Statements, make_settings
from tests.conftest import serving
from tests.request import BROWSER, JSON, TYPENAME, refusal, send

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def reader(seeded_dsn: str) -> AsyncIterator[Client]:
    """One application for all tests that only ask."""
    async with serving(seeded_dsn, Statements()) as client:
        yield client


@pytest.mark.parametrize("path", ["/nope", "/", "/graphql/nope", "/graphiql/x/page.js"])
async def test_an_unknown_path_is_404(reader: Client, path: str) -> None:
    response = await send(reader, method="GET", path=path)

    assert response.status_code == 404
    assert response.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert response.json() == refusal("Not Found")


async def test_another_method_of_another_path_is_405(reader: Client) -> None:
    response = await send(reader, method="POST", path="/healthz")

    assert (response.status_code, response.json()) == (405, refusal("Method Not Allowed"))
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_every_answer_forbids_guessing_its_type(reader: Client) -> None:
    answers = [
        await send(reader, {"query": "{ __typename }"}),
        await send(reader, {"query": "{ __typename }"}, authorization=None),
        await send(reader, method="GET", path="/healthz"),
        await send(reader, method="GET", path="/nope"),
    ]

    assert [answer.status_code for answer in answers] == [200, 401, 200, 404]
    assert {tuple(answer.headers.get_list("x-content-type-options")) for answer in answers} == {("nosniff",)}


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
async def test_graphiql_is_for_whoever_asks_for_html_by_name(
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


PREFLIGHT = {
    "origin": "https://app.example",
    "access_control_request_method": "POST",
    "access_control_request_headers": "authorization, content-type",
}


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
    assert {"authorization", "content-type"} <= set(
        preflight.headers["access-control-allow-headers"].lower().split(", ")
    )
    assert [answer.status_code, refused.status_code] == [200, 401]
    assert {response.headers["access-control-allow-origin"] for response in (preflight, answer, refused)} == {
        "https://app.example"
    }
    assert [other.headers.get("access-control-allow-origin") for other in others] == [None, None]
    assert [response.headers["vary"] for response in (answer, others[1])] == ["Origin", "Origin"]


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
