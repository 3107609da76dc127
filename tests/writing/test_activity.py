"""The activities of a conversation: who did what, when, and through whose token."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support.client import Client
from tests.support.replying import BY_APPLICATION, GUEST, NOW, SHOWN_NOW, STEP, THERE, arrange, prepare, shown, write
from tests.support.world import BOOKING, CONVERSATION, FREE_BOOKING, HOST, OTHER_HOST, World

pytestmark = pytest.mark.anyio

ACTIVITY = """activity(last: 100) { nodes {
  type createdAt createdBy { __typename } assignee { databaseId } booking { databaseId }
  message { content sender { memberType } }
} }"""
HOSTS = {id_: encode_id(t.Host, 1, id_) for id_ in (HOST, OTHER_HOST)}
BOOKINGS = {id_: encode_id(t.Booking, 1, id_) for id_ in (BOOKING, FREE_BOOKING)}
SPAM = {"markedAsSpam": True}


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts without activities, with a stopped clock."""
    connection = await prepare(shared, monkeypatch)
    await connection.execute("DELETE FROM activities")
    return connection


@pytest.fixture
def user(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A user who is a host of the first account."""
    return shared.client


@pytest.fixture
def application(user: Client) -> Client:
    """A channel's application."""
    return user.as_(1, BY_APPLICATION)


def act(type_: str, **others: Any) -> dict[str, Any]:
    """An activity of the user, now."""
    named = dict.fromkeys(("assignee", "booking", "message"))
    return {"type": type_, "createdAt": SHOWN_NOW, "createdBy": {"__typename": "User"}, **named, **others}


async def read(client: Client) -> list[dict[str, Any]]:
    """The activities of the conversation."""
    nodes: list[dict[str, Any]] = (await client.data(f'{{ conversation(id: "{THERE}") {{ {ACTIVITY} }} }}'))[
        "conversation"
    ]["activity"]["nodes"]
    return nodes


UPDATES: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"assigneeId": HOSTS[OTHER_HOST]}, [act("ASSIGNED", assignee={"databaseId": str(OTHER_HOST)})]),
    ({"closed": True}, [act("CLOSED")]),
    (SPAM, [act("MARKED_AS_SPAM")]),
    (
        {"assigneeId": HOSTS[HOST], "closed": True, **SPAM},
        [act("ASSIGNED", assignee={"databaseId": str(HOST)}), act("CLOSED"), act("MARKED_AS_SPAM")],
    ),
    # Nothing changes, or nothing that is an activity.
    ({"assigneeId": None, "closed": False, "markedAsSpam": False}, []),
    ({"defaultChannel": "VRBO"}, []),
    # Rejected.
    ({"assigneeId": encode_id(t.Host, 2, HOST), "closed": True}, []),
    ({"closed": True, "ifUnchangedSince": "2020-01-01T00:00:00Z"}, []),
]


@pytest.mark.parametrize(("input", "activities"), UPDATES)
async def test_an_update_has_an_activity_for_each_change(
    user: Client, input: dict[str, Any], activities: list[dict[str, Any]]
) -> None:
    await write(user, "updateConversation", "", conversationId=THERE, **input)

    assert await read(user) == activities


