"""Persisted queries by GET: cached only by their client, and sent again only if they changed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.support.client import Client, Statements
from tests.support.factories import store, store_account
from tests.support.persisting import HOST, HOSTS, automatic, digest, get, known_as, outcome, post
from tests.support.request import JSON, RESPONSE
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

SUBJECTS = "{ conversations { nodes { subject } } }"
FAILING = '{ node(id: "?") { id } }'
KEPT = {"cache-control": "private, no-cache", "vary": "Accept, Authorization"}
BY_HASH: dict[str, Any] = {"variables": {"first": 1}, "extensions": automatic(HOSTS)}
BY_IDENTIFIER: dict[str, Any] = {"variables": {"first": 1}, "documentId": known_as(HOSTS)}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of the documents here."""
    path = tmp_path_factory.mktemp("manifest") / "documents.json"
    path.write_text(json.dumps({digest(text): text for text in (HOSTS, SUBJECTS, FAILING)}))
    return path


@pytest.fixture(scope="module")
async def reader(seeded_dsn: str, manifest: Path) -> AsyncIterator[Client]:
    """A client of an application with these documents."""
    async with serving(seeded_dsn, Statements(), documents=manifest) as client:
        yield client


async def revalidate(client: Client, held: str, **parameters: Any) -> httpx.Response:
    """The response to a GET from a client that already has a response."""
    return await get(client, {"if-none-match": held}, **parameters)


@pytest.mark.parametrize("named", [BY_IDENTIFIER, BY_HASH], ids=["documentId", "hash"])
async def test_an_answer_is_kept_by_its_client_and_has_a_tag(reader: Client, named: dict[str, Any]) -> None:
    answers = [await get(reader, **named) for _ in range(2)]

    assert [outcome(answer) for answer in answers] == [(200, HOST)] * 2
    assert {name: answers[0].headers[name] for name in KEPT} == KEPT
    assert re.fullmatch(r'"[0-9a-f]{64}"', answers[0].headers["etag"])
    assert answers[0].headers["etag"] == answers[1].headers["etag"]


@pytest.mark.parametrize("named", [BY_IDENTIFIER, BY_HASH], ids=["documentId", "hash"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"other",W/{} , "another"', '{}, "other"', "*", " * "])
async def test_a_client_that_has_the_answer_gets_304(reader: Client, named: dict[str, Any], form: str) -> None:
    tag = (await get(reader, **named)).headers["etag"]

    response = await revalidate(reader, form.format(tag), **named)

    assert (response.status_code, response.content) == (304, b"")
    assert {name: response.headers[name] for name in KEPT} == KEPT
    assert response.headers["etag"] == tag
    assert "content-type" not in response.headers


async def test_tags_may_come_in_several_headers(reader: Client) -> None:
    first = await get(reader, **BY_IDENTIFIER)
    request = reader.http.build_request(
        "GET",
        first.request.url,
        headers=[*reader.headers.items(), ("if-none-match", '"other"'), ("if-none-match", first.headers["etag"])],
    )

    assert (await reader.http.send(request)).status_code == 304


@pytest.mark.parametrize("form", ["", "{bare}", '"{bare}', '"x{bare}"', '"other"', "w", '"*"', '"", W/"x"'])
async def test_a_client_with_another_answer_gets_this_one(reader: Client, form: str) -> None:
    tag = (await get(reader, **BY_IDENTIFIER)).headers["etag"]

    response = await revalidate(reader, form.format(bare=tag.strip('"')), **BY_IDENTIFIER)

    assert outcome(response) == (200, HOST)


async def test_an_answer_that_changed_is_sent(
    dsn: str, statements: Statements, connection: asyncpg.Connection, manifest: Path
) -> None:
    await store_account(connection)
    async with serving(dsn, statements, documents=manifest) as client:
        before = await get(client, documentId=known_as(SUBJECTS))
        await store(connection, "conversations", account_id=1, subject="New")
        after = await revalidate(client, before.headers["etag"], documentId=known_as(SUBJECTS))
        then = await revalidate(client, after.headers["etag"], documentId=known_as(SUBJECTS))

    assert before.json() == {"data": {"conversations": {"nodes": []}}}
    assert outcome(after) == (200, {"data": {"conversations": {"nodes": [{"subject": "New"}]}}})
    assert then.status_code == 304


async def test_an_answer_of_another_type_or_account_has_another_tag(
    dsn: str, statements: Statements, connection: asyncpg.Connection, manifest: Path
) -> None:
    for account in (1, 2):
        await store_account(connection, account)
        await store(connection, "conversations", account_id=account, subject=f"Of {account}")
    async with serving(dsn, statements, documents=manifest) as client:
        by_type = [await get(client, {"accept": media}, documentId=known_as(SUBJECTS)) for media in (JSON, RESPONSE)]
        tag = by_type[0].headers["etag"]
        of_another = await get(client.as_(2), {"if-none-match": tag}, documentId=known_as(SUBJECTS))

    assert by_type[0].content == by_type[1].content
    assert tag != by_type[1].headers["etag"]
    assert outcome(of_another) == (200, {"data": {"conversations": {"nodes": [{"subject": "Of 2"}]}}})


async def test_a_client_without_access_does_not_get_304(reader: Client) -> None:
    tag = (await get(reader, **BY_IDENTIFIER)).headers["etag"]

    answers = [
        await get(reader, {"authorization": "Bearer not.a.token", "if-none-match": tag}, **BY_IDENTIFIER),
        await revalidate(reader.as_(1, scopes={"clients_read"}), "*", **BY_IDENTIFIER),
    ]

    assert [answer.status_code for answer in answers] == [401, 200]
    assert [answer.json()["errors"][0]["extensions"]["code"] for answer in answers] == ["UNAUTHENTICATED", "FORBIDDEN"]
    assert [answer.headers.get("etag") for answer in answers] == [None, None]


@pytest.mark.parametrize(
    "parameters",
    [
        {"documentId": known_as(FAILING)},
        {"documentId": known_as("{ __typename }")},
        {"documentId": known_as(HOSTS), "variables": {"first": "x"}},
        {"documentId": known_as(HOSTS), "operationName": "No"},
        {"extensions": automatic("{ __typename }")},
    ],
)
async def test_an_answer_with_errors_has_no_tag_and_is_not_cached(reader: Client, parameters: dict[str, Any]) -> None:
    response = await revalidate(reader, "*", **parameters)

    assert "errors" in response.json()
    assert response.status_code != 304
    assert "etag" not in response.headers
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("ask", "parameters"),
    [(post, BY_IDENTIFIER), (post, BY_HASH), (get, {"query": HOSTS}), (post, {"query": HOSTS})],
)
async def test_other_requests_than_gets_by_identifier_are_not_cached(
    reader: Client, ask: Callable[..., Any], parameters: dict[str, Any]
) -> None:
    response = await ask(reader, **parameters)

    assert response.status_code == 200
    assert "etag" not in response.headers
    assert response.headers["cache-control"] == "no-store"


async def test_other_origins_vary_an_answer_too(seeded_dsn: str, statements: Statements, manifest: Path) -> None:
    origins = "https://app.example,https://b.example"
    async with serving(seeded_dsn, statements, documents=manifest, cors_origins=origins) as client:
        response = await get(client, {"origin": "https://app.example"}, **BY_IDENTIFIER)

    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert set(response.headers["vary"].split(", ")) == {"Accept", "Authorization", "Origin"}
