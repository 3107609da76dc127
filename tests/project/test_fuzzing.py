"""No input gets a response with a server error, and each error has a documented code."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis_graphql import from_schema

from gql.errors import Code
from gql.schema import build_schema
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.properties import examples
from tests.support.request import JSON, RESPONSE
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

OWN_FAULTS = {Code.INTERNAL_SERVER_ERROR, Code.TIMEOUT, Code.SERVICE_UNAVAILABLE}


@pytest.fixture(scope="module")
async def client(shared_dsn: str, shared: world.World) -> AsyncIterator[Client]:
    """A client of an application without rate limits, on an account that may change."""
    await shared.fill(1)
    async with serving(shared_dsn, Statements(), rate_limit=0, max_body=20_000) as client:
        yield client


def check(response: httpx.Response) -> None:
    """Assert that the response has data, or an error that is the client's, in the documented form."""
    assert response.status_code < 500, response.text
    answer = response.json()
    for error in answer.get("errors", []):
        assert isinstance(error["message"], str)
        assert Code(error["extensions"]["code"]) not in OWN_FAULTS, response.text
    assert response.status_code == 200 or answer["errors"]
    assert {"data", "errors"} & answer.keys()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(["{ __typename }", "query A($a: Int) { hosts(first: $a) { nodes { id } } }", "A", "sha256:00"]),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
NAMES = ("query", "variables", "operationName", "extensions", "documentId")
REQUESTS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES))
MEDIA = st.one_of(
    st.sampled_from([JSON, RESPONSE, f"{JSON}; charset=utf-8", "*/*", "text/html", ""]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)


async def post(client: Client, body: bytes, **headers: str) -> httpx.Response:
    """The response to a body."""
    return await client.http.post("/graphql", content=body, headers=client.headers | {"content-type": JSON} | headers)


@examples(300)
@given(body=st.binary(max_size=400) | VALUES.map(lambda value: json.dumps(value).encode()))
async def test_any_body_is_answered(client: Client, body: bytes) -> None:
    check(await post(client, body))


@examples(500)
@given(request=REQUESTS)
async def test_any_parameters_are_answered(client: Client, request: dict[str, Any]) -> None:
    check(await post(client, json.dumps(request).encode()))
    in_address = {name: value if isinstance(value, str) else json.dumps(value) for name, value in request.items()}
    # Text that a URL cannot contain is not sent.
    sendable = {name: value.encode(errors="replace").decode() for name, value in in_address.items()}
    check(await client.http.get("/graphql", params=sendable, headers=client.headers))


@examples(300)
@given(accept=MEDIA, content_type=MEDIA, length=st.none() | st.text("0123456789-+. ", max_size=30))
async def test_any_headers_are_answered(client: Client, accept: str, content_type: str, length: str | None) -> None:
    headers = {"accept": accept, "content-type": content_type}
    if length is not None:
        headers["content-length"] = length
    check(await post(client, b'{"query": "{ __typename }"}', **headers))


@examples(300)
@given(authorization=st.one_of(st.text("Bearer .-_0aZ=", max_size=60), st.binary(max_size=60)))
async def test_any_authorization_is_answered(client: Client, authorization: str | bytes) -> None:
    given = authorization if isinstance(authorization, bytes) else authorization.encode()
    request = client.http.build_request("POST", "/graphql", json={"query": "{ __typename }"})
    request.headers = httpx.Headers([(b"authorization", given), (b"content-type", JSON.encode())])
    response = await client.http.send(request)

    check(response)
    assert response.status_code == 401


@examples(400)
@given(text=st.text('{}()[]:$@!.|=#,"\\ \n\u0000éaQ01-', max_size=80) | st.text(max_size=80))
async def test_any_text_is_answered(client: Client, text: str) -> None:
    check(await post(client, json.dumps({"query": text}).encode()))


@examples(400)
@given(document=from_schema(build_schema().as_str(), allow_null=True))
@pytest.mark.slow
async def test_any_document_of_the_schema_is_answered(client: Client, document: str) -> None:
    """Queries and mutations with arguments of the right types and any values."""
    check(await post(client, json.dumps({"query": document}).encode()))


INPUTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("ids", "closed", "assigneeIds", "channels", "updatedSince", "bookingIds", "conversationId", "subject"), VALUES
    ),
)


@examples(300)
@given(filter_=VALUES | INPUTS, order=VALUES, first=VALUES, after=VALUES)
async def test_any_variables_are_answered(client: Client, filter_: Any, order: Any, first: Any, after: Any) -> None:
    document = """query ($filter: ConversationFilter, $orderBy: ConversationOrder, $first: Int, $after: String) {
      conversations(filter: $filter, orderBy: $orderBy, first: $first, after: $after) { totalCount nodes { id } }
    }"""
    variables = {"filter": filter_, "orderBy": order, "first": first, "after": after}
    check(await post(client, json.dumps({"query": document, "variables": variables}).encode()))


@examples(200)
@given(input_=VALUES | INPUTS)
async def test_any_input_is_answered(client: Client, input_: Any) -> None:
    for field in ("createConversation", "updateConversation", "connectBookings"):
        type_ = f"{field[0].upper()}{field[1:]}Input!"
        document = f"mutation ($input: {type_}) {{ {field}(input: $input) {{ userErrors {{ code }} }} }}"
        check(await post(client, json.dumps({"query": document, "variables": {"input": input_}}).encode()))
