"""Concurrent writes: one after the other in a document, and simultaneously from several clients.

To make requests simultaneous, a test locks the row that they need until all of them wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.oracles.answers import LIMITS, ask, expected
from tests.oracles.recomputation import derived_columns, last_sent
from tests.support import world
from tests.support.client import Client
from tests.support.factories import MOMENT, store
from tests.support.serving import serving
from tests.support.world import (
    APPLICATION,
    BOOKING,
    CLIENT_PARTICIPANT,
    CONVERSATION,
    FREE_BOOKING,
    OTHER_BOOKING,
    OTHER_CONVERSATION,
    World,
)

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
STEP = timedelta(milliseconds=1)
FIRST, SECOND = (encode_id(t.Conversation, 1, id_) for id_ in (CONVERSATION, OTHER_CONVERSATION))
WAITING = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"


@pytest.fixture
async def inbox(shared: World, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of an account with rows, with a stopped clock."""
    monkeypatch.setattr("db.queries.writing.now", lambda: NOW)
    await shared.fill(1)
    return shared.client


@pytest.fixture
async def other(inbox: Client, shared_dsn: str) -> AsyncIterator[Client]:
    """A client of a second application on the same database, with room for 20 simultaneous writes of one actor."""
    async with serving(shared_dsn, inbox.statements, pool_size=40) as other:
        yield other


@asynccontextmanager
async def held(connection: asyncpg.Connection[Any], table: str, id_: int) -> AsyncIterator[None]:
    """Lock the row against changes and new references during the block."""
    async with connection.transaction():
        await connection.execute(f"SELECT 1 FROM {table} WHERE id = $1 FOR UPDATE", id_)  # noqa: S608  # the test's own
        yield


async def waiting(connection: asyncpg.Connection[Any], many: int) -> None:
    """Return when that many sessions wait for a lock."""
    async with asyncio.timeout(8):
        while await connection.fetchval(WAITING) < many:
            pass


async def at_once(shared: World, table: str, id_: int, *requests: Awaitable[Any]) -> list[Any]:
    """The responses to requests that all waited for the same row before the first one continued."""
    async with held(shared.connection, table, id_):
        tasks = [asyncio.ensure_future(request) for request in requests]
        await waiting(shared.connection, len(tasks))
    return await asyncio.gather(*tasks)


async def update(client: Client, **changes: Any) -> Any:
    """The payload of an update."""
    data = await client.data(
        """mutation($input: UpdateConversationInput!) {
        it: updateConversation(input: $input) { conversation { databaseId } userErrors { code } } }""",
        input={"conversationId": FIRST, **changes},
    )
    return data["it"]


async def link(client: Client, field: str, *ids: int, conversation: str = FIRST) -> Any:
    """The payload of connecting or disconnecting."""
    data = await client.data(
        f"mutation($c: ID!, $b: [ID!]!) {{ it: {field}(input: {{conversationId: $c, bookingIds: $b}}) {{ "
        "conversation { bookings { nodes { databaseId } } } userErrors { code } } }",
        c=conversation,
        b=bookings(*ids),
    )
    return data["it"]


def bookings(*ids: int) -> list[str]:
    """Their global ids."""
    return [encode_id(t.Booking, 1, id_) for id_ in ids]


async def row(shared: World) -> Any:
    """The stored conversation."""
    return await shared.connection.fetchrow("SELECT * FROM conversations WHERE id = $1", CONVERSATION)


async def links(shared: World, conversation: int = CONVERSATION) -> list[int]:
    """The bookings that the conversation is connected to."""
    rows = await shared.connection.fetch(
        "SELECT booking_id FROM conversation_bookings WHERE conversation_id = $1 ORDER BY 1", conversation
    )
    return [row["booking_id"] for row in rows]


DONE = {"conversation": {"databaseId": "10"}, "userErrors": []}


async def test_two_connects_of_one_booking_make_one_link(shared: World, inbox: Client, other: Client) -> None:
    payloads = await at_once(
        shared,
        "conversations",
        CONVERSATION,
        link(inbox, "connectBookings", FREE_BOOKING),
        link(other, "connectBookings", FREE_BOOKING),
    )

    nodes = [{"databaseId": str(booking)} for booking in (BOOKING, OTHER_BOOKING, FREE_BOOKING)]
    assert payloads == [{"conversation": {"bookings": {"nodes": nodes}}, "userErrors": []}] * 2
    assert await links(shared) == [BOOKING, OTHER_BOOKING, FREE_BOOKING]
    assert (await row(shared))["updated_at"] == NOW


