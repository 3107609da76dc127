"""Waiting guests, the beginning of the wait and the deadline, with events in any order: a test for each rule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.factories import store
from tests.support.replying import (
    BY_APPLICATION,
    GUEST,
    HOSTESS,
    NOW,
    STEP,
    THERE,
    arrange,
    error,
    mark,
    prepare,
    send,
    shown,
    write,
)
from tests.support.world import CONVERSATION, OTHER_CONVERSATION, World

pytestmark = pytest.mark.anyio

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
STATE = "needsReply waitingSince deadlineResponseAt closed unreadCount read"


class Clock:
    """The server's clock, which a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def pass_(self, time: timedelta) -> None:
        """Let time pass."""
        self.now += time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, connection: asyncpg.Connection[Any]) -> Clock:  # noqa: ARG001  # set before
    """A clock that starts at NOW."""
    clock = Clock()
    monkeypatch.setattr("db.queries.writing.now", lambda: clock.now)
    return clock


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, whose conversation has no message yet."""
    connection = await prepare(shared, monkeypatch)
    await connection.execute("DELETE FROM activities; DELETE FROM messages")
    await arrange(connection, last_message_at=None)
    return connection


@pytest.fixture
def user(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A user who is a host of the first account."""
    return shared.client


@pytest.fixture
def channel(user: Client) -> Client:
    """A channel's application, which delivers guest messages."""
    return user.as_(1, BY_APPLICATION)


async def ask(channel: Client, **input: Any) -> None:
    """Deliver a guest's message."""
    payload = await send(channel, senderId=GUEST, **input)
    assert payload["userErrors"] == []


async def update(user: Client, **changes: Any) -> dict[str, Any]:
    """The state after an update."""
    payload = await write(user, "updateConversation", f"conversation {{ {STATE} }}", conversationId=THERE, **changes)
    assert payload["userErrors"] == []
    state: dict[str, Any] = payload["conversation"]
    return state


async def state(user: Client) -> dict[str, Any]:
    """The conversation's present state."""
    data = await user.data(f"{{ conversation(databaseId: {CONVERSATION}) {{ {STATE} }} }}")
    found: dict[str, Any] = data["conversation"]
    return found


def waiting(since: Any, deadline: Any) -> dict[str, Any]:
    """The part of the state about the wait."""
    return {"needsReply": True, "waitingSince": shown(since), "deadlineResponseAt": shown(deadline)}


IDLE = {"needsReply": False, "waitingSince": None, "deadlineResponseAt": None}


async def test_what_is_created_closed_has_no_deadline_also_after_it_is_opened(user: Client) -> None:
    due, state = shown(NOW + DAY), f"conversation {{ id {STATE} }}"
    created = [
        (await write(user, "createConversation", state, deadlineResponseAt=due, **given))
        for given in ({"closed": True}, {"closed": False}, {})
    ]
    conversations = [payload["conversation"] for payload in created]
    changed = [
        (await write(user, "updateConversation", state, conversationId=each["id"], closed=closed))
        for each in conversations
        for closed in (True, False)
    ]

    assert [each["deadlineResponseAt"] for each in conversations] == [None, due, due]
    assert [each["conversation"]["deadlineResponseAt"] for each in changed] == [None] * 6
    assert [payload["userErrors"] for payload in (*created, *changed)] == [[]] * 9


async def test_a_guest_who_comes_back_begins_a_new_wait(user: Client, channel: Client, clock: Clock) -> None:
    await ask(channel)
    await mark(user)
    closed = await update(user, closed=True)
    clock.pass_(90 * DAY)

    await ask(channel)

    assert closed.items() >= IDLE.items()
    assert (await state(user)).items() >= {"closed": False, **waiting(clock.now, clock.now + DAY)}.items()


@pytest.mark.parametrize("name", ["closed", "markedAsSpam"])
async def test_undoing_what_ended_a_wait_does_not_bring_it_back(
    user: Client, channel: Client, clock: Clock, name: str
) -> None:
    await ask(channel)
    clock.pass_(DAY)

    assert (await update(user, **{name: True})).items() >= IDLE.items()
    assert (await update(user, **{name: False})).items() >= IDLE.items()


