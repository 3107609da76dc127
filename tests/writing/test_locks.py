"""A row that another transaction keeps locked: its writers are turned away, and all others go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.conftest import serving
from tests.support import world
from tests.support.client import Client
from tests.support.world import APPLICATION, CONVERSATION, OTHER_CONVERSATION, World

pytestmark = pytest.mark.anyio

CLOSE = """mutation ($id: ID!) {
  updateConversation(input: {conversationId: $id, closed: true}) { conversation { closed } userErrors { code } }
}"""
CLOSED = {"data": {"updateConversation": {"conversation": {"closed": True}, "userErrors": []}}}
LOCKED = "Another change of the same record takes too long, and nothing was changed: try again"
POOL = 4


async def close(client: Client, id_: int) -> dict[str, Any]:
    """The answer to closing a conversation."""
    return await client.answer(CLOSE, id=encode_id(t.Conversation, 1, id_))


async def test_writers_of_a_locked_row_are_turned_away_and_other_actors_write_meanwhile(
    shared: World, shared_dsn: str
) -> None:
    await shared.fill(1)
    async with serving(shared_dsn, shared.client.statements, pool_size=POOL) as user:
        application = user.as_(1, f"application:{APPLICATION}")
        before = await world.dump(shared.connection)
        async with shared.connection.transaction():
            await shared.connection.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", CONVERSATION)
            waiting = [asyncio.create_task(close(user, CONVERSATION)) for _ in range(POOL)]
            async with asyncio.timeout(8):
                while await shared.connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < POOL // 2:
                    pass
            # Half of the pool is left for others, at once.
            async with asyncio.timeout(1.5):
                assert await close(application, OTHER_CONVERSATION) == CLOSED
            answers = await asyncio.gather(*waiting)

        after = await world.dump(shared.connection)
        assert [error["message"] for answer in answers for error in answer["errors"]] == [LOCKED] * POOL
        assert {error["extensions"]["code"] for answer in answers for error in answer["errors"]} == {
            "SERVICE_UNAVAILABLE"
        }
        assert {row["id"] for row in world.changes(before, after)["conversations"][1]} == {OTHER_CONVERSATION}
        assert await close(user, CONVERSATION) == CLOSED