async def test_two_updates_at_once_both_count(shared: World, inbox: Client, other: Client) -> None:
    host = encode_id(t.Host, 1, world.OTHER_HOST)

    payloads = await at_once(
        shared,
        "conversations",
        CONVERSATION,
        update(inbox, closed=True),
        update(other, assigneeId=host),
    )

    assert payloads == [DONE, DONE]
    stored = await row(shared)
    assert (stored["closed_at"], stored["assignee_id"], stored["updated_at"]) == (NOW, world.OTHER_HOST, NOW + STEP)


async def test_two_closings_at_once_close_once(shared: World, inbox: Client, other: Client) -> None:
    payloads = await at_once(
        shared, "conversations", CONVERSATION, update(inbox, closed=True), update(other, closed=True)
    )

    assert payloads == [DONE, DONE]
    stored = await row(shared)
    assert (stored["closed_at"], stored["updated_at"]) == (NOW, NOW)


async def test_a_connect_and_a_disconnect_at_once_end_as_one_after_the_other(
    shared: World, inbox: Client, other: Client
) -> None:
    await at_once(
        shared,
        "conversations",
        CONVERSATION,
        link(inbox, "connectBookings", FREE_BOOKING),
        link(other, "disconnectBookings", FREE_BOOKING),
    )

    outcome = (FREE_BOOKING in await links(shared), (await row(shared))["updated_at"])
    # If disconnecting is first, it changes nothing; if connecting is first, it is undone.
    assert outcome in {(True, NOW), (False, NOW + STEP)}


async def test_two_creations_with_the_same_bookings_both_have_them(shared: World, inbox: Client, other: Client) -> None:
    document = """mutation($ids: [ID!]) { createConversation(input: {bookingIds: $ids}) {
        conversation { databaseId } userErrors { code } } }"""
    ids = bookings(BOOKING, FREE_BOOKING)

    answers = await at_once(
        shared, "bookings", BOOKING, inbox.data(document, ids=ids), other.data(document, ids=list(reversed(ids)))
    )

    created = {int(answer["createConversation"]["conversation"]["databaseId"]) for answer in answers}
    assert len(created) == 2
    assert [await links(shared, id_) for id_ in created] == [[BOOKING, FREE_BOOKING]] * 2


async def test_many_updates_at_once_end_as_one_after_the_other(shared: World, other: Client) -> None:
    channels = [str(channel) for channel in t.Channel]
    wanted = []
    for place in range(20):
        await store(shared.connection, "hosts", account_id=1, id=100 + place)
        wanted.append((100 + place, channels[place % len(channels)]))

    payloads = await at_once(
        shared,
        "conversations",
        CONVERSATION,
        *(update(other, assigneeId=encode_id(t.Host, 1, host), defaultChannel=channel) for host, channel in wanted),
    )

    assert payloads == [DONE] * 20
    stored = await row(shared)
    assert (stored["assignee_id"], stored["default_channel"]) in wanted
    # Each of them changed the row, and no change was lost.
    assert stored["updated_at"] == NOW + 19 * STEP


async def test_writes_that_cross_do_not_wait_for_each_other_forever(
    shared: World, inbox: Client, other: Client
) -> None:
    fields = "connectBookings(input: {{conversationId: {0}, bookingIds: $ids}}) {{ userErrors {{ code }} }}"
    there, back = (
        f"mutation($x: ID!, $y: ID!, $ids: [ID!]!) {{ a: {fields.format(a)} b: {fields.format(b)} }}"
        for a, b in (("$x", "$y"), ("$y", "$x"))
    )
    ids = bookings(BOOKING, OTHER_BOOKING, FREE_BOOKING)
    variables = {"x": FIRST, "y": SECOND}

    async with held(shared.connection, "bookings", FREE_BOOKING):
        tasks = [
            asyncio.ensure_future(client.data(document, ids=order, **variables))
            for client in (inbox, other)
            for document in (there, back)
            for order in (ids, ids[::-1])
        ]
        await waiting(shared.connection, 6)
    answers = await asyncio.gather(*tasks)

    assert answers == [{"a": {"userErrors": []}, "b": {"userErrors": []}}] * 8
    assert [await links(shared, id_) for id_ in (CONVERSATION, OTHER_CONVERSATION)] == [
        [BOOKING, OTHER_BOOKING, FREE_BOOKING]
    ] * 2