async def test_a_guest_who_wrote_in_spam_waits_when_the_mark_is_taken_off(
    user: Client, channel: Client, clock: Clock
) -> None:
    await update(user, markedAsSpam=True)
    clock.pass_(DAY)
    await ask(channel)
    written = clock.now
    in_spam = await state(user)
    clock.pass_(3 * DAY)

    afterwards = await update(user, markedAsSpam=False)

    assert in_spam.items() >= {**IDLE, "unreadCount": 1}.items()
    assert afterwards.items() >= waiting(written, clock.now + DAY).items()


async def test_a_guest_who_wrote_in_closed_spam_waits_when_it_is_opened(
    user: Client, channel: Client, clock: Clock
) -> None:
    await update(user, closed=True)
    await update(user, markedAsSpam=True)
    clock.pass_(DAY)
    await ask(channel)
    written = clock.now
    clock.pass_(DAY)

    closed = await update(user, markedAsSpam=False)
    clock.pass_(DAY)
    opened = await update(user, closed=False)

    assert closed.items() >= {**IDLE, "closed": True}.items()
    assert opened.items() >= waiting(written, clock.now + DAY).items()


async def test_a_message_that_is_delivered_late_rewrites_nothing(user: Client, channel: Client, clock: Clock) -> None:
    for _ in range(4):
        await ask(channel)
    await send(user)
    await update(user, closed=True)
    clock.pass_(DAY)

    await ask(channel, sentAt=shown(NOW - 365 * DAY))

    assert await state(user) == {"closed": True, "unreadCount": 1, "read": False, **IDLE}


async def test_a_clock_that_runs_ahead_hides_no_answer(user: Client, channel: Client, clock: Clock) -> None:
    await ask(channel, sentAt=shown(clock.now + timedelta(minutes=5)))
    clock.pass_(timedelta(minutes=1))
    await send(user)

    assert await state(user) == {"closed": False, "unreadCount": 0, "read": True, **IDLE}


async def test_an_automatic_message_neither_begins_nor_ends_a_wait(user: Client, channel: Client, clock: Clock) -> None:
    await update(user, closed=True)
    await ask(channel, automatic=True)
    out_of_office = await state(user)
    await ask(channel)
    asked = clock.now + 2 * STEP
    clock.pass_(DAY)
    await send(channel, senderId=HOSTESS, automatic=True)

    assert out_of_office == {"closed": True, "unreadCount": 1, "read": False, **IDLE}
    assert (await state(user)).items() >= {"closed": False, **waiting(asked, asked + DAY)}.items()


async def answer_late(user: Client, clock: Clock, minutes: int) -> dict[str, Any]:
    """The state after an answer that was sent that many minutes after the test began, and is delivered now."""
    payload = await send(user, sentAt=shown(NOW + minutes * MINUTE))
    assert payload["userErrors"] == []
    assert clock.now > NOW + minutes * MINUTE
    return await state(user)


async def test_an_answer_that_is_delivered_late_leaves_a_wait_that_began_after_it(
    user: Client, channel: Client, clock: Clock
) -> None:
    clock.pass_(2 * MINUTE)
    await ask(channel)
    asked = clock.now
    clock.pass_(5 * MINUTE)

    assert (await answer_late(user, clock, 1)).items() >= waiting(asked, asked + DAY).items()
    assert (await answer_late(user, clock, 3)).items() >= IDLE.items()


async def test_an_answer_in_the_middle_of_a_wait_leaves_a_wait_with_its_own_deadline(
    user: Client, channel: Client, clock: Clock
) -> None:
    await ask(channel)
    clock.pass_(2 * MINUTE)
    await ask(channel, automatic=True)
    clock.pass_(2 * MINUTE)
    await ask(channel)
    asked = clock.now
    clock.pass_(5 * MINUTE)

    assert (await answer_late(user, clock, 1)).items() >= waiting(asked, asked + DAY).items()


async def test_a_late_answer_to_what_nobody_waits_for_leaves_no_deadline(
    user: Client, channel: Client, clock: Clock
) -> None:
    await ask(channel)
    await update(user, closed=True)
    await update(user, closed=False)
    clock.pass_(2 * MINUTE)
    await ask(channel, automatic=True)
    clock.pass_(2 * MINUTE)

    assert (await answer_late(user, clock, 1)).items() >= IDLE.items()


async def test_who_creates_a_conversation_has_read_it_unless_it_is_an_application(
    user: Client, channel: Client
) -> None:
    shown_state = "conversation { read unreadCount }"

    created = [await write(client, "createConversation", shown_state) for client in (user, channel)]

    assert [payload["conversation"]["read"] for payload in created] == [True, False]


