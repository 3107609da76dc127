"""Marking a conversation as read or unread."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.factories import MOMENT
from tests.support.replying import (
    BY_APPLICATION,
    GUEST,
    NOW,
    SHOWN_NOW,
    STEP,
    THERE,
    UNKNOWN,
    arrange,
    changed,
    error,
    mark,
    prepare,
    shown,
    write,
)
from tests.support.world import CONVERSATION, MESSAGE, OTHER_CONVERSATION, World

pytestmark = pytest.mark.anyio

ELSEWHERE = encode_id(t.Conversation, 1, OTHER_CONVERSATION)


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, with a stopped clock."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def inbox(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A client of the first account, whose conversation has one message of a guest."""
    return shared.client


@pytest.mark.parametrize("input", [{}, {"read": True}])
@pytest.mark.parametrize("read_at", [None, MOMENT - STEP])
async def test_reading_leaves_nothing_unread(
    inbox: Client, connection: asyncpg.Connection[Any], read_at: datetime | None, input: dict[str, Any]
) -> None:
    await arrange(connection, read_at=read_at)
    before = await world.dump(connection)

    payload = await mark(inbox, **input)

    assert payload == {"conversation": {"read": True, "readAt": SHOWN_NOW}, "userErrors": []}
    assert await changed(connection, before) == {
        "conversations": [{"read_at": NOW, "read": True, "updated_at": NOW, "unread_count": 0}]
    }


@pytest.mark.parametrize("read_at", [MOMENT, MOMENT - STEP])
async def test_what_is_marked_as_unread_was_not_read_at_all(
    inbox: Client, connection: asyncpg.Connection[Any], read_at: datetime
) -> None:
    await arrange(connection, read_at=read_at)

    payload = await mark(inbox, read=False)

    assert payload == {"conversation": {"read": False, "readAt": None}, "userErrors": []}
    row = await connection.fetchrow(
        "SELECT read_at, unread_count, updated_at FROM conversations WHERE account_id = 1 AND id = 10"
    )
    assert tuple(row) == (None, 1, NOW)


@pytest.mark.parametrize(("stored", "read"), [({"read_at": MOMENT}, True), ({"read_at": NOW}, True), ({}, False)])
async def test_marking_what_is_so_already_changes_nothing(
    inbox: Client, connection: asyncpg.Connection[Any], stored: dict[str, Any], read: bool
) -> None:
    await arrange(connection, **stored)
    before = await world.dump(connection)

    payload = await mark(inbox, read=read)

    assert (payload["conversation"]["read"], payload["userErrors"]) == (read, [])
    assert await world.dump(connection) == before


async def test_reading_and_unreading_moves_on(inbox: Client) -> None:
    document = "mutation($c: ID!) { %s }" % " ".join(  # noqa: UP031  # braces
        f"m{place}: markConversationRead(input: {{conversationId: $c, read: {read}}}) "
        "{ conversation { readAt updatedAt } }"
        for place, read in enumerate(("true", "true", "false", "true"))
    )

    data = await inbox.data(document, c=encode_id(t.Conversation, 1, CONVERSATION))

    third = shown(NOW + 2 * STEP)
    assert [payload["conversation"] for payload in data.values()] == [
        {"readAt": SHOWN_NOW, "updatedAt": SHOWN_NOW},
        {"readAt": SHOWN_NOW, "updatedAt": SHOWN_NOW},
        {"readAt": None, "updatedAt": shown(NOW + STEP)},
        {"readAt": third, "updatedAt": third},
    ]


async def arrivals(inbox: Client) -> list[str]:
    """The ids of three messages of the guest, who had written one before."""
    application = inbox.as_(1, BY_APPLICATION)
    shown = "message { databaseId }"
    payloads = [
        await write(application, "createMessage", shown, conversationId=THERE, content="Hello", senderId=GUEST)
        for _ in range(3)
    ]
    return [encode_id(t.Message, 1, int(payload["message"]["databaseId"])) for payload in payloads]


async def test_what_arrives_after_the_message_that_was_shown_stays_unread(
    inbox: Client, connection: asyncpg.Connection[Any]
) -> None:
    first, second, _ = await arrivals(inbox)

    payloads = [await mark(inbox, upToMessageId=message) for message in (second, first)]

    # `readAt` does not move backwards.
    assert payloads == [{"conversation": {"read": False, "readAt": shown(NOW + STEP)}, "userErrors": []}] * 2
    assert await connection.fetchval("SELECT unread_count FROM conversations WHERE id = 10 AND account_id = 1") == 1


async def test_reading_up_to_a_message_is_up_to_its_arrival(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    arrived = await arrivals(inbox)
    await connection.execute("UPDATE messages SET sent_at = sent_at - interval '1 h' WHERE account_id = 1")

    payload = await mark(inbox, upToMessageId=arrived[1])

    assert payload == {"conversation": {"read": False, "readAt": shown(NOW + STEP)}, "userErrors": []}


@pytest.mark.parametrize(
    ("input", "errors"),
    [
        ({"upToMessageId": encode_id(t.Message, 1, UNKNOWN)}, [error("NOT_FOUND", "upToMessageId")]),
        ({"upToMessageId": encode_id(t.Message, 2, MESSAGE)}, [error("NOT_FOUND", "upToMessageId")]),
        (
            {"upToMessageId": encode_id(t.Message, 1, MESSAGE), "conversationId": ELSEWHERE},
            [error("NOT_FOUND", "upToMessageId")],
        ),
        ({"upToMessageId": encode_id(t.Message, 1, MESSAGE), "read": False}, [error("INVALID", "upToMessageId")]),
    ],
)
async def test_only_a_message_of_the_conversation_can_mark_it_as_read(
    inbox: Client, connection: asyncpg.Connection[Any], input: dict[str, Any], errors: list[dict[str, Any]]
) -> None:
    before = await world.dump(connection)

    assert await mark(inbox, **input) == {"conversation": None, "userErrors": errors}
    assert await world.dump(connection) == before


@pytest.mark.parametrize(("account", "number"), [(1, UNKNOWN), (2, CONVERSATION)])
@pytest.mark.parametrize("read", [True, False])
async def test_what_is_not_there_is_not_read(
    inbox: Client, connection: asyncpg.Connection[Any], account: int, number: int, read: bool
) -> None:
    before = await world.dump(connection)

    payload = await mark(inbox, conversationId=encode_id(t.Conversation, account, number), read=read)

    assert payload == {"conversation": None, "userErrors": [error("NOT_FOUND", "conversationId")]}
    assert await world.dump(connection) == before
