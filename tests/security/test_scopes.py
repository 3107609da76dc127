"""Scopes: the required ones follow from the document; if one is missing, nothing runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pytest
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    get_named_type,
    is_non_null_type,
    parse,
    validate,
)

from db import tables as t
from gql.execution.measure import DocumentWalk, Limits
from gql.fields.node import encode_id
from gql.schema import build_schema
from gql.security.token import SCOPES
from tests.oracles.ways import log_cursor
from tests.support import world
from tests.support.client import Client
from tests.support.world import CONVERSATION, World

pytestmark = pytest.mark.anyio

INBOX, BOOKINGS, INQUIRIES, CLIENTS = "inbox_read", "bookings_read", "inquiries_read", "clients_read"
WEBHOOKS = "webhooks_manage"

# What the domain says, and for what is no node: nothing of its own.
REQUIRED: dict[str, set[str]] = {
    "Account": {INBOX},
    "Activity": {INBOX},
    "Application": set(),
    "Booking": {BOOKINGS},
    "Change": set(),
    "ChangePage": set(),
    "Client": {CLIENTS},
    "Conversation": {INBOX},
    "Host": {INBOX},
    "Inquiry": {INQUIRIES},
    "Message": {INBOX},
    "Participant": {INBOX},
    "Rental": {BOOKINGS},
    "Source": {INBOX},
    "InboxCounts": {INBOX},
    "User": set(),
    "PageInfo": set(),
    "RateLimit": set(),
    "SearchMatch": set(),
    "Query": set(),
    "Mutation": set(),
    "Subscription": set(),
    "ChangesEvent": set(),
    "UserError": set(),
    "Viewer": set(),
    "Delivery": set(),
    "WebhookAttempt": {WEBHOOKS},
    "WebhookDelivery": {WEBHOOKS},
    "WebhookEndpoint": {WEBHOOKS},
}
ANY = Limits(depth=100, aliases=100, root_fields=100, directives=100, cost=10**9, list_items=100)
THERE = encode_id(t.Conversation, 1, CONVERSATION)
BOOKED = [encode_id(t.Booking, 1, world.FREE_BOOKING)]
# Every mutation, with an input that would change something.
WRITING: dict[str, dict[str, Any]] = {
    "createConversation": {"subject": "Hello", "idempotencyKey": "k"},
    "updateConversation": {"conversationId": THERE, "closed": True},
    "updateConversations": {"conversationIds": [THERE], "closed": True},
    "markConversationRead": {"conversationId": THERE},
    "connectBookings": {"conversationId": THERE, "bookingIds": BOOKED},
    "disconnectBookings": {"conversationId": THERE, "bookingIds": BOOKED},
    "createMessage": {"conversationId": THERE, "content": "Hello", "idempotencyKey": "k"},
    "addParticipant": {"conversationId": THERE, "memberId": encode_id(t.Host, 1, world.OTHER_HOST)},
    "retryDelivery": {"messageId": encode_id(t.Message, 1, world.NOTE)},
}
ENDPOINT = {"endpointId": encode_id(t.WebhookEndpoint, 1, world.ENDPOINT)}
# The same for those that need another scope.
REPORTING: dict[str, dict[str, Any]] = {
    "reportDelivery": {"messageId": encode_id(t.Message, 1, world.NOTE), "state": "SENT"},
}
MANAGING: dict[str, dict[str, Any]] = {
    "createWebhookEndpoint": {"url": "https://hooks.example", "events": ["TEST"], "idempotencyKey": "k"},
    "updateWebhookEndpoint": {**ENDPOINT, "enabled": False},
    "deleteWebhookEndpoint": ENDPOINT,
    "rotateWebhookSecret": {**ENDPOINT, "idempotencyKey": "k"},
    "sendTestEvent": ENDPOINT,
    "replayWebhook": {**ENDPOINT, "after": log_cursor(1)},
    "redeliver": {"deliveryIds": [encode_id(t.WebhookDelivery, 1, world.DELIVERY)]},
}


EVERY = WRITING | REPORTING | MANAGING


def writing_scope(field: str) -> str:
    """The scope that a mutation needs."""
    return WEBHOOKS if field in MANAGING else "deliveries_write" if field in REPORTING else "inbox_write"


@cache
def schema() -> GraphQLSchema:
    """The graphql-core schema."""
    return build_schema()._schema  # noqa: SLF001


def needed(document: str, operation: str | None = None) -> set[str]:
    """The scopes of an operation of a valid document."""
    tree = parse(document)
    assert validate(schema(), tree) == []
    nodes = [node for node in tree.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = next(node for node in nodes if operation is None or (node.name and node.name.value == operation))
    return set(DocumentWalk(schema(), tree, ANY).measure(chosen).scopes)


def required(type_: str) -> set[str]:
    """The scopes of a type; for a connection, an edge or a payload, those of its node."""
    for suffix in ("Connection", "Edge"):
        if type_.endswith(suffix):
            return REQUIRED[type_.removesuffix(suffix)]
    return set() if type_.endswith("Payload") else REQUIRED[type_]


def fields_between_objects() -> Iterator[tuple[str, str, str]]:
    """All fields from an object to an object."""
    for type_ in schema().type_map.values():
        if not isinstance(type_, GraphQLObjectType) or type_.name.startswith("__"):
            continue
        for name, field in type_.fields.items():
            target = get_named_type(field.type)
            if isinstance(target, GraphQLObjectType):
                yield type_.name, name, target.name


def arguments(parent: str, field: str) -> str:
    """Literals for the required arguments, with any values."""
    definition = schema().get_type(parent).fields[field]  # type: ignore[union-attr]
    literals = {"id": '"x"', "ids": "[]", "input": "{}", "after": '"x"', "conversationId": '"x"'}
    given = [
        f"{name}: {literals[name]}" for name, argument in definition.args.items() if is_non_null_type(argument.type)
    ]
    return f"({', '.join(given)})" if given else ""


@pytest.mark.parametrize(("parent", "field", "target"), list(fields_between_objects()))
def test_what_a_field_needs_is_what_its_types_require(parent: str, field: str, target: str) -> None:
    selection = f"{field}{arguments(parent, field)} {{ __typename }}"
    # No valid operation selects all of them at the root, but scopes are checked before validation.
    tree = parse(f"query {{ ...It }} fragment It on {parent} {{ {selection} }}")
    spread = tree.definitions[0]
    assert isinstance(spread, OperationDefinitionNode)

    walked = set(DocumentWalk(schema(), tree, ANY).measure(spread).scopes)

    writing = {writing_scope(field)} if parent == "Mutation" else set()
    assert walked == required(parent) | required(target) | writing
    assert (parent == "Mutation") == (field in EVERY)


def test_the_schema_says_what_it_requires() -> None:
    said = {
        name: required(name)
        for name, type_ in schema().type_map.items()
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__") and required(name) and name in REQUIRED
    }
    text = build_schema().as_str()

    for name, scopes in said.items():
        listed = ", ".join(f'"{scope}"' for scope in sorted(scopes))
        interfaces = " & ".join(interface.name for interface in getattr(schema().type_map[name], "interfaces", ()))
        node = f" implements {interfaces}" if interfaces else ""
        assert f"type {name}{node} @requiresScopes(scopes: [{listed}]) {{" in text
    assert text.count('@requiresScopes(scopes: ["inbox_write"])') == len(WRITING)
    assert text.count("@requiresScopes(") == len(said) + len(EVERY) + 1


DOCUMENTS: list[tuple[str, set[str]]] = [
    ("{ __typename }", set()),
    ("{ __schema { types { name } } }", set()),
    ("{ viewer { scopes actor { ... on User { name } ... on Application { name } } } }", set()),
    ("{ viewer { account { email } } }", {INBOX}),
    ("{ viewer { host { __typename } } }", {INBOX}),
    ("{ conversations { totalCount } }", {INBOX}),
    ("{ conversations { pageInfo { hasNextPage } } }", {INBOX}),
    ("{ conversations { nodes { bookings { totalCount } } } }", {INBOX, BOOKINGS}),
    ("{ conversations { edges { node { inquiries { __typename } } } } }", {INBOX, INQUIRIES}),
    ("{ a: conversations { b: nodes { c: bookings { d: totalCount } } } }", {INBOX, BOOKINGS}),
    ("{ booking(databaseId: 1) { rental { name } } }", {BOOKINGS}),
    ("{ booking(databaseId: 1) { client { id } } }", {BOOKINGS, CLIENTS}),
    ("{ bookings { nodes { conversations { totalCount } } } }", {INBOX, BOOKINGS}),
    ("{ hosts { totalCount } sources { totalCount } }", {INBOX}),
    ("{ inboxCounts { checkInToday } }", {INBOX}),
    ("{ conversations { nodes { stage lastMessage { __typename } } } }", {INBOX}),
    # Fragments: inline and named, nested, with and without a type, on interfaces and unions.
    ("{ ... { ... on Query { bookings { totalCount } } } }", {BOOKINGS}),
    ("{ ...A } fragment A on Query { ...B } fragment B on Query { bookings { totalCount } }", {BOOKINGS}),
    ('{ node(id: "x") { id } }', set()),
    ("{ nodes(ids: []) { __typename ... on Node { id } } }", set()),
    ('{ node(id: "x") { ... on Client { id } } }', {CLIENTS}),
    ('{ node(id: "x") { ...A } } fragment A on Node { ... on Inquiry { id } }', {INQUIRIES}),
    ('{ node(id: "x") { ... on Member { ... on Client { id } } } }', {CLIENTS}),
    ("{ conversations { nodes { participants { nodes { member { __typename } } } } } }", {INBOX}),
    ("{ conversations { nodes { participants { nodes { member { ... on Host { id } } } } } } }", {INBOX}),
    ("{ conversations { nodes { participants { nodes { member { ... on Client { id } } } } } } }", {INBOX, CLIENTS}),
    # An interface's fields are read for all types of the union.
    ("{ conversations { nodes { participants { nodes { member { ... on Node { id } } } } } } }", {INBOX, CLIENTS}),
    (
        "{ conversations { nodes { participants { nodes { member { ...A } } } } } } fragment A on Node { id }",
        {INBOX, CLIENTS},
    ),
    (
        """{ conversations { nodes { participants { nodes { member { ... { ...A } } } } } } }
        fragment A on Member { ...B } fragment B on Node { id }""",
        {INBOX, CLIENTS},
    ),
    ("{ conversations { nodes { createdBy { ... on Node { id } } } } }", {INBOX}),
    # Fields that are skipped at run time count too.
    ("{ viewer { scopes } bookings @skip(if: true) { totalCount } }", {BOOKINGS}),
    ("{ ... @include(if: false) { bookings { totalCount } } }", {BOOKINGS}),
]


@pytest.mark.parametrize(("document", "scopes"), DOCUMENTS)
def test_what_a_document_needs_is_what_it_selects(document: str, scopes: set[str]) -> None:
    assert needed(document) == scopes


def test_an_operation_needs_nothing_for_the_others_of_its_document() -> None:
    document = """
        query Who { viewer { scopes } }
        query What { ...Bookings }
        mutation Do { createConversation(input: {}) { userErrors { code } } }
        fragment Bookings on Query { bookings { totalCount } }"""

    assert [needed(document, name) for name in ("Who", "What", "Do")] == [set(), {BOOKINGS}, {"inbox_write"}]


def test_every_member_of_a_union_is_a_node() -> None:
    unions = [type_ for type_ in schema().type_map.values() if isinstance(type_, GraphQLUnionType)]

    assert {member.name for union in unions for member in union.types} <= set(REQUIRED)


def test_shared_fragments_are_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    visited = 0
    add = DocumentWalk._add  # noqa: SLF001

    def counted(*arguments: object) -> None:
        nonlocal visited
        visited += 1
        assert visited < 1_000
        add(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(DocumentWalk, "_add", counted)
    levels = 30
    document = "{ conversation(databaseId: 1) { ...F0 } }" + "".join(
        f"fragment F{level} on Conversation {{ a: assignee {{ id }} ...F{level + 1} ... {{ ...F{level + 1} }} }}"
        for level in range(levels)
    )
    document += f"fragment F{levels} on Conversation {{ bookings {{ totalCount }} }}"

    assert needed(document) == {INBOX, BOOKINGS}

    # The operation; its one field; the fragments and the inline ones; and what is selected of the assignee, all of it
    # together, and of the bookings.
    assert visited == 1 + 1 + (levels + 1) + levels + levels + 1


@pytest.fixture
async def inbox(shared: World) -> Client:
    """A client of an account that has rows."""
    await shared.fill(1)
    return shared.client


async def viewer(client: Client, scopes: Iterable[str]) -> Client:
    """A client with these scopes, whose token is cached."""
    limited = client.as_(1, scopes=scopes)
    await limited.data("{ __typename }")
    client.statements.take()
    return limited


def without(scope: str) -> set[str]:
    """All scopes but this one and those that imply it."""
    return set(SCOPES) - {scope} - ({"inbox_write"} if scope == INBOX else set())


@pytest.mark.parametrize(("document", "scopes"), [pair for pair in DOCUMENTS if pair[1]])
async def test_a_document_without_its_scopes_is_refused_before_anything_runs(
    inbox: Client, document: str, scopes: set[str]
) -> None:
    for missing in scopes:
        limited = await viewer(inbox, without(missing))

        answer = await limited.answer(document)

        message = f"This document needs scopes that the token does not have: {missing}"
        error = {"message": message, "extensions": {"code": "FORBIDDEN", "requiredScopes": [missing]}}
        assert (answer, inbox.statements.take()) == ({"errors": [error]}, [])
    exact = await viewer(inbox, scopes)
    codes = {error["extensions"]["code"] for error in (await exact.answer(document)).get("errors", [])}
    assert codes <= {"BAD_USER_INPUT"}


@pytest.mark.parametrize(("accept", "status"), [("application/graphql-response+json", 403), ("application/json", 200)])
async def test_a_missing_scope_is_403_but_for_legacy_clients(inbox: Client, accept: str, status: int) -> None:
    limited = inbox.as_(1, scopes=[])
    response = await limited.http.post(
        "/graphql", json={"query": "{ hosts { totalCount } }"}, headers=limited.headers | {"accept": accept}
    )

    assert response.status_code == status
    assert [error["extensions"]["code"] for error in response.json()["errors"]] == ["FORBIDDEN"]


async def test_all_scopes_that_are_missing_are_named_at_once(inbox: Client) -> None:
    answer = await (await viewer(inbox, [])).answer(
        "{ conversations { nodes { bookings { nodes { client { id } } } inquiries { totalCount } } } }"
    )

    scopes = ["bookings_read", "clients_read", "inbox_read", "inquiries_read"]
    message = f"This document needs scopes that the token does not have: {', '.join(scopes)}"
    assert answer == {"errors": [{"message": message, "extensions": {"code": "FORBIDDEN", "requiredScopes": scopes}}]}


@pytest.mark.parametrize("field", sorted(EVERY))
async def test_a_token_without_the_write_scope_changes_nothing(shared: World, inbox: Client, field: str) -> None:
    before = await world.dump(shared.connection)
    needed_scope = writing_scope(field)
    limited = await viewer(inbox, set(SCOPES) - {needed_scope})
    type_ = f"{field[0].upper()}{field[1:]}Input"

    document = f"mutation($input: {type_}!) {{ {field}(input: $input) {{ __typename }} }}"
    answer = await limited.answer(document, input=EVERY[field])

    message = f"This document needs scopes that the token does not have: {needed_scope}"
    error = {"message": message, "extensions": {"code": "FORBIDDEN", "requiredScopes": [needed_scope]}}
    assert (answer, inbox.statements.take()) == ({"errors": [error]}, [])
    assert await world.dump(shared.connection) == before


async def test_the_write_scope_allows_reading(inbox: Client) -> None:
    limited = await viewer(inbox, ["inbox_write"])

    data = await limited.data(
        "mutation { createConversation(input: {}) { conversation { subject } userErrors { code } } }"
    )

    assert data == {"createConversation": {"conversation": {"subject": None}, "userErrors": []}}
    assert await limited.data("{ viewer { scopes } }") == {"viewer": {"scopes": ["inbox_read", "inbox_write"]}}


FORBIDDEN_NODES = [
    (t.Account, 0, 1, INBOX),
    (t.Booking, 1, world.BOOKING, BOOKINGS),
    (t.Client, 1, world.CLIENT, CLIENTS),
    (t.Conversation, 1, CONVERSATION, INBOX),
    (t.Host, 1, world.HOST, INBOX),
    (t.Inquiry, 1, world.INQUIRY, INQUIRIES),
    (t.Message, 1, world.MESSAGE, INBOX),
    (t.Participant, 1, world.HOST_PARTICIPANT, INBOX),
    (t.Rental, 1, world.RENTAL, BOOKINGS),
    (t.Source, 1, world.SOURCE, INBOX),
    (t.WebhookAttempt, 1, world.ATTEMPT, WEBHOOKS),
    (t.WebhookDelivery, 1, world.DELIVERY, WEBHOOKS),
    (t.WebhookEndpoint, 1, world.ENDPOINT, WEBHOOKS),
]


@pytest.mark.parametrize(("table", "account", "id_", "scope"), FORBIDDEN_NODES)
async def test_a_node_whose_scope_is_missing_is_refused_whether_or_not_it_is_there(
    inbox: Client, table: type[t.Table], account: int, id_: int, scope: str
) -> None:
    limited = await viewer(inbox, without(scope))
    ids = [encode_id(table, account, id_), encode_id(table, account, 999), encode_id(table, account and 2, id_)]

    for id__ in ids:
        answer = await limited.answer("query($id: ID!) { node(id: $id) { id } }", id=id__)

        assert answer == {"data": {"node": None}, "errors": [_forbidden(scope, "node")]}
    answer = await limited.answer("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert answer == {
        "data": {"nodes": [None] * 3},
        "errors": [_forbidden(scope, "nodes", place) for place in range(3)],
    }
    assert inbox.statements.take() == []
    assert await inbox.data("query($id: ID!) { node(id: $id) { id } }", id=ids[0]) == {"node": {"id": ids[0]}}


def _forbidden(scope: str, *path: str | int) -> dict[str, object]:
    return {
        "message": f"This needs the scope {scope}",
        "locations": [{"line": 1, "column": 19 if path == ("node",) else 23}],
        "path": list(path),
        "extensions": {"code": "FORBIDDEN", "requiredScopes": [scope]},
    }


async def test_a_node_that_needs_no_scope_is_shown_to_anyone(inbox: Client) -> None:
    limited = await viewer(inbox, [])
    ids = [encode_id(t.User, 1, world.USER), encode_id(t.Application, 0, world.APPLICATION)]

    data = await limited.data("query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=ids)

    assert data == {"nodes": [{"__typename": "User", "id": ids[0]}, {"__typename": "Application", "id": ids[1]}]}