async def test_an_update_does_not_wait_for_a_message_that_is_being_added(shared: World, inbox: Client) -> None:
    async with shared.connection.transaction():
        await store(
            shared.connection,
            "messages",
            account_id=1,
            conversation_id=CONVERSATION,
            sender_id=world.CLIENT_PARTICIPANT,
        )

        assert await update(inbox, closed=True) == DONE


async def busy_inbox(shared: World) -> dict[str, str]:
    """Two conversations without messages, which a guest takes part in, and a host in the first: the guests' ids."""
    await shared.connection.execute(
        "DELETE FROM activities; DELETE FROM messages; UPDATE conversations SET default_channel = 'EMAIL'"
    )
    there = {"account_id": 1, "conversation_id": OTHER_CONVERSATION}
    await store(shared.connection, "participants", id=60, member_type="CLIENT", member_id=world.CLIENT, **there)
    return {FIRST: encode_id(t.Participant, 1, CLIENT_PARTICIPANT), SECOND: encode_id(t.Participant, 1, 60)}


async def keep_busy(client: Client, place: int, guests: dict[str, str]) -> list[Any]:
    """Run the writes of one of many clients in both conversations, each in another order; return the responses."""
    there, back = list(guests) if place % 2 else list(guests)[::-1]
    channel = client.as_(1, f"application:{APPLICATION}")
    # Some messages are delivered after later ones.
    hello, hi, bye = (
        (MOMENT + (place * 7 % 20 - shift) * STEP).isoformat(timespec="milliseconds") for shift in (0, 5, 10)
    )
    write = "mutation($i: CreateMessageInput!) { it: createMessage(input: $i) { userErrors { code } } }"
    mark = "mutation($i: MarkConversationReadInput!) { it: markConversationRead(input: $i) { userErrors { code } } }"
    change = "mutation($i: UpdateConversationInput!) { it: updateConversation(input: $i) { userErrors { code } } }"
    close = "mutation($i: UpdateConversationsInput!) { it: updateConversations(input: $i) { userErrors { code } } }"
    steps: list[tuple[Client, str, dict[str, Any]]] = [
        (channel, write, {"content": f"Hello {place}", "senderId": guests[there], "sentAt": hello}),
        (client, write, {"content": f"Hi {place}", "sentAt": hi}),
        (client, mark, {"read": place % 3 > 0}),
        (client, close, {"conversationIds": [back, there], "closed": place % 4 > 0}),
        (client, write, {"content": f"Note {place}", "visibility": "INTERNAL"}),
        (client, change, {"closed": True}),
        (channel, write, {"content": f"Bye {place}", "senderId": guests[there], "sentAt": bye}),
    ]
    return [
        await viewer.answer(document, i=given if "conversationIds" in given else {"conversationId": there, **given})
        for viewer, document, given in (steps[place % 2 :] + steps[: place % 2])
    ]


async def test_20_clients_at_once_lose_no_message_and_leave_what_the_rows_say(
    shared: World, other: Client, shared_dsn: str
) -> None:
    guests = await busy_inbox(shared)
    await asyncio.gather(*(other.as_(1, subject).data("{ __typename }") for subject in ("user:1", "application:65")))

    async with held(shared.connection, "conversations", CONVERSATION):
        await shared.connection.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", OTHER_CONVERSATION)
        tasks = [asyncio.ensure_future(keep_busy(other, place, guests)) for place in range(20)]
        await waiting(shared.connection, 20)
    answers = await asyncio.gather(*tasks)

    assert answers == [[{"data": {"it": {"userErrors": []}}}] * 7] * 20
    rows = await world.dump(shared.connection)
    contents = sorted(row["content"] for row in rows["messages"])
    assert contents == sorted(f"{word} {place}" for place in range(20) for word in ("Hello", "Hi", "Note", "Bye"))
    shown = {row["id"]: {name: row[name] for name in derived_columns(rows)[row["id"]]} for row in rows["conversations"]}
    assert shown == derived_columns(rows)
    async with serving(shared_dsn, other.statements, rate_limit=0, **LIMITS) as reader:
        found = await ask(reader, rows, ["hello", "bye", "19"])
    assert found == expected(rows, world.USER, ["hello", "bye", "19"])
    assert [len(node["messages"]) for node in found["all"]] == [40, 40]
    assert {row["id"]: row["last_message_sent_at"] for row in rows["participants"]} == last_sent(rows)
    # The host took part in the first already, and joined the second once.
    assert sorted(row["conversation_id"] for row in rows["participants"] if row["host_id"]) == [
        CONVERSATION,
        OTHER_CONVERSATION,
    ]
    # Forty messages each, and none of the moments of change was given twice.
    assert all(row["updated_at"] >= NOW + 39 * STEP for row in rows["conversations"])


