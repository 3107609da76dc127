"""Writers and readers at once, over two servers: each reader gets every change once, in the order of the log."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support.client import Client
from tests.support.factories import log_changes, store_account
from tests.support.following import create, cursor, end_listening, following, listening, reply

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WRITERS = 16
EACH = 40
READERS = 6
CHANGES = """
query($after: String!) {
  changes(after: $after, first: 20, types: [MESSAGE]) { changes { type nodeId } endCursor hasMore }
}
"""


async def write(client: Client, conversation: str, dsn: str, dice: Random) -> list[str]:
    """Write messages through the API; in between, begin transactions that are late, and some that are rolled back."""
    sent = []
    beside = await asyncpg.connect(dsn)
    for _ in range(EACH):
        if dice.random() < 0.2:
            transaction = beside.transaction()
            await transaction.start()
            await log_changes(beside, 1, ("BOOKING", dice.randint(1, 99), None))
            await asyncio.sleep(dice.uniform(0, 0.02))
            await (transaction.rollback() if dice.random() < 0.5 else transaction.commit())
        sent.append(await reply(client, conversation))
    await beside.close()
    return sent


async def push(clients: list[Client], after: str, number: int, dice: Random) -> list[str]:
    """What a reader gets that follows, disconnects at random, and continues on either server."""
    seen: list[str] = []
    while len(seen) < number:
        async with following(dice.choice(clients), last=after, types=["MESSAGE"]) as follower:
            for _ in range(dice.randint(1, 30)):
                event = await follower.next()
                seen += [id_ for _, id_ in event.changes]
                assert event.id is not None
                after = event.id
                if len(seen) >= number:
                    break
    return seen


async def poll(client: Client, after: str, number: int) -> list[str]:
    """What a reader gets that polls."""
    seen: list[str] = []
    while len(seen) < number:
        page: dict[str, Any] = (await client.data(CHANGES, after=after))["changes"]
        seen += [change["nodeId"] for change in page["changes"]]
        after = page["endCursor"]
    return seen


async def test_every_reader_gets_every_change_once_and_in_order(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    dice = Random(7)  # noqa: S311  # no secret
    async with listening(dsn, pool_size=8) as first, listening(dsn, pool_size=8) as second:
        clients = [first, second]
        conversations = [await create(first) for _ in range(WRITERS)]
        start = await cursor(first)
        total = WRITERS * EACH
        readers = [asyncio.create_task(push(clients, start, total, Random(seed))) for seed in range(READERS)]  # noqa: S311  # the same
        readers.append(asyncio.create_task(poll(second, start, total)))
        writers = [
            asyncio.create_task(write(clients[place % 2], conversation, dsn, Random(place)))  # noqa: S311  # the same
            for place, conversation in enumerate(conversations)
        ]
        while not all(writer.done() for writer in writers):
            await asyncio.sleep(dice.uniform(0.2, 0.6))
            await end_listening(connection)
        written = [id_ for writer in writers for id_ in writer.result()]
        seen = await asyncio.gather(*readers)

    rows = await connection.fetch("SELECT node_id FROM changes WHERE type = 'MESSAGE' ORDER BY number")
    logged = [encode_id(t.Message, 1, row["node_id"]) for row in rows]
    assert sorted(logged) == sorted(written)
    for ids in seen:
        assert ids == logged
