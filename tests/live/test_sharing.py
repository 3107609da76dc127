"""One execution for all who see the same, and none for those who see something else."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from gql.log import LIVE_STEPS, SUBSCRIPTIONS
from tests.support.client import Client
from tests.support.factories import store, store_account
from tests.support.following import Follower, create, cursor, eventually, following, listening

pytestmark = pytest.mark.anyio

SHARED = """
subscription Shared($after: String, $open: Boolean) {
  changes(after: $after) {
    changes { type nodeId node { ... on Conversation { subject } } } endCursor
    query { inboxCounts(filter: {closed: $open}) { open } }
  }
}
"""
WHO = "subscription { changes { endCursor query { viewer { actor { ... on User { name } } scopes } } } }"
MINE = "subscription { changes { endCursor query { inboxCounts { open mine } } } }"
ASSIGNED = """
subscription ($filter: ConversationFilter) {
  changes { endCursor query { conversations(filter: $filter) { totalCount } } }
}
"""
BUDGET = "subscription { changes { endCursor query { rateLimit { remaining } } } }"


async def follow_all(stack: AsyncExitStack, clients: list[Client], document: str, **variables: Any) -> list[Follower]:
    """A follower of each client, all of them up to date."""
    return [await stack.enter_async_context(following(client, document, **variables)) for client in clients]


async def executions(clients: list[Client], document: str, **variables: Any) -> tuple[int, list[Any]]:
    """How often the document is executed for one event of all clients, and what they get."""
    async with AsyncExitStack() as stack:
        followers = await follow_all(stack, clients, document, **variables)
        before = LIVE_STEPS["execute"]
        await create(clients[0])
        events = [await follower.next() for follower in followers]
        return LIVE_STEPS["execute"] - before, [event.data["data"]["changes"] for event in events]


async def test_a_document_is_executed_once_for_fifty_subscribers(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        clients = [client.as_(1, f"user:{1 + number % 2}") for number in range(50)]
        await store(connection, "users", account_id=1, id=2, name="Udo 1")

        number, seen = await executions(clients, SHARED, open=False)

    assert number == 1
    assert all(data == seen[0] for data in seen)
    assert seen[0]["changes"][0]["node"] == {"subject": "Keys"}


async def test_where_a_subscription_began_does_not_matter(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client, AsyncExitStack() as stack:
        begins = [await cursor(client)]
        for _ in range(3):
            await create(client)
            begins.append(await cursor(client))
        followers = [await stack.enter_async_context(following(client, SHARED, after=begin)) for begin in begins]
        for missed, follower in zip((3, 2, 1), followers, strict=False):
            assert len((await follower.next()).changes) == missed
        before = LIVE_STEPS["execute"]
        await create(client)
        events = [await follower.next() for follower in followers]

    assert LIVE_STEPS["execute"] - before == 1
    assert len({event.id for event in events}) == 1


@pytest.mark.parametrize(
    ("document", "different"),
    [
        (SHARED.replace("Shared", "Other"), {}),
        (SHARED, {"scopes": ["inbox_read", "inbox_write"]}),
    ],
)
async def test_another_document_or_other_scopes_are_executed_apart(
    dsn: str, connection: asyncpg.Connection, document: str, different: dict[str, Any]
) -> None:
    await store_account(connection)
    async with listening(dsn) as client, AsyncExitStack() as stack:
        (first,) = await follow_all(stack, [client], SHARED)
        (second,) = await follow_all(stack, [client.as_(1, **different)], document)
        before = LIVE_STEPS["execute"]
        await create(client)
        await first.next()
        await second.next()

    assert LIVE_STEPS["execute"] - before == 2


async def test_what_depends_on_the_actor_is_executed_for_each(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    await store(connection, "users", account_id=1, id=2, name="Udo 1")
    await store(connection, "hosts", account_id=1, id=2, user_id=2)
    await store(connection, "conversations", account_id=1, id=10, assignee_id=2)
    async with listening(dsn, rate_limit=100_000) as client:
        clients = [client, client.as_(1, "user:2"), client.as_(1, "user:2")]

        who, names = await executions(clients, WHO)
        counted, counts = await executions(clients, MINE)
        found, pages = await executions(clients, ASSIGNED, filter={"or": [{"mine": True}]})
        shared, _ = await executions(clients, ASSIGNED, filter={"or": [{"mine": None}, {"closed": False}]})
        charged, budgets = await executions(clients, BUDGET)

    assert [data["query"]["viewer"]["actor"]["name"] for data in names] == ["Uma 1", "Udo 1", "Udo 1"]
    assert [data["query"]["inboxCounts"]["mine"] for data in counts] == [0, 1, 1]
    assert budgets[0]["query"]["rateLimit"]["remaining"] != budgets[1]["query"]["rateLimit"]["remaining"]
    assert [data["query"]["conversations"]["totalCount"] for data in pages] == [0, 1, 1]
    assert (who, counted, found, shared, charged) == (2, 2, 2, 1, 2)


async def test_a_cursor_that_is_used_elsewhere_keeps_executions_apart(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    document = """subscription($after: String!) {
      changes(after: $after) { endCursor query { changes(after: $after) { changes { nodeId } } } }
    }"""
    async with listening(dsn) as client, AsyncExitStack() as stack:
        before = await cursor(client)
        early = await create(client)
        (second,) = await follow_all(stack, [client], document, after=await cursor(client))
        (first,) = await follow_all(stack, [client], document, after=before)
        await first.next()
        late = await create(client)
        seen = [(await follower.next()).data["data"]["changes"]["query"]["changes"] for follower in (first, second)]

    assert [[change["nodeId"] for change in page["changes"]] for page in seen] == [[early, late], [late]]


async def test_what_many_missed_is_executed_few_times_when_they_connect_again_together(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        begin = await cursor(client)
        conversations = [await create(client) for _ in range(3)]
        before, started = LIVE_STEPS["execute"], SUBSCRIPTIONS["started"]

        async def missed() -> list[tuple[str, str]]:
            async with following(client, SHARED, after=begin) as follower:
                return (await follower.next()).changes

        # A lock holds the first execution back until all are there.
        async with connection.transaction():
            await connection.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
            following_ = asyncio.gather(*(missed() for _ in range(20)))
            await eventually(lambda: SUBSCRIPTIONS["started"] - started, 20)
        seen = await following_

    assert LIVE_STEPS["execute"] - before == 1
    assert seen == [[("CONVERSATION", id_) for id_ in conversations]] * 20
