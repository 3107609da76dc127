"""The change log has every commit, in order, without gaps, and can be read from any cursor."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from db import changes
from db import tables as t
from db.engine import Database
from gql.fields.node import encode_id
from gql.live import retention
from gql.log import TASK_FAILURES
from tests.support.client import Client
from tests.support.factories import log_changes, store, store_account

pytestmark = pytest.mark.anyio

CURSOR = "{ changesCursor }"
CHANGES = """
query($after: String!, $first: Int, $types: [ChangeType!], $conversation: ID) {
  changes(after: $after, first: $first, types: $types, conversationId: $conversation) {
    changes { type operation nodeId node { __typename id } conversation { id } cursor }
    endCursor hasMore
  }
}
"""
CREATE = 'mutation { createConversation(input: {subject: "Keys"}) { conversation { id } userErrors { code } } }'
REPLY = """
mutation($id: ID!) { createMessage(input: {conversationId: $id, content: "Hello", channel: EMAIL}) {
  message { id sender { id } } userErrors { code message }
} }
"""


async def cursor(client: Client) -> str:
    """The cursor of the log's end."""
    text: str = (await client.data(CURSOR))["changesCursor"]
    return text


async def page(client: Client, after: str, **variables: Any) -> dict[str, Any]:
    """A page of the log."""
    found: dict[str, Any] = (await client.data(CHANGES, after=after, **variables))["changes"]
    return found


def names(page: dict[str, Any]) -> list[tuple[str, str]]:
    """Type and id of each change."""
    return [(change["type"], change["nodeId"]) for change in page["changes"]]


