"""Tenancy: the rows of another account are indistinguishable from rows that do not exist.

All inputs are found in the schema: each argument of each field, and each field of an input. Account 2 uses each of them
with values of account 1, once while account 1 has these rows and once after they were deleted. Neither the responses
nor the statements may differ. Both accounts use the same numbers for their rows; account 1 also has rows with unique
numbers.
"""

from __future__ import annotations

import itertools
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any, cast

import asyncpg
import pytest
from graphql import GraphQLEnumType, GraphQLObjectType, get_named_type, is_non_null_type
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import tables as t
from gql.fields.node import NODE_TABLES, encode_id
from tests.oracles.positions import LEADING, SIDES, WRITING
from tests.oracles.ways import (
    NEVER_USED,
    NUMBERS,
    SHIFT,
    TRIED,
    WAYS,
    Way,
    as_1,
    document,
    leads,
    never_used,
    schema,
    select_all,
    selection,
)
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.database import recording
from tests.support.factories import derive_all, store
from tests.support.serving import serving
from tests.support.world import World

pytestmark = pytest.mark.anyio


def refused(way: Way) -> bool:
    """Whether a mutation must reject foreign values at this position, and so changes nothing."""
    return leads(way) and str(way) not in WRITING


def test_every_way_to_a_row_is_known() -> None:
    assert {str(way) for way in WAYS if leads(way)} == LEADING


@pytest.fixture(scope="module")
async def shared(shared_dsn: str) -> AsyncIterator[World]:
    """Like the common fixture, but without limits, because the documents here select everything."""
    statements = Statements()
    free: dict[str, Any] = {"max_aliases": 10_000, "max_depth": 50, "max_tokens": 50_000, "max_cost": 10**9}
    free["rate_limit"] = 0
    connection = await asyncpg.connect(shared_dsn)
    with recording(statements), pytest.MonkeyPatch.context() as patch:
        # Even on a slow machine, no token's actor may be looked up a second time during a comparison.
        patch.setattr("gql.security.auth.CACHE_SECONDS", 1_000.0)
        async with serving(shared_dsn, statements, **free) as client:
            yield World(client, connection)
    await connection.close()


@pytest.fixture
async def apart(shared: World) -> tuple[World, Client]:
    """A database of both accounts, and a client of the second."""
    await shared.fill(1, 2)
    await world.store_world(shared.connection, 1, SHIFT)
    await _make_different(shared.connection)
    other = shared.client.as_(2)
    await other.data("{ __typename }")
    return shared, other


async def _make_different(connection: asyncpg.Connection[Any]) -> None:
    """Make account 1's rows differ from those of account 2 with the same numbers, in values and relations."""
    await connection.execute(
        """UPDATE bookings SET status = 'CANCELED', start_at = start_at - interval '90 days' WHERE account_id = 1;
        UPDATE conversations SET default_channel = 'AIRBNB', closed_at = '2026-05-01',
            marked_as_spam_at = '2026-05-01', read_at = '2027-05-01',
            created_at = created_at - interval '90 days', updated_at = updated_at + interval '90 days'
            WHERE account_id = 1"""
    )
    in_other: dict[str, Any] = {"account_id": 1, "conversation_id": world.OTHER_CONVERSATION}
    await store(connection, "conversation_bookings", booking_id=world.FREE_BOOKING, **in_other)
    await connection.execute("UPDATE inquiries SET conversation_id = $1 WHERE account_id = 1", world.OTHER_CONVERSATION)
    guest = {"member_type": "CLIENT", "member_id": world.CLIENT, "client_id": world.CLIENT}
    sender = await store(connection, "participants", **guest, **in_other)
    await store(connection, "messages", sender_id=sender, content="Towels or keys of 1", **in_other)
    await derive_all(connection)


