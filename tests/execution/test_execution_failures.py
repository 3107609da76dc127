"""Errors in execution: plans report the same errors as graphql-core, and later operations are not affected.

Every result is asserted to be the same from both, including errors, paths and order, and to be the expected one. After
each failure the same connections work normally. The schema has no extensions, which plans would not call.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest
import strawberry

from db import tables as t
from db.queries.conversation import writes
from db.relations import ById, Many
from gql.fields.node import encode_id
from gql.log import FALLBACKS
from gql.schema import build_schema
from gql.types.conversation import Conversation
from gql.types.person import Host
from tests.oracles import reference
from tests.oracles.reference import DROPPED, Pair, fill, pairing

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings(DROPPED)]

MASKED = ("Internal server error", "INTERNAL_SERVER_ERROR")
THREAD = "{ conversation(databaseId: 10) { subject messages { nodes { content sender { memberType } } } } }"
THREAD_DATA = {
    "conversation": {
        "subject": "Keys of 1",
        "messages": {
            "nodes": [
                {"content": "Where are the keys of 1?", "sender": {"memberType": "CLIENT"}},
                {"content": "Under the mat of 1", "sender": {"memberType": "HOST"}},
            ]
        },
    }
}


@pytest.fixture(scope="module")
def world(template: str, create_database: Callable[[str], str]) -> str:
    """A database with rows of every table. Tests undo their changes."""
    dsn = create_database(template)
    asyncio.run(fill(dsn))
    return dsn


@pytest.fixture
async def pair(world: str) -> AsyncIterator[Pair]:
    """Both executors, without cached documents. In the end all of their connections must be free."""
    FALLBACKS.clear()
    async with pairing(world) as pair:
        yield pair
        for pool in (pair.planned.database.pool, pair.reference.database.pool):
            assert pool.used == 0


@pytest.fixture(autouse=True)
def dropped() -> Iterator[None]:
    """Collect the coroutines that graphql-core dropped before the next test."""
    yield
    gc.collect()


@pytest.fixture
def broken() -> Iterator[pytest.MonkeyPatch]:
    """Patches that break something; `mended` undoes them."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


async def mended(pair: Pair, broken: pytest.MonkeyPatch) -> None:
    """Assert that the same executors work normally."""
    broken.undo()
    assert await pair.answer(THREAD) == {"data": THREAD_DATA}


def reported(answer: dict[str, Any]) -> list[tuple[list[Any], str, str]]:
    """Path, message and code of each error, in order."""
    return [(error["path"], error["message"], error["extensions"]["code"]) for error in answer["errors"]]


def fail(patch: pytest.MonkeyPatch, relation: Any, method: str, target: type[t.Table]) -> None:
    """Make loading rows of `target` raise."""
    load = getattr(relation, method)

    async def load_or_fail(self: Any, *arguments: Any) -> Any:
        if (self.table if relation is ById else self.target) is target:
            raise LookupError(target.__name__)
        return await load(self, *arguments)

    patch.setattr(relation, method, load_or_fail)


def lose(patch: pytest.MonkeyPatch, table: type[t.Table], lost: int) -> None:
    """Make the row with that id missing."""
    load = ById.load

    async def load_all_but_one(self: Any, *arguments: Any) -> list[Any]:
        rows = await load(self, *arguments)
        return [None if row is not None and row.id == lost and self.table is table else row for row in rows]

    patch.setattr(ById, "load", load_all_but_one)


def spoil(patch: pytest.MonkeyPatch, pair: Pair, scalar: str, *spoilt: Any) -> None:
    """Make serialising these values raise. To be called before planning, because plans contain the serialisers."""
    for side in (pair.planned, pair.reference):
        leaf: Any = side.schema.type_map[scalar]

        def serialise(value: Any, show: Any = leaf.coerce_output_value) -> Any:
            if value in spoilt:
                raise ValueError(value)
            return show(value)

        patch.setattr(leaf, "coerce_output_value", serialise)


async def test_a_null_on_the_way_to_the_root_leaves_nothing(pair: Pair, broken: pytest.MonkeyPatch) -> None:
    lose(broken, t.Participant, 41)

    answer = await pair.answer("{ conversations { nodes { subject messages { nodes { sender { id } } } } } }")

    assert answer["data"] is None
    path = ["conversations", "nodes", 0, "messages", "nodes", 1, "sender"]
    assert reported(answer) == [(path, *MASKED)]
    await mended(pair, broken)


