"""A connection that is lost during COMMIT: the error says that the outcome is unknown, and what to do."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from tests.support.client import Client
from tests.support.factories import store_account

pytestmark = pytest.mark.anyio

CREATE = """mutation { createConversation(input: {subject: "Keys", idempotencyKey: "k"}) {
  conversation { subject } userErrors { code }
} }"""
COMMITTING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"


async def test_a_commit_with_unknown_outcome_is_reported_and_can_be_repeated_with_its_key(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    # A commit first runs deferred triggers.
    await connection.execute(
        """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON conversations
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
        SELECT pg_advisory_lock(1)"""
    )
    writing = asyncio.create_task(client.post(CREATE))
    async with asyncio.timeout(10):
        while (lost := await connection.fetchval(COMMITTING)) is None:
            pass
    await connection.execute("SELECT pg_terminate_backend($1, 5000)", lost)
    response = await writing
    await connection.execute("SELECT pg_advisory_unlock(1)")
    left = await connection.fetchval("SELECT count(*) FROM conversations")
    answers = [await client.data(CREATE) for _ in range(2)]

    (error,) = response.json()["errors"]
    assert response.status_code == 200
    assert response.json() == {
        "data": {"createConversation": None},
        "errors": [
            {
                "message": "It is unknown whether the change was made: repeat it with the same idempotencyKey, "
                "with which it is made only once",
                "locations": [{"line": 1, "column": 12}],
                "path": ["createConversation"],
                "extensions": {"code": "SERVICE_UNAVAILABLE", "id": error["extensions"]["id"]},
            }
        ],
    }
    assert left == 0
    assert answers == [{"createConversation": {"conversation": {"subject": "Keys"}, "userErrors": []}}] * 2
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 1
