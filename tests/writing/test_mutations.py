"""Mutations: each rule of the domain, in the response and in the stored rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.factories import MOMENT, derive_all, store
from tests.support.world import (
    BOOKING,
    CONVERSATION,
    FREE_BOOKING,
    HOST,
    OTHER_BOOKING,
    OTHER_CONVERSATION,
    OTHER_HOST,
    SOURCE,
    World,
)

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 6, 1, 12, 0, 0, 123_000, tzinfo=UTC)
SHOWN_NOW = "2026-06-01T12:00:00.123Z"
SHOWN_MOMENT = "2026-05-04T09:30:00.000Z"

CONVERSATION_ID = encode_id(t.Conversation, 1, CONVERSATION)
SHOWN = "subject assignee { databaseId } closedAt closed defaultChannel markedAsSpamAt markedAsSpam updatedAt"
OUTCOME = f"conversation {{ {SHOWN} bookings {{ nodes {{ databaseId }} }} }} userErrors {{ code path message }}"
# The conversation that `world` stores.
UNTOUCHED = {
    "subject": "Keys of 1",
    "assignee": None,
    "closedAt": None,
    "closed": False,
    "defaultChannel": None,
    "markedAsSpamAt": None,
    "markedAsSpam": False,
    "updatedAt": SHOWN_MOMENT,
    "bookings": {"nodes": [{"databaseId": "20"}, {"databaseId": "21"}]},
}

Clock = Callable[[datetime], None]


@pytest.fixture
async def inbox(shared: World, clock: Clock) -> Client:
    """A client of an account with rows, with a stopped clock."""
    await shared.fill(1)
    await derive_all(shared.connection)
    shared.client.statements.take()
    clock(NOW)
    return shared.client


@pytest.fixture
def connection(shared: World) -> asyncpg.Connection[Any]:
    """A connection to that database."""
    return shared.connection


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the clock of writes."""
    return lambda moment: monkeypatch.setattr("db.queries.writing.now", lambda: moment)


async def write(client: Client, field: str, **input: Any) -> dict[str, Any]:
    """The payload of one mutation."""
    type_ = f"{field[0].upper()}{field[1:]}Input"
    data = await client.data(
        f"mutation($input: {type_}!) {{ it: {field}(input: $input) {{ {OUTCOME} }} }}", input=input
    )
    payload: dict[str, Any] = data["it"]
    return payload


async def update(client: Client, **changes: Any) -> dict[str, Any]:
    """The payload of updating the conversation."""
    return await write(client, "updateConversation", conversationId=CONVERSATION_ID, **changes)


async def connect(client: Client, *bookings: int) -> dict[str, Any]:
    """The payload of connecting the conversation."""
    return await write(client, "connectBookings", conversationId=CONVERSATION_ID, bookingIds=booking_ids(*bookings))


async def disconnect(client: Client, *bookings: int) -> dict[str, Any]:
    """The payload of disconnecting the conversation."""
    return await write(client, "disconnectBookings", conversationId=CONVERSATION_ID, bookingIds=booking_ids(*bookings))


def booking_ids(*bookings: int) -> list[str]:
    """Their global ids."""
    return [encode_id(t.Booking, 1, booking) for booking in bookings]


def done(**differing: Any) -> dict[str, Any]:
    """The payload with the conversation of `world` and the given differences."""
    return {"conversation": UNTOUCHED | differing, "userErrors": []}


async def altered(connection: asyncpg.Connection[Any], before: world.Dump) -> dict[str, tuple[world.Rows, world.Rows]]:
    """The rows that changed since, without the effects of every write."""
    changed = world.changes(before, await world.dump(connection))
    return {table: rows for table, rows in changed.items() if table not in world.FOLLOWING}


def linked(*bookings: int) -> dict[str, Any]:
    """The connection of these bookings."""
    return {"nodes": [{"databaseId": str(booking)} for booking in bookings]}