async def test_a_null_stops_at_the_first_nullable_field_and_is_reported_once(
    pair: Pair, broken: pytest.MonkeyPatch
) -> None:
    lose(broken, t.Participant, 41)

    answer = await pair.answer(
        "{ conversation(databaseId: 10) { messages { edges { node { sender { id member { __typename } } } } } }"
        " other: conversation(databaseId: 11) { subject } hosts { nodes { firstname } } }"
    )

    assert answer["data"] == {
        "conversation": None,
        "other": {"subject": "Towels of 1"},
        "hosts": {"nodes": [{"firstname": "Hugo"}, {"firstname": "Hedda"}]},
    }
    path = ["conversation", "messages", "edges", 1, "node", "sender"]
    assert reported(answer) == [(path, *MASKED)]
    await mended(pair, broken)


async def test_an_error_in_a_list_without_nulls_takes_the_list(pair: Pair, broken: pytest.MonkeyPatch) -> None:
    spoil(broken, pair, "BigInt", 51)

    answer = await pair.answer("{ conversation(databaseId: 10) { messages { nodes { content databaseId } } } }")

    assert answer["data"] == {"conversation": None}
    assert reported(answer) == [(["conversation", "messages", "nodes", 1, "databaseId"], *MASKED)]
    await mended(pair, broken)


async def test_a_list_goes_on_after_its_first_error(pair: Pair, broken: pytest.MonkeyPatch) -> None:
    spoil(broken, pair, "BigInt", 1, 65)

    answer = await pair.answer(
        "{ conversation(databaseId: 10) { messages { nodes { createdById content } } } sources { nodes { name } } }"
    )

    assert answer["data"] == {
        "conversation": {
            "messages": {
                "nodes": [
                    {"createdById": None, "content": "Where are the keys of 1?"},
                    {"createdById": None, "content": "Under the mat of 1"},
                ]
            }
        },
        "sources": {"nodes": [{"name": "Website of 1"}, {"name": "Internal of 1"}]},
    }
    assert reported(answer) == [
        (["conversation", "messages", "nodes", place, "createdById"], *MASKED) for place in (0, 1)
    ]
    await mended(pair, broken)


async def test_nulls_and_errors_stand_in_a_list_where_they_belong(pair: Pair, broken: pytest.MonkeyPatch) -> None:
    ids = [
        encode_id(t.Conversation, 1, 10),
        encode_id(t.Conversation, 1, 999),
        encode_id(t.Booking, 2, 20),
        encode_id(t.Message, 1, 50),
        encode_id(t.Conversation, 1, 10),
    ]
    document = """query ($ids: [ID!]!) { nodes(ids: $ids) {
      __typename ... on Conversation { subject messages { totalCount } } ... on Message { sender { memberType } }
    } }"""
    thread = {"__typename": "Conversation", "subject": "Keys of 1", "messages": {"totalCount": 2}}
    message = {"__typename": "Message", "sender": {"memberType": "CLIENT"}}

    assert await pair.answer(document, ids=ids) == {"data": {"nodes": [thread, None, None, message, thread]}}
    assert not FALLBACKS
    answer = await pair.answer(document, ids=["none", ids[1], *ids[3:], "none"])

    assert answer["data"] == {"nodes": [None, None, message, thread, None]}
    assert reported(answer) == [(["nodes", place], '"none" is not an id', "BAD_USER_INPUT") for place in (0, 4)]
    assert FALLBACKS == {"ClientError": 1}
    await mended(pair, broken)


async def test_errors_come_in_graphql_cores_order(pair: Pair, broken: pytest.MonkeyPatch) -> None:
    """A plan meets the error of `a` after everything before it, and that of `b` at once."""
    answer = await pair.answer("""{
      a: conversation(databaseId: 10) {
        messages { nodes { sender { member { ... on Host { user { name } } } } } } participants(first: 0) { totalCount }
      }
      b: booking(databaseId: 20) { conversations(first: 0) { totalCount } }
      c: node(id: "none") { id }
    }""")

    assert answer["data"] == {"a": None, "b": None, "c": None}
    size = ("first must be from 1 to 100, not 0", "BAD_USER_INPUT")
    assert reported(answer) == [
        (["c"], '"none" is not an id', "BAD_USER_INPUT"),
        (["a", "participants"], *size),
        (["b", "conversations"], *size),
    ]
    await mended(pair, broken)


LOADERS: dict[str, tuple[tuple[Any, str, type[t.Table]], list[Any]]] = {
    "one": ((ById, "load", t.Participant), ["messages", "nodes", 0, "sender"]),
    "union": ((ById, "load", t.Host), ["messages", "nodes", 1, "sender", "member"]),
    "page": ((Many, "load", t.Message), ["messages", "nodes"]),
    "number": ((Many, "count", t.Booking), ["bookings", "totalCount"]),
}


