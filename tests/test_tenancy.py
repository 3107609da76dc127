"""Accounts are kept apart: what another account has is as if it had never been.

Every way in is found in the schema: each argument and each field of an input, of every field. Account 2 goes in by each
of them with what account 1 has, once while account 1 has it and once after account 1 has lost everything. Neither the
answers nor the statements may differ. Both accounts use the same numbers for their rows, and account 1 has rows with
numbers of its own besides.
"""

from __future__ import annotations

import itertools
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from graphql import (
    GraphQLObjectType,
    is_non_null_type,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import tables as t
from gql.node import NODE_TABLES, encode_id
from tests import world
from tests.client import Client, Statements
from tests.conftest import recording, serving
from tests.ways import NUMBERS, OWN_OF_1, SHIFT, TRIED, WAYS, leads, schema, select_all, selection
from tests.world import World

pytestmark = pytest.mark.anyio

# The positions that take a text which is stored, whoever else has the same.
WRITING = {
    *(f"Mutation.createConversation(input.{name})" for name in ("subject", "idempotencyKey")),
    *(f"Mutation.createMessage(input.{name})" for name in ("content", "idempotencyKey")),
}
SIDES = ("after", "before")
# The positions that take something which leads to a row. A new one is found, tried, and to be added here.
LEADING = {
    *("Query.node(id)", "Query.nodes(ids)", "Query.bookings(filter.ids)", "Query.bookings(filter.reference)"),
    *(f"Query.{field}({id_})" for field in ("conversation", "booking") for id_ in ("id", "databaseId")),
    *(
        f"Query.{field}({s})"
        for field in ("conversations", "bookings", "hosts", "sources")
        for s in ("after", "before")
    ),
    *(
        f"Query.{field}(filter.{name})"
        for field in ("conversations", "inboxCounts")
        for name in (
            "ids",
            "assigneeIds",
            "sourceIds",
            "bookingIds",
            "inquiryIds",
            "clientIds",
            "hostIds",
            "rentalIds",
            "search",
        )
    ),
    *WRITING,
    *(
        f"Mutation.{field}(input.{name})"
        for field, names in {
            "createConversation": ("assigneeId", "sourceId", "bookingIds"),
            "updateConversation": ("conversationId", "assigneeId"),
            "updateConversations": ("conversationIds", "assigneeId"),
            "markConversationRead": ("conversationId",),
            "createMessage": ("conversationId", "senderId"),
            "addParticipant": ("conversationId", "memberId"),
            "connectBookings": ("conversationId", "bookingIds"),
            "disconnectBookings": ("conversationId", "bookingIds"),
        }.items()
        for name in names
    ),
    *(
        f"{field}({side})"
        for field in (
            "Booking.conversations",
            *(f"Conversation.{name}" for name in ("bookings", "inquiries", "messages", "participants")),
        )
        for side in SIDES
    ),
}


def test_every_way_to_a_row_is_known() -> None:
    assert {str(way) for way in WAYS if leads(way)} == LEADING


@pytest.fixture(scope="module")
async def shared(shared_dsn: str) -> AsyncIterator[World]:
    """As everywhere, but without limits: the documents here ask for all that there is."""
    statements = Statements()
    free: dict[str, Any] = {"max_aliases": 1_000, "max_depth": 50, "max_cost": 10**9, "rate_limit": 0}
    connection = await asyncpg.connect(shared_dsn)
    with recording(statements):
        async with serving(shared_dsn, statements, **free) as client:
            yield World(client, connection)
    await connection.close()


@pytest.fixture(scope="module")
async def apart(shared: World) -> tuple[World, Client]:
    """A database of both accounts, and a client of the second."""
    await shared.fill(1, 2)
    await world.store_world(shared.connection, 1, SHIFT)
    other = shared.client.as_(2)
    await other.data("{ __typename }")
    return shared, other


async def test_another_accounts_rows_are_as_if_they_had_never_been(apart: tuple[World, Client]) -> None:
    shared, other = apart
    harmless = [(way, text, value) for way, text, value in TRIED if way not in WRITING]
    before = await world.dump(shared.connection)

    beside = [await _tried(other, text, value) for _, text, value in harmless]

    assert await world.dump(shared.connection) == before
    await shared.fill(2)
    alone = [await _tried(other, text, value) for _, text, value in harmless]
    for (way, _, value), (answer, sql), expected in zip(harmless, beside, alone, strict=True):
        assert (answer, sql) == expected, f"{way} with {value}"
        assert "of 1" not in json.dumps(answer.get("data")), f"{way} with {value}"


async def test_every_way_leads_to_rows_of_ones_own(shared: World) -> None:
    """Else it would prove nothing that it leads nobody else there."""
    led = set()
    for way, text, value in TRIED:
        if way not in led:
            await shared.fill(1)
            await world.store_world(shared.connection, 1, SHIFT)
            for theirs, own in OWN_OF_1.items():
                text = text.replace(theirs, own)  # noqa: PLW2901
            answer, _ = await _tried(shared.client, text, value)
            # Numbers name nobody, but some are not 0.
            if re.search('"inboxcounts_open": [1-9]' if "inboxCounts" in way else "of 1", json.dumps(answer)):
                led.add(way)

    assert led == LEADING


async def _tried(client: Client, text: str, value: Any) -> tuple[dict[str, Any], list[str]]:
    client.statements.take()
    answer = await client.answer(text, value=value)
    return answer, client.statements.take()


async def test_what_needs_no_value_shows_only_ones_own(shared: World) -> None:
    await shared.fill(1, 2)
    roots = schema().get_type("Query")
    assert isinstance(roots, GraphQLObjectType)
    fields = [
        f"{name} {{ {selection(field, 3)} }}"
        for name, field in roots.fields.items()
        if not any(is_non_null_type(argument.type) for argument in field.args.values())
        if name not in {"conversation", "booking", "inboxCounts", "rateLimit"}
    ]
    own, foreign = shared.client, shared.client.as_(2)

    for field, (viewer, marks) in itertools.product(fields, ((own, ("of 1", "of 2")), (foreign, ("of 2", "of 1")))):
        shown = json.dumps(await viewer.data(f"{{ {field} }}"))

        assert (marks[0] in shown, marks[1] in shown) == (True, False), field


async def test_the_same_number_is_each_accounts_own_row(shared: World) -> None:
    await shared.fill(1, 2)

    shown = [
        await shared.client.as_(account).data(
            "{ conversation(databaseId: 10) { subject } booking(databaseId: 20) { reference } }"
        )
        for account in (1, 2)
    ]

    assert shown == [
        {"conversation": {"subject": f"Keys of {account}"}, "booking": {"reference": f"20 of {account}"}}
        for account in (1, 2)
    ]


async def test_writing_stays_in_the_account(shared: World) -> None:
    await shared.fill(1, 2)
    before = await world.dump(shared.connection)
    conversation = encode_id(t.Conversation, 2, world.CONVERSATION)
    bookings = [encode_id(t.Booking, 2, id_) for id_ in (world.BOOKING, world.FREE_BOOKING)]

    await shared.client.as_(2).data(
        """mutation($c: ID!, $b: [ID!]!, $h: ID!) {
          a: updateConversation(input: {conversationId: $c, closed: true}) { userErrors { code } }
          b: connectBookings(input: {conversationId: $c, bookingIds: $b}) { userErrors { code } }
          c: disconnectBookings(input: {conversationId: $c, bookingIds: $b}) { userErrors { code } }
          d: createConversation(input: {subject: "Keys of 1", bookingIds: $b, idempotencyKey: "k"}) {
            userErrors { code } }
          e: createMessage(input: {conversationId: $c, content: "Keys of 1", idempotencyKey: "l"}) {
            userErrors { code } }
          f: addParticipant(input: {conversationId: $c, memberId: $h}) { userErrors { code } }
          g: markConversationRead(input: {conversationId: $c}) { userErrors { code } }
          h: updateConversations(input: {conversationIds: [$c], markedAsSpam: true}) { userErrors { code } }
        }""",
        c=conversation,
        b=bookings,
        h=encode_id(t.Host, 2, world.OTHER_HOST),
    )

    changed = world.changes(before, await world.dump(shared.connection))
    written = {"conversations", "conversation_bookings", "messages", "participants", "idempotency_keys"}
    assert set(changed) - {"conversation_texts"} == written
    assert {row["account_id"] for rows in changed.values() for row in itertools.chain(*rows)} == {2}


@pytest.mark.parametrize(
    ("account", "subject"),
    [(2, f"user:{world.USER + SHIFT}"), (3, "user:1"), (3, "application:65"), (1, "application:66")],
)
async def test_a_token_whose_actor_the_account_does_not_have_is_refused(
    shared: World, account: int, subject: str
) -> None:
    await shared.fill(1, 2)
    await world.store_world(shared.connection, 1, SHIFT)
    assert await shared.client.as_(1, f"user:{world.USER + SHIFT}").data("{ __typename }") == {"__typename": "Query"}

    response = await shared.client.as_(account, subject).post("{ viewer { scopes } }")

    assert (response.status_code, response.json()["errors"][0]["extensions"]) == (401, {"code": "UNAUTHENTICATED"})


ANY_ID = st.one_of(
    st.builds(
        encode_id,
        st.sampled_from(sorted(NODE_TABLES.values(), key=str)),
        st.sampled_from([0, 1, 2, 3]),
        st.sampled_from(sorted({number + shift for number in NUMBERS.values() for shift in (0, SHIFT)})),
    ),
    st.builds(
        lambda *parts: urlsafe_b64encode(":".join(map(str, parts)).encode()).decode().rstrip("="),
        st.sampled_from([*NODE_TABLES, "ConversationBooking", "Row", "account_id"]),
        st.sampled_from(["1", "2", "01", "1 OR 1=1", "*", ""]),
        st.sampled_from(["1", "10", "20", "1010", "10--", "-1", "1:2"]),
    ),
    st.text(max_size=40),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(ANY_ID, max_size=20))
async def test_no_id_leads_to_another_accounts_row(shared: World, ids: list[str]) -> None:
    if await shared.connection.fetchval("SELECT count(*) FROM users WHERE id = $1", world.USER + SHIFT) != 1:
        await shared.fill(1, 2)
        await world.store_world(shared.connection, 1, SHIFT)

    answer = await shared.client.as_(2).answer(
        "query($ids: [ID!]!) { nodes(ids: $ids) { " + select_all("Node", 1) + " } }", ids=ids
    )

    assert "of 1" not in json.dumps(answer["data"])
    assert len(answer["data"]["nodes"]) == len(ids)
