"""Replies on their way to the guest: queued when written, reported by the application that relays them, retried."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from gql.security.token import SCOPES
from tests.support import world
from tests.support.client import Client
from tests.support.factories import store
from tests.support.replying import BY_APPLICATION, GUEST, HOSTESS, NOW, SHOWN_NOW, THERE, error, prepare, shown, write
from tests.support.serving import serving
from tests.support.world import CONVERSATION, MESSAGE, NOTE, World

pytestmark = pytest.mark.anyio

DELIVERY = "delivery { state at error attempts externalId }"
QUEUED = {"state": "QUEUED", "at": SHOWN_NOW, "error": None, "attempts": 1, "externalId": None}
LATER = NOW + timedelta(minutes=3)


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, with a stopped clock."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def user(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A host who replies."""
    return shared.client


@pytest.fixture
def channel(user: Client) -> Client:
    """The application that relays messages."""
    return user.as_(1, BY_APPLICATION)


async def reply(client: Client, **input: Any) -> dict[str, Any]:
    """The payload of a message of the host."""
    given = {"conversationId": THERE, "content": "Under the mat"} | input
    return await write(client, "createMessage", f"message {{ id {DELIVERY} }}", **given)


async def report(client: Client, message: str, state: str, **input: Any) -> dict[str, Any]:
    """The payload of a report."""
    return await write(
        client, "reportDelivery", f"message {{ {DELIVERY} }}", **{"messageId": message, "state": state} | input
    )


async def retry(client: Client, message: str) -> dict[str, Any]:
    """The payload of a retry."""
    return await write(client, "retryDelivery", f"message {{ {DELIVERY} }}", messageId=message)


async def inbox(client: Client) -> dict[str, Any]:
    """The conversations with failed messages, and their number."""
    return dict(
        await client.data(
            "{ inboxCounts { undelivered } conversations(filter: { deliveryFailed: true }) { totalCount nodes {"
            f" databaseId undeliveredCount updatedAt lastMessage {{ {DELIVERY} }} }} }} }}"
        )
    )


