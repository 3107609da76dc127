"""Requests that other servers support and this one rejects with advice; and JSON that is nested too deeply."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import pytest

from gql.web.request import _negotiate
from tests.support.client import Client, Statements
from tests.support.request import RESPONSE, TYPENAME, refusal, send
from tests.support.serving import serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def reader(seeded_dsn: str) -> AsyncIterator[Client]:
    """One application for all tests that only read."""
    async with serving(seeded_dsn, Statements()) as client:
        yield client


def nested(depth: int) -> bytes:
    """A body with that many nested arrays and objects, and brackets in strings, which do not count."""
    inner = depth - 2
    return b'{"query": "{ __typename }", "variables": {"a": %s"\\"]%s"%s}}' % (b"[" * inner, b"[" * 500, b"]" * inner)


@pytest.mark.parametrize(
    "body",
    [
        nested(101),
        nested(1_020),
        b'{"query": "{ __typename }", "variables": {"n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"n":' * 40_000,
        b"[" * 101,
    ],
)
async def test_json_that_is_nested_too_deeply_is_400(reader: Client, body: bytes) -> None:
    response = await send(reader, body)

    message = "The body has more than 100 JSON arrays and objects in each other"
    assert (response.status_code, response.json()) == (400, refusal(message))


async def test_json_may_be_nested_up_to_the_limit(reader: Client) -> None:
    response = await send(reader, nested(100))

    assert (response.status_code, response.json()) == (200, TYPENAME)


@pytest.mark.parametrize("body", [b"[]", b'[{"query": "{ __typename }"}]'])
async def test_a_batch_is_400(reader: Client, body: bytes) -> None:
    response = await send(reader, body)

    message = "The body is a JSON array: batches are not supported, send each operation by itself"
    assert (response.status_code, response.json()) == (400, refusal(message))


@pytest.mark.parametrize("name", ["doc_id", "id"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_another_name_of_the_document_id_is_400(reader: Client, name: str, method: str) -> None:
    body = {name: "sha256:0"} if method == "POST" else None
    response = await send(reader, body, method=method, path=f"/graphql?{name}=sha256:0" if body is None else "/graphql")

    assert (response.status_code, response.json()) == (400, refusal(f"Name the document by documentId, not by {name}"))


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_hash_as_the_document_id_is_400(reader: Client, method: str) -> None:
    digest = "a" * 64
    body = {"documentId": digest} if method == "POST" else None
    path = f"/graphql?documentId={digest}" if body is None else "/graphql"
    response = await send(reader, body, method=method, path=path)

    message = (
        "There is no document with this documentId: the hash of an automatic persisted query belongs into "
        "extensions.persistedQuery.sha256Hash"
    )
    assert (response.status_code, response.json()) == (400, refusal(message))


async def test_long_accept_headers_are_not_kept(reader: Client) -> None:
    before = _negotiate.cache_info().currsize
    for number in range(3):
        await send(reader, {"query": "{ __typename }"}, accept=f"{'x' * 1_000}/{number}, {RESPONSE}")

    assert _negotiate.cache_info().currsize == before


async def test_two_accept_lines_are_one_list(reader: Client) -> None:
    headers = [*reader.headers.items(), ("Accept", "text/html"), ("Accept", RESPONSE)]
    response = await reader.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)

    assert (response.status_code, response.headers["content-type"]) == (200, f"{RESPONSE}; charset=utf-8")


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity"])
async def test_a_body_with_an_encoding_is_415(reader: Client, coding: str) -> None:
    body = gzip.compress(b'{"query": "{ __typename }"}')
    response = await send(reader, body, content_encoding=coding)

    assert (response.status_code, response.headers["accept-encoding"]) == (415, "identity")
    assert response.json() == refusal("Send the body without Content-Encoding")


@pytest.mark.parametrize("length", [100, 100_000])
async def test_accept_headers_of_any_length_are_read(reader: Client, length: int) -> None:
    response = await send(reader, {"query": "{ __typename }"}, accept=f"{'x' * length}/x, {RESPONSE}")

    assert (response.status_code, response.headers["content-type"]) == (200, f"{RESPONSE}; charset=utf-8")
