"""The cost of an operation: the nodes that it could return, computed by hand, and never fewer than it returns."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import OperationDefinitionNode, get_named_type, is_abstract_type, parse
from hypothesis import given
from hypothesis import strategies as st

from db import tables as t
from gql.execution.measure import DocumentWalk, Limits, Measure
from gql.fields.node import NODE_TABLES, encode_id
from gql.schema import build_schema
from tests.oracles.drawing import Drawn, Known, draw
from tests.support.client import Client, Statements
from tests.support.factories import log_cursors
from tests.support.properties import examples
from tests.support.request import send
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

SCHEMA = build_schema()._schema  # noqa: SLF001
ANY = Limits(depth=100, aliases=10**9, root_fields=1_000, directives=1_000, cost=10**9, list_items=250)
IDS = [encode_id(t.Conversation, 1, number) for number in range(1, 5)]


@pytest.fixture(scope="module")
async def reader(seeded_dsn: str) -> AsyncIterator[Client]:
    """One application for all tests, without a rate limit."""
    async with serving(seeded_dsn, Statements(), rate_limit=0) as client:
        yield client


async def cost(client: Client, document: str, **variables: Any) -> dict[str, int]:
    """The reported cost of an operation, and the limit."""
    response = await send(client, {"query": document, "variables": variables}, x_request_cost="1")
    answer: dict[str, int] = response.json()["extensions"]["cost"]
    return answer


WORKED_OUT: list[tuple[str, dict[str, Any], int]] = [
    ("{ __typename __schema { queryType { name } } }", {}, 0),
    # Introspection: a type counts as having five fields.
    ("{ __schema { types { name fields { name } } } }", {}, len(SCHEMA.type_map) * (1 + 5)),
    ("{ rateLimit { remaining } }", {}, 0),
    # Counting reads all conversations, for any kind of number.
    ("{ inboxCounts { open unread } again: inboxCounts { stages: reserved } }", {}, 2 * 100),
    ('{ inboxCounts(filter: {search: "a"}) { open } }', {}, 100 + 100),
    ("{ conversation(databaseId: 1) { id } booking(databaseId: 1) { id } }", {}, 2),
    # The account, the actor, and the host with a user.
    ("{ viewer { scopes account { id } actor { __typename } host { user { id } } } }", {}, 1 + 1 + 2),
    # Pages: 20 by default; nested pages multiply.
    ("{ conversations { nodes { id subject } } }", {}, 20),
    ("{ conversations(first: 50) { nodes { id messages(last: 30) { nodes { id } } } } }", {}, 50 * (1 + 30)),
    ("{ conversations(first: 9) { edges { node { assignee { user { id } } } } } }", {}, 9 * (1 + 1 + 1)),
    ("{ conversations(first: 100) { nodes { messages(first: 100) { nodes { id } } } } }", {}, 100 * 101),
    # Rows that are read only for their cursors are charged too.
    ("{ conversations(first: 7) { pageInfo { endCursor } edges { cursor } } }", {}, 7),
    # Counting the account's rows costs 20, those of another parent 1.
    ("{ conversations(first: 100) { totalCount __typename } }", {}, 20),
    ("{ conversations(first: 100) { __typename } }", {}, 1),
    ("{ conversations(first: 5) { totalCount nodes { bookings(first: 9) { totalCount } } } }", {}, 20 + 5 * (1 + 1)),
    ("{ hosts(first: 5) { ...Number } } fragment Number on HostConnection { totalCount }", {}, 20),
    ("{ hosts(first: 5) { ... { totalCount } ... { nodes { id } } } }", {}, 20 + 5),
    # A condition that reads all conversations costs 100 for the page, and 100 for the number.
    ('{ conversations(first: 5, filter: {search: "a"}) { nodes { id } } }', {}, 5 + 100),
    ('{ conversations(first: 5, filter: {search: "a", stages: []}) { totalCount nodes { id } } }', {}, 5 + 20 + 400),
    # A match costs 10 for each conversation, and 1 for its message.
    (
        '{ conversations(first: 5, filter: {search: "a"}) { edges { node { id } match { message { id } } } } }',
        {},
        100 + 5 * (1 + 10 + 1),
    ),
    ("{ conversations(first: 5, filter: {search: null, read: true, or: null}) { nodes { id } } }", {}, 5),
    (
        "query ($f: ConversationFilter) { conversations(filter: $f) { totalCount } }",
        {"f": {"not": {"search": "a"}, "or": [{"stages": ["RESERVED"], "search": None}, {"closed": True}]}},
        20 + 200,
    ),
    ("query ($f: ConversationFilter) { conversations(filter: $f) { totalCount } }", {}, 20),
    (
        """query ($q: String, $s: [JourneyStage!], $or: [ConversationFilter!]) {
          conversations(filter: {search: $q, stages: $s, not: {or: $or}}) { totalCount }
        }""",
        {"q": "a", "or": [{"search": "b"}, {"search": "c"}]},
        20 + 300,
    ),
    # The order RELEVANCE costs 100 for the page.
    (
        """{ conversations(first: 5, filter: {search: "a"}, orderBy: {field: RELEVANCE}) {
          totalCount nodes { id }
        } }""",
        {},
        5 + 200 + 20 + 100,
    ),
    (
        """query ($o: ConversationOrder, $q: String) {
          conversations(first: 5, filter: {search: $q}, orderBy: $o) { nodes { id } }
        }""",
        {"o": {"field": "RELEVANCE"}, "q": "a"},
        5 + 200,
    ),
    # The same rows twice in the response cost twice.
    ("{ conversations(first: 5) { nodes { id } more: nodes { id } edges { node { id } } } }", {}, 5 * 3),
    ("{ a: hosts(first: 2) { nodes { id } } b: hosts(first: 3) { nodes { id } } }", {}, 2 + 3),
    # The same field twice is one field, also from fragments.
    (
        """{ hosts(first: 5) { nodes { id } } ...A ... { ...A } }
        fragment A on Query { hosts(first: 5) { nodes { user { id } } edges { cursor } } }""",
        {},
        5 * (1 + 1),
    ),
    # All types of a union.
    (
        """{ conversations(first: 2) { nodes { participants(first: 3) { nodes { member {
          ... on Client { id } ... on Host { user { id } source { id } }
        } } } } } }""",
        {},
        2 * (1 + 3 * (1 + 1 + 2)),
    ),
    ('{ node(id: "x") { ... on Conversation { messages(first: 4) { nodes { id } } } } }', {}, 1 + 4),
    ('{ nodes(ids: ["a", "b", "c"]) { ... on Booking { conversations(first: 10) { nodes { id } } } } }', {}, 3 * 11),
    ('{ nodes(ids: "a") { id } }', {}, 250),
    # Fields with `@skip` and `@include` are counted.
    ("{ hosts(first: 3) @skip(if: true) { nodes { id } } }", {}, 3),
    # Variables and their defaults.
    ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": IDS}, 4),
    ('query ($id: ID!) { nodes(ids: [$id, "x"]) { id } }', {"id": IDS[0]}, 2),
    ("query ($n: Int = 3) { hosts(first: $n) { nodes { id } } }", {}, 3),
    ("query ($n: Int = 3) { hosts(first: $n) { nodes { id } } }", {"n": 8}, 8),
    ("query ($n: Int = 3) { hosts(first: $n) { nodes { id } } }", {"n": None}, 20),
    ("query ($n: Int) { hosts(last: $n) { nodes { id } } }", {}, 20),
    (
        """query ($n: Int!, $m: Int!) { conversations(first: $n) { nodes {
          bookings(last: $m) { nodes { id conversations(first: $n) { totalCount } } } assignee { id }
        } } }""",
        {"n": 4, "m": 6},
        4 * (1 + 6 * (1 + 1) + 1),
    ),
    # Values out of range are rejected in execution, with a better message.
    ("{ hosts(first: 2147483647) { nodes { id } } }", {}, 100),
    ("{ hosts(first: -5) { nodes { id } } }", {}, 0),
    ("query ($n: Int) { hosts(first: $n) { nodes { id } } }", {"n": 2_147_483_647}, 100),
    # Payloads.
    (
        """mutation { updateConversation(input: {conversationId: "x"}) {
          conversation { id messages(first: 10) { nodes { sender { id } } } } userErrors { code }
        } }""",
        {},
        10 + 1 + 10 * (1 + 1),
    ),
    (
        """mutation { createMessage(input: {conversationId: "x", content: "x"}) {
          message { id } messageEdge { cursor node { sender { id } } } again: messageEdge { cursor } conversation { id }
          query { hosts(first: 3) { nodes { id } } inboxCounts { open } }
        } }""",
        {},
        10 + 1 + 2 + 1 + 1 + 3 + 100,
    ),
    # A write costs 10, and 10 more for each item of its lists.
    ('mutation { markConversationRead(input: {conversationId: "x"}) { userErrors { code } } }', {}, 10),
    (
        """mutation ($ids: [ID!]!, $input: UpdateConversationsInput!) {
          a: updateConversations(input: {conversationIds: $ids, closed: true}) { userErrors { code } }
          b: updateConversations(input: $input) { userErrors { code } }
          c: updateConversations(input: {conversationIds: ["x", "y"]}) { userErrors { code } }
        }""",
        {"ids": ["x"] * 250, "input": {"conversationIds": ["x"] * 300}},
        10 * (1 + 250) + 10 * (1 + 250) + 10 * (1 + 2),
    ),
    (
        """mutation ($ids: [ID!]!, $id: ID!) {
          a: connectBookings(input: {conversationId: "x", bookingIds: $ids}) { userErrors { code } }
          b: disconnectBookings(input: {conversationId: "x", bookingIds: ["x", $id, "x"]}) { userErrors { code } }
          c: createConversation(input: {bookingIds: $ids}) { userErrors { code } }
        }""",
        {"ids": ["x"] * 40, "id": "x"},
        10 * (1 + 40) + 10 * (1 + 3) + 10 * (1 + 40),
    ),
]


@pytest.mark.parametrize(("document", "variables", "nodes"), WORKED_OUT)
async def test_an_operation_costs_the_nodes_that_it_could_return(
    reader: Client, document: str, variables: dict[str, Any], nodes: int
) -> None:
    assert await cost(reader, document, **variables) == {"requested": nodes, "limit": 20_000}


async def test_a_number_of_many_searches_costs_what_they_take(reader: Client) -> None:
    document = "query ($f: ConversationFilter) { a: conversations(filter: $f) { totalCount } %s }"
    searches = {"or": [{"search": chr(ord("a") + place % 26)} for place in range(95)]}
    again = " ".join(f"a{place}: conversations(filter: $f) {{ totalCount }}" for place in range(2))

    assert (await cost(reader, document % "", f=searches))["requested"] == 20 + 95 * 100
    response = await send(reader, {"query": document % again, "variables": {"f": {"or": searches["or"][:80]}}})
    assert response.json()["errors"][0]["extensions"] == {
        "code": "OPERATION_TOO_COMPLEX",
        "limit": "cost",
        "value": 3 * (20 + 80 * 100),
        "maximum": 20_000,
    }


ASKING = "query ($n: Int!) { conversations(first: $n) { nodes { id bookings(first: 99) { totalCount } } } }"


async def test_an_operation_of_the_limit_runs_and_one_past_it_is_refused(seeded_dsn: str) -> None:
    async with serving(seeded_dsn, Statements(), max_cost=60) as client:
        assert len((await client.data(ASKING, n=30))["conversations"]["nodes"]) == 30
        client.statements.take()
        answer = await client.answer(ASKING, n=31)
        written = await client.answer(ASKING.replace("$n: Int!", "$n: Int = 31"))

    message = "This operation is too complex: cost 62, where 60 is the limit"
    extensions = {"code": "OPERATION_TOO_COMPLEX", "limit": "cost", "value": 62, "maximum": 60}
    assert answer == written == {"errors": [{"message": message, "extensions": extensions}]}
    assert client.statements.take() == []


@pytest.mark.parametrize("asked", [None, "0", "true", "2"])
async def test_the_cost_is_returned_to_clients_that_request_it(reader: Client, asked: str | None) -> None:
    response = await send(reader, {"query": "{ hosts(first: 1) { totalCount } }"}, x_request_cost=asked)

    assert response.json().keys() == {"data"}


async def test_a_rejection_has_the_cost_like_an_answer(reader: Client) -> None:
    document = "{ conversations(first: 100) { nodes { %s } more: nodes { %s } } }"
    document = document.replace("%s", "messages(first: 100) { nodes { id } }")

    response = await send(reader, {"query": document}, x_request_cost="1")

    answer = response.json()
    assert answer.keys() == {"errors", "extensions"}
    assert answer["errors"][0]["extensions"]["limit"] == "cost"
    assert answer["extensions"] == {"cost": {"requested": 20_200, "limit": 20_000}}


async def test_errors_beside_data_do_not_hide_the_cost(reader: Client) -> None:
    response = await send(reader, {"query": '{ node(id: "x") { id } hosts { totalCount } }'}, x_request_cost="1")

    answer = response.json()
    assert answer.keys() == {"errors", "data", "extensions"}
    assert answer["extensions"] == {"cost": {"requested": 21, "limit": 20_000}}


def measure(document: str) -> Measure:
    """The measure of the first operation."""
    tree = parse(document)
    operation = tree.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return DocumentWalk(SCHEMA, tree, ANY).measure(operation)


def shared(levels: int) -> str:
    """Each fragment twice in the one before it: expanded, it doubles with each level, without new fields."""
    fields = "a: source { id } x: user { id }"
    chain = "".join(
        f" fragment F{level} on Host {{ {fields} ...F{level + 1} ... {{ ...F{level + 1} }} }}"
        for level in range(levels)
    )
    return f"query ($n: Int) {{ hosts(first: $n) {{ nodes {{ ...F0 }} }} }}{chain} fragment F{levels} on Host {{ id }}"


def doubled(levels: int) -> str:
    """Nested pages, each with two keys."""
    chain = "".join(
        f" fragment F{level} on Conversation {{"
        f" a: bookings(first: $n) {{ nodes {{ conversations(first: 1) {{ nodes {{ ...F{level + 1} }} }} }} }}"
        f" b: bookings(first: $n) {{ nodes {{ conversations(first: 1) {{ nodes {{ ...F{level + 1} }} }} }} }} }}"
        for level in range(levels)
    )
    return (
        f"query ($n: Int) {{ conversations(first: $n) {{ nodes {{ ...F0 }} }} }}{chain}"
        f" fragment F{levels} on Conversation {{ id }}"
    )


def test_a_shared_fragment_is_measured_once_and_charged_for_each_use() -> None:
    started = time.process_time()

    found = measure(doubled(20))
    figures = [measure(doubled(levels)).cost.of({"n": 3}) for levels in range(5)]

    # C(0) = 1, C(k) = 1 + 2 * 3 * (1 + C(k - 1)), three times.
    assert figures == [3, 39, 255, 1_551, 9_327]
    assert found.cost.of({"n": 3}) > 6**20
    assert time.process_time() - started < 1


def test_fragments_without_new_fields_change_nothing() -> None:
    plain = measure("query ($n: Int) { hosts(first: $n) { nodes { a: source { id } x: user { id } id } } }")
    found = measure(shared(20))

    assert (found.depth, found.aliases, found.scopes) == (plain.depth, plain.aliases, plain.scopes)
    assert [found.cost.of({"n": number}) for number in (0, 1, 7, 100)] == [0, 3, 21, 300]
    assert [plain.cost.of({"n": number}) for number in (0, 1, 7, 100)] == [0, 3, 21, 300]


KNOWN = Known(
    {
        name: [encode_id(table, 0 if name in {"Account", "Application"} else 1, number) for number in (1, 2, 3, 4)]
        for name, table in NODE_TABLES.items()
    },
    {},
)


@pytest.fixture(scope="module")
async def known(seeded_dsn: str) -> Known:
    """The same ids, and cursors of the change log in this database."""
    return Known(KNOWN.ids, {"Query.changes": await log_cursors(seeded_dsn)})


def holds_nodes(place: str) -> bool:
    """Whether a field, given as `Type.field`, returns nodes."""
    type_, _, field = place.partition(".")
    definition = SCHEMA.type_map[type_].fields.get(field)  # type: ignore[attr-defined]
    named = get_named_type(definition.type)
    return named.name in NODE_TABLES or is_abstract_type(named)


def count(value: Any, drawn: Drawn, path: tuple[str, ...] = ()) -> int:
    """The nodes of a response, with repeats."""
    if isinstance(value, list):
        return sum(count(item, drawn, path) for item in value)
    if not isinstance(value, dict):
        return 0
    own = any(holds_nodes(place) for place in drawn.places.get(path, ()))
    return own + sum(count(inner, drawn, (*path, key)) for key, inner in value.items())


@examples(400)
@given(number=st.integers(0, 10**9))
@pytest.mark.slow
async def test_no_operation_returns_more_than_it_costs(reader: Client, known: Known, number: int) -> None:
    drawn = draw(SCHEMA, known, number)
    response = await send(reader, {"query": drawn.text, "variables": drawn.variables}, x_request_cost="1")

    answer = response.json()
    if "data" in answer:
        assert count(answer["data"], drawn) <= answer["extensions"]["cost"]["requested"], drawn.text


async def test_operations_that_return_nodes_are_drawn(reader: Client, known: Known) -> None:
    """Otherwise the property above would be trivial."""
    counted = []
    for number in range(120):
        drawn = draw(SCHEMA, known, number)
        answer = await reader.answer(drawn.text, **drawn.variables)
        counted.append(count(answer.get("data"), drawn))

    assert sum(nodes > 5 for nodes in counted) > 15, counted


@examples(300)
@given(number=st.integers(0, 10**9))
async def test_what_is_measured_of_a_fragment_is_what_is_measured_of_its_text(number: int) -> None:
    drawn = draw(SCHEMA, KNOWN, number)
    own = measure(drawn.text)
    # The whole operation as a fragment, used in three ways.
    operation, _, fragments = drawn.text.partition("\n")
    head, _, body = operation.partition("{")
    spreads = "{ ...All ... on Query { ...All } ... { ...All } }"
    again = f"{head}{spreads}\nfragment All on Query {{{body}\n{fragments}"

    found = measure(again)

    for measured in (own, found):
        assert measured.cost.of(drawn.variables) >= 0
    assert (found.depth, found.aliases, found.directives, found.scopes) == (
        own.depth,
        own.aliases,
        own.directives,
        own.scopes,
    )
    assert found.cost.of(drawn.variables) == own.cost.of(drawn.variables)