@pytest.mark.parametrize(
    ("default", "input", "errors"),
    [
        (None, {}, [error("BLANK", "channel")]),
        (None, {"automatic": True}, [error("BLANK", "channel")]),
        (None, {"channel": "EMAIL"}, []),
        ("EMAIL", {}, []),
        (None, {"visibility": "INTERNAL"}, []),
    ],
)
async def test_a_hosts_message_to_a_guest_needs_a_channel(
    user: Client,
    connection: asyncpg.Connection[Any],
    default: str | None,
    input: dict[str, Any],
    errors: list[dict[str, Any]],
) -> None:
    await arrange(connection, default_channel=default)
    before = await world.dump(connection)

    payload = await send(user, **input)

    assert payload["userErrors"] == errors
    assert (await world.dump(connection) == before) is bool(errors)


async def test_without_a_guest_a_message_needs_no_channel(user: Client, connection: asyncpg.Connection[Any]) -> None:
    await connection.execute("UPDATE conversations SET default_channel = NULL")

    payload = await send(user, conversationId=encode_id(t.Conversation, 1, OTHER_CONVERSATION))

    assert payload["userErrors"] == []


@pytest.mark.parametrize("subject", ["a\rb", "a\nb", "\t", "a\x7f", "\x1b[31m", "\x85"])
async def test_a_subject_has_no_control_characters(
    user: Client, connection: asyncpg.Connection[Any], subject: str
) -> None:
    before = await world.dump(connection)

    payload = await write(user, "createConversation", "conversation { id }", subject=subject)

    assert payload == {"conversation": None, "userErrors": [error("INVALID", "subject")]}
    assert await world.dump(connection) == before


# Messages that were sent at the same time are ordered by id, and every derivation must respect that.
@pytest.mark.parametrize("answer_first", [True, False])
async def test_of_a_question_and_an_answer_at_the_same_moment_the_later_id_counts(
    user: Client, connection: asyncpg.Connection[Any], answer_first: bool
) -> None:
    senders = [world.HOST_PARTICIPANT, world.CLIENT_PARTICIPANT]
    for place, sender in enumerate(senders if answer_first else senders[::-1]):
        thread = {"account_id": 1, "conversation_id": CONVERSATION}
        await store(connection, "messages", id=70 + place, sender_id=sender, sent_at=NOW, **thread)
    await arrange(connection)

    assert (await state(user))["needsReply"] is answer_first


async def change_since(user: Client, **input: Any) -> dict[str, Any]:
    """The payload of closing a conversation with `ifUnchangedSince`."""
    return await write(
        user, "updateConversation", "conversation { closed updatedAt }", conversationId=THERE, closed=True, **input
    )


async def test_what_has_changed_since_it_was_seen_is_not_changed(
    user: Client, channel: Client, connection: asyncpg.Connection[Any]
) -> None:
    seen = shown(world_moment := await connection.fetchval("SELECT updated_at FROM conversations WHERE account_id = 1"))
    await ask(channel)
    before = await world.dump(connection)

    refused = await change_since(user, ifUnchangedSince=seen)
    after = await world.dump(connection)
    done = await change_since(user, ifUnchangedSince=refused["conversation"]["updatedAt"])

    assert world_moment < NOW
    assert refused["userErrors"] == [error("CONFLICT", "ifUnchangedSince")]
    assert refused["conversation"] == {"closed": False, "updatedAt": shown(NOW)}
    assert after == before
    assert done["conversation"]["closed"] is True
    assert done["userErrors"] == []


async def test_of_several_conversations_none_is_changed_where_one_has_changed_since(
    user: Client, channel: Client, connection: asyncpg.Connection[Any]
) -> None:
    seen = shown(await connection.fetchval("SELECT updated_at FROM conversations WHERE account_id = 1"))
    await ask(channel)
    before = await world.dump(connection)

    payload = await write(
        user,
        "updateConversations",
        "conversations { databaseId closed }",
        conversationIds=[encode_id(t.Conversation, 1, OTHER_CONVERSATION), THERE],
        closed=True,
        ifUnchangedSince=seen,
    )

    assert payload == {
        "conversations": [
            {"databaseId": str(OTHER_CONVERSATION), "closed": False},
            {"databaseId": str(CONVERSATION), "closed": False},
        ],
        "userErrors": [error("CONFLICT", "conversationIds", "1")],
    }
    assert await world.dump(connection) == before
