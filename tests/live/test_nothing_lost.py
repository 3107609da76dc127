"""Writers and readers at once: each reader gets every change once, in order, and a copy equals a fresh query."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.oracles.mirror import Mirror, Way, by_event_stream, by_websocket, read_lists
from tests.support.client import Client
from tests.support.factories import log_changes, store, store_account
from tests.support.following import PATIENCE, create, cursor, end_listening, following, listening, reply
from tests.support.importing import import_pages
from tests.support.websocket import listening as sockets

pytestmark = pytest.mark.anyio

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


@pytest.mark.slow
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


class Hosts:
    """Hosts who use every mutation of an inbox, and imports that remove the bookings with these ids."""

    def __init__(self, client: Client, dsn: str, folder: Path, bookings: list[int], dice: Random) -> None:
        self._client = client
        self._dsn = dsn
        self._folder = folder
        self._bookings = bookings
        self._dice = dice
        self._conversations: list[str] = []
        self._steps = 0

    async def steps(self, number: int) -> None:
        """Do a number of things."""
        for _ in range(number):
            await self._step()

    async def _step(self) -> None:
        self._steps += 1
        if self._steps % 10 == 0:
            await self._remove(self._bookings.pop())
        elif self._dice.random() < 0.15 or not self._conversations:
            self._conversations.append(await create(self._client, f"Keys {self._steps}"))
        elif self._dice.random() < 0.5:
            await reply(self._client, self._dice.choice(self._conversations), f"Hello {self._steps}")
        else:
            await self._change()

    async def _change(self) -> None:
        first, second = self._dice.choices(self._conversations, k=2)
        host, guest = (encode_id(table, 1, self._dice.randint(1, 3)) for table in (t.Host, t.Client))
        booking = encode_id(t.Booking, 1, self._dice.choice(self._bookings))
        spam = self._dice.random() < 0.3
        name, input_ = self._dice.choice(
            [
                ("updateConversation", {"conversationId": first, "closed": self._dice.random() < 0.5}),
                ("updateConversation", {"conversationId": first, "assigneeId": host}),
                ("updateConversations", {"conversationIds": [first, second], "markedAsSpam": spam}),
                ("markConversationRead", {"conversationId": first, "read": self._dice.random() < 0.5}),
                ("addParticipant", {"conversationId": first, "memberId": guest}),
                ("connectBookings", {"conversationId": first, "bookingIds": [booking]}),
                ("connectBookings", {"conversationId": second, "bookingIds": [booking]}),
                ("disconnectBookings", {"conversationId": first, "bookingIds": [booking]}),
            ]
        )
        type_ = f"{name[0].upper()}{name[1:]}Input!"
        document = f"mutation ($input: {type_}) {{ {name}(input: $input) {{ userErrors {{ code message }} }} }}"
        data = await self._client.data(document, input=input_)
        assert data[name]["userErrors"] == []

    async def _remove(self, booking: int) -> None:
        file = self._folder / f"{booking}.json"
        file.write_text(json.dumps({"bookings": [], "meta": {"deleted_ids": [booking]}}))
        connection = await asyncpg.connect(self._dsn)
        report = await import_pages(connection, [file])
        await connection.close()
        assert report.deleted == {"bookings": 1}


@pytest.mark.parametrize("way", [by_websocket, by_event_stream])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
async def test_a_copy_of_a_client_that_disconnects_at_random_equals_a_fresh_query(
    dsn: str, connection: asyncpg.Connection, tmp_path: Path, way: Way, seed: int
) -> None:
    await store_account(connection)
    bookings = list(range(1, 13))
    for id_ in bookings:
        await store(connection, "bookings", account_id=1, id=id_, reference=f"REF{id_}")
    for id_ in (1, 2, 3):
        await store(connection, "clients", account_id=1, id=id_)
    for id_ in (2, 3):
        await store(connection, "hosts", account_id=1, id=id_)
    async with sockets(dsn, rate_limit=0, max_cost=100_000) as server:
        writers = [
            Hosts(server.client, dsn, tmp_path, bookings[place::3], Random(10 * seed + place))  # noqa: S311  # no secret
            for place in range(3)
        ]
        for writer in writers:
            await writer.steps(1)
        mirrors = [Mirror(server, Random(seed + place)) for place in range(3)]  # noqa: S311  # the same
        for mirror in mirrors:
            await mirror.read()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(mirror.run(way)) for mirror in mirrors]
            await asyncio.gather(*(writer.steps(20) for writer in writers))
            end, expected = await read_lists(server)
            async with asyncio.timeout(PATIENCE):
                while any(mirror.cursor != end for mirror in mirrors):  # noqa: ASYNC110  # they have no event for it
                    await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()

    assert [mirror.lists() for mirror in mirrors] == [expected] * 3
    # None of them followed without an interruption.
    assert all(mirror.interruptions > 0 for mirror in mirrors)