async def test_a_client_that_goes_away_while_waiting_changes_nothing(shared: World, inbox: Client) -> None:
    before = await world.dump(shared.connection)
    async with held(shared.connection, "conversations", CONVERSATION):
        request = asyncio.ensure_future(update(inbox, closed=True))
        await waiting(shared.connection, 1)
        request.cancel()
        await asyncio.wait([request])

    assert request.cancelled()
    assert await update(inbox, closed=False) == DONE
    assert await world.dump(shared.connection) == before


async def test_a_write_that_takes_too_long_changes_nothing(shared: World, inbox: Client, shared_dsn: str) -> None:
    before = await world.dump(shared.connection)
    document = "mutation($c: ID!) { updateConversation(input: {conversationId: $c, closed: true}) { __typename } }"
    async with serving(shared_dsn, inbox.statements, operation_timeout=0.3, pool_size=1) as hasty:
        async with held(shared.connection, "conversations", CONVERSATION):
            assert await hasty.error(document, c=FIRST) == ("TIMEOUT", "The operation took longer than 0.3 seconds")

        assert await world.dump(shared.connection) == before
    # Including delays on a busy machine.
    assert await inbox.data(document, c=FIRST) == {"updateConversation": {"__typename": "UpdateConversationPayload"}}


async def test_several_mutations_run_one_after_the_other_and_each_shows_its_own_outcome(inbox: Client) -> None:
    shown = "conversation { closed updatedAt bookings { totalCount nodes { databaseId } } }"

    data = await inbox.data(
        f"""
        mutation($c: ID!, $free: [ID!]!, $all: [ID!]!) {{
          close: updateConversation(input: {{conversationId: $c, closed: true}}) {{
            {shown} }}
          connect: connectBookings(input: {{conversationId: $c, bookingIds: $free}}) {{
            {shown} }}
          open: updateConversation(input: {{conversationId: $c, closed: false}}) {{
            {shown} }}
          disconnect: disconnectBookings(input: {{conversationId: $c, bookingIds: $all}}) {{
            {shown} }}
        }}""",
        c=FIRST,
        free=bookings(FREE_BOOKING),
        all=bookings(BOOKING, OTHER_BOOKING, FREE_BOOKING),
    )

    two, three, none = (
        {"totalCount": len(ids), "nodes": [{"databaseId": str(id_)} for id_ in ids]}
        for ids in ([BOOKING, OTHER_BOOKING], [BOOKING, OTHER_BOOKING, FREE_BOOKING], [])
    )
    moments = [f"2026-06-01T12:00:00.{thousandths}Z" for thousandths in ("000", "001", "002", "003")]
    assert data == {
        "close": {"conversation": {"closed": True, "updatedAt": moments[0], "bookings": two}},
        "connect": {"conversation": {"closed": True, "updatedAt": moments[1], "bookings": three}},
        "open": {"conversation": {"closed": False, "updatedAt": moments[2], "bookings": three}},
        "disconnect": {"conversation": {"closed": False, "updatedAt": moments[3], "bookings": none}},
    }


async def test_a_mutation_that_fails_leaves_the_ones_before_it_done(shared: World, inbox: Client) -> None:
    data = await inbox.data(
        """
        mutation($c: ID!, $none: [ID!]!) {
          first: updateConversation(input: {conversationId: $c, closed: true}) {
            conversation { closed } userErrors { code } }
          second: connectBookings(input: {conversationId: $c, bookingIds: $none}) {
            conversation { closed } userErrors { code } }
          third: updateConversation(input: {conversationId: $c, markedAsSpam: true}) {
            conversation { closed markedAsSpam } userErrors { code } }
        }""",
        c=FIRST,
        none=bookings(999),
    )

    assert data == {
        "first": {"conversation": {"closed": True}, "userErrors": []},
        "second": {"conversation": None, "userErrors": [{"code": "NOT_FOUND"}]},
        "third": {"conversation": {"closed": True, "markedAsSpam": True}, "userErrors": []},
    }
    stored = await row(shared)
    assert (stored["closed_at"], stored["marked_as_spam_at"]) == (NOW, NOW + STEP)
