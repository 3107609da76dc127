"""Cases that plans must distinguish: null and missing values, types of a union, conditions of different requests.

Every result is asserted to be the same from plans and from graphql-core, to be the expected one, and to come from
plans.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from graphql import DocumentNode

from db import tables as t
from gql.execution import document
from gql.execution.plan import condition_variables
from gql.fields.node import encode_id
from gql.log import FALLBACKS
from gql.schema import build_schema
from tests.oracles.reference import Pair, fill, pairing
from tests.support.client import make_settings

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def world(template: str, create_database: Callable[[str], str]) -> str:
    """A database with rows of every table, only for reading."""
    dsn = create_database(template)
    asyncio.run(fill(dsn))
    return dsn


@pytest.fixture
async def pair(world: str) -> AsyncIterator[Pair]:
    """Both executors, without cached documents. Plans must not fall back to graphql-core."""
    FALLBACKS.clear()
    async with pairing(world) as pair:
        yield pair
    assert not FALLBACKS


UNDEFINED: dict[str, tuple[str, list[tuple[dict[str, Any], Sequence[int]]]]] = {
    "without a default": (
        "query ($some: Int) { conversations(first: $some) { nodes { databaseId } } }",
        [({}, (10, 11)), ({"some": None}, (10, 11)), ({"some": 1}, (10,))],
    ),
    "with a default": (
        "query ($some: Int = 1) { conversations(first: $some) { nodes { databaseId } } }",
        [({}, (10,)), ({"some": None}, (10, 11)), ({"some": 2}, (10, 11))],
    ),
    "an order": (
        "query ($order: ConversationOrder) { conversations(orderBy: $order) { nodes { databaseId } } }",
        [
            ({}, (10, 11)),
            ({"order": None}, (10, 11)),
            ({"order": {}}, (10, 11)),
            ({"order": {"direction": "ASC"}}, (10, 11)),
        ],
    ),
    "a filter": (
        """query ($filter: ConversationFilter = {assigned: true}) {
          conversations(filter: $filter) { nodes { databaseId } }
        }""",
        [
            ({}, (11,)),
            ({"filter": None}, (10, 11)),
            ({"filter": {}}, (10, 11)),
            ({"filter": {"assigned": None}}, (10, 11)),
        ],
    ),
    "inside of a filter": (
        "query ($is: Boolean) { conversations(filter: {assigned: $is}) { nodes { databaseId } } }",
        [({}, (10, 11)), ({"is": None}, (10, 11)), ({"is": False}, (10,)), ({"is": True}, (11,))],
    ),
}


@pytest.mark.parametrize(("document", "outcomes"), UNDEFINED.values(), ids=UNDEFINED)
async def test_what_is_left_out_is_neither_null_nor_the_default(
    pair: Pair, document: str, outcomes: list[tuple[dict[str, Any], Sequence[int]]]
) -> None:
    for variables, ids in outcomes:
        answer = await pair.answer(document, **variables)

        assert answer == {"data": {"conversations": {"nodes": [{"databaseId": str(id_)} for id_ in ids]}}}, variables


@pytest.mark.parametrize(
    ("declared", "outcomes"),
    [
        ("MessageVisibility", [({}, 2), ({"who": None}, 2), ({"who": "INTERNAL"}, 1)]),
        ("MessageVisibility = EXTERNAL", [({}, 1), ({"who": None}, 2), ({"who": "INTERNAL"}, 1)]),
    ],
)
async def test_the_same_holds_inside_of_a_plan(
    pair: Pair, declared: str, outcomes: list[tuple[dict[str, Any], int]]
) -> None:
    document = f"""query ($who: {declared}) {{
      conversation(databaseId: 10) {{ messages(visibility: $who) {{ totalCount nodes {{ visibility }} }} }}
    }}"""
    for variables, number in outcomes:
        messages = (await pair.answer(document, **variables))["data"]["conversation"]["messages"]

        assert (messages["totalCount"], len(messages["nodes"])) == (number, number), variables


async def test_abstract_types_show_what_their_rows_are(pair: Pair) -> None:
    answer = await pair.answer(
        """query ($node: ID!) {
          node(id: $node) { id ... on Node { again: id } ...Seen ... on Host { firstname } }
          conversations { nodes {
            createdBy { __typename ... on Node { node: __typename } ... on Application { name } }
            assignee { ... on Node { __typename } }
            participants { nodes { member { ... on Client { fullname } ... on Host { lastname } } } }
          } }
        }
        fragment Seen on Conversation { createdBy { __typename } ...Twice }
        fragment Twice on Conversation { createdBy { ... on User { name } } }""",
        node=encode_id(t.Conversation, 1, 10),
    )

    id_ = encode_id(t.Conversation, 1, 10)
    members = [{"member": {"fullname": "Clara of 1"}}, {"member": {"lastname": "of 1"}}]
    assert answer == {
        "data": {
            "node": {"id": id_, "again": id_, "createdBy": {"__typename": "User", "name": "Uma of 1"}},
            "conversations": {
                "nodes": [
                    {
                        "createdBy": {"__typename": "User", "node": "User"},
                        "assignee": None,
                        "participants": {"nodes": members},
                    },
                    {
                        "createdBy": {"__typename": "Application", "node": "Application", "name": "Airbnb"},
                        "assignee": {"__typename": "Host"},
                        "participants": {"nodes": []},
                    },
                ]
            },
        }
    }


async def test_a_union_of_which_nothing_is_selected_is_empty(pair: Pair) -> None:
    answer = await pair.answer("{ conversation(databaseId: 10) { createdBy { ... on Application { name } } } }")

    assert answer == {"data": {"conversation": {"createdBy": {}}}}


async def test_selections_of_one_key_are_merged(pair: Pair) -> None:
    answer = await pair.answer("""{
      conversation(databaseId: 10) {
        messages(first: 1) { nodes { content } }
        ...A
        ... on Conversation { messages(first: 1) { edges { node { sender { memberType } } } totalCount } }
        mine: messages(last: 1) { nodes { content } }
        ... { mine: messages(last: 1) { nodes { sender { member { __typename } } } } }
      }
    }
    fragment A on Conversation {
      messages(first: 1) { nodes { sender { ...B } } edges { cursor node { content } } pageInfo { hasNextPage } }
    }
    fragment B on Participant { memberType memberType member { ... on Client { fullname } } }""")

    cursor = answer["data"]["conversation"]["messages"]["edges"][0].pop("cursor")
    assert cursor
    content = "Where are the keys of 1?"
    sender = {"memberType": "CLIENT", "member": {"fullname": "Clara of 1"}}
    mine = {"content": "Under the mat of 1", "sender": {"member": {"__typename": "Host"}}}
    assert answer["data"]["conversation"] == {
        "messages": {
            "nodes": [{"content": content, "sender": sender}],
            "edges": [{"node": {"content": content, "sender": {"memberType": "CLIENT"}}}],
            "pageInfo": {"hasNextPage": True},
            "totalCount": 2,
        },
        "mine": {"nodes": [mine]},
    }


async def test_directives_decide_anew_for_every_request(pair: Pair) -> None:
    """Plans of different conditions are not confused, in any order of requests."""
    document = """query ($a: Boolean!, $b: Boolean!, $c: Boolean = true) {
      conversation(databaseId: 10) {
        subject @include(if: $a)
        ... @skip(if: $b) { source { name @include(if: $c) internal } }
        ...Thread @include(if: $c)
        messages(first: 1) { nodes { sender @skip(if: $a) { memberType } } }
      }
    }
    fragment Thread on Conversation { messages(first: 1) { nodes { content @include(if: $b) } totalCount } }"""
    seen = set()
    for number in [*range(8), *reversed(range(8))]:
        a, b, c = (bool(number & bit) for bit in (1, 2, 4))

        shown = (await pair.answer(document, a=a, b=b, c=c))["data"]["conversation"]

        assert ("subject" in shown) is a
        assert shown.get("source", {}).keys() == (set() if b else {"internal", *(["name"] if c else [])})
        assert ("totalCount" in shown["messages"]) is c
        (message,) = shown["messages"]["nodes"]
        assert set(message) == {key for key, shown in (("content", b and c), ("sender", not a)) if shown}
        seen.add(str(shown))
    assert len(seen) == 8
    assert (await pair.answer(document, a=True, b=False)) == (await pair.answer(document, a=True, b=False, c=True))


async def test_operations_of_one_document_keep_their_plans_apart(pair: Pair) -> None:
    document = """
    query A { conversation(databaseId: 10) { subject source { name } } }
    query B { conversation(databaseId: 11) { ...C source { internal } } }
    query D($id: BigInt!) { conversation(databaseId: $id) { ...C } }
    fragment C on Conversation { databaseId assignee { firstname } }
    """
    expected = {
        "A": {"subject": "Keys of 1", "source": {"name": "Website of 1"}},
        "B": {"databaseId": "11", "assignee": {"firstname": "Hugo"}, "source": None},
        "D": {"databaseId": "10", "assignee": None},
    }
    for name in "ABDDBA":
        variables = {"id": 10} if name == "D" else {}
        assert await pair.answer(document, name, **variables) == {"data": {"conversation": expected[name]}}


async def test_a_last_row_and_an_expression_are_shown_on_every_way_to_their_row(pair: Pair) -> None:
    answer = await pair.answer(
        """query ($id: ID!, $other: ID!, $none: ID!) {
          nodes(ids: [$id, $none, $id, $other]) { ...Shown }
          conversation(id: $id) { ...Shown again: stage }
          conversations { nodes { ...Shown } }
          bookings(first: 1) { nodes { conversations { edges { node { ...Shown } } } } }
          message: node(id: $id) { ... on Conversation { messages(last: 1) { nodes { conversation { ...Shown } } } } }
        }
        fragment Shown on Conversation {
          stage
          lastMessage { content sender { memberType } }
          newest: lastMessage { conversation { stage lastMessage { databaseId } } }
          lastMessage { __typename createdBy { ... on User { name } } }
        }""",
        id=encode_id(t.Conversation, 1, 10),
        other=encode_id(t.Conversation, 1, 11),
        none=encode_id(t.Conversation, 1, 999),
    )

    note = {"content": "Under the mat of 1", "sender": {"memberType": "HOST"}}
    shown = {
        "stage": "POST_STAY",
        "lastMessage": {**note, "__typename": "Message", "createdBy": {"name": "Uma of 1"}},
        "newest": {"conversation": {"stage": "POST_STAY", "lastMessage": {"databaseId": "51"}}},
    }
    empty = {"stage": "INQUIRY", "lastMessage": None, "newest": None}
    assert answer == {
        "data": {
            "nodes": [shown, None, shown, empty],
            "conversation": {**shown, "again": "POST_STAY"},
            "conversations": {"nodes": [shown, empty]},
            "bookings": {"nodes": [{"conversations": {"edges": [{"node": shown}]}}]},
            "message": {"messages": {"nodes": [{"conversation": shown}]}},
        }
    }


@pytest.mark.parametrize(
    ("document", "directive"),
    [
        ("{ conversations { nodes { ... @defer { subject } } } }", "defer"),
        ("{ conversations { nodes @stream { subject } } }", "stream"),
    ],
)
async def test_incremental_delivery_is_refused(pair: Pair, document: str, directive: str) -> None:
    (error,) = (await pair.answer(document))["errors"]

    assert error["message"] == f"Unknown directive '@{directive}'."


def test_the_conditions_of_a_document_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []

    def look(node: DocumentNode) -> tuple[str, ...]:
        looked_at.append(node)
        return condition_variables(node)

    monkeypatch.setattr(document, "condition_variables", look)
    documents = document.Documents(build_schema(), make_settings("postgresql://nowhere"))

    documents.operation(" ".join(f"query q{number} {{ __typename }}" for number in range(50)), "q7")

    assert len(looked_at) == 1
