"""Effects of a message on its sender and its conversation."""

from __future__ import annotations

from datetime import datetime, timedelta
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


LATE, MINUTE = NOW - 2 * HOUR, timedelta(minutes=1)
DAY = 24 * HOUR
# The sender, the message, the conversation's state before, and its changes except `updated_at`. A guest's message of
# MOMENT is unanswered.
EFFECTS: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "a guest's message is to be answered within a day": (
        GUEST,
        {},
        {},
        {"last_message_at": NOW, "deadline_response_at": NOW + DAY, "unread_count": 2},
    ),
    "a guest's message reopens, and its wait is a new one": (
        GUEST,
        {},
        {"closed_at": MOMENT + HOUR, "deadline_response_at": MOMENT},
        {
            "last_message_at": NOW,
            "deadline_response_at": NOW + DAY,
            "unread_count": 2,
            "closed_at": None,
            "unanswered_since": NOW,
            "waiting_since": NOW,
        },
    ),
    "spam neither reopens nor waits for an answer": (
        GUEST,
        {},
        {"closed_at": MOMENT, "marked_as_spam_at": MOMENT},
        {"last_message_at": NOW, "unread_count": 2, "unanswered_since": NOW},
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
        {"last_message_at": NOW, "deadline_response_at": NOW + DAY, "unread_count": 1, "read": False},
    ),
    "a message that was sent before it was read and arrived after is unread, and readAt stays": (
        GUEST,
        {"sentAt": shown(MOMENT - HOUR)},
        {"read_at": NOW - STEP},
        {
            "deadline_response_at": NOW + DAY,
            "unread_count": 1,
            "read": False,
            "unanswered_since": MOMENT - HOUR,
            "waiting_since": MOMENT - HOUR,
        },
    ),
    "a message is unread that arrives as the conversation is read, and later than that": (
        GUEST,
        {},
        {"read_at": NOW, "updated_at": NOW},
        {
            "last_message_at": NOW + STEP,
            "deadline_response_at": NOW + STEP + DAY,
            "unread_count": 1,
            "read": False,
            "updated_at": NOW + STEP,
        },
    ),
    "what is sent by a clock that is ahead is sent now": (
        GUEST,
        {"sentAt": shown(NOW + 5 * MINUTE)},
        {},
        {"last_message_at": NOW, "deadline_response_at": NOW + DAY, "unread_count": 2},
    ),
    "an automatic message of a guest is unread, and neither reopens nor waits": (
        GUEST,
        {"automatic": True},
        {"closed_at": MOMENT},
        {"last_message_at": NOW, "unread_count": 2},
    ),
    "an automatic message of a guest has no deadline": (
        GUEST,
        {"automatic": True},
        {},
        {"last_message_at": NOW, "unread_count": 2},
    ),
    "an automatic message of a host is no answer": (
        HOSTESS,
        {"automatic": True},
        {"deadline_response_at": MOMENT},
        {"last_message_at": NOW},
    ),
    "an answer ends the wait": (
        HOSTESS,
        {},
        {"deadline_response_at": MOMENT},
        {"last_message_at": NOW, "deadline_response_at": None, "unanswered_since": None, "waiting_since": None},
    ),
    "an answer that an application writes reads nothing": (
        HOSTESS,
        {},
        {"read_at": MOMENT - STEP},
        {"last_message_at": NOW, "unanswered_since": None, "waiting_since": None},
    ),
    "an answer does not reopen": (
        HOSTESS,
        {},
        {"closed_at": MOMENT},
        {"last_message_at": NOW},
    ),
    "an answer that the guest's message follows leaves the guest waiting, with the deadline": (
        HOSTESS,
        {"sentAt": shown(MOMENT - HOUR)},
        {"deadline_response_at": NOW},
        {},
    ),
    "a note is no answer": (
        HOSTESS,
        {"visibility": "INTERNAL"},
        {"deadline_response_at": MOMENT},
        {"last_message_at": NOW},
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
    sent_at = min(sent_at, expected.get("last_message_at", NOW))
    assert after["conversations"] == [{"updated_at": NOW} | expected]
    sent_at = max(sent_at, expected.get("last_message_at", FIRST)) if not input else sent_at
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


@pytest.mark.parametrize("input", [{}, {"visibility": "INTERNAL"}, {"automatic": True}])
async def test_a_user_who_writes_has_read_the_conversation(
    user: Client, connection: asyncpg.Connection[Any], input: dict[str, Any]
) -> None:
    await send(user, **input)

    stored = await connection.fetchrow(
        "SELECT read_at, read, unread_count FROM conversations WHERE account_id = 1 AND id = 10"
    )
    assert tuple(stored) == (NOW, True, 0)


# Three messages of a guest, an answer, and a message that was written before the answer and is delivered a year later.
async def test_a_message_that_is_delivered_after_its_answer_is_only_unread(
    user: Client, application: Client, connection: asyncpg.Connection[Any]
) -> None:
    for _ in range(3):
        await send(application, senderId=GUEST)
    await send(user)
    await connection.execute("UPDATE conversations SET closed_at = read_at WHERE account_id = 1 AND id = 10")
    before = await world.dump(connection)

    await send(application, senderId=GUEST, sentAt=shown(NOW - 365 * DAY))

    after = await changed(connection, before)
    moment = NOW + 4 * STEP
    # The wait ended when it was closed, which is stored with the next change.
    assert after["conversations"] == [
        {"updated_at": moment, "unread_count": 1, "read": False, "wait_ended_at": NOW + 3 * STEP}
    ]
