"""An endpoint that names a trusted document gets its answer, as of when it is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.delivering import Receiver, delivering, settled, store_endpoint, until
from tests.support.replying import send
from tests.support.world import World

pytestmark = pytest.mark.anyio

MANIFEST = {
    "message": """query Message($messageId: ID!) {
        node(id: $messageId) { ... on Message { content conversation { subject } } }
        viewer { scopes actor { ... on User { name } } }
    }""",
    "budget": "query ($conversationId: ID!) { conversation(id: $conversationId) { subject } rateLimit { remaining } }",
    "bookings": "query ($conversationId: ID!) { conversation(id: $conversationId) { bookings { totalCount } } }",
    "errors": 'query { conversations(first: 1, after: "x") { totalCount } viewer { scopes } }',
    "writes": 'mutation { createMessage(input: {conversationId: "x", content: "x"}) { userErrors { code } } }',
}


@pytest.fixture
async def filled(shared: World) -> World:
    """An account whose conversations have a channel, and no webhooks."""
    await shared.fill(1)
    await shared.connection.execute("UPDATE conversations SET default_channel = 'EMAIL'")
    await shared.connection.execute("DELETE FROM webhook_attempts; DELETE FROM webhook_deliveries")
    await shared.connection.execute("DELETE FROM webhook_endpoints")
    return shared


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Settings with a manifest of trusted documents."""
    file = tmp_path / "documents.json"
    file.write_text(json.dumps(MANIFEST))
    return {"documents": file, "documents_mode": "only"}


async def test_the_answer_of_the_document_is_sent(
    filled: World, shared_dsn: str, receiver: Receiver, settings: dict[str, Any]
) -> None:
    await store_endpoint(filled.connection, receiver.url, document_id="message", scopes=["inbox_read"])
    await send(filled.client, content="Hello")
    # What is sent is what the message says now.
    await filled.connection.execute("UPDATE messages SET content = 'Goodbye' WHERE content = 'Hello'")
    async with delivering(shared_dsn, **settings):
        await settled(filled.connection)

    (received,) = receiver.received
    assert received.payload.keys() == {"type", "timestamp", "data"}
    assert received.payload["data"] == {
        "node": {"content": "Goodbye", "conversation": {"subject": "Keys of 1"}},
        # Of who created the endpoint, with the endpoint's scopes.
        "viewer": {"scopes": ["inbox_read"], "actor": {"name": "Uma of 1"}},
    }


async def test_errors_of_fields_stand_beside_the_data(
    filled: World, shared_dsn: str, receiver: Receiver, settings: dict[str, Any]
) -> None:
    await store_endpoint(filled.connection, receiver.url, document_id="errors", scopes=["inbox_read"])
    async with delivering(shared_dsn, **settings):
        await send(filled.client, content="Hello")
        await settled(filled.connection)

    (received,) = receiver.received
    assert [error["extensions"]["code"] for error in received.payload["errors"]] == ["BAD_USER_INPUT"]
    assert received.payload["type"] == "MESSAGE_CREATED"


@pytest.mark.parametrize(
    ("document", "scopes", "error"),
    [
        ("bookings", ["inbox_read"], "This document needs scopes that the token does not have: bookings_read"),
        ("writes", ["inbox_write"], "Only queries can be executed here, not mutations"),
        ("gone", ["inbox_read"], "Only trusted documents are executed here"),
    ],
)
async def test_a_document_that_may_not_be_executed_is_a_failure_and_nothing_is_sent(  # noqa: PLR0913, PLR0917  # fixtures
    filled: World,
    shared_dsn: str,
    receiver: Receiver,
    settings: dict[str, Any],
    document: str,
    scopes: list[str],
    error: str,
) -> None:
    await store_endpoint(filled.connection, receiver.url, document_id=document, scopes=scopes)
    before = await filled.connection.fetchval("SELECT count(*) FROM messages")
    async with delivering(shared_dsn, **settings):
        await send(filled.client, content="Hello")
        (row,) = await settled(filled.connection)

    assert receiver.received == []
    assert (row["state"], row["failures"]) == ("FAILED", 10)
    rows = await filled.connection.fetch("SELECT DISTINCT status, error FROM webhook_attempts")
    assert [tuple(row) for row in rows] == [(None, f"The document was not executed: {error}")]
    assert await filled.connection.fetchval("SELECT count(*) FROM messages") == before + 1


async def test_an_endpoint_has_a_budget_of_its_own_and_waits_when_it_is_used_up(
    filled: World, shared_dsn: str, receiver: Receiver, settings: dict[str, Any]
) -> None:
    for path in ("one", "other"):
        url = f"{receiver.url}/{path}"
        await store_endpoint(filled.connection, url, document_id="budget", scopes=["inbox_read"])
    async with delivering(shared_dsn, **settings, rate_limit=3):
        for _ in range(5):
            await send(filled.client, content="Hello")
        postponed = """SELECT count(DISTINCT d.endpoint_id) = 2 FROM webhook_attempts a
            JOIN webhook_deliveries d ON d.id = a.delivery_id WHERE error IS NOT NULL"""
        await until(lambda: filled.connection.fetchval(postponed))

    # Each has its own: the first answers of both show the same rest.
    rest = {each.path: each.payload["data"]["rateLimit"]["remaining"] for each in reversed(receiver.received)}
    assert rest["/one"] == rest["/other"]
    rows = await filled.connection.fetch(
        """SELECT DISTINCT a.error, d.failures, d.state, d.due_at > now() AS later, e.failing_since
        FROM webhook_attempts a JOIN webhook_deliveries d ON d.id = a.delivery_id
        JOIN webhook_endpoints e ON e.id = d.endpoint_id WHERE a.error IS NOT NULL"""
    )
    error = "The document was not executed: The rate limit is exceeded: try again later"
    # It does not count against the endpoint.
    assert [tuple(row) for row in rows] == [(error, 0, "PENDING", True, None)]
