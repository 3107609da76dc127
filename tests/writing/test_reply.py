"""Writing messages: allowed senders and contents, and the stored rows."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db import tables as t
from db.problem import ProblemCode
from db.queries.writing import text_problems
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.factories import store
from tests.support.replying import (
    BY_APPLICATION,
    FIRST,
    GUEST,
    HOSTESS,
    NOW,
    SHOWN_NOW,
    STEP,
    THERE,
    UNKNOWN,
    arrange,
    changed,
    error,
    prepare,
    send,
    shown,
    write,
)
from tests.support.world import (
    CLIENT_PARTICIPANT,
    CONVERSATION,
    HOST,
    HOST_PARTICIPANT,
    OTHER_CONVERSATION,
    OTHER_HOST,
    World,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, with a stopped clock."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def user(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A user who is a host of the first account."""
    return shared.client


@pytest.fixture
def application(user: Client) -> Client:
    """A channel's application."""
    return user.as_(1, BY_APPLICATION)


async def test_a_reply_is_stored_and_returned(user: Client, connection: asyncpg.Connection[Any]) -> None:
    await arrange(connection, default_channel="AIRBNB", deadline_response_at=NOW)
    before = await world.dump(connection)

    payload = await send(user, content="  Späte\nAnkunft 🗝 ")

    assert payload == {
        "message": {
            "content": "  Späte\nAnkunft 🗝 ",
            "visibility": "EXTERNAL",
            "channel": "AIRBNB",
            "origin": "BOOKINGSYNC_INBOX",
            "sentAt": SHOWN_NOW,
            "sender": {"databaseId": str(HOST_PARTICIPANT), "memberType": "HOST"},
        },
        "userErrors": [],
    }
    after = await changed(connection, before)
    (message,) = after.pop("messages")
    assert message.pop("id") > 10_000
    assert message == {
        "account_id": 1,
        "conversation_id": CONVERSATION,
        "sender_id": HOST_PARTICIPANT,
        "content": "  Späte\nAnkunft 🗝 ",
        "channel": "AIRBNB",
        "origin": "BOOKINGSYNC_INBOX",
        "visibility": "EXTERNAL",
        "sent_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
        "created_by_type": "USER",
        "created_by_id": 1,
        "created_by_user_id": 1,
        "created_by_application_id": None,
        "automatic": False,
        "delivery_state": "QUEUED",
        "delivery_at": NOW,
        "delivery_error": None,
        "delivery_attempts": 1,
        "relayed_id": None,
        "relayed_by_id": None,
        "external_id": None,
        "external_digest": None,
    }
    assert after == {
        "participants": [{"last_message_sent_at": NOW, "updated_at": NOW}],
        "conversations": [
            {
                "last_message_at": NOW,
                "read_at": NOW,
                "read": True,
                "unread_count": 0,
                "updated_at": NOW,
                "deadline_response_at": None,
                "unanswered_since": None,
                "waiting_since": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("sender", "input", "stored", "channel"),
    [
        (HOSTESS, {}, "AIRBNB", "AIRBNB"),
        (HOSTESS, {"channel": None}, "AIRBNB", "AIRBNB"),
        (HOSTESS, {"channel": "EMAIL"}, "AIRBNB", "EMAIL"),
        (HOSTESS, {"visibility": "INTERNAL"}, None, None),
        (HOSTESS, {"visibility": "INTERNAL"}, "AIRBNB", None),
        (GUEST, {}, "AIRBNB", None),
        (GUEST, {"channel": "EMAIL"}, "AIRBNB", "EMAIL"),
    ],
)
async def test_a_hosts_message_is_relayed_by_the_default_channel_unless_another_is_given(  # noqa: PLR0913, PLR0917
    application: Client,
    connection: asyncpg.Connection[Any],
    sender: str,
    input: dict[str, Any],
    stored: str | None,
    channel: str | None,
) -> None:
    await arrange(connection, default_channel=stored)

    payload = await send(application, senderId=sender, **input)

    assert payload["message"]["channel"] == channel


async def test_nulls_of_a_message_count_as_absent(user: Client) -> None:
    nothing = dict.fromkeys(["senderId", "channel", "sentAt", "externalId", "idempotencyKey"])

    with_nulls, without = await send(user, **nothing), await send(user)

    assert with_nulls["userErrors"] == []
    # The second one is sent later.
    assert with_nulls["message"].pop("sentAt") < without["message"].pop("sentAt")
    assert with_nulls == without


async def test_everything_about_a_message_can_be_given(application: Client) -> None:
    payload = await send(
        application, senderId=GUEST, channel="AIRBNB", origin="AIRBNB_MESSAGE", sentAt="2026-06-01T10:00:00+02:00"
    )

    assert payload["message"] == {
        "content": "Hello",
        "visibility": "EXTERNAL",
        "channel": "AIRBNB",
        "origin": "AIRBNB_MESSAGE",
        "sentAt": "2026-06-01T08:00:00.000Z",
        "sender": {"databaseId": str(CLIENT_PARTICIPANT), "memberType": "CLIENT"},
    }


async def test_who_writes_for_the_first_time_takes_part_from_then_on(
    user: Client, connection: asyncpg.Connection[Any]
) -> None:
    elsewhere = encode_id(t.Conversation, 1, OTHER_CONVERSATION)
    before = await world.dump(connection)

    senders = [(await send(user, conversationId=elsewhere))["message"]["sender"]["databaseId"] for _ in range(2)]

    (participant,) = (await changed(connection, before))["participants"]
    assert senders == [str(participant.pop("id"))] * 2
    assert participant == {
        "account_id": 1,
        "conversation_id": OTHER_CONVERSATION,
        "member_type": "HOST",
        "member_id": HOST,
        "host_id": HOST,
        "client_id": None,
        "read_at": None,
        "last_message_sent_at": NOW + STEP,
        "created_at": NOW,
        "updated_at": NOW + STEP,
    }


async def test_the_first_of_a_users_hosts_writes_as_it_first_took_part(
    user: Client, connection: asyncpg.Connection[Any]
) -> None:
    await connection.execute("UPDATE hosts SET user_id = 1 WHERE account_id = 1")
    member = {"account_id": 1, "conversation_id": CONVERSATION, "member_type": "HOST"}
    await store(connection, "participants", id=42, member_id=HOST, host_id=HOST, **member)
    await store(connection, "participants", id=30, member_id=OTHER_HOST, host_id=OTHER_HOST, **member)

    payload = await send(user)

    assert payload["message"]["sender"]["databaseId"] == str(HOST_PARTICIPANT)


async def test_a_user_may_write_as_any_host_of_the_conversation(
    user: Client, connection: asyncpg.Connection[Any]
) -> None:
    await store(
        connection,
        "participants",
        account_id=1,
        id=42,
        conversation_id=CONVERSATION,
        member_type="HOST",
        member_id=UNKNOWN,
    )

    payload = await send(user, senderId=encode_id(t.Participant, 1, 42))

    assert payload["message"]["sender"] == {"databaseId": "42", "memberType": "HOST"}


@pytest.mark.parametrize(
    "content", ["x" * 65_536, "é" * 65_536, "🗝" * 30_000, "\u202e'; DROP TABLE messages; --\\ %s $1\r\n\t "]
)
async def test_content_is_kept_exactly(user: Client, connection: asyncpg.Connection[Any], content: str) -> None:
    payload = await send(user, content=content)

    assert payload["message"]["content"] == content
    assert await connection.fetchval("SELECT content FROM messages WHERE id > 10000") == content


@pytest.mark.parametrize("sent_at", [NOW, NOW - STEP, FIRST + STEP])
async def test_a_message_may_be_sent_long_ago(user: Client, sent_at: datetime) -> None:
    payload = await send(user, sentAt=shown(sent_at))

    assert payload["message"]["sentAt"] == shown(sent_at)


# White space and invisible characters.
INVISIBLE = ["\u200b", "\ufeff \u2800", "\u3164\n\u2060", "\u200c\u200d"]
BAD_MESSAGES: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    *(("user:1", {"content": content}, [error("BLANK", "content")]) for content in ("", "   ", "\n\t\u00a0\u2003")),
    ("user:1", {"content": "x" * 65_537}, [error("TOO_LONG", "content")]),
    ("user:1", {"content": "a\0b"}, [error("INVALID", "content")]),
    ("user:1", {"conversationId": encode_id(t.Conversation, 1, UNKNOWN)}, [error("NOT_FOUND", "conversationId")]),
    ("user:1", {"conversationId": encode_id(t.Conversation, 2, CONVERSATION)}, [error("NOT_FOUND", "conversationId")]),
    *(
        ("user:1", {"senderId": encode_id(t.Participant, account, id_)}, [error("NOT_FOUND", "senderId")])
        for account, id_ in ((1, UNKNOWN), (2, HOST_PARTICIPANT))
    ),
    (
        "user:1",
        {"senderId": HOSTESS, "conversationId": encode_id(t.Conversation, 1, OTHER_CONVERSATION)},
        [error("NOT_FOUND", "senderId")],
    ),
    ("user:1", {"senderId": GUEST}, [error("INVALID", "senderId")]),
    (
        "user:1",
        {"senderId": GUEST, "visibility": "INTERNAL"},
        [error("INVALID", "senderId"), error("INVALID", "visibility")],
    ),
    (BY_APPLICATION, {}, [error("BLANK", "senderId")]),
    (BY_APPLICATION, {"senderId": None}, [error("BLANK", "senderId")]),
    (BY_APPLICATION, {"senderId": GUEST, "visibility": "INTERNAL"}, [error("INVALID", "visibility")]),
    ("user:3", {}, [error("BLANK", "senderId")]),
    *(("user:1", {"content": blank}, [error("BLANK", "content")]) for blank in INVISIBLE),
    ("user:1", {"visibility": "INTERNAL", "channel": "EMAIL"}, [error("INVALID", "channel")]),
    ("user:1", {"sentAt": shown(NOW + timedelta(minutes=5) + STEP)}, [error("INVALID", "sentAt")]),
    ("user:1", {"sentAt": shown(FIRST)}, [error("INVALID", "sentAt")]),
    (
        BY_APPLICATION,
        {
            "conversationId": encode_id(t.Conversation, 1, UNKNOWN),
            "content": "\0" * 65_537,
            "senderId": GUEST,
            "visibility": "INTERNAL",
            "channel": "VRBO",
            "sentAt": "9999-12-31T23:59:59.999Z",
        },
        [
            error("NOT_FOUND", "conversationId"),
            error("TOO_LONG", "content"),
            error("INVALID", "content"),
            error("NOT_FOUND", "senderId"),
            error("INVALID", "channel"),
            error("INVALID", "sentAt"),
        ],
    ),
]


@pytest.mark.parametrize(("subject", "input", "errors"), BAD_MESSAGES)
async def test_a_message_that_breaks_a_rule_changes_nothing(
    user: Client, connection: asyncpg.Connection[Any], subject: str, input: dict[str, Any], errors: list[dict[str, Any]]
) -> None:
    await store(connection, "users", account_id=1, id=3)
    before = await world.dump(connection)

    payload = await send(user.as_(1, subject), **input)

    assert payload == {"message": None, "userErrors": errors}
    assert await world.dump(connection) == before


def test_what_utf_8_cannot_hold_is_no_text() -> None:
    """It cannot be sent: neither JSON nor a document can contain it."""
    problems = text_problems("A message", "content", "a\ud800b", 10)

    assert [(problem.code, problem.path) for problem in problems] == [(ProblemCode.INVALID, ["input", "content"])]


FOR_A_CACHE = """messageEdge { cursor node { databaseId } } message { databaseId }
  conversation { lastMessageAt messages(first: 100) { edges { cursor node { databaseId } } } }
  query { conversation(id: "%s") { messages { totalCount } } }"""
AROUND = """query($id: ID!, $cursor: String!) {
  conversation(id: $id) {
    before: messages(before: $cursor, last: 100) { nodes { databaseId } }
    after: messages(after: $cursor) { nodes { databaseId } }
  }
}"""


@pytest.mark.parametrize("sent_at", [None, NOW - STEP, FIRST + STEP], ids=["now", "before", "long ago"])
async def test_a_payload_has_the_edge_that_the_conversation_lists(user: Client, sent_at: datetime | None) -> None:
    given = {"sentAt": shown(sent_at)} if sent_at else {}

    payload = await write(user, "createMessage", FOR_A_CACHE % THERE, conversationId=THERE, content="Hello", **given)

    edge, listed = payload["messageEdge"], payload["conversation"]["messages"]["edges"]
    assert edge["node"] == payload["message"]
    assert edge in listed
    assert payload["query"] == {"conversation": {"messages": {"totalCount": len(listed)}}}
    around = (await user.data(AROUND, id=THERE, cursor=edge["cursor"]))["conversation"]
    assert [*around["before"]["nodes"], edge["node"], *around["after"]["nodes"]] == [each["node"] for each in listed]


async def test_a_payload_of_nothing_written_has_the_root_of_queries_only(user: Client) -> None:
    payload = await write(user, "createMessage", FOR_A_CACHE % THERE, conversationId=THERE, content="")

    assert payload == {
        "messageEdge": None,
        "message": None,
        "conversation": None,
        "query": {"conversation": {"messages": {"totalCount": 2}}},
        "userErrors": [error("BLANK", "content")],
    }


async def test_what_a_payload_selects_of_the_written_message_is_read_once(user: Client) -> None:
    shown_ = "message { content } messageEdge { cursor node { sentAt } } conversation { subject }"
    user.statements.take()

    await write(user, "createMessage", shown_, conversationId=THERE, content="Hello")

    sql = user.statements.take()
    reading = sql[next(place for place, text in enumerate(sql) if "COMMIT" in text) + 1 :]
    assert [re.search(r"FROM (\w+)", text)[1] for text in reading] == ["messages", "conversations"]  # type: ignore[index]


async def test_a_query_in_a_payload_requires_its_scopes(user: Client, connection: asyncpg.Connection[Any]) -> None:
    writer = user.as_(1, scopes=["inbox_write"])
    before = await world.dump(connection)
    document = (
        f'mutation {{ createMessage(input: {{conversationId: "{THERE}", content: "Hello"}}) '
        "{ query { bookings { totalCount } } } }"
    )

    code, _ = await writer.error(document)

    assert code == "FORBIDDEN"
    assert await world.dump(connection) == before