async def test_a_conversation_can_be_created_with_everything(
    inbox: Client, connection: asyncpg.Connection[Any]
) -> None:
    before = await world.dump(connection)

    payload = await write(
        inbox,
        "createConversation",
        subject="Späte Ankunft 🗝",
        defaultChannel="BOOKING_COM",
        assigneeId=encode_id(t.Host, 1, HOST),
        sourceId=encode_id(t.Source, 1, SOURCE),
        deadlineResponseAt="2026-06-02T14:00:00+02:00",
        closed=True,
        bookingIds=booking_ids(OTHER_BOOKING, BOOKING, OTHER_BOOKING),
    )

    assert payload == {
        "conversation": {
            "subject": "Späte Ankunft 🗝",
            "assignee": {"databaseId": "1"},
            "closedAt": SHOWN_NOW,
            "closed": True,
            "defaultChannel": "BOOKING_COM",
            "markedAsSpamAt": None,
            "markedAsSpam": False,
            "updatedAt": SHOWN_NOW,
            "bookings": linked(BOOKING, OTHER_BOOKING),
        },
        "userErrors": [],
    }
    changed = await altered(connection, before)
    id_ = changed["conversations"][1][0]["id"]
    assert changed == {
        "conversations": (
            [],
            [
                {
                    "account_id": 1,
                    "id": id_,
                    "subject": "Späte Ankunft 🗝",
                    "assignee_id": HOST,
                    "source_id": SOURCE,
                    "default_channel": "BOOKING_COM",
                    "created_at": NOW,
                    "updated_at": NOW,
                    "closed_at": NOW,
                    # Closing clears it.
                    "deadline_response_at": None,
                    "last_message_at": None,
                    "marked_as_spam_at": None,
                    "read_at": NOW,
                    "read": True,
                    "wait_ended_at": NOW,
                    "external_id": None,
                    "external_digest": None,
                    "booking_statuses": 1,
                    "stays_until": MOMENT,
                    "unanswered_since": None,
                    "unread_count": 0,
                    "undelivered_count": 0,
                    "waiting_since": None,
                    "created_by_type": "USER",
                    "created_by_id": 1,
                    "created_by_user_id": 1,
                    "created_by_application_id": None,
                }
            ],
        ),
        "conversation_bookings": (
            [],
            [
                {"account_id": 1, "conversation_id": id_, "booking_id": BOOKING},
                {"account_id": 1, "conversation_id": id_, "booking_id": OTHER_BOOKING},
            ],
        ),
    }


@pytest.mark.parametrize("bookings", [{}, {"bookingIds": None}, {"bookingIds": []}])
async def test_a_conversation_can_be_created_from_nothing(inbox: Client, bookings: dict[str, Any]) -> None:
    payload = await write(inbox, "createConversation", **bookings)

    assert payload == done(subject=None, updatedAt=SHOWN_NOW, bookings=linked())


async def test_nulls_on_creation_count_as_absent(inbox: Client) -> None:
    names = ["subject", "defaultChannel", "assigneeId", "sourceId", "deadlineResponseAt", "closed", "bookingIds"]

    payload = await write(inbox, "createConversation", **dict.fromkeys(names))

    assert payload == done(subject=None, updatedAt=SHOWN_NOW, bookings=linked())


@pytest.mark.parametrize(
    ("subject", "creator"),
    [
        ("user:1", {"__typename": "User", "databaseId": "1", "name": "Uma of 1"}),
        ("application:65", {"__typename": "Application", "databaseId": "65", "name": "Airbnb"}),
    ],
)
async def test_the_token_determines_the_creator_and_account_of_a_conversation(
    inbox: Client, subject: str, creator: dict[str, Any]
) -> None:
    data = await inbox.as_(1, subject).data("""
        mutation { createConversation(input: {}) { conversation {
          account { databaseId } createdById createdByType
          createdBy { __typename ... on User { databaseId name } ... on Application { databaseId name } }
        } } }""")

    assert data["createConversation"]["conversation"] == {
        "account": {"databaseId": "1"},
        "createdById": creator["databaseId"],
        "createdByType": creator["__typename"].upper(),
        "createdBy": creator,
    }


@pytest.mark.parametrize("character", ["x", "🗝", "é"])
async def test_a_subject_may_have_255_characters(inbox: Client, character: str) -> None:
    payload = await write(inbox, "createConversation", subject=character * 255)

    assert payload == done(subject=character * 255, updatedAt=SHOWN_NOW, bookings=linked())


@pytest.mark.parametrize("shown", ["0001-01-01T00:00:00.001Z", "9999-12-31T23:59:59.999Z"])
async def test_a_deadline_may_be_the_first_or_the_last_moment(inbox: Client, shown: str) -> None:
    data = await inbox.data(
        "mutation($at: DateTime) { createConversation(input: {deadlineResponseAt: $at}) "
        "{ conversation { deadlineResponseAt } } }",
        at=shown,
    )

    assert data["createConversation"]["conversation"] == {"deadlineResponseAt": shown}


