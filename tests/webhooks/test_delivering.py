"""Events arrive at the endpoints that ask for them: signed, in order, and again if they were not accepted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from db import tables as t
from db.failure import UnavailableError
from gql.fields.node import encode_id
from gql.security.secret import Secrets
from gql.webhooks import worker
from tests.support.delivering import (
    FAST,
    OLD_WHSEC,
    WHSEC,
    Received,
    Receiver,
    delivering,
    receiving,
    settled,
    store_endpoint,
    until,
)
from tests.support.replying import THERE, send
from tests.support.world import OTHER_CONVERSATION, World

pytestmark = pytest.mark.anyio

THERE_TOO = encode_id(t.Conversation, 1, OTHER_CONVERSATION)


@pytest.fixture
async def filled(shared: World) -> World:
    """An account with a guest, whose conversations have a channel, and no webhooks."""
    await shared.fill(1)
    await shared.connection.execute("UPDATE conversations SET default_channel = 'EMAIL'")
    await shared.connection.execute("DELETE FROM webhook_attempts; DELETE FROM webhook_deliveries")
    await shared.connection.execute("DELETE FROM webhook_endpoints")
    return shared


async def write(world: World, *contents: str, there: str = THERE) -> None:
    """Write messages, one after the other."""
    for content in contents:
        payload = await send(world.client, content=content, conversationId=there, visibility="INTERNAL")
        assert payload["userErrors"] == []


async def contents(world: World, received: list[Received]) -> list[str]:
    """The contents of the messages that were received."""
    rows = await world.connection.fetch("SELECT id, content FROM messages WHERE account_id = 1")
    known = {encode_id(t.Message, 1, row["id"]): row["content"] for row in rows}
    return [known[each.payload["data"]["messageId"]] for each in received]


async def test_a_reply_is_delivered_with_a_signature(filled: World, shared_dsn: str, receiver: Receiver) -> None:
    await store_endpoint(filled.connection, f"{receiver.url}/hook?a=%20b", "MESSAGE_OUTGOING")
    async with delivering(shared_dsn):
        await send(filled.client, content="Hello")
        (received,) = await receiver.wait(1)
        (delivery,) = await settled(filled.connection)

    message, at = await filled.connection.fetchrow("SELECT id, created_at FROM messages ORDER BY id DESC LIMIT 1")
    payload = received.payload
    assert abs(datetime.fromisoformat(payload.pop("timestamp")) - at) < timedelta(seconds=5)
    ids = {"messageId": encode_id(t.Message, 1, message), "conversationId": THERE}
    assert payload == {"type": "MESSAGE_OUTGOING", "data": ids}
    assert received.path == "/hook?a=%20b"
    assert received.headers["content-type"] == "application/json"
    assert received.id == delivery["message_id"]
    Webhook(WHSEC).verify(received.body, received.headers)
    assert (delivery["state"], delivery["attempt_count"], delivery["due_at"]) == ("DELIVERED", 1, None)
    (attempt,) = await filled.connection.fetch("SELECT * FROM webhook_attempts")
    assert (attempt["number"], attempt["status"], attempt["answer"], attempt["error"]) == (1, 200, "Thanks", None)
    assert attempt["delivery_id"] == delivery["id"]


async def test_while_a_secret_is_replaced_both_are_valid(filled: World, shared_dsn: str, receiver: Receiver) -> None:
    old = Secrets(filled.client.settings).encrypt(OLD_WHSEC)
    now = datetime.now(UTC)
    for place, end in enumerate((now + timedelta(hours=1), now - timedelta(seconds=1))):
        columns = {"previous_secret": old, "previous_secret_until": end}
        await store_endpoint(filled.connection, f"{receiver.url}/{place}", **columns)
    async with delivering(shared_dsn):
        await write(filled, "Hello")
        received = {each.path: each for each in await receiver.wait(2)}
        await settled(filled.connection)

    assert [len(received[path].headers["webhook-signature"].split()) for path in ("/0", "/1")] == [2, 1]
    for secret in (WHSEC, OLD_WHSEC):
        Webhook(secret).verify(received["/0"].body, received["/0"].headers)
    Webhook(WHSEC).verify(received["/1"].body, received["/1"].headers)


async def test_each_endpoint_gets_the_events_that_it_asks_for(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    await store_endpoint(
        filled.connection, f"{receiver.url}/all", "MESSAGE_OUTGOING", "MESSAGE_CREATED", "BOOKINGS_CHANGED"
    )
    await store_endpoint(filled.connection, f"{receiver.url}/one", "CONVERSATION_UPDATED")
    async with delivering(shared_dsn):
        await send(filled.client, content="Hello")
        await filled.client.data(
            f'mutation {{ updateConversation(input: {{conversationId: "{THERE_TOO}", closed: true}}) '
            "{ userErrors { code } } }"
        )
        await settled(filled.connection)

    found = [(each.path, each.payload["type"], sorted(each.payload["data"])) for each in receiver.received]
    assert sorted(found) == [
        ("/all", "MESSAGE_CREATED", ["conversationId", "messageId"]),
        ("/all", "MESSAGE_OUTGOING", ["conversationId", "messageId"]),
        ("/one", "CONVERSATION_UPDATED", ["conversationId"]),
    ]


async def test_an_endpoint_gets_only_what_happens_after_its_creation_and_while_it_is_enabled(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    early = await store_endpoint(filled.connection, f"{receiver.url}/early")
    await write(filled, "1")
    await filled.connection.execute("UPDATE webhook_endpoints SET enabled = false")
    await store_endpoint(
        filled.connection,
        f"{receiver.url}/late",
        after_number=await filled.connection.fetchval("SELECT number FROM change_counters"),
    )
    await write(filled, "2")
    async with delivering(shared_dsn):
        await receiver.wait(1)
        await filled.connection.execute(
            """UPDATE webhook_endpoints e SET enabled = true, after_number = c.number
            FROM change_counters c WHERE e.id = $1""",
            early,
        )
        await write(filled, "3")
        await settled(filled.connection)

    paths = [each.path for each in receiver.received]
    found = sorted(zip(paths, await contents(filled, receiver.received), strict=True))
    assert found == [("/early", "3"), ("/late", "2"), ("/late", "3")]


async def test_a_delivery_that_waits_for_its_retry_holds_back_its_conversation_only(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    open_again = asyncio.Event()

    async def answer(received: Received) -> web.StreamResponse:
        refused = received.payload["data"]["conversationId"] == THERE and not open_again.is_set()
        return web.Response(status=503 if refused else 204)

    async def free_are_there() -> bool:
        return len([each for each in receiver.received if each.payload["data"]["conversationId"] != THERE]) == 4

    receiver.answer = answer
    await store_endpoint(filled.connection, f"{receiver.url}/")
    async with receiving() as other:
        await store_endpoint(filled.connection, other.url)
        async with delivering(shared_dsn):
            for number in range(4):
                await write(filled, f"held {number}")
                await write(filled, f"free {number}", there=THERE_TOO)
            await other.wait(8)
            await until(free_are_there)
            refused = [each for each in receiver.received if each.payload["data"]["conversationId"] == THERE]
            open_again.set()
            rows = await settled(filled.connection)

    # One delivery was tried again and again, under one id.
    assert {each.id for each in refused} == {refused[0].id}
    accepted = list({each.id: each for each in receiver.received}.values())
    found = await contents(filled, accepted)
    assert [content for content in found if content.startswith("held")] == [f"held {number}" for number in range(4)]
    assert [content for content in found if content.startswith("free")] == [f"free {number}" for number in range(4)]
    of_other = await contents(filled, other.received)
    assert [text for text in of_other if text[0] == "h"] == [f"held {number}" for number in range(4)]
    assert {row["state"] for row in rows} == {"DELIVERED"}


async def test_after_the_last_attempt_a_delivery_has_failed_and_the_next_one_follows(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    async def answer(received: Received) -> web.StreamResponse:
        first = received.id == receiver.received[0].id
        return web.Response(status=500 if first else 200, text="Busy" if first else "Thanks")

    receiver.answer = answer
    await store_endpoint(filled.connection, receiver.url)
    async with delivering(shared_dsn):
        await write(filled, "1", "2")
        first, second = await settled(filled.connection)

    assert (first["state"], first["attempt_count"], first["failures"], first["due_at"]) == ("FAILED", 10, 10, None)
    assert (second["state"], second["attempt_count"]) == ("DELIVERED", 1)
    assert [each.id for each in receiver.received] == [first["message_id"]] * 10 + [second["message_id"]]
    attempts = await filled.connection.fetch("SELECT number, status, answer FROM webhook_attempts ORDER BY id")
    assert [tuple(row) for row in attempts] == [(n, 500, "Busy") for n in range(1, 11)] + [(1, 200, "Thanks")]


async def test_at_most_four_are_sent_at_once_to_an_endpoint_and_one_while_it_fails(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    async def answer(_received: Received) -> web.StreamResponse:
        # The others that can be sent at once arrive meanwhile.
        await asyncio.sleep(0.1)
        return web.Response()

    receiver.answer = answer
    endpoint = await store_endpoint(filled.connection, receiver.url)
    await filled.connection.execute(
        """INSERT INTO conversations (account_id, id, subject, created_at, updated_at)
        SELECT 1, n, '', now(), now() FROM generate_series(500, 511) n"""
    )
    for now_failing, most in ((False, 4), (True, 1)):
        await filled.connection.execute(
            "UPDATE webhook_endpoints SET failing_since = CASE WHEN $1 THEN now() END WHERE id = $2",
            now_failing,
            endpoint,
        )
        await filled.connection.execute(
            """INSERT INTO webhook_deliveries (account_id, endpoint_id, message_id, event, conversation_id, data,
                change_number, state, due_at, created_at)
            SELECT 1, $1, 'msg_' || id, 'MESSAGE_CREATED', id, jsonb_build_object('at', now(), 'conversation', id),
                id, 'PENDING', now(), now() FROM conversations WHERE id >= 500""",
            endpoint,
        )
        receiver.most_at_once = 0
        # A success ends the state, so here all are taken before there is one.
        async with delivering(shared_dsn), delivering(shared_dsn):
            if now_failing:
                await receiver.wait(len(receiver.received) + 1)
                assert receiver.most_at_once == 1
            await settled(filled.connection)
        assert now_failing or receiver.most_at_once == most


async def test_several_workers_send_each_delivery_once_and_in_order(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    await store_endpoint(filled.connection, receiver.url)
    async with delivering(shared_dsn), delivering(shared_dsn):
        await asyncio.gather(
            write(filled, *(f"a {number}" for number in range(15))),
            write(filled, *(f"b {number}" for number in range(15)), there=THERE_TOO),
        )
        rows = await settled(filled.connection)

    assert [row["attempt_count"] for row in rows] == [1] * 30
    assert len({each.id for each in receiver.received}) == len(receiver.received) == 30
    found = await contents(filled, receiver.received)
    assert [content for content in found if content[0] == "a"] == [f"a {number}" for number in range(15)]
    assert [content for content in found if content[0] == "b"] == [f"b {number}" for number in range(15)]


async def test_an_endpoint_that_is_gone_is_disabled_as_a_change_of_the_account(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    async def answer(_received: Received) -> web.StreamResponse:
        return web.Response(status=410)

    receiver.answer = answer
    endpoint = await store_endpoint(filled.connection, receiver.url)
    cursor = (await filled.client.data("{ changesCursor }"))["changesCursor"]
    async with delivering(shared_dsn):
        await write(filled, "1", "2")
        await disabled(filled, endpoint)
        await asyncio.sleep(0.2)

    assert len(receiver.received) == 1
    page = await filled.client.data(
        """query($after: String!) { changes(after: $after, types: [WEBHOOK_ENDPOINT]) {
        changes { nodeId node { ... on WebhookEndpoint { enabled disabledReason } } } } }""",
        after=cursor,
    )
    reason = "The endpoint answered with the status 410"
    (change,) = page["changes"]["changes"]
    assert change["nodeId"] == encode_id(t.WebhookEndpoint, 1, endpoint)
    assert change["node"] == {"enabled": False, "disabledReason": reason}


async def test_an_endpoint_that_is_gone_gets_nothing_more_if_the_database_was_away_meanwhile(
    filled: World, shared_dsn: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_received: Received) -> web.StreamResponse:
        return web.Response(status=410)

    async def disable_later(*_arguments: Any) -> None:
        monkeypatch.undo()
        raise UnavailableError

    receiver.answer = answer
    endpoint = await store_endpoint(filled.connection, receiver.url)
    monkeypatch.setattr(worker, "disable", disable_later)
    async with delivering(shared_dsn):
        await write(filled, "1", "2")
        await disabled(filled, endpoint)
        await asyncio.sleep(0.2)

    assert len(receiver.received) == 1
    (attempt,) = await filled.connection.fetch("SELECT status FROM webhook_attempts")
    assert attempt["status"] == 410


async def disabled(world: World, endpoint: int) -> str:
    """The reason why an endpoint was disabled, once it is."""
    query = "SELECT disabled_reason FROM webhook_endpoints WHERE id = $1 AND NOT enabled"
    return str(await until(lambda: world.connection.fetchval(query, endpoint)))


@pytest.mark.parametrize("error", [UnavailableError, ZeroDivisionError])
async def test_an_endpoint_that_only_fails_for_too_long_is_disabled_even_if_that_fails_at_first(
    filled: World,
    shared_dsn: str,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    async def disable_later(*_arguments: Any) -> None:
        monkeypatch.undo()
        raise error

    async def answer(received: Received) -> web.StreamResponse:
        return web.Response(status=200 if received.path == "/recovers" and len(receiver.received) > 4 else 500)

    receiver.answer = answer
    gone, recovers = [
        await store_endpoint(filled.connection, f"{receiver.url}/{name}") for name in ("gone", "recovers")
    ]
    long_ago = datetime.now(UTC) - timedelta(days=6)
    await filled.connection.execute("UPDATE webhook_endpoints SET failing_since = $1 WHERE id = $2", long_ago, gone)
    monkeypatch.setattr(worker, "disable", disable_later)
    async with delivering(shared_dsn):
        await write(filled, "1")
        reason = await disabled(filled, gone)
        query = "SELECT state = 'DELIVERED' FROM webhook_deliveries WHERE endpoint_id = $1"
        await until(lambda: filled.connection.fetchval(query, recovers))

    assert reason == "The endpoint has not accepted anything for 5 days"
    rows = await filled.connection.fetch("SELECT id, enabled, failing_since FROM webhook_endpoints ORDER BY id")
    assert (rows[1]["enabled"], rows[1]["failing_since"]) == (True, None)


async def test_an_answer_that_redirects_is_a_failure_and_is_not_followed(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    async with receiving() as target:

        async def answer(_received: Received) -> web.StreamResponse:
            many = len(receiver.received) > 1
            return web.Response(status=200 if many else 307, headers={"Location": f"{target.url}/"})

        receiver.answer = answer
        await store_endpoint(filled.connection, receiver.url)
        async with delivering(shared_dsn):
            await write(filled, "1")
            await settled(filled.connection)

    assert target.received == []
    assert await attempts(filled) == [(307, "Redirects are not followed"), (200, None)]


async def attempts(world: World) -> list[tuple[int | None, str | None]]:
    """Status and error of all attempts, in their order."""
    rows = await world.connection.fetch("SELECT status, error FROM webhook_attempts ORDER BY id")
    return [tuple(row) for row in rows]


async def test_an_answer_that_does_not_come_or_does_not_end_is_a_failure(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    async def answer(received: Received) -> web.StreamResponse:
        number = len(receiver.received)
        if number == 1:
            await asyncio.sleep(60)
        if number == 2:
            response = web.StreamResponse()
            await response.prepare(received.request)
            await asyncio.sleep(60)
        return web.Response()

    receiver.answer = answer
    await store_endpoint(filled.connection, receiver.url)
    async with delivering(shared_dsn, replace(FAST, timeout=0.5)):
        await write(filled, "1")
        await settled(filled.connection)

    late = "No answer within 0.5 seconds"
    assert await attempts(filled) == [(None, late), (200, late), (200, None)]


async def test_the_start_of_a_large_answer_is_stored_and_the_rest_is_not_read(
    filled: World, shared_dsn: str, receiver: Receiver
) -> None:
    sent = 0

    async def answer(received: Received) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(received.request)
        while sent < 200_000_000:
            await response.write(b"\0\xff" + b"x" * 65_534)
            sent += 65_536
        return response

    receiver.answer = answer
    await store_endpoint(filled.connection, receiver.url)
    async with delivering(shared_dsn):
        await write(filled, "1")
        (row,) = await settled(filled.connection)

    assert row["state"] == "DELIVERED"
    assert sent < 100_000_000
    assert await filled.connection.fetchval("SELECT answer FROM webhook_attempts") == "\ufffd\ufffd" + "x" * 998


@pytest.mark.parametrize(("header", "waits"), [("2", True), ("Wed, 21 Oct 2099 07:28:00 GMT", True), ("soon", False)])
async def test_a_receiver_can_ask_to_wait(
    filled: World, shared_dsn: str, receiver: Receiver, header: str, waits: bool
) -> None:
    async def answer(_received: Received) -> web.StreamResponse:
        return web.Response(status=503, headers={"Retry-After": header})

    receiver.answer = answer
    await store_endpoint(filled.connection, receiver.url)
    async with delivering(shared_dsn, replace(FAST, waits=(0.5, 1_000.0), poll=60)):
        await write(filled, "1")
        await receiver.wait(1)
        query = "SELECT extract(epoch FROM due_at - now())::float AS wait FROM webhook_deliveries WHERE failures > 0"
        row = await until(lambda: filled.connection.fetchrow(query))

    # The longest regular wait is the bound.
    least, most = (1.0, 2.0) if header == "2" else (990.0, 1_000.0) if waits else (-10.0, 0.7)
    assert least < row["wait"] <= most
