"""Concurrent writes: collisions are run again, and transactions that wait too long for a lock fail."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from gql.log import RETRIES
from gql.mutations.declare import ATTEMPTS
from tests.support import world
from tests.support.client import Client
from tests.support.replying import THERE, prepare, write
from tests.support.serving import serving
from tests.support.world import APPLICATION, CONVERSATION, OTHER_CONVERSATION, World

pytestmark = pytest.mark.anyio

IDS = [encode_id(t.Conversation, 1, id_) for id_ in (CONVERSATION, OTHER_CONVERSATION)]
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
SEND = "mutation ($input: CreateMessageInput!) { createMessage(input: $input) { message { content } } }"
INPUT = {"conversationId": THERE, "content": "Hello", "idempotencyKey": "k"}


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, with a stopped clock."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def inbox(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A client of the first account."""
    return shared.client


async def fail_at_first(connection: asyncpg.Connection[Any], times: int, state: str) -> None:
    """Make the next `number` transactions that write a message fail."""
    await connection.execute(
        f"""CREATE SEQUENCE attempts;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('attempts') <= {times} THEN RAISE 'made to fail' USING ERRCODE = '{state}'; END IF;
            RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON messages
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"""
    )


async def stop_failing(connection: asyncpg.Connection[Any]) -> int:
    """Stop failing; return the number of transactions that tried to write a message."""
    attempts: int = await connection.fetchval("SELECT last_value FROM attempts")
    await connection.execute("DROP TRIGGER fail ON messages; DROP FUNCTION fail; DROP SEQUENCE attempts")
    return attempts


async def test_a_write_that_ends_a_deadlock_is_run_again(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    # The transaction that waits longest is rolled back, which is never this connection's.
    await connection.execute("SET deadlock_timeout = '1h'")
    inbox.statements.take()
    RETRIES.clear()
    async with asyncio.timeout(20), connection.transaction():
        await connection.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", OTHER_CONVERSATION)
        writing = asyncio.create_task(
            write(inbox, "updateConversations", "conversations { closed }", conversationIds=IDS, closed=True)
        )
        while not await connection.fetchval(WAITING):
            pass
        await connection.execute("UPDATE conversations SET subject = 'New' WHERE id = $1", CONVERSATION)
    payload = await writing
    await connection.execute("RESET deadlock_timeout")

    assert payload == {"conversations": [{"closed": True}, {"closed": True}], "userErrors": []}
    assert sum("FOR NO KEY UPDATE" in sql for sql in inbox.statements.take()) == 2
    assert RETRIES == {"DeadlockDetectedError": 1}
    rows = await connection.fetch(
        "SELECT subject, closed_at IS NOT NULL AS closed FROM conversations WHERE account_id=1"
    )
    assert sorted((row["subject"], row["closed"]) for row in rows) == [("New", True), ("Towels of 1", True)]


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_a_commit_that_cannot_be_is_tried_again_and_written_once(
    inbox: Client, connection: asyncpg.Connection[Any], state: str
) -> None:
    before = len((await world.dump(connection))["messages"])
    await fail_at_first(connection, 2, state)
    answer = await inbox.answer(SEND, input=INPUT)
    attempts = await stop_failing(connection)

    assert answer == {"data": {"createMessage": {"message": {"content": "Hello"}}}}
    assert attempts == 3
    assert len((await world.dump(connection))["messages"]) == before + 1


async def test_a_write_that_collides_again_and_again_is_given_up_and_changes_nothing(
    inbox: Client, connection: asyncpg.Connection[Any]
) -> None:
    before = await world.dump(connection)
    await fail_at_first(connection, 1_000, "40001")
    answer = await inbox.answer(SEND, input=INPUT)
    attempts = await stop_failing(connection)

    (error,) = answer["errors"]
    assert answer == {
        "data": {"createMessage": None},
        "errors": [
            {
                "message": "Concurrent changes collided, and nothing was changed: try again",
                "locations": [{"line": 1, "column": 42}],
                "path": ["createMessage"],
                "extensions": {"code": "SERVICE_UNAVAILABLE", "id": error["extensions"]["id"]},
            }
        ],
    }
    assert attempts == ATTEMPTS
    assert await world.dump(connection) == before
    assert await inbox.data(SEND, input=INPUT) == {"createMessage": {"message": {"content": "Hello"}}}


async def test_another_failure_is_not_tried_again(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    before = await world.dump(connection)
    await fail_at_first(connection, 1_000, "XX000")
    code, message = await inbox.error(SEND, input=INPUT)
    attempts = await stop_failing(connection)

    assert (code, message) == ("INTERNAL_SERVER_ERROR", "Internal server error")
    assert attempts == 1
    assert await world.dump(connection) == before


CLOSE = """mutation ($id: ID!) {
  updateConversation(input: {conversationId: $id, closed: true}) { conversation { closed } userErrors { code } }
}"""
CLOSED = {"data": {"updateConversation": {"conversation": {"closed": True}, "userErrors": []}}}
LOCKED = "Another change of the same record takes too long, and nothing was changed: try again"
POOL = 4


async def close(client: Client, id_: int) -> dict[str, Any]:
    """The response to closing a conversation."""
    return await client.answer(CLOSE, id=encode_id(t.Conversation, 1, id_))


@pytest.mark.slow
async def test_writers_of_a_locked_row_are_rejected_and_other_actors_write_meanwhile(
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
            # Half of the pool is left for others, immediately.
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


async def test_a_locked_counter_refuses_the_write_and_is_no_unknown_outcome(shared: World) -> None:
    await shared.fill(1)
    await close(shared.client, OTHER_CONVERSATION)
    before = await world.dump(shared.connection)
    async with shared.connection.transaction():
        # The log is written in the same round trip as COMMIT, which then is not reached.
        await shared.connection.execute("SELECT 1 FROM change_counters WHERE account_id = 1 FOR UPDATE")
        answer = await close(shared.client, CONVERSATION)

    assert answer["data"] == {"updateConversation": None}
    assert [error["message"] for error in answer["errors"]] == [LOCKED]
    assert await world.dump(shared.connection) == before


CLOSE_TWO = """mutation ($one: ID!, $other: ID!) {
  one: updateConversation(input: {conversationId: $one, closed: true}) { conversation { closed } }
  other: updateConversation(input: {conversationId: $other, closed: true}) { conversation { closed } }
}"""


async def test_many_mutations_of_several_fields_share_two_connections(shared: World, shared_dsn: str) -> None:
    await shared.fill(1)
    async with serving(shared_dsn, shared.client.statements, pool_size=2) as client:
        async with asyncio.timeout(10):
            answers = await asyncio.gather(
                *(client.answer(CLOSE_TWO, one=IDS[nth % 2], other=IDS[1 - nth % 2]) for nth in range(20))
            )

    assert [answer.get("errors") for answer in answers] == [None] * 20
    assert {field["conversation"]["closed"] for answer in answers for field in answer["data"].values()} == {True}