# Messages that arrived earlier begin no wait.
ENDED = {"wait_ended_at": NOW, "unanswered_since": None, "waiting_since": None}


@pytest.mark.parametrize(
    ("changes", "shown", "stored"),
    [
        ({"closed": True}, {"closed": True, "closedAt": SHOWN_NOW}, {"closed_at": NOW, **ENDED}),
        (
            {"markedAsSpam": True},
            {"markedAsSpam": True, "markedAsSpamAt": SHOWN_NOW},
            {"marked_as_spam_at": NOW, **ENDED},
        ),
        ({"defaultChannel": "VRBO"}, {"defaultChannel": "VRBO"}, {"default_channel": "VRBO"}),
        (
            {"assigneeId": encode_id(t.Host, 1, OTHER_HOST)},
            {"assignee": {"databaseId": "2"}},
            {"assignee_id": OTHER_HOST},
        ),
    ],
)
async def test_an_update_changes_what_it_names_and_nothing_else(
    inbox: Client,
    connection: asyncpg.Connection[Any],
    changes: dict[str, Any],
    shown: dict[str, Any],
    stored: dict[str, Any],
) -> None:
    before = await world.dump(connection)

    assert await update(inbox, **changes) == done(updatedAt=SHOWN_NOW, **shown)

    changed = await altered(connection, before)
    ((old,), (new,)) = changed.pop("conversations")
    assert (new, changed) == (old | {"updated_at": NOW} | stored, {})


