"""GraphQL over HTTP: accepted requests and their responses. Errors of documents are in test_error.py."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from tests.support.client import Client, Statements
from tests.support.factories import store_account
from tests.support.request import BROWSER, JSON, RESPONSE, TYPENAME, refusal, send
from tests.support.serving import serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def reader(seeded_dsn: str) -> AsyncIterator[Client]:
    """One application for all tests that only read."""
    async with serving(seeded_dsn, Statements()) as client:
        yield client


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        ("APPLICATION/JSON", JSON),
        (f"{JSON};charset=UTF-8", JSON),
        (RESPONSE, RESPONSE),
        (f'{RESPONSE}; charset="utf-8"', RESPONSE),
        (f"{RESPONSE}, {JSON}", RESPONSE),
        (f"{JSON}, {RESPONSE}", RESPONSE),
        (f"{RESPONSE};q=0.9, {JSON}", JSON),
        (f"{JSON};q=0.9, {RESPONSE};q=0.95", RESPONSE),
        (f"{JSON}, text/plain, */*", JSON),
        (f"{RESPONSE}, */*", RESPONSE),
        (f"{RESPONSE}, */*;q=0.1", RESPONSE),
        (f"{RESPONSE};q=0.1, */*", JSON),
        (f"{JSON};q=0, */*", RESPONSE),
        (f"{JSON};q=0, application/*;q=0.5", RESPONSE),
        (f"text/html, {RESPONSE};q=0.001", RESPONSE),
        (BROWSER, JSON),
    ],
)
async def test_the_answer_is_of_the_media_type_that_is_accepted(reader: Client, accept: str | None, media: str) -> None:
    response = await send(reader, {"query": "{ __typename }"}, accept=accept)

    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media}; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == TYPENAME


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "image/*",
        f"{JSON};q=0",
        f"{JSON};q=0.0, */*;q=0",
        f"{JSON};q=2",
        f"{JSON};q=nan",
        f"{RESPONSE};q=high",
        f"{JSON};charset=iso-8859-1",
        ",",
    ],
)
async def test_nothing_acceptable_is_406(reader: Client, accept: str) -> None:
    response = await send(reader, {"query": "{ __typename }"}, accept=accept)

    assert response.status_code == 406
    assert response.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert response.json() == refusal(f"Accept {RESPONSE} or {JSON}")


@pytest.mark.parametrize(("accept", "status"), [(RESPONSE, 400), (JSON, 200), ("*/*", 200), (None, 200)])
@pytest.mark.parametrize(
    "body",
    [
        {"query": "{"},
        {"query": "{ nothing }"},
        {"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": None}},
        {"query": "query A { __typename } query B { __typename }"},
        {"query": "query A { __typename }", "operationName": "B"},
    ],
)
async def test_request_errors_are_400_except_for_legacy_clients(
    reader: Client, body: dict[str, Any], accept: str | None, status: int
) -> None:
    response = await send(reader, body, accept=accept)

    assert response.status_code == status
    assert list(response.json()) == ["errors"]


@pytest.mark.parametrize("accept", [RESPONSE, JSON])
async def test_an_executed_operation_is_200_even_if_fields_failed(reader: Client, accept: str) -> None:
    response = await send(reader, {"query": '{ node(id: "?") { id } }'}, accept=accept)

    assert response.status_code == 200
    assert response.json()["data"] == {"node": None}
    assert response.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"{",
        b"{'query': '{ __typename }'}",
        b'{"query": "{ __typename }"} {}',
        b'{"query": "{ __typename }", "variables": {"n": NaN}}',
        b'{"query": "{ __typename }", "variables": {"n": Infinity}}',
        b'{"query": "{ __typename } # \xff"}',
        b'{"query": "{ __typename } # \xed\xa0\x80"}',
        b'{"query": "{ __typename } # \\ud800"}',
        b'\xef\xbb\xbf{"query": "{ __typename }"}',
        '{"query": "{ __typename }"}'.encode("utf-16"),
        b'{"query": "{ __typename } \x00"}',
    ],
)
@pytest.mark.parametrize("accept", [RESPONSE, JSON])
async def test_a_body_that_is_no_json_is_400(reader: Client, body: bytes | None, accept: str) -> None:
    response = await send(reader, body, accept=accept)

    assert response.status_code == 400
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert response.json() == refusal("The body is not JSON in UTF-8")


@pytest.mark.parametrize("body", [b"5", b'"x"', b"null", b"true"])
async def test_a_body_that_is_no_object_is_400(reader: Client, body: bytes) -> None:
    response = await send(reader, body)

    assert response.status_code == 400
    assert response.json() == refusal("The body is not a JSON object")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("query", 0, "query must be a string"),
        ("query", False, "query must be a string"),
        ("query", None, "query must be a string"),
        ("query", [], "query must be a string"),
        ("query", {}, "query must be a string"),
        ("query", "", "query must be a string"),
        ("query", " \n", "query must be a string"),
        ("operationName", 0, "operationName must be a string"),
        ("operationName", False, "operationName must be a string"),
        ("operationName", [], "operationName must be a string"),
        ("operationName", {}, "operationName must be a string"),
        ("variables", 0, "variables must be an object"),
        ("variables", False, "variables must be an object"),
        ("variables", [], "variables must be an object"),
        ("variables", "{}", "variables must be an object"),
        ("extensions", 0, "extensions must be an object"),
        ("extensions", False, "extensions must be an object"),
        ("extensions", [], "extensions must be an object"),
        ("extensions", "{}", "extensions must be an object"),
    ],
)
async def test_a_parameter_of_another_type_is_400(reader: Client, name: str, value: object, message: str) -> None:
    response = await send(reader, {"query": "{ __typename }", name: value})

    assert response.status_code == 400
    assert response.json() == refusal(message)


@pytest.mark.parametrize(
    "parameters",
    [
        {"variables": None, "operationName": None, "extensions": None},
        {"variables": {}, "operationName": "", "extensions": {"tracing": {"version": 1}}},
        {"variables": {"unused": [1, {"a": None}]}, "unknown": 5},
    ],
)
async def test_null_and_unknown_parameters_count_as_absent(reader: Client, parameters: dict[str, Any]) -> None:
    response = await send(reader, {"query": "{ __typename }"} | parameters)

    assert (response.status_code, response.json()) == (200, TYPENAME)


async def test_a_request_without_a_query_is_rejected(reader: Client) -> None:
    response = await send(reader, {"qeury": "{ __typename }"})

    assert (response.status_code, response.json()) == (400, refusal("query must be a string"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": 5, "query": "{ __typename }"}',
        b'{"query": "{ __typename }", "variables": {"a": [{"b": 1, "c": 2, "\\u0062": 3}]}}',
    ],
)
async def test_a_name_twice_in_one_object_is_400(reader: Client, body: bytes) -> None:
    response = await send(reader, body)

    assert (response.status_code, response.json()) == (400, refusal("The body has a name twice in one object"))


@pytest.mark.parametrize("encoded", ["%ff", "%c3", "%ed%a0%80", "{__typename}&variables={%22a%22:%22%e9%22}"])
async def test_a_url_that_is_not_utf_8_is_400(reader: Client, encoded: str) -> None:
    response = await send(reader, method="GET", path=f"/graphql?query={encoded}")

    refused = refusal("The parameters in the URL are not in UTF-8")
    assert (response.status_code, response.json()) == (400, refused)


async def test_a_parameter_twice_in_the_address_is_400(reader: Client) -> None:
    response = await send(reader, method="GET", path="/graphql?query={__typename}&query={viewer{scopes}}")

    assert (response.status_code, response.json()) == (400, refusal("Give each parameter once"))


async def test_two_authorization_headers_are_400(reader: Client) -> None:
    headers = [("Authorization", reader.headers["Authorization"]), ("Authorization", "Bearer x")]
    responses = [
        await reader.http.post("/graphql", json={"query": "{ __typename }"}, headers=order)
        for order in (headers, headers[::-1], headers[:1] * 2)
    ]

    expected = (400, refusal("Send one Authorization header"))
    assert [(response.status_code, response.json()) for response in responses] == [expected] * 3


@pytest.mark.parametrize(
    "media",
    [JSON, "Application/JSON", f"{JSON};charset=utf-8", f'{JSON}; charset="UTF-8"', f'{JSON}; x="; charset=latin-1"'],
)
async def test_a_body_is_json_in_utf8(reader: Client, media: str) -> None:
    document = '{ __type(name: "Run🏃Swim🏊") { name } }'
    response = await send(reader, json.dumps({"query": document}, ensure_ascii=False).encode(), content_type=media)

    assert (response.status_code, response.json()) == (200, {"data": {"__type": None}})


@pytest.mark.parametrize(
    ("media", "message"),
    [
        (None, f"Send {JSON}"),
        ("", f"Send {JSON}"),
        ("text/plain", f"Send {JSON}"),
        ("application/graphql", f"Send {JSON}"),
        ("application/jsonp", f"Send {JSON}"),
        ("application/x-www-form-urlencoded", f"Send {JSON}"),
        ("multipart/form-data; boundary=x", f"Send {JSON}"),
        (f"{JSON}; charset=latin-1", "Send UTF-8"),
        (f"{JSON}; charset=utf-16", "Send UTF-8"),
    ],
)
async def test_another_content_type_is_415(reader: Client, media: str | None, message: str) -> None:
    response = await send(reader, {"query": "{ __typename }"}, content_type=media)

    assert response.status_code == 415
    assert response.json() == refusal(message)


async def in_pieces(pieces: list[bytes]) -> AsyncIterator[bytes]:
    """A body without Content-Length."""
    for piece in pieces:
        yield piece


async def endlessly() -> AsyncIterator[bytes]:
    """A body without an end."""
    while True:
        yield b" " * 10_000


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_the_limit_is_read_and_a_byte_more_is_413(
    seeded_dsn: str, statements: Statements, *, chunked: bool
) -> None:
    body = b'{"query": "{ __typename }"}'
    async with serving(seeded_dsn, statements, max_body=len(body)) as client:
        fits = await send(client, in_pieces([body[:10], body[10:]]) if chunked else body)
        is_longer = await send(client, in_pieces([body, b" "]) if chunked else body + b" ")

    assert (fits.status_code, fits.json()) == (200, TYPENAME)
    assert is_longer.status_code == 413
    assert is_longer.json() == refusal(f"A request has at most {len(body)} bytes")


async def test_a_body_without_an_end_is_413(reader: Client) -> None:
    response = await send(reader, endlessly())

    assert response.status_code == 413


async def test_a_get_has_its_parameters_in_the_address(reader: Client) -> None:
    parameters = {
        "query": "query A { __typename } query B($first: Int) { hosts(first: $first) { nodes { databaseId } } }",
        "operationName": "B",
        "variables": '{"first": 1}',
        "extensions": "{}",
    }
    response = await send(reader, method="GET", path=f"/graphql?{httpx.QueryParams(parameters)}", content_type=None)

    assert response.status_code == 200
    assert response.json() == {"data": {"hosts": {"nodes": [{"databaseId": "1"}]}}}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "query must be a string"),
        ({"query": ""}, "query must be a string"),
        ({"query": "{ __typename }", "variables": "{"}, "variables is not JSON in UTF-8"),
        ({"query": "{ __typename }", "variables": "[]"}, "variables must be an object"),
        ({"query": "{ __typename }", "variables": '"x"'}, "variables must be an object"),
        ({"query": "{ __typename }", "extensions": "x"}, "extensions is not JSON in UTF-8"),
        ({"query": "{ __typename }", "extensions": "5"}, "extensions must be an object"),
    ],
)
async def test_a_get_with_other_parameters_is_400(reader: Client, parameters: dict[str, str], message: str) -> None:
    response = await send(reader, method="GET", path=f"/graphql?{httpx.QueryParams(parameters)}")

    assert (response.status_code, response.json()) == (400, refusal(message))


@pytest.mark.parametrize("parameters", [{"variables": ""}, {"variables": "null"}, {"operationName": ""}])
async def test_a_get_may_leave_parameters_empty(reader: Client, parameters: dict[str, str]) -> None:
    path = f"/graphql?{httpx.QueryParams({'query': '{ __typename }'} | parameters)}"
    response = await send(reader, method="GET", path=path)

    assert (response.status_code, response.json()) == (200, TYPENAME)


@pytest.mark.parametrize("accept", [RESPONSE, JSON])
async def test_a_get_changes_nothing(client: Client, connection: asyncpg.Connection, accept: str) -> None:
    await store_account(connection)
    parameters = {"query": 'mutation { createConversation(input: {subject: "New"}) { conversation { id } } }'}
    response = await send(client, method="GET", path=f"/graphql?{httpx.QueryParams(parameters)}", accept=accept)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert response.json() == refusal("A GET cannot change anything: use POST")
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 0
    assert (await send(client, parameters, accept=accept)).status_code == 200
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 1


async def test_a_get_of_a_document_with_both_runs_the_query(reader: Client) -> None:
    document = "query Q { __typename } mutation M { __typename }"
    answers = [
        await send(reader, method="GET", path=f"/graphql?{httpx.QueryParams(query=document, operationName=name)}")
        for name in ("Q", "M")
    ]

    assert [answer.status_code for answer in answers] == [200, 405]


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_another_method_is_405(reader: Client, method: str) -> None:
    response = await send(reader, {"query": "{ __typename }"}, method=method)

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"
    assert method == "HEAD" or response.json() == refusal("Use GET or POST")


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "OPTIONS"])
@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, "Bearer"),
        ("", "Bearer"),
        ("Basic dTpw", "Bearer"),
        ("Bearer", "Bearer"),
        ("Bearer not.a.token", 'Bearer error="invalid_token"'),
    ],
)
async def test_without_a_good_token_it_is_401_and_the_body_is_not_read(
    reader: Client, method: str, authorization: str | None, challenge: str
) -> None:
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append("something")
        yield b'{"query": "{ __typename }"}'

    response = await send(reader, body(), method=method, authorization=authorization)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == challenge
    assert method == "HEAD" or response.json() == refusal("A valid bearer token is needed", "UNAUTHENTICATED")
    assert read == []


async def test_a_repeated_body_is_checked_and_charged_like_a_new_one(seeded_dsn: str, statements: Statements) -> None:
    body = {"query": "query ($n: Int) { hosts(first: $n) { nodes { id } } }", "variables": {"n": 2}}
    async with serving(seeded_dsn, statements, rate_limit=5) as client:
        first, second, third = [await send(client, body) for _ in range(3)]
        other = await send(client.as_(2, "application:1"), body)
        unable = await send(client.as_(2, "application:2", scopes={"bookings_read"}), body, accept=RESPONSE)

    assert [response.status_code for response in (first, second, third, other, unable)] == [200, 200, 429, 200, 403]
    assert [response.headers["ratelimit-remaining"] for response in (first, second, other)] == ["3", "1", "3"]
    assert first.content == second.content != other.content