@pytest.mark.slow
async def test_another_accounts_rows_are_indistinguishable_from_missing_ones(apart: tuple[World, Client]) -> None:
    shared, other = apart
    harmless = [(way, text, value) for way, text, value in TRIED if way.parent != "Mutation" or refused(way)]
    before = await world.dump(shared.connection)

    beside = [await _tried(other, text, value) for _, text, value in harmless]

    assert await world.dump(shared.connection) == before
    await shared.fill(2)
    alone = [await _tried(other, text, value) for _, text, value in harmless]
    for (way, _, value), (answer, sql), expected in zip(harmless, beside, alone, strict=True):
        assert (answer, sql) == expected, f"{way} with {value}"
        assert "of 1" not in json.dumps(answer.get("data")), f"{way} with {value}"


@pytest.mark.slow
async def test_another_accounts_ids_behave_like_ids_that_were_never_used(apart: tuple[World, Client]) -> None:
    shared, other = apart
    before = await world.dump(shared.connection)
    compared = set()
    for way, text, value in TRIED:
        unused = never_used(way, value)
        if unused != value and (way.parent != "Mutation" or refused(way)):
            compared.add(str(way))
            answer, sql = await _tried(other, text, unused)
            # The sent value is quoted if it is not an id of that kind.
            quoted = json.dumps(answer)
            for foreign, other_id in NEVER_USED.items():
                quoted = quoted.replace(other_id, foreign)
            assert await _tried(other, text, value) == (json.loads(quoted), sql), f"{way} with {value}"

    assert compared == {str(way) for way in WAYS if get_named_type(way.type).name in {"ID", "BigInt"}}
    assert await world.dump(shared.connection) == before


# What shows that a row was found if no text of it is selected: a number that is not 0, an id, an event.
SHOWN = {
    "inboxCounts": '"inboxcounts_open": [1-9]',
    "deleteWebhookEndpoint": '_deletedId": "',
    "sendTestEvent": '_event": "TEST"',
}


@pytest.mark.slow
async def test_every_way_selects_rows_of_the_viewers_account(shared: World) -> None:
    """Otherwise the comparison with another account would prove nothing."""
    led = set()
    filled = False
    for way, text, value in TRIED:
        if leads(way) and str(way) not in led:
            if not filled or way.parent == "Mutation":
                await shared.fill(1)
                await world.store_world(shared.connection, 1, SHIFT)
                # So that there is something to report, and to try again.
                await shared.connection.execute("UPDATE messages SET delivery_state = 'FAILED', delivery_at = sent_at")
                filled = True
            answer, _ = await _tried(shared.client, as_1(text), value)
            if re.search(SHOWN.get(way.field, "of 1"), json.dumps(answer)):
                led.add(str(way))

    assert led == LEADING


async def test_every_write_is_in_the_viewers_account(apart: tuple[World, Client]) -> None:
    shared, other = apart
    before = await world.dump(shared.connection)

    for way, text, value in TRIED:
        if way.parent == "Mutation":
            await _tried(other, text, value)

    changed = world.changes(before, await world.dump(shared.connection))
    assert {"conversations", "messages", "idempotency_keys"} <= set(changed)
    assert {row["account_id"] for rows in changed.values() for row in itertools.chain(*rows)} == {2}


@pytest.mark.parametrize("way", [way for way in WAYS if way.path[-1] == "idempotencyKey"], ids=str)
async def test_a_key_that_another_account_has_used_is_unused_in_this_one(shared: World, way: Way) -> None:
    text = document(way, "userErrors { code message path }")
    other = shared.client.as_(2)
    await shared.fill(1, 2)
    await other.data("{ __typename }")
    await shared.client.data(as_1(text), value="k")
    before = await world.dump(shared.connection)

    beside = await _tried(other, text, "k")

    changed = world.changes(before, await world.dump(shared.connection))
    assert {row["account_id"] for rows in changed.values() for row in itertools.chain(*rows)} == {2}
    await shared.fill(2)
    assert beside == await _tried(other, text, "k")
    assert beside[0] == {"data": {"it": {"userErrors": []}}}


