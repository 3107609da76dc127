"""What a subscriber gets: changes as they are committed, what was missed first, nothing twice and nothing lost."""

from __future__ import annotations

import asyncio
from itertools import count
from types import SimpleNamespace

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from gql.live import feed, group
from gql.log import LIVE_STEPS
from tests.support.client import Client, Statements
from tests.support.factories import log_changes, store_account
from tests.support.following import FOLLOW, Follower, create, cursor, eventually, following, listening, reply

pytestmark = pytest.mark.anyio

WHOLE = """
subscription Whole {
  changes {
    changes { type operation nodeId node { ... on Conversation { id subject } } conversation { id } cursor }
    endCursor
    query { inboxCounts { open } }
  }
}
"""


async def test_a_commit_is_an_event_with_the_changes_the_cursor_and_the_other_selected_fields(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    async with listening(dsn) as client, following(client, WHOLE) as follower:
        headers = follower.response.headers
        conversation = await create(client)

        event = await follower.next()

        end = await cursor(client)
        assert event.id == end
        assert event.data == {
            "data": {
                "changes": {
                    "changes": [
                        {
                            "type": "CONVERSATION",
                            "operation": "UPSERTED",
                            "nodeId": conversation,
                            "node": {"id": conversation, "subject": "Keys"},
                            "conversation": {"id": conversation},
                            "cursor": end,
                        }
                    ],
                    "endCursor": end,
                    "query": {"inboxCounts": {"open": 1}},
                }
            }
        }
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in headers


async def test_what_was_missed_comes_first_in_pages_and_then_what_happens(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        start = await cursor(client)
        await log_changes(connection, 1, *(("BOOKING", id_, None) for id_ in range(1, 251)))
        async with following(client, after=start) as follower:
            missed = [await follower.next() for _ in range(3)]
            conversation = await create(client)
            new = await follower.next()

    assert [len(event.changes) for event in missed] == [100, 100, 50]
    assert [change for event in missed for change in event.changes] == [
        ("BOOKING", encode_id(t.Booking, 1, id_)) for id_ in range(1, 251)
    ]
    assert new.changes == [("CONVERSATION", conversation)]


async def test_a_reader_that_connects_again_and_again_misses_nothing_and_gets_nothing_twice(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    seen: list[str] = []
    async with listening(dsn) as client:
        last = await cursor(client)

        async def write() -> list[str]:
            return [await reply(client, conversation) for _ in range(6)]

        conversation = await create(client)
        writing = asyncio.gather(*(write() for _ in range(5)))
        while len(seen) < 30:
            async with following(client, last=last, types=["MESSAGE"]) as follower:
                for _ in range(2):
                    event = await follower.next()
                    assert event.id is not None
                    last = event.id
                    seen += [id_ for _, id_ in event.changes]
                    if len(seen) == 30:
                        break
        written = [id_ for ids in await writing for id_ in ids]

    assert sorted(seen) == sorted(written)


async def test_types_and_a_conversation_select_what_is_published(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        first, second = await create(client), await create(client)
        async with (
            following(client, types=["MESSAGE"]) as messages,
            following(client, conversation=second) as of_second,
        ):
            early = await reply(client, first)
            late = await reply(client, second)
            seen: list[tuple[str, str]] = []
            while len(seen) < 2:
                seen += (await messages.next()).changes
            only = await of_second.next()

    assert seen == [("MESSAGE", early), ("MESSAGE", late)]
    assert {id_ for _, id_ in only.changes} >= {late, second}
    assert first not in {id_ for _, id_ in only.changes}


async def test_last_event_id_takes_the_place_of_after(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        start = await cursor(client)
        await create(client)
        last = await cursor(client)
        conversation = await create(client)
        async with following(client, after=start, last=last) as follower:
            assert (await follower.next()).changes == [("CONVERSATION", conversation)]


async def test_a_burst_of_changes_is_one_event(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client, following(client) as follower:
        async with connection.transaction():
            for number in range(1, 6):
                await log_changes(connection, 1, ("BOOKING", number, None), ("HOST", number, None))
        event = await follower.next()

    assert len(event.changes) == 10


async def test_changes_are_collected_for_as_long_as_the_last_round_took(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each round takes ten seconds on this clock.
    clock = count(step=10)
    monkeypatch.setattr(group, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(feed, "LONGEST_REST", 1.0)
    await store_account(connection)
    async with listening(dsn) as client, following(client) as follower:
        await create(client)
        await follower.next()
        conversations = []
        for _ in range(4):
            conversations.append(await create(client))
            # Longer than commits are collected.
            await asyncio.sleep(0.03)
        event = await follower.next()

    assert event.changes == [("CONVERSATION", conversation) for conversation in conversations]


async def test_an_event_takes_a_look_at_the_log_and_the_statements_of_its_document(
    dsn: str, connection: asyncpg.Connection, statements: Statements
) -> None:
    await store_account(connection)
    async with listening(dsn, statements) as client, following(client) as follower:
        await create(client)
        await follower.next()
        statements.take()
        await log_changes(connection, 1, ("BOOKING", 1, None))
        statements.take()

        await follower.next()
        own = [sql for sql in statements.take() if "unnest" not in sql]

    # The counter and the log; the document asks for nothing else. The look each second is the one with `unnest`.
    assert len(own) == 2
    assert "FROM epochs LEFT JOIN change_counters" in own[0]
    assert "FROM changes" in own[1]


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_a_plain_request_says_how_to_subscribe(dsn: str, connection: asyncpg.Connection, accept: str) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        response = await client.http.post(
            "/graphql", json={"query": FOLLOW}, headers=client.headers | {"accept": accept}
        )

    message = (
        "A subscription has many results: send it over a WebSocket with the subprotocol graphql-transport-ws, or with "
        "the header Accept: text/event-stream"
    )
    assert response.json() == {"errors": [{"message": message, "extensions": {"code": "BAD_USER_INPUT"}}]}
    assert response.status_code == (200 if accept == "application/json" else 400)


async def test_who_begins_while_the_others_are_late_gets_nothing_twice(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    document = """subscription Late {
      changes { changes { type nodeId node { ... on Booking { reference } } } }
    }"""

    async def waiting() -> int:
        number: int = await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return number

    def booking(id_: int) -> tuple[str, str]:
        return "BOOKING", encode_id(t.Booking, 1, id_)

    other = await asyncpg.connect(dsn)
    async with listening(dsn) as client, following(client, document) as early:
        async with other.transaction():
            await other.execute("LOCK TABLE bookings IN ACCESS EXCLUSIVE MODE")
            reads = LIVE_STEPS["read"]
            await log_changes(connection, 1, ("BOOKING", 1, None))
            await eventually(waiting)
            await log_changes(connection, 1, ("BOOKING", 2, None))
            # The log was read further than the first subscriber has got.
            await eventually(lambda: LIVE_STEPS["read"] - reads, 2)
            late = await begin(client, document)
        seen = [(await early.next()).changes, (await early.next()).changes]
        await log_changes(connection, 1, ("BOOKING", 3, None))
        new = [(await early.next()).changes, (await late.next()).changes]
        await late.response.aclose()
    await other.close()

    assert seen == [[booking(1)], [booking(2)]]
    assert new == [[booking(3)], [booking(3)]]


async def begin(client: Client, document: str) -> Follower:
    """A follower that outlives the block in which it began."""
    headers = client.headers | {"Accept": "text/event-stream"}
    request = client.http.build_request("POST", "/graphql", json={"query": document}, headers=headers)
    return Follower(await client.http.send(request, stream=True))