@pytest.mark.parametrize(("loader", "path"), LOADERS.values(), ids=LOADERS)
async def test_a_loader_that_fails_is_reported_at_each_field_that_uses_it(
    pair: Pair, broken: pytest.MonkeyPatch, loader: tuple[Any, str, type[t.Table]], path: list[Any]
) -> None:
    fail(broken, *loader)

    answer = await pair.answer("""{
      conversation(databaseId: 10) {
        subject bookings { totalCount } messages { nodes { sender { member { ... on Host { user { name } } } } } }
      }
    }""")

    assert reported(answer) == [(["conversation", *path], *MASKED)]
    # Only the member is nullable.
    assert (answer["data"]["conversation"] is None) is ("member" not in path)
    assert FALLBACKS == {"LookupError": 1}
    await mended(pair, broken)


async def test_an_error_at_or_below_a_last_row_stops_at_it(pair: Pair, broken: pytest.MonkeyPatch) -> None:
    document = "{ conversations { nodes { subject lastMessage { sender { conversation { id } } } } } }"
    keys, towels = {"subject": "Keys of 1", "lastMessage": None}, {"subject": "Towels of 1", "lastMessage": None}
    path = ["conversations", "nodes", 0, "lastMessage"]

    lose(broken, t.Participant, 41)
    below = await pair.answer(document)
    fail(broken, Many, "load", t.Message)
    at = await pair.answer(document)

    assert [below["data"], at["data"]] == [{"conversations": {"nodes": [keys, towels]}}] * 2
    assert reported(below) == [([*path, "sender"], *MASKED)]
    assert reported(at) == [([*path[:2], place, "lastMessage"], *MASKED) for place in (0, 1)]
    await mended(pair, broken)


@pytest.mark.parametrize("root", ["conversation(databaseId: 10)", "conversations"])
async def test_an_expression_that_cannot_be_computed_is_an_error(
    pair: Pair, broken: pytest.MonkeyPatch, world: str, root: str
) -> None:
    connection = await asyncpg.connect(world)
    await connection.execute("ALTER TABLE bookings RENAME COLUMN status TO gone")
    selection = "{ subject stage }" if "(" in root else "{ nodes { subject stage } }"
    try:
        answer = await pair.answer(f"{{ found: {root} {selection} hosts {{ nodes {{ firstname }} }} }}")
    finally:
        await connection.execute("ALTER TABLE bookings RENAME COLUMN gone TO status")
        await connection.close()

    path = ["found", "stage"] if "(" in root else ["found", "nodes", 0, "stage"]
    assert reported(answer)[0] == (path, *MASKED)
    await mended(pair, broken)


async def test_a_failed_statement_is_logged_as_itself(pair: Pair, broken: pytest.MonkeyPatch, world: str) -> None:
    """Afterwards every other statement of the transaction fails too, but the log must have the first error."""
    logged: list[str] = []
    broken.setattr("gql.errors.describe", lambda error: logged.append(type(error).__name__))
    connection = await asyncpg.connect(world)
    await connection.execute("ALTER TABLE participants RENAME COLUMN member_type TO gone")
    try:
        answer = await pair.answer("""{
          bad: conversation(databaseId: 10) { messages { nodes { sender { memberType } } } }
          good: conversation(databaseId: 10) { source { name } }
        }""")
    finally:
        await connection.execute("ALTER TABLE participants RENAME COLUMN gone TO member_type")
        await connection.close()

    path = ["bad", "messages", "nodes", 0, "sender"]
    assert reported(answer)[0] == (path, *MASKED)
    assert logged[0] == "UndefinedColumnError"
    await mended(pair, broken)


