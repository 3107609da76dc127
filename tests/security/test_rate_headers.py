"""RateLimit-* headers are on every answer to an authenticated request."""

from __future__ import annotations

import pytest

from tests.support.client import Statements
from tests.support.persisting import automatic, get
from tests.support.request import RESPONSE, send
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

QUERY = {"query": "{ hosts(first: 2) { nodes { id } } }"}
NAMES = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


async def test_every_answer_has_the_remaining_budget(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, rate_limit=100) as client:
        await send(client, {"query": "{ __typename }", "extensions": automatic("{ __typename }")})
        kept = await get(client, extensions=automatic("{ __typename }"))
        answers = [
            await send(client, QUERY),
            await send(client, {"query": "{"}, accept=RESPONSE),
            await send(client, b"5"),
            await send(client, method="PUT"),
            await send(client, QUERY, content_type="text/plain"),
            kept,
            await get(client, {"if-none-match": kept.headers["etag"]}, extensions=automatic("{ __typename }")),
            await send(client, {"query": "{ hosts(first: 99) { nodes { id } } }"}),
        ]
        unknown = await send(client, QUERY, authorization=None)

    assert [answer.status_code for answer in answers] == [200, 400, 400, 405, 415, 200, 304, 429]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"100"}
    assert all(answer.headers.get_list(name) for answer in answers for name in NAMES)
    # Two `__typename` and two hosts are charged; requests that are not executed are not.
    assert [int(answer.headers["ratelimit-remaining"]) for answer in answers[:5]] == [96] * 5
    assert [name for name in unknown.headers if name.startswith("ratelimit")] == []


async def test_there_are_no_rate_headers_without_a_limit(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, rate_limit=0) as client:
        response = await send(client, QUERY)

    assert [name for name in response.headers if name.startswith("ratelimit")] == []
