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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import tables as t
from gql.node import NODE_TABLES, encode_id
from gql.schema import build_schema
from tests import world
from tests.client import Client
from tests.factories import MOMENT
from tests.world import World

pytestmark = pytest.mark.anyio

# How far the numbers of the rows that only account 1 has are moved.
SHIFT = 1_000
NUMBERS = {
    "Account": 1,
    "Application": world.APPLICATION,
    "Booking": world.BOOKING,
    "Client": world.CLIENT,
    "Conversation": world.CONVERSATION,
    "Host": world.HOST,
    "Inquiry": world.INQUIRY,
    "Message": world.MESSAGE,
    "Participant": world.HOST_PARTICIPANT,
    "Rental": world.RENTAL,
    "Source": world.SOURCE,
    "User": world.USER,
}
# What an input needs besides the value that is tried: something of the viewer's own.
OWN = {
    "conversationId": encode_id(t.Conversation, 2, world.CONVERSATION),
    "bookingIds": [encode_id(t.Booking, 2, world.FREE_BOOKING)],
    "conversationIds": [encode_id(t.Conversation, 2, world.CONVERSATION)],
    "memberId": encode_id(t.Host, 2, world.HOST),
    "content": "x",
    "ids": [],
    "id": "x",
}
TENANT_ROWS: list[tuple[type[t.Table], int]] = [
    *((table, NUMBERS[name]) for name, table in NODE_TABLES.items() if issubclass(table, t.TenantTable)),
    (t.Booking, world.FREE_BOOKING),
]
OWN_OF_1 = {encode_id(table, 2, number): encode_id(table, 1, number) for table, number in TENANT_ROWS}
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
LEADING_TYPES = {"ID", "BigInt", "String"}


@dataclass(frozen=True)
class Way:
    """One way in: a field, and the place in its arguments where a value is tried."""

    parent: str
    field: str
    path: tuple[str, ...]
    type: Any

    def __str__(self) -> str:
        return f"{self.parent}.{self.field}({'.'.join(self.path)})"


@cache
def schema() -> GraphQLSchema:
    """The graphql-core schema."""
    return build_schema()._schema  # noqa: SLF001


def ways() -> Iterator[Way]:
    """Every way in of the schema."""
    for type_ in schema().type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for field, definition in type_.fields.items():
                for path, leaf in leaves(definition.args):
                    yield Way(type_.name, field, path, leaf)