async def test_what_an_update_takes_away_is_gone(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    await connection.execute(
        "UPDATE conversations SET assignee_id = 1, default_channel = 'EMAIL', closed_at = $1, marked_as_spam_at = $1",
        MOMENT,
    )

    payload = await update(inbox, assigneeId=None, defaultChannel=None, closed=False, markedAsSpam=False)

    assert payload == done(updatedAt=SHOWN_NOW)


@pytest.mark.parametrize(
    ("stored", "changes", "shown"),
    [
        ({}, {}, {}),
        ({}, {"assigneeId": None, "defaultChannel": None, "closed": False, "markedAsSpam": False}, {}),
        ({"closed_at": MOMENT}, {"closed": True}, {"closed": True, "closedAt": SHOWN_MOMENT}),
        (
            {"marked_as_spam_at": MOMENT},
            {"markedAsSpam": True},
            {"markedAsSpam": True, "markedAsSpamAt": SHOWN_MOMENT},
        ),
        ({"default_channel": "EMAIL"}, {"defaultChannel": "EMAIL"}, {"defaultChannel": "EMAIL"}),
        ({"assignee_id": HOST}, {"assigneeId": encode_id(t.Host, 1, HOST)}, {"assignee": {"databaseId": "1"}}),
        ({"assignee_id": HOST}, {"closed": False}, {"assignee": {"databaseId": "1"}}),
    ],
)
async def test_an_update_to_what_is_already_so_changes_nothing(
    inbox: Client,
    connection: asyncpg.Connection[Any],
    stored: dict[str, Any],
    changes: dict[str, Any],
    shown: dict[str, Any],
) -> None:
    for column, value in stored.items():
        await connection.execute(f"UPDATE conversations SET {column} = $1", value)  # noqa: S608  # the test's own
    before = await world.dump(connection)

    assert await update(inbox, **changes) == done(**shown)

    assert await world.dump(connection) == before


# After the last moment of the year 9999 there is none.
@pytest.mark.parametrize("step", [timedelta(milliseconds=1), timedelta()])
async def test_updated_at_moves_on_even_where_it_lies_in_the_future(
    inbox: Client, connection: asyncpg.Connection[Any], step: timedelta
) -> None:
    future = NOW + timedelta(days=1) if step else datetime.max.replace(microsecond=999_000, tzinfo=UTC)
    await connection.execute("UPDATE conversations SET updated_at = $1", future)

    payloads = [await update(inbox, closed=True), await connect(inbox, FREE_BOOKING), await disconnect(inbox, BOOKING)]

    expected = [_shown(future + number * step) for number in (1, 2, 3)]
    assert [payload["conversation"]["updatedAt"] for payload in payloads] == expected


async def test_the_clock_is_the_servers_in_whole_milliseconds(
    shared: World, connection: asyncpg.Connection[Any]
) -> None:
    await shared.fill(1)
    earliest = datetime.now(UTC) - timedelta(milliseconds=1)

    payload = await update(shared.client, closed=True)

    moment = datetime.fromisoformat(payload["conversation"]["closedAt"])
    assert earliest <= moment <= datetime.now(UTC)
    assert payload == done(closed=True, closedAt=payload["conversation"]["updatedAt"], updatedAt=_shown(moment))
    assert await connection.fetchval("SELECT closed_at FROM conversations WHERE id = $1", CONVERSATION) == moment


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_connecting_adds_what_is_missing(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    before = await world.dump(connection)

    payload = await connect(inbox, FREE_BOOKING, BOOKING, FREE_BOOKING)

    assert payload == done(updatedAt=SHOWN_NOW, bookings=linked(BOOKING, OTHER_BOOKING, FREE_BOOKING))
    changed = await altered(connection, before)
    ((old,), (new,)) = changed.pop("conversations")
    assert new == old | {"updated_at": NOW}
    link = {"account_id": 1, "conversation_id": CONVERSATION, "booking_id": FREE_BOOKING}
    assert changed == {"conversation_bookings": ([], [link])}


async def test_disconnecting_removes_what_is_there(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    await store(
        connection, "conversation_bookings", account_id=1, conversation_id=OTHER_CONVERSATION, booking_id=BOOKING
    )
    before = await world.dump(connection)

    payload = await disconnect(inbox, FREE_BOOKING, BOOKING, BOOKING)

    assert payload == done(updatedAt=SHOWN_NOW, bookings=linked(OTHER_BOOKING))
    changed = await altered(connection, before)
    ((old,), (new,)) = changed.pop("conversations")
    assert new == old | {"updated_at": NOW}
    link = {"account_id": 1, "conversation_id": CONVERSATION, "booking_id": BOOKING}
    assert changed == {"conversation_bookings": ([link], [])}


async def test_connecting_what_is_connected_changes_nothing(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    before = await world.dump(connection)

    assert await connect(inbox, BOOKING, OTHER_BOOKING) == done()
    assert await disconnect(inbox, FREE_BOOKING) == done()

    assert await world.dump(connection) == before


async def test_250_bookings_can_be_connected_at_once(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    ids = [await store(connection, "bookings", account_id=1, id=1_000 + place) for place in range(250)]
    # Repeats count once, so this is no more.
    await connect(inbox, *(id_ for id_ in ids if id_), 1_000, 1_001)

    stored = await connection.fetch("SELECT booking_id FROM conversation_bookings WHERE booking_id >= 1000 ORDER BY 1")
    assert [row["booking_id"] for row in stored] == ids


async def test_text_is_stored_as_it_came(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    subject = "'; DROP TABLE conversations; -- \\ \u202e %s {} $1"

    payload = await write(inbox, "createConversation", subject=subject)

    assert payload == done(subject=subject, updatedAt=SHOWN_NOW, bookings=linked())
    assert await connection.fetchval("SELECT subject FROM conversations WHERE id > 10000") == subject


@pytest.mark.parametrize(
    ("read_at", "unread_count", "read"),
    [(None, 0, False), (None, 1, False), (MOMENT, 0, True), (MOMENT, 1, False), (MOMENT, 2, False)],
)
async def test_a_conversation_is_read_when_it_was_read_and_nothing_is_unread(
    inbox: Client, connection: asyncpg.Connection[Any], read_at: datetime | None, unread_count: int, read: bool
) -> None:
    await connection.execute(
        "UPDATE conversations SET read_at = $1, unread_count = $2 WHERE id = $3", read_at, unread_count, CONVERSATION
    )

    data = await inbox.data("""{
      conversation(databaseId: 10) { read }
      read: conversations(filter: {read: true}) { nodes { databaseId } }
      unread: conversations(filter: {read: false}) { nodes { databaseId } }
    }""")

    filtered = {"read": [], "unread": [{"databaseId": "11"}]}
    filtered["read" if read else "unread"].insert(0, {"databaseId": "10"})
    assert {name: sorted(data[name]["nodes"], key=str) for name in filtered} == filtered
    assert data["conversation"] == {"read": read}