@pytest.mark.parametrize("value", [LookupError(), None, {}, []])
async def test_a_computed_value_that_is_none_is_an_error(pair: Pair, broken: pytest.MonkeyPatch, value: Any) -> None:
    definition: Any = Host.__strawberry_definition__  # type: ignore[attr-defined]
    (name,) = (field for field in definition.fields if field.python_name == "display_name")

    def compute(*_columns: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    broken.setattr(name, "compute", compute)

    answer = await pair.answer("{ hosts(first: 1) { nodes { id displayName } } }")

    assert (answer["data"], reported(answer)) == (None, [(["hosts", "nodes", 0, "displayName"], *MASKED)])
    broken.undo()


async def test_a_custom_resolver_is_called_by_graphql_core_and_counted(world: str, broken: pytest.MonkeyPatch) -> None:
    def greet(root: Any) -> str:
        if root.subject is not None and root.subject.startswith("Towels"):
            raise LookupError
        return f"About {root.subject}"

    add_field(broken, "greeting", strawberry.field(resolver=greet, graphql_type=str | None))
    FALLBACKS.clear()
    async with pairing(world) as pair:
        document = """{
          conversations { nodes { greeting messages { nodes { content } } } }
          hosts { nodes { firstname } }
        }"""
        answer = await pair.answer(document)
        counted = FALLBACKS.copy()
        good = await pair.answer("{ conversation(databaseId: 10) { greeting source { name } } }")
        await mended(pair, broken)

    assert answer["data"]["conversations"]["nodes"][1] == {"greeting": None, "messages": {"nodes": []}}
    assert answer["data"]["hosts"] == {"nodes": [{"firstname": "Hugo"}, {"firstname": "Hedda"}]}
    assert reported(answer) == [(["conversations", "nodes", 1, "greeting"], *MASKED)]
    assert good == {"data": {"conversation": {"greeting": "About Keys of 1", "source": {"name": "Website of 1"}}}}
    reason = "Conversation.greeting has a resolver of its own"
    assert counted == {reason: 1}
    assert FALLBACKS[reason] == 2


def add_field(patch: pytest.MonkeyPatch, name: str, field: Any) -> None:
    """Add a field to conversations in the schemas of pairs that are made from now on, which are not from the cache."""
    definition: Any = Conversation.__strawberry_definition__  # type: ignore[attr-defined]
    field.python_name = name
    field.origin = Conversation
    patch.setattr(definition, "fields", [*definition.fields, field])
    patch.setattr(reference, "build_schema", build_schema.__wrapped__)


WRITES = """mutation ($id: ID!, $none: ID!, $bookings: [ID!]!) {
  first: updateConversation(input: {conversationId: $id, closed: true}) { ...Shown }
  second: connectBookings(input: {conversationId: $id, bookingIds: $bookings}) {
    conversation { bookings { totalCount nodes { reference } } closed }
    again: conversation { bookings(first: 1) { totalCount nodes { reference } } }
  }
  failing: updateConversation(input: {conversationId: $none, closed: true}) { ...Shown }
  third: updateConversation(input: {conversationId: $id, closed: false}) { ...Shown }
}
fragment Shown on UpdateConversationPayload {
  conversation { subject closed bookings { totalCount } messages { nodes { sender { conversation { subject } } } } }
  userErrors { code path }
}"""
WRITTEN = {
    "id": encode_id(t.Conversation, 1, 10),
    "none": encode_id(t.Conversation, 1, 999),
    "bookings": [encode_id(t.Booking, 1, 22)],
}


@pytest.fixture
def worlds(template: str, create_database: Callable[[str], str]) -> list[str]:
    """Two databases with the same rows."""
    dsns = [create_database(template) for _ in range(2)]
    for dsn in dsns:
        asyncio.run(fill(dsn))
    return dsns


@pytest.fixture
async def writing(worlds: list[str]) -> AsyncIterator[Pair]:
    """Both executors, each on its own database."""
    FALLBACKS.clear()
    async with pairing(*worlds) as pair:
        yield pair


async def test_each_write_shows_itself_and_those_before(writing: Pair) -> None:
    answer = await writing.answer(WRITES, **WRITTEN)

    senders = {"nodes": [{"sender": {"conversation": {"subject": "Keys of 1"}}}] * 2}
    shown = {"subject": "Keys of 1", "messages": senders}
    references = [{"reference": f"{booking} of 1"} for booking in (20, 21, 22)]
    first, second, failing, third = answer["data"].values()
    assert first == {"conversation": {**shown, "closed": True, "bookings": {"totalCount": 2}}, "userErrors": []}
    assert second == {
        "conversation": {"bookings": {"totalCount": 3, "nodes": references}, "closed": True},
        "again": {"bookings": {"totalCount": 3, "nodes": references[:1]}},
    }
    assert failing["conversation"] is None
    assert [error["code"] for error in failing["userErrors"]] == ["NOT_FOUND"]
    assert third == {"conversation": {**shown, "closed": False, "bookings": {"totalCount": 3}}, "userErrors": []}
    assert not FALLBACKS


async def test_a_write_that_cannot_be_shown_is_written_once(writing: Pair, broken: pytest.MonkeyPatch) -> None:
    calls = Counter[str]()
    for name in ("update", "connect"):
        count_calls(broken, name, calls)
    lose(broken, t.Participant, 41)

    answer = await writing.answer(WRITES, **WRITTEN)

    assert [payload["conversation"] is None for payload in answer["data"].values()] == [True, False, True, True]
    path = ["conversation", "messages", "nodes", 1, "sender"]
    assert reported(answer) == [([key, *path], *MASKED) for key in ("first", "third")]
    # Once by each of the two executors.
    assert calls == {"update": 6, "connect": 2}
    await mended(writing, broken)


def count_calls(patch: pytest.MonkeyPatch, name: str, calls: Counter[str]) -> None:
    """Count the calls of a write of conversations."""
    write = getattr(writes, name)

    async def write_and_count(*arguments: Any) -> Any:
        calls[name] += 1
        return await write(*arguments)

    patch.setattr(writes, name, write_and_count)