def leaves(
    inputs: dict[str, GraphQLArgument] | dict[str, GraphQLInputField], within: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The paths of arguments, and of the fields of inputs in them, with their types; no input within its own like."""
    for name, definition in inputs.items():
        named = get_named_type(definition.type)
        if isinstance(named, GraphQLInputObjectType):
            if named.name not in within:
                yield from (((name, *path), leaf) for path, leaf in leaves(named.fields, (*within, named.name)))
        else:
            yield (name,), definition.type


def leads(way: Way) -> bool:
    """Whether the value can lead to a row."""
    return get_named_type(way.type).name in LEADING_TYPES


WAYS = list(ways())


def test_every_way_to_a_row_is_known() -> None:
    assert {str(way) for way in WAYS if leads(way)} == LEADING


def document(way: Way) -> str:
    """A document that goes this way with `$value`, and shows all that is there, some levels deep."""
    definition = _field(way.parent, way.field)
    call = f"{way.field}({_arguments(definition.args, way.path)}) {{ {selection(definition, 2)} }}"
    header = f"($value: {way.type})"
    if way.parent == "Mutation":
        return f"mutation{header} {{ it: {call} }}"
    if way.parent == "Query":
        return f"query{header} {{ it: {call} }}"
    own = encode_id(NODE_TABLES[way.parent], 2, NUMBERS[way.parent])
    return f'query{header} {{ it: node(id: "{own}") {{ ... on {way.parent} {{ {call} }} }} }}'


def _field(parent: str, field: str) -> GraphQLField:
    type_ = schema().get_type(parent)
    assert isinstance(type_, GraphQLObjectType)
    definition: GraphQLField = type_.fields[field]
    return definition


def _arguments(inputs: dict[str, GraphQLArgument] | dict[str, GraphQLInputField], path: tuple[str, ...]) -> str:
    """Literals with `$value` at `path`, and what must be given besides."""
    given_ = []
    for name, definition in inputs.items():
        named = get_named_type(definition.type)
        if path[:1] == (name,):
            given_.append(f"{name}: {_at(named, path[1:])}")
        elif _must_be_given(definition):
            given_.append(f"{name}: {json.dumps(OWN[name])}")
    return ", ".join(given_)


def _at(type_: Any, path: tuple[str, ...]) -> str:
    return f"{{{_arguments(type_.fields, path)}}}" if path else "$value"


def _must_be_given(definition: GraphQLArgument | GraphQLInputField) -> bool:
    if isinstance(definition, GraphQLArgument):
        return is_required_argument(definition)
    return is_required_input_field(definition)


@cache
def _selection(type_name: str, depth: int) -> str:
    """All fields of a type without arguments that must be given, so many objects deep."""
    type_ = schema().get_type(type_name)
    possible = schema().get_possible_types(type_) if not isinstance(type_, GraphQLObjectType) else None  # type: ignore[arg-type]
    if possible is not None:
        parts = (f"... on {member.name} {{ {_selection(member.name, depth)} }}" for member in possible)
        return f"__typename {' '.join(parts)}"
    assert isinstance(type_, GraphQLObjectType)
    fields = ["__typename"]
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        # Unions merge fields of one name, which must then be of one type.
        alias = f"{type_name.lower()}_{name}"
        if not hasattr(named, "fields") and not hasattr(named, "types"):
            fields.append(f"{alias}: {name}")
        elif depth:
            fields.append(f"{alias}: {name} {{ {selection(field, depth - 1)} }}")
    return " ".join(fields)


def selection(field: GraphQLField, depth: int) -> str:
    """What to select of a field."""
    return _selection(get_named_type(field.type).name, depth)


def values(way: Way, cursors: dict[str, list[str]]) -> list[Any]:
    """What account 1 has that can be tried there: ids, numbers, cursors and texts."""
    type_ = get_named_type(way.type).name
    if type_ == "ID":
        found: list[Any] = [
            encode_id(table, account if issubclass(table, t.TenantTable) else 0, NUMBERS[name] + shift)
            for name, table in NODE_TABLES.items()
            # Its own, of both kinds; and what account 2 could make up of what it knows.
            for account, shift in ((1, 0), (1, SHIFT), (2, SHIFT))
            if issubclass(table, t.TenantTable) or not shift
        ]
    elif type_ == "BigInt":
        found = [number + SHIFT for number in NUMBERS.values()]
    elif way.path[-1] in {"after", "before"}:
        found = cursors[f"{way.parent}.{way.field}"]
    else:
        found = [f"{world.BOOKING} of 1", "Keys of 1"]
    return [[value] for value in found] if is_list_type(get_nullable_type(way.type)) else found


def cursor(field: str) -> list[str]:
    """Cursors of account 1's rows, as they are given out for the field's own order, and for no order at all."""
    moment = int(MOMENT.timestamp() * 1_000)
    return [
        urlsafe_b64encode(orjson.dumps([field, order, value, number])).decode().rstrip("=")
        for number in (1, world.CONVERSATION + SHIFT, world.MESSAGE)
        for order, value in (("id", None), ("last_message_at:desc", None), ("sent_at:asc", moment))
    ]


CURSORS = {f"{way.parent}.{way.field}": cursor(f"{way.parent}.{way.field}") for way in WAYS if way.path == ("after",)}
TRIED = [(str(way), document(way), value) for way in WAYS if leads(way) for value in values(way, CURSORS)]


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
        if name not in {"conversation", "booking", "inboxCounts"}
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
        "query($ids: [ID!]!) { nodes(ids: $ids) { " + _selection("Node", 1) + " } }", ids=ids
    )

    assert "of 1" not in json.dumps(answer["data"])
    assert len(answer["data"]["nodes"]) == len(ids)
