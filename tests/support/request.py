"""Requests with any headers and body, and responses that many tests expect."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.support.client import Client

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
TYPENAME = {"data": {"__typename": "Query"}}


async def send(
    client: Client, body: Any = None, *, method: str = "POST", path: str = "/graphql", **headers: str | None
) -> httpx.Response:
    """The response to a request. A header of None is not sent; `_` in a name becomes `-`."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    given = client.headers | {"content-type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = client.http.build_request(method, path, content=body)
    for name, value in given.items():
        if value is None:
            request.headers.pop(name, None)
        else:
            request.headers[name] = value
    return await client.http.send(request)


def refusal(message: str, code: str = "BAD_USER_INPUT") -> dict[str, Any]:
    """A response without data and with this error only."""
    return {"errors": [{"message": message, "extensions": {"code": code}}]}
