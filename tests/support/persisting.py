"""Requests with identifiers of documents, and such documents."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import httpx

from tests.support.client import Client
from tests.support.request import send

HOSTS = "query Hosts($first: Int) { hosts(first: $first) { nodes { databaseId } } }"
HOST = {"data": {"hosts": {"nodes": [{"databaseId": "1"}]}}}
OTHER = "query Other { other: __typename }"


def digest(text: str) -> str:
    """The SHA-256 of a text, as in manifests."""
    return sha256(text.encode()).hexdigest()


def known_as(text: str) -> str:
    """The identifier in the form of the specification's draft."""
    return f"sha256:{digest(text)}"


def automatic(text: str) -> dict[str, Any]:
    """The `extensions` that Apollo's clients send."""
    return {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}


async def get(client: Client, headers: dict[str, str] | None = None, **parameters: Any) -> httpx.Response:
    """The response to a GET with parameters; objects are sent as JSON."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
    return await send(client, method="GET", path=f"/graphql?{httpx.QueryParams(texts)}", **headers or {})


async def post(client: Client, **parameters: Any) -> httpx.Response:
    """The response to a POST with parameters."""
    return await send(client, parameters)


def outcome(response: httpx.Response) -> tuple[int, Any]:
    """Status and body."""
    return response.status_code, response.json()