async def test_a_reply_is_queued_and_then_reported_on_its_way(
    user: Client, channel: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = (await reply(user))["message"]
    monkeypatch.setattr("db.queries.writing.now", lambda: LATER)
    states = [
        await report(channel, written["id"], "SENT", externalId="abnb-1"),
        await report(channel, written["id"], "READ", at=shown(NOW + timedelta(minutes=2))),
    ]

    sent = QUEUED | {"state": "SENT", "at": shown(LATER), "externalId": "abnb-1"}
    assert written["delivery"] == QUEUED
    assert states == [
        {"message": {"delivery": sent}, "userErrors": []},
        {
            "message": {"delivery": sent | {"state": "READ", "at": shown(NOW + timedelta(minutes=2))}},
            "userErrors": [],
        },
    ]


@pytest.mark.parametrize(
    ("subject", "input"),
    [
        ("user:1", {"visibility": "INTERNAL"}),
        (BY_APPLICATION, {"senderId": GUEST}),
        (BY_APPLICATION, {"senderId": HOSTESS, "visibility": "INTERNAL"}),
    ],
)
async def test_notes_and_what_guests_write_are_not_relayed(user: Client, subject: str, input: dict[str, Any]) -> None:
    payload = await reply(user.as_(1, subject), **input)

    assert payload["userErrors"] == []
    assert payload["message"]["delivery"] is None


async def test_stored_messages_without_a_state_have_no_delivery(user: Client) -> None:
    data = await user.data(
        f"{{ conversation(databaseId: {CONVERSATION}) {{ messages {{ nodes {{ {DELIVERY} }} }} }} }}"
    )

    assert data["conversation"]["messages"]["nodes"] == [{"delivery": None}, {"delivery": None}]


async def test_a_failure_shows_in_the_inbox_until_it_is_retried(
    user: Client, channel: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = (await reply(user))["message"]
    before = await inbox(user)
    monkeypatch.setattr("db.queries.writing.now", lambda: LATER)
    await report(channel, written["id"], "FAILED", error="The guest's number does not exist")
    failed = await inbox(user)
    retried = await retry(user, written["id"])
    after = await inbox(user)

    nothing = {"inboxCounts": {"undelivered": 0}, "conversations": {"totalCount": 0, "nodes": []}}
    delivery = QUEUED | {"state": "FAILED", "at": shown(LATER), "error": "The guest's number does not exist"}
    assert before == after == nothing
    assert failed == {
        "inboxCounts": {"undelivered": 1},
        "conversations": {
            "totalCount": 1,
            "nodes": [
                {
                    "databaseId": str(CONVERSATION),
                    "undeliveredCount": 1,
                    "updatedAt": shown(LATER),
                    "lastMessage": {"delivery": delivery},
                }
            ],
        },
    }
    again = LATER + timedelta(milliseconds=1)
    assert retried == {
        "message": {"delivery": QUEUED | {"at": shown(again), "attempts": 2}},
        "userErrors": [],
    }


async def test_a_report_that_is_behind_changes_nothing(
    user: Client, channel: Client, connection: asyncpg.Connection[Any]
) -> None:
    written = (await reply(user))["message"]
    await report(channel, written["id"], "DELIVERED", externalId="abnb-1")
    before = await world.dump(connection)

    for state, given in (
        ("SENT", {}),
        ("DELIVERED", {"externalId": "abnb-1"}),
        ("FAILED", {"at": shown(NOW - timedelta(seconds=1)), "error": "No answer"}),
    ):
        payload = await report(channel, written["id"], state, **given)
        assert payload["userErrors"] == []
        assert payload["message"]["delivery"]["state"] == "DELIVERED"
    assert await world.dump(connection) == before


async def test_a_message_in_the_queue_is_not_queued_twice(user: Client, connection: asyncpg.Connection[Any]) -> None:
    written = (await reply(user))["message"]
    before = await world.dump(connection)

    assert (await retry(user, written["id"]))["message"]["delivery"] == QUEUED
    assert await world.dump(connection) == before


SENT_ALREADY = ("SENT", "DELIVERED", "READ")


@pytest.mark.parametrize("state", SENT_ALREADY)
async def test_what_was_sent_is_not_sent_again(
    user: Client, channel: Client, connection: asyncpg.Connection[Any], state: str
) -> None:
    written = (await reply(user))["message"]
    await report(channel, written["id"], state)
    before = await world.dump(connection)

    assert await retry(user, written["id"]) == {"message": None, "userErrors": [error("INVALID", "messageId")]}
    assert await world.dump(connection) == before


@pytest.mark.parametrize(
    ("input", "errors"),
    [
        ({"messageId": encode_id(t.Message, 1, 999)}, [error("NOT_FOUND", "messageId")]),
        ({"messageId": encode_id(t.Message, 2, MESSAGE)}, [error("NOT_FOUND", "messageId")]),
        ({"messageId": encode_id(t.Message, 1, NOTE)}, [error("INVALID", "messageId")]),
        ({"messageId": encode_id(t.Message, 1, MESSAGE)}, [error("INVALID", "messageId")]),
        ({"state": "QUEUED"}, [error("INVALID", "state")]),
        ({"state": "SENT", "error": "No answer"}, [error("INVALID", "error")]),
        ({"state": "FAILED", "error": "x" * 1_001}, [error("TOO_LONG", "error")]),
        ({"state": "FAILED", "error": "a\0b"}, [error("INVALID", "error")]),
        ({"externalId": ""}, [error("BLANK", "externalId")]),
        ({"externalId": "x" * 256}, [error("TOO_LONG", "externalId")]),
        ({"externalId": "a\0b"}, [error("INVALID", "externalId")]),
        ({"externalId": "Keys of 1"}, [error("CONFLICT", "externalId")]),
        ({"externalId": "taken"}, [error("CONFLICT", "externalId")]),
        ({"at": "2026-06-01T12:06:00Z"}, [error("INVALID", "at")]),
        ({"at": "0001-01-01T00:00:00Z"}, [error("INVALID", "at")]),
    ],
    ids=str,
)
async def test_a_wrong_report_changes_nothing(
    user: Client,
    channel: Client,
    connection: asyncpg.Connection[Any],
    input: dict[str, Any],
    errors: list[dict[str, Any]],
) -> None:
    other = (await reply(user, content="First"))["message"]
    await report(channel, other["id"], "SENT", externalId="taken")
    written = (await reply(user))["message"]
    before = await world.dump(connection)

    payload = await report(channel, **{"message": written["id"], "state": "DELIVERED"} | _named(input))

    assert payload == {"message": None, "userErrors": errors}
    assert await world.dump(connection) == before


def _named(input: dict[str, Any]) -> dict[str, Any]:
    return {"message" if name == "messageId" else name: value for name, value in input.items()}


async def test_only_applications_with_the_scope_report(
    user: Client, channel: Client, connection: asyncpg.Connection[Any]
) -> None:
    written = (await reply(user))["message"]
    before = await world.dump(connection)
    document = "mutation($i: ReportDeliveryInput!) { reportDelivery(input: $i) { userErrors { code path } } }"
    given = {"messageId": written["id"], "state": "SENT"}

    without = channel.as_(1, BY_APPLICATION, SCOPES - {"deliveries_write"})
    assert (await without.error(document, i=given))[0] == "FORBIDDEN"
    data = await user.data(document, i=given)
    assert data == {"reportDelivery": {"userErrors": [error("INVALID")]}}
    assert await world.dump(connection) == before

    alone = channel.as_(1, BY_APPLICATION, ["deliveries_write"])
    assert await alone.data(document, i=given) == {"reportDelivery": {"userErrors": []}}


async def test_what_a_host_wrote_in_the_channels_own_program_is_sent_already(channel: Client) -> None:
    payload = await reply(channel, senderId=HOSTESS, alreadySent=True)

    assert payload["message"]["delivery"] == QUEUED | {"state": "SENT"}


@pytest.mark.parametrize(
    ("subject", "input"),
    [("user:1", {}), (BY_APPLICATION, {"senderId": GUEST}), ("user:1", {"visibility": "INTERNAL"})],
)
async def test_nothing_else_can_be_sent_already(
    user: Client, connection: asyncpg.Connection[Any], subject: str, input: dict[str, Any]
) -> None:
    before = await world.dump(connection)

    payload = await reply(user.as_(1, subject), alreadySent=True, **input)

    assert payload == {"message": None, "userErrors": [error("INVALID", "alreadySent")]}
    assert await world.dump(connection) == before


async def test_a_channel_that_sends_a_message_back_gets_the_same_one(
    user: Client, channel: Client, connection: asyncpg.Connection[Any]
) -> None:
    written = (await reply(user))["message"]
    await report(channel, written["id"], "SENT", externalId="abnb-1")
    await store(connection, "applications", id=66)
    before = await world.dump(connection)

    echo = await reply(channel, senderId=HOSTESS, alreadySent=True, externalId="abnb-1")
    differing = await reply(channel, senderId=HOSTESS, externalId="abnb-1", content="Under the stone")

    assert (echo["message"]["id"], echo["userErrors"]) == (written["id"], [])
    assert differing == {"message": None, "userErrors": [error("CONFLICT", "externalId")]}
    assert await world.dump(connection) == before
    # Ids of another application are its own.
    own = await reply(channel.as_(1, "application:66"), senderId=HOSTESS, externalId="abnb-1")
    assert own["userErrors"] == []
    assert own["message"]["id"] != written["id"]


@pytest.mark.parametrize("by", [BY_APPLICATION, "application:66"])
@pytest.mark.parametrize("state", SENT_ALREADY)
async def test_a_message_keeps_the_id_under_which_it_was_sent(
    user: Client, channel: Client, connection: asyncpg.Connection[Any], state: str, by: str
) -> None:
    await store(connection, "applications", id=66)
    written = (await reply(user))["message"]
    sent = await report(channel, written["id"], state, externalId="abnb-1")
    before = await world.dump(connection)

    again = await report(channel, written["id"], state, externalId="abnb-1")
    for reported, given in ((state, {}), ("READ", {}), ("FAILED", {"error": "No answer"})):
        other = await report(channel.as_(1, by), written["id"], reported, externalId="abnb-2", **given)
        assert other == {"message": None, "userErrors": [error("CONFLICT", "externalId")]}

    assert again == sent
    assert await world.dump(connection) == before
    # The first id is still that of this message.
    echo = await reply(channel, senderId=HOSTESS, alreadySent=True, externalId="abnb-1")
    assert (echo["message"]["id"], echo["userErrors"]) == (written["id"], [])


@pytest.mark.parametrize("retried", [False, True])
async def test_the_next_attempt_may_have_another_id(user: Client, channel: Client, *, retried: bool) -> None:
    written = (await reply(user))["message"]
    await report(channel, written["id"], "SENT", externalId="abnb-1")
    await report(channel, written["id"], "FAILED")
    if retried:
        await retry(user, written["id"])

    payload = await report(channel, written["id"], "SENT", externalId="abnb-2")

    assert payload["userErrors"] == []
    assert payload["message"]["delivery"]["externalId"] == "abnb-2"


async def test_of_two_messages_with_one_id_at_once_one_is_a_conflict(
    user: Client, channel: Client, connection: asyncpg.Connection[Any], shared_dsn: str
) -> None:
    messages = [(await reply(user, content=str(number)))["message"]["id"] for number in range(4)]
    async with serving(shared_dsn, channel.statements, pool_size=40) as client:
        other = client.as_(1, BY_APPLICATION)
        payloads = await asyncio.gather(*(report(other, id_, "SENT", externalId="abnb-1") for id_ in messages))

    codes = sorted(error["code"] for payload in payloads for error in payload["userErrors"])
    assert codes == ["CONFLICT"] * 3
    assert await connection.fetchval("SELECT count(*) FROM messages WHERE relayed_id = 'abnb-1'") == 1
    assert await connection.fetchval("SELECT count(*) FROM messages WHERE delivery_state = 'SENT'") == 1


async def test_a_message_that_is_sent_back_while_it_is_reported_is_the_same_one(
    user: Client, channel: Client, connection: asyncpg.Connection[Any], shared_dsn: str
) -> None:
    waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
    written = (await reply(user))["message"]
    tasks = []
    async with serving(shared_dsn, channel.statements, pool_size=40) as client:
        other = client.as_(1, BY_APPLICATION)
        async with connection.transaction(), asyncio.timeout(8):
            await connection.execute("SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE", CONVERSATION)
            for request in (
                report(other, written["id"], "SENT", externalId="abnb-1"),
                reply(other, senderId=HOSTESS, alreadySent=True, externalId="abnb-1"),
            ):
                tasks.append(asyncio.ensure_future(request))
                # The conversation is locked in this order.
                while await connection.fetchval(waiting) < len(tasks):
                    pass
        reported, sent_back = await asyncio.gather(*tasks)

    assert [reported["userErrors"], sent_back["userErrors"]] == [[], []]
    assert sent_back["message"]["id"] == written["id"]
    assert await connection.fetchval("SELECT count(*) FROM messages WHERE content = 'Under the mat'") == 1
