"""What a message changes around it: of its sender, and of its conversation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import pytest

from tests.support import world
from tests.support.client import Client
from tests.support.factories import MOMENT
from tests.support.replying import (
    BY_APPLICATION,
    FIRST,
    GUEST,
    HOSTESS,
    HOUR,
    NOW,
    SHOWN_NOW,
    STEP,
    arrange,
    changed,
    prepare,
    send,
    shown,
)
from tests.support.world import CLIENT_PARTICIPANT, World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, at a time that stands still."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def user(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A user who is a host of the first account."""
    return shared.client


@pytest.fixture
def application(user: Client) -> Client:
    """A channel's application."""
    return user.as_(1, BY_APPLICATION)


LATE = NOW - 2 * HOUR
# Who writes what, into which conversation; and what of the conversation differs then, besides when it was updated.
EFFECTS: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a guest's message is to be answered within a day": (
        GUEST,
        {},
        {},
        {"last_message_at": NOW, "deadline_response_at": NOW + 24 * HOUR, "unread_count": 2},
    ),
    "a guest's message reopens": (
        GUEST,
        {},
        {"closed_at": MOMENT},
        {
            "last_message_at": NOW,
            "deadline_response_at": NOW + 24 * HOUR,
            "unread_count": 2,
            "closed_at": None,
            "waiting_since": MOMENT,
        },
    ),
    "spam neither reopens nor waits for an answer": (
        GUEST,
        {},
        {"closed_at": MOMENT, "marked_as_spam_at": MOMENT},
        {"last_message_at": NOW, "unread_count": 2},
    ),
    "a deadline stays": (
        GUEST,
        {},
        {"deadline_response_at": MOMENT},
        {"last_message_at": NOW, "unread_count": 2},
    ),
    "a guest's message is unread": (
        GUEST,
        {},
        {"read_at": LATE},
        {"last_message_at": NOW, "deadline_response_at": NOW + 24 * HOUR, "unread_count": 1},
    ),
    "a guest's message that was delivered late is unread": (
        GUEST,
        {"sentAt": shown(LATE)},
        {"read_at": NOW, "last_message_at": NOW},
        {"deadline_response_at": LATE + 24 * HOUR, "unread_count": 1, "read_at": LATE - STEP},
    ),
    "a guest's message sent as it was read is unread": (
        GUEST,
        {"sentAt": shown(LATE)},
        {"read_at": LATE},
        {
            "last_message_at": LATE,
            "deadline_response_at": LATE + 24 * HOUR,
            "unread_count": 1,
            "read_at": LATE - STEP,
        },
    ),
    "before the first moment nothing was read": (
        GUEST,
        {"sentAt": shown(FIRST + STEP)},
        {"read_at": NOW, "last_message_at": NOW},
        {
            "deadline_response_at": FIRST + STEP + 24 * HOUR,
            "unread_count": 2,
            "read_at": None,
            "unanswered_since": FIRST + STEP,
            "waiting_since": FIRST + STEP,
        },
    ),
    "an answer ends the waiting": (
        HOSTESS,
        {},
        {"deadline_response_at": MOMENT},
        {"last_message_at": NOW, "deadline_response_at": None, "unanswered_since": None, "waiting_since": None},
    ),
    "an answer leaves what was not read unread": (
        HOSTESS,
        {},
        {"read_at": MOMENT - STEP, "last_message_at": MOMENT},
        {"last_message_at": NOW, "unanswered_since": None, "waiting_since": None},
    ),
    "an answer in a conversation that was read leaves it read": (
        HOSTESS,
        {},
        {"read_at": LATE, "last_message_at": MOMENT},
        {"last_message_at": NOW, "read_at": NOW, "unanswered_since": None, "waiting_since": None},
    ),
    "an answer sent before it was read moves nothing back": (
        HOSTESS,
        {"sentAt": shown(LATE)},
        {"read_at": NOW, "last_message_at": NOW},
        {"unanswered_since": None, "waiting_since": None},
    ),
    "an answer does not reopen": (
        HOSTESS,
        {},
        {"closed_at": MOMENT},
        {"last_message_at": NOW, "unanswered_since": None},
    ),
    "an answer that the guest's message follows leaves the guest waiting": (
        HOSTESS,
        {"sentAt": shown(MOMENT - HOUR)},
        {"deadline_response_at": NOW},
        {"last_message_at": MOMENT - HOUR, "deadline_response_at": None},
    ),
    "a note is no answer": (
        HOSTESS,
        {"visibility": "INTERNAL"},
        {"deadline_response_at": MOMENT},
        {"last_message_at": NOW},
    ),
    "a note in a conversation that was read leaves it read": (
        HOSTESS,
        {"visibility": "INTERNAL"},
        {"read_at": LATE, "last_message_at": MOMENT},
        {"last_message_at": NOW, "read_at": NOW},
    ),
}


@pytest.mark.parametrize(("sender", "input", "stored", "expected"), EFFECTS.values(), ids=EFFECTS)
async def test_what_a_message_changes_of_its_conversation(  # noqa: PLR0913, PLR0917  # the case
    application: Client,
    connection: asyncpg.Connection[Any],
    sender: str,
    input: dict[str, Any],
    stored: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    await arrange(connection, **stored)
    before = await world.dump(connection)

    payload = await send(application, senderId=sender, **input)

    assert payload["userErrors"] == []
    sent_at = datetime.fromisoformat(input.get("sentAt", SHOWN_NOW))
    after = await changed(connection, before)
    assert after["conversations"] == [{"updated_at": NOW} | expected]
    assert after["participants"] == [{"last_message_sent_at": sent_at, "updated_at": NOW}]


async def test_a_sender_last_wrote_at_the_latest_of_its_messages(
    application: Client, connection: asyncpg.Connection[Any]
) -> None:
    for sent_at in (NOW, LATE):
        await send(application, senderId=GUEST, sentAt=shown(sent_at))

    stored = await connection.fetchrow(
        "SELECT * FROM participants WHERE account_id = 1 AND id = $1", CLIENT_PARTICIPANT
    )
    assert (stored["last_message_sent_at"], stored["updated_at"]) == (NOW, NOW + STEP)