async def test_a_message_is_a_change_of_itself_its_sender_and_its_conversation(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    start = await cursor(client)
    conversation = (await client.data(CREATE))["createConversation"]["conversation"]["id"]
    created = await page(client, start)
    message = (await client.data(REPLY, id=conversation))["createMessage"]["message"]

    sent = await page(client, created["endCursor"])

    assert names(created) == [("CONVERSATION", conversation)]
    assert {*names(sent)} == {
        ("MESSAGE", message["id"]),
        ("PARTICIPANT", message["sender"]["id"]),
        ("CONVERSATION", conversation),
    }
    assert all(change["node"]["id"] == change["nodeId"] for change in sent["changes"])
    assert {change["conversation"]["id"] for change in sent["changes"]} == {conversation}
    assert (created["hasMore"], sent["hasMore"]) == (False, False)
    assert sent["endCursor"] == await cursor(client)
    assert await page(client, sent["endCursor"]) == {"changes": [], "endCursor": sent["endCursor"], "hasMore": False}


async def write(client: Client, times: int) -> tuple[str, list[str]]:
    """Create a conversation with that many replies. Returns its id and those of the messages, in order."""
    conversation = (await client.data(CREATE))["createConversation"]["conversation"]["id"]
    sent = [(await client.data(REPLY, id=conversation))["createMessage"]["message"]["id"] for _ in range(times)]
    return conversation, sent


async def read_all(client: Client, after: str, **variables: Any) -> tuple[list[tuple[str, str]], list[int]]:
    """All changes after a cursor, page by page, and the size of each page."""
    found: list[tuple[str, str]] = []
    sizes: list[int] = []
    more = True
    while more:
        part = await page(client, after, **variables)
        found += names(part)
        sizes.append(len(part["changes"]))
        after, more = part["endCursor"], part["hasMore"]
    return found, sizes


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_pages_of_any_size_have_every_change(client: Client, connection: asyncpg.Connection, size: int) -> None:
    await store_account(connection)
    start = await cursor(client)
    conversation, messages = await write(client, 4)

    found, sizes = await read_all(client, start, first=size)

    assert [id_ for type_, id_ in found if type_ == "MESSAGE"] == messages
    assert ("CONVERSATION", conversation) in found
    assert max(sizes) <= size
    if size == 100:
        # The conversation and its participant changed four times, and are listed once, at their latest change.
        assert sizes == [len(messages) + 2]


async def test_the_cursor_of_a_change_is_where_the_next_page_begins(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    start = await cursor(client)
    await write(client, 2)
    found = (await page(client, start))["changes"]

    for place, change in enumerate(found):
        assert (await page(client, change["cursor"]))["changes"] == found[place + 1 :]


async def test_types_and_a_conversation_select_changes_and_the_cursor_moves_past_the_others(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    start = await cursor(client)
    first, messages = await write(client, 1)
    second, _ = await write(client, 1)

    only_messages = await page(client, start, types=["MESSAGE"], conversation=first)
    of_second, _ = await read_all(client, start, conversation=second)
    none = await page(client, start, types=["HOST"])

    assert names(only_messages) == [("MESSAGE", messages[0])]
    assert {type_ for type_, _ in of_second} == {"CONVERSATION", "PARTICIPANT", "MESSAGE"}
    assert none == {"changes": [], "endCursor": await cursor(client), "hasMore": False}


async def test_types_without_their_scope_are_left_out_or_refused(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    start = await cursor(client)
    await log_changes(connection, 1, ("BOOKING", 5, None), ("MESSAGE", 6, 1), ("CLIENT", 7, None))
    plain = (
        "query($after: String!, $types: [ChangeType!]) { changes(after: $after, types: $types) { changes { type } } }"
    )
    reader = client.as_(1, scopes=["inbox_read"])

    seen = await reader.data(plain, after=start)
    refused = await reader.error(plain, after=start, types=["MESSAGE", "BOOKING"])

    assert seen == {"changes": {"changes": [{"type": "MESSAGE"}]}}
    assert refused == ("FORBIDDEN", "These types require the scopes bookings_read")


async def test_a_removed_node_is_null(client: Client, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    start = await cursor(client)
    await log_changes(connection, 1, ("BOOKING", 5, None), operation="REMOVED")

    (change,) = (await page(client, start))["changes"]

    assert (change["operation"], change["node"]) == ("REMOVED", None)
    assert change["nodeId"] == encode_id(t.Booking, 1, 5)


@pytest.mark.parametrize(
    "change",
    ["UPDATE epochs SET value = 'another'", "UPDATE change_counters SET removed = number WHERE account_id = 1"],
)
async def test_a_cursor_that_cannot_be_continued_asks_for_a_resync(
    client: Client, connection: asyncpg.Connection, change: str
) -> None:
    await store_account(connection)
    start = await cursor(client)
    await write(client, 1)
    await connection.execute(change)

    assert await client.error(CHANGES, after=start) == (
        "RESYNC_REQUIRED",
        "The change log cannot be continued from this cursor: read the lists again, with changesCursor",
    )
    assert (await page(client, await cursor(client)))["changes"] == []


async def test_only_cursors_of_the_viewers_log_are_accepted(client: Client, connection: asyncpg.Connection) -> None:
    await store_account(connection, 1)
    await store_account(connection, 2)
    own, foreign = await cursor(client), await cursor(client.as_(2))
    await write(client.as_(2), 1)

    for text in ("", "x", own[:-2], own + "=", foreign, "W10"):
        assert await client.error(CHANGES, after=text) == ("BAD_USER_INPUT", "This is not a cursor of the change log")
    assert (await page(client, own))["changes"] == []


async def test_a_page_takes_two_statements_and_one_for_each_type(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    start = await cursor(client)
    await write(client, 3)
    client.statements.take()

    await page(client, start)

    # The counter and the log; conversations of nodes and of changes together, messages and participants.
    assert len(client.statements.take()) == 5


async def test_what_commits_later_is_behind_the_cursor_of_who_read_before(
    client: Client, connection: asyncpg.Connection, dsn: str
) -> None:
    """A transaction that began first and commits last would be lost if changes were ordered by time."""
    await store_account(connection)
    start = await cursor(client)
    slow = await asyncpg.connect(dsn)
    began = slow.transaction()
    await began.start()
    await store(slow, "bookings", account_id=1, id=900, reference="Slow")
    conversation, _ = await write(client, 1)
    before = await page(client, start)
    await log_changes(slow, 1, ("BOOKING", 900, None))
    await began.commit()
    await slow.close()

    after = await page(client, before["endCursor"])

    assert ("CONVERSATION", conversation) in names(before)
    assert names(after) == [("BOOKING", encode_id(t.Booking, 1, 900))]


async def test_writers_at_once_leave_no_gap_and_readers_miss_nothing(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    start = await cursor(client)
    done = asyncio.Event()
    seen: list[tuple[str, str]] = []

    async def follow() -> None:
        after, last = start, False
        while not last:
            last = done.is_set()
            part = await page(client, after, first=3, types=["MESSAGE"])
            seen.extend(names(part))
            after = part["endCursor"]
            last = last and not part["hasMore"]

    reader = asyncio.create_task(follow())
    written = await asyncio.gather(*(write(client, 5) for _ in range(16)))
    done.set()
    await reader

    assert sorted(id_ for _, id_ in seen) == sorted(id_ for _, ids in written for id_ in ids)
    numbers = [row["number"] for row in await connection.fetch("SELECT number FROM changes ORDER BY number")]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_old_changes_are_removed_a_few_at_a_time_and_older_cursors_need_a_resync(
    client: Client, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "REMOVED_AT_ONCE", 3)
    for account in (1, 2):
        await store_account(connection, account)
    start = await cursor(client)
    await log_changes(connection, 1, *(("BOOKING", id_, None) for id_ in range(1, 8)))
    await connection.execute("UPDATE changes SET at = now() - interval '31 days' WHERE number <= 5")
    # An old change after a new one stays, because changes are removed from the beginning of the log only.
    await connection.execute("UPDATE changes SET at = now() - interval '31 days' WHERE number = 7")
    await log_changes(connection, 2, ("BOOKING", 1, None))
    before = (await page(client, start))["changes"]

    removed = [await changes.remove_old(connection, 30) for _ in range(3)]

    assert removed == [3, 2, 0]
    kept = [tuple(row) for row in await connection.fetch("SELECT account_id, number FROM changes ORDER BY 1, 2")]
    assert kept == [(1, 6), (1, 7), (2, 1)]
    assert await client.error(CHANGES, after=start) == (
        "RESYNC_REQUIRED",
        "The change log cannot be continued from this cursor: read the lists again, with changesCursor",
    )
    assert await client.error(CHANGES, after=before[3]["cursor"])
    assert (await page(client, before[4]["cursor"]))["changes"] == before[5:]


async def test_one_process_at_a_time_removes_old_changes(connection: asyncpg.Connection, dsn: str) -> None:
    await store_account(connection)
    await log_changes(connection, 1, ("BOOKING", 1, None))
    await connection.execute("UPDATE changes SET at = now() - interval '31 days'")
    other = await asyncpg.connect(dsn)
    async with other.transaction():
        assert await changes.remove_old(other, 30) == 1

        assert await changes.remove_old(connection, 30) == 0
    await other.close()
    assert await connection.fetchval("SELECT count(*) FROM changes") == 0


async def test_a_removal_that_fails_is_counted_logged_and_tried_again(
    connection: asyncpg.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_FIRST", "_INTERVAL", "_PAUSE"):
        monkeypatch.setattr(retention, name, 0.001)
    await store_account(connection)
    await log_changes(connection, 1, ("BOOKING", 1, None))
    await connection.execute("UPDATE changes SET at = now() - interval '31 days'")
    await connection.execute("ALTER TABLE change_counters RENAME COLUMN removed TO lost")
    TASK_FAILURES.clear()
    database = Database(dsn, pool_size=1)
    await database.start()

    with capture_logs() as logged:
        task = asyncio.create_task(retention.keep_removing(database, 30))
        async with asyncio.timeout(10):
            while not TASK_FAILURES:  # noqa: ASYNC110  # a counter has no event
                await asyncio.sleep(0.001)
            await connection.execute("ALTER TABLE change_counters RENAME COLUMN lost TO removed")
            while await connection.fetchval("SELECT count(*) FROM changes"):  # noqa: ASYNC110  # nor has a row
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
    await database.stop()

    assert set(TASK_FAILURES) == {"change retention"}
    failures = [line for line in logged if line["event"] == "old changes were not removed"]
    assert len(failures) == TASK_FAILURES["change retention"]
    assert "UndefinedColumnError" in failures[0]["error"]


async def test_a_new_epoch_needs_a_resync(client: Client, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    start = await cursor(client)

    await changes.start_epoch(connection)

    assert (await client.error(CHANGES, after=start))[0] == "RESYNC_REQUIRED"
    assert await cursor(client) != start


async def test_writers_of_which_many_roll_back_leave_no_gap(connection: asyncpg.Connection, dsn: str) -> None:
    """16 simultaneous connections keep each transaction open for a while, and roll a third of them back."""
    for account in (1, 2):
        await store_account(connection, account)

    async def work(writer: int) -> int:
        own = await asyncpg.connect(dsn)
        dice = Random(writer)  # noqa: S311  # an order, not a secret
        committed = 0
        for nth in range(20):
            transaction = own.transaction()
            await transaction.start()
            await asyncio.sleep(dice.random() / 100)
            await log_changes(own, 1 + nth % 2, ("BOOKING", writer * 100 + nth, None))
            if dice.random() < 1 / 3:
                await transaction.rollback()
            else:
                await transaction.commit()
                committed += 1
        await own.close()
        return committed

    total = sum(await asyncio.gather(*map(work, range(16))))

    found = await connection.fetch(
        """SELECT count(*) AS count, max(l.number) AS last, c.number AS counter
        FROM changes l JOIN change_counters c USING (account_id) GROUP BY account_id, c.number"""
    )
    assert sum(row["count"] for row in found) == total
    assert all(row["count"] == row["last"] == row["counter"] for row in found)
