"""Each mutation names in the change log the events for webhooks that it caused."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.replying import BY_APPLICATION, GUEST, HOSTESS, THERE, UNKNOWN, prepare
from tests.support.world import World

pytestmark = pytest.mark.anyio

THERE_TOO = encode_id(t.Conversation, 1, world.OTHER_CONVERSATION)
BOOKED, FREE = (encode_id(t.Booking, 1, id_) for id_ in (world.BOOKING, world.FREE_BOOKING))
OTHER_HOST = encode_id(t.Host, 1, world.OTHER_HOST)
NOBODY = encode_id(t.Participant, 1, UNKNOWN)

# Event and conversation of each change that a mutation logs with events.
CAUSED: dict[str, list[tuple[str, list[str], int | None]]] = {
    f'createMessage(input: {{conversationId: "{THERE}", content: "x"}})': [
        ("MESSAGE", ["MESSAGE_CREATED", "MESSAGE_OUTGOING"], world.CONVERSATION)
    ],
    f'createMessage(input: {{conversationId: "{THERE}", content: "x", visibility: INTERNAL}})': [
        ("MESSAGE", ["MESSAGE_CREATED"], world.CONVERSATION)
    ],
    f'updateConversation(input: {{conversationId: "{THERE}", closed: true}})': [
        ("CONVERSATION", ["CONVERSATION_UPDATED"], world.CONVERSATION)
    ],
    f'updateConversation(input: {{conversationId: "{THERE}", closed: false}})': [],
    f'updateConversations(input: {{conversationIds: ["{THERE}", "{THERE_TOO}"], closed: true}})': [
        ("CONVERSATION", ["CONVERSATION_UPDATED"], world.CONVERSATION),
        ("CONVERSATION", ["CONVERSATION_UPDATED"], world.OTHER_CONVERSATION),
    ],
    f'markConversationRead(input: {{conversationId: "{THERE}"}})': [
        ("CONVERSATION", ["CONVERSATION_UPDATED"], world.CONVERSATION)
    ],
    f'addParticipant(input: {{conversationId: "{THERE}", memberId: "{OTHER_HOST}"}})': [
        ("CONVERSATION", ["CONVERSATION_UPDATED"], world.CONVERSATION)
    ],
    f'connectBookings(input: {{conversationId: "{THERE}", bookingIds: ["{FREE}"]}})': [
        ("CONVERSATION", ["BOOKINGS_CHANGED"], world.CONVERSATION)
    ],
    f'connectBookings(input: {{conversationId: "{THERE}", bookingIds: ["{BOOKED}"]}})': [],
    f'disconnectBookings(input: {{conversationId: "{THERE}", bookingIds: ["{BOOKED}"]}})': [
        ("CONVERSATION", ["BOOKINGS_CHANGED"], world.CONVERSATION)
    ],
    f'createMessage(input: {{conversationId: "{THERE}", content: "x", senderId: "{NOBODY}"}})': [],
}
CREATE = """mutation ($input: CreateConversationInput!) {
  createConversation(input: $input) { conversation { databaseId } userErrors { code } }
}"""
SEND = "mutation ($input: CreateMessageInput!) { createMessage(input: $input) { userErrors { code } } }"


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def client(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A user who is a host of the first account."""
    return shared.client


async def caused(connection: asyncpg.Connection[Any]) -> list[tuple[str, list[str], int | None]]:
    """Type, events and conversation of the changes that have events."""
    rows = await connection.fetch(
        "SELECT type, events, conversation_id FROM changes WHERE events <> '{}' ORDER BY number"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("mutation", CAUSED)
async def test_a_mutation_names_its_events(client: Client, connection: asyncpg.Connection[Any], mutation: str) -> None:
    await client.data(f"mutation {{ {mutation} {{ userErrors {{ code }} }} }}")

    assert await caused(connection) == CAUSED[mutation]


async def test_a_created_conversation_is_an_event_once(client: Client, connection: asyncpg.Connection[Any]) -> None:
    input_ = {"subject": "Keys", "bookingIds": [FREE], "idempotencyKey": "once"}
    for _ in range(2):
        data = await client.data(CREATE, input=input_)

    created = int(data["createConversation"]["conversation"]["databaseId"])
    assert await caused(connection) == [("CONVERSATION", ["CONVERSATION_CREATED"], created)]


@pytest.mark.parametrize(("sender", "events"), [(GUEST, 1), (HOSTESS, 2)])
async def test_only_what_a_host_writes_is_outgoing(
    client: Client, connection: asyncpg.Connection[Any], sender: str, events: int
) -> None:
    application = client.as_(1, BY_APPLICATION)

    await application.data(
        SEND, input={"conversationId": THERE, "content": "x", "senderId": sender, "channel": "EMAIL"}
    )

    expected = ["MESSAGE_CREATED", "MESSAGE_OUTGOING"][:events]
    assert await caused(connection) == [("MESSAGE", expected, world.CONVERSATION)]
