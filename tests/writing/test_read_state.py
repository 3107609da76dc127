"""Saying that a conversation was read, or that it was not."""

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
from tests.support.replying import HOUR, NOW, SHOWN_NOW, STEP, UNKNOWN, arrange, changed, error, mark, prepare, shown
from tests.support.world import CONVERSATION, World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, at a time that stands still."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def inbox(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A client of the first account, whose conversation has one message of a guest."""
    return shared.client


@pytest.mark.parametrize(
    ("stored", "input", "read_at"),
    [
        ({}, {}, NOW),
        ({"last_message_at": MOMENT}, {"read": True}, NOW),
        ({"read_at": MOMENT - STEP, "last_message_at": MOMENT}, {}, NOW),
        # Sent by a clock that is ahead.
        ({"last_message_at": NOW + HOUR}, {}, NOW + HOUR),
        # An import may bring messages that the conversation's own time does not know of.
        ({"read_at": MOMENT - STEP, "last_message_at": MOMENT - STEP}, {}, NOW),
    ],
)
async def test_reading_leaves_nothing_unread(
    inbox: Client, connection: asyncpg.Connection[Any], stored: dict[str, Any], input: dict[str, Any], read_at: datetime
) -> None:
    await arrange(connection, **stored)
    before = await world.dump(connection)

    payload = await mark(inbox, **input)

    assert payload == {"conversation": {"read": True, "readAt": shown(read_at)}, "userErrors": []}
    assert await changed(connection, before) == {
        "conversations": [{"read_at": read_at, "updated_at": NOW, "unread_count": 0}]
    }


async def test_what_is_marked_as_unread_was_not_read_at_all(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    await arrange(connection, read_at=MOMENT, last_message_at=MOMENT)
    before = await world.dump(connection)

    payload = await mark(inbox, read=False)

    assert payload == {"conversation": {"read": False, "readAt": None}, "userErrors": []}
    assert await changed(connection, before) == {
        "conversations": [{"read_at": None, "updated_at": NOW, "unread_count": 1}]
    }


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ({"read_at": MOMENT, "last_message_at": MOMENT}, True),
        ({"read_at": MOMENT}, True),
        ({}, False),
        # It is unread from there on, and stays so.
        ({"read_at": MOMENT - STEP, "last_message_at": MOMENT}, False),
    ],
)
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

    assert [payload["conversation"] for payload in data.values()] == [
        {"readAt": SHOWN_NOW, "updatedAt": SHOWN_NOW},
        {"readAt": SHOWN_NOW, "updatedAt": SHOWN_NOW},
        {"readAt": None, "updatedAt": shown(NOW + STEP)},
        {"readAt": SHOWN_NOW, "updatedAt": shown(NOW + 2 * STEP)},
    ]


@pytest.mark.parametrize(("account", "number"), [(1, UNKNOWN), (2, CONVERSATION)])
@pytest.mark.parametrize("read", [True, False])
async def test_what_is_not_there_is_not_read(
    inbox: Client, connection: asyncpg.Connection[Any], account: int, number: int, read: bool
) -> None:
    before = await world.dump(connection)

    payload = await mark(inbox, conversationId=encode_id(t.Conversation, account, number), read=read)

    assert payload == {"conversation": None, "userErrors": [error("NOT_FOUND", "conversationId")]}
    assert await world.dump(connection) == before
