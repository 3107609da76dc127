"""Answers of more than 1 kB are compressed for clients that accept gzip."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.support.client import Client, Statements
from tests.support.request import BROWSER
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

LONG = """{ conversations(first: 25) {
  nodes { id databaseId subject createdAt updatedAt closed participants { nodes { id memberType createdAt } } }
} }"""
SHORT = "{ __typename }"


async def fetch(client: Client, document: str, accept_encoding: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of a response as they were sent."""
    headers = client.headers | {"accept-encoding": accept_encoding}
    async with client.http.stream("POST", "/graphql", json={"query": document}, headers=headers) as response:
        return dict(response.headers), b"".join([piece async for piece in response.aiter_raw()])


async def test_a_long_answer_is_compressed_for_who_accepts_it(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements) as client:
        plain_headers, plain = await fetch(client, LONG, "identity")
        headers, body = await fetch(client, LONG, "gzip, br")
        short_headers, _ = await fetch(client, SHORT, "gzip")
        plain_short_headers, _ = await fetch(client, SHORT, "identity")

    assert len(plain) > 3_000
    assert "content-encoding" not in plain_headers
    assert headers["content-encoding"] == "gzip"
    assert headers["content-length"] == str(len(body))
    assert gzip.decompress(body) == plain
    assert len(body) < len(plain) / 3
    assert "accept-encoding" in headers["vary"].lower()
    assert "accept-encoding" in plain_headers["vary"].lower()
    assert "content-encoding" not in short_headers
    # It is the same for all clients.
    assert "vary" not in plain_short_headers


async def test_compression_can_be_switched_off(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, compress=False) as client:
        headers, _ = await fetch(client, LONG, "gzip")

    assert "content-encoding" not in headers


async def test_graphiqls_files_are_compressed(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, graphiql=True) as client:
        page = await client.http.get("/graphql", headers={"accept": BROWSER})
        script = page.text.partition('src="')[2].partition('"')[0]
        response: Any = await client.http.get(f"/{script}", headers={"accept-encoding": "gzip"})

    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