async def test_undoing_is_an_activity_and_repeating_is_none(
    user: Client, connection: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    doing: dict[str, Any] = {"assigneeId": HOSTS[HOST], "closed": True}
    undoing: dict[str, Any] = {"assigneeId": None, "closed": False}
    for number, given in enumerate([doing, undoing]):
        monkeypatch.setattr("db.queries.writing.now", lambda moment=NOW + number * STEP: moment)
        for _ in range(2):
            await write(user, "updateConversations", "", conversationIds=[THERE, THERE], **given)

    later = shown(NOW + STEP)
    assert await read(user) == [
        act("ASSIGNED", assignee={"databaseId": str(HOST)}),
        act("CLOSED"),
        act("UNASSIGNED", createdAt=later),
        act("REOPENED", createdAt=later),
    ]
    assert await connection.fetchval("SELECT count(*) FROM activities") == 4


async def test_each_booking_that_is_connected_or_disconnected_is_an_activity(
    user: Client, application: Client, connection: asyncpg.Connection[Any]
) -> None:
    given = {"conversationId": THERE, "bookingIds": [BOOKINGS[FREE_BOOKING], BOOKINGS[BOOKING]]}
    await write(application, "connectBookings", "", **given)
    await write(user, "disconnectBookings", "", **given)

    free, other = ({"databaseId": str(id_)} for id_ in (FREE_BOOKING, BOOKING))
    by_application = {"__typename": "Application"}
    later = shown(NOW + STEP)
    activities = [
        act("BOOKING_CONNECTED", booking=free, createdBy=by_application),
        act("BOOKING_DISCONNECTED", booking=free, createdAt=later),
        act("BOOKING_DISCONNECTED", booking=other, createdAt=later),
    ]
    assert await read(user) == activities
    # An import can delete a booking.
    await connection.execute("DELETE FROM bookings WHERE account_id = 1 AND id = $1", FREE_BOOKING)
    assert await read(user) == [{**each, "booking": None if each["booking"] == free else other} for each in activities]


async def test_a_guest_whose_message_reopens_is_the_sender_of_the_message(
    user: Client, application: Client, connection: asyncpg.Connection[Any]
) -> None:
    await arrange(connection, closed_at=NOW - STEP)

    for content in ("Hello?", "Anybody?"):
        await write(application, "createMessage", "", conversationId=THERE, senderId=GUEST, content=content)
    await write(user, "createMessage", "", conversationId=THERE, content="Yes")

    message = {"content": "Hello?", "sender": {"memberType": "CLIENT"}}
    assert await read(user) == [act("REOPENED", message=message, createdBy={"__typename": "Application"})]


async def test_what_a_conversation_is_created_with_was_done_by_its_creator(user: Client) -> None:
    payload = await write(
        user,
        "createConversation",
        f"conversation {{ {ACTIVITY} }}",
        closed=True,
        assigneeId=HOSTS[OTHER_HOST],
        bookingIds=[BOOKINGS[BOOKING]],
    )

    assert payload["conversation"]["activity"]["nodes"] == [
        act("ASSIGNED", assignee={"databaseId": str(OTHER_HOST)}),
        act("CLOSED"),
        act("BOOKING_CONNECTED", booking={"databaseId": str(BOOKING)}),
    ]


async def test_activities_are_stored_in_the_round_trip_of_the_commit(user: Client) -> None:
    user.statements.take()

    await write(user, "updateConversation", "", conversationId=THERE, closed=True)
    closing = user.statements.take()
    await write(user, "updateConversation", "", conversationId=THERE, defaultChannel="VRBO")
    other = user.statements.take()

    assert [("store_activity" in sql, "log_change" in sql, "COMMIT" in sql) for sql in closing[-1:]] == [(True,) * 3]
    assert len([sql for sql in closing if "activit" in sql]) == 1
    assert [("store_activity" in sql, "COMMIT" in sql) for sql in other[-1:]] == [(False, True)]


WRITER = "query($c: ID!) { viewer { participant(conversationId: $c) { id memberType conversation { databaseId } } } }"


async def test_the_participant_of_the_viewer_is_the_sender_of_their_next_message(
    user: Client, connection: asyncpg.Connection[Any]
) -> None:
    """Whichever hosts the user has and whichever take part, in any order; null where the first message adds one."""
    found = []
    for place, (users, kept) in enumerate(
        [((HOST,), True), ((HOST,), False), ((HOST, OTHER_HOST), True), ((OTHER_HOST,), True), ((), True)]
    ):
        await connection.execute("UPDATE hosts SET user_id = CASE WHEN id = ANY ($1) THEN 1 END", list(users))
        if not kept:
            await connection.execute(
                """DELETE FROM messages m USING participants p WHERE p.id = m.sender_id AND p.host_id = 1;
                DELETE FROM participants WHERE host_id = 1"""
            )
        before = (await user.data(WRITER, c=THERE))["viewer"]["participant"]
        payload = await write(user, "createMessage", "message { sender { id } }", conversationId=THERE, content="x")
        sender = payload["message"] and payload["message"]["sender"]["id"]
        after = (await user.data(WRITER, c=THERE))["viewer"]["participant"]
        assert (after and after["id"]) == sender, place
        assert before is None or before == after
        found.append((before is None, after is None))

    assert found == [(False, False), (True, False), (False, False), (True, False), (True, True)]


async def test_an_application_writes_as_nobody_and_elsewhere_is_no_participant(
    user: Client, application: Client
) -> None:
    foreign = encode_id(t.Conversation, 2, CONVERSATION)

    answers = [(await application.data(WRITER, c=THERE)), (await user.data(WRITER, c=foreign))]

    assert answers == [{"viewer": {"participant": None}}] * 2
    assert (await user.error(WRITER, c=HOSTS[HOST]))[0] == "BAD_USER_INPUT"