# A text of the rows of each root with orders, which contains the account.
ORDERED_ROOTS = {
    "bookings": "reference",
    "clients": "fullname",
    "conversations": "subject",
    "inquiries": "lastname",
    "messages": "content",
    "rentals": "name",
}
ORDERED = """query($field: %(type)sOrderField!, $direction: OrderDirection!, $search: String,
  $after: String, $before: String) {
    %(root)s(after: $after, before: $before, filter: {search: $search},
      orderBy: {field: $field, direction: $direction}) { totalCount edges { cursor node { %(text)s } } }
}"""


def test_every_root_with_orders_is_known() -> None:
    ordered = {f"{way.parent}.{way.field}" for way in WAYS if way.path[0] == "orderBy"}

    assert ordered == {f"Query.{root}" for root in ORDERED_ROOTS}


@pytest.mark.parametrize("root", ORDERED_ROOTS)
async def test_cursors_of_every_order_select_only_the_viewers_rows(apart: tuple[World, Client], root: str) -> None:
    shared, other = apart
    (type_,) = {
        get_named_type(way.type).name.removesuffix("OrderField")
        for way in WAYS
        if way.field == root and way.path == ("orderBy", "field")
    }
    document_ = ORDERED % {"root": root, "type": type_, "text": ORDERED_ROOTS[root]}
    fields = cast("GraphQLEnumType", schema().get_type(f"{type_}OrderField")).values
    asked = []
    for field, direction in itertools.product(fields, ("ASC", "DESC")):
        order = {"field": field, "direction": direction, "search": "keys or towels" if field == "RELEVANCE" else None}
        edges = (await shared.client.data(document_, **order))[root]["edges"]
        assert len(edges) >= 2
        assert "of 1" in json.dumps(await shared.client.data(document_, after=edges[0]["cursor"], **order))
        asked += [order | {side: edge["cursor"]} for edge in edges for side in SIDES]
    await other.data("{ __typename }")

    beside = [await _asked(other, document_, **variables) for variables in asked]

    await shared.fill(2)
    alone = [await _asked(other, document_, **variables) for variables in asked]
    assert beside == alone
    assert "of 1" not in json.dumps(beside)
    assert "of 2" in json.dumps(beside)


async def _tried(client: Client, text: str, value: Any) -> tuple[dict[str, Any], list[str]]:
    return await _asked(await _reporting(client) if "reportDelivery(" in text else client, text, value=value)


# Only applications report deliveries. Their clients are kept, so that each token's actor is looked up once.
_REPORTING: dict[tuple[int, int], Client] = {}


async def _reporting(client: Client) -> Client:
    key = id(client.http), client.account
    if key not in _REPORTING:
        _REPORTING[key] = client.as_(client.account, f"application:{world.APPLICATION}")
        await _REPORTING[key].data("{ __typename }")
    return _REPORTING[key]


async def _asked(client: Client, text: str, **variables: Any) -> tuple[dict[str, Any], list[str]]:
    """The response and its statements, without the ids and times of new rows, which are literals in the last one."""
    client.statements.take()
    answer = await client.answer(text, **variables)
    # The ids of new rows begin with 10,000 (`World.fill`).
    new = r"'\{[\d,T:.+-]*\}'|'\d{4}-\d\d-\d\d[^']*'|\b\d{5,}\b"
    return answer, [re.sub(new, "…", sql) for sql in client.statements.take()]


async def test_fields_without_arguments_return_only_the_viewers_rows(shared: World) -> None:
    await shared.fill(1, 2)
    roots = schema().get_type("Query")
    assert isinstance(roots, GraphQLObjectType)
    fields = [
        f"{name} {{ {selection(field, 3)} }}"
        for name, field in roots.fields.items()
        if not any(is_non_null_type(argument.type) for argument in field.args.values())
        if name not in {"conversation", "booking", "webhookEndpoint", "inboxCounts", "rateLimit", "changesCursor"}
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
          e: createMessage(input: {conversationId: $c, content: "Keys of 1", channel: EMAIL, idempotencyKey: "l"}) {
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
    assert set(changed) - world.FOLLOWING == written
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
