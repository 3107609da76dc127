"""Planned execution has the same result as graphql-core: data, errors, paths and order, for any document."""

from __future__ import annotations

import asyncio
import gc
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_composite_type
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries

from db.queries.webhook import fan_out
from db.statement import Statement
from gql.fields.node import NODE_TABLES, encode_id
from gql.log import FALLBACKS
from gql.schema import build_schema
from gql.security.secret import PREFIX, Secrets
from tests.oracles.drawing import ENDING, Known, Path, draw
from tests.oracles.reference import CHANNEL, DROPPED, VIEWER, Pair, fill, pairing
from tests.support import world
from tests.support.client import make_settings
from tests.support.factories import log_cursors

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings(DROPPED)]

SCHEMA: GraphQLSchema = build_schema()._schema  # noqa: SLF001
CURSORS = """{
  conversations(first: 4) { edges { cursor node {
    messages(first: 3) { edges { cursor } } participants { edges { cursor } } bookings { edges { cursor } }
  } } }
  bookings(first: 4) { edges { cursor node { conversations { edges { cursor } } } } }
  hosts(first: 4) { edges { cursor } } sources(first: 4) { edges { cursor } }
  rentals(first: 4) { edges { cursor } } clients(first: 4) { edges { cursor } }
  inquiries(first: 4) { edges { cursor } } messages(first: 4) { edges { cursor } }
}"""


# Rows with relations that few rows have.
_TELLING = {
    "Conversation": " AND id IN (SELECT conversation_id FROM inquiries WHERE account_id = 1 AND booking_id > 0)",
    "Inquiry": " AND booking_id IS NOT NULL",
}


@pytest.fixture(scope="module")
async def pair(seeded_dsn: str) -> AsyncIterator[Pair]:
    """Both executors on the seeded database."""
    async with pairing(seeded_dsn) as pair:
        yield pair


@pytest.fixture(autouse=True)
def dropped() -> Iterator[None]:
    """Collect the coroutines that graphql-core dropped between documents, and before the next test.

    If they were collected at any time, that could be in a named tuple's constructor, which is generated without
    builtins: there Python cannot warn about a coroutine that was never awaited.
    """
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture(scope="module")
async def known(seeded_dsn: str, pair: Pair) -> Known:
    """Ids of every type, some of which do not exist, and cursors of every connection with rows."""
    ids = await find_ids(seeded_dsn, _TELLING)
    cursors: dict[str, list[str]] = {"Query.changes": await log_cursors(seeded_dsn)}
    _gather_cursors((await pair.answer(CURSORS))["data"], "Query", cursors)
    return Known(ids, cursors)


async def find_ids(dsn: str, telling: Mapping[str, str]) -> dict[str, list[str]]:
    """Ids of every type, the last two of which do not exist. `telling` are further conditions of types."""
    connection = await asyncpg.connect(dsn)
    ids = {}
    for name, table in NODE_TABLES.items():
        account = 0 if name in {"Account", "Application"} else 1
        where = ("account_id = 1" if account else "true") + telling.get(name, "")
        rows = await connection.fetch(f"SELECT id FROM {table.__tablename__} WHERE {where} ORDER BY id LIMIT 4")  # noqa: S608
        ids[name] = [encode_id(table, account, row["id"]) for row in rows]
        ids[name] += [encode_id(table, account, 999_999), encode_id(table, account and 2, 1)]
    await connection.close()
    return ids


def _gather_cursors(selected: dict[str, Any], type_: str, cursors: dict[str, list[str]]) -> None:
    for name, connection in selected.items():
        for edge in connection["edges"]:
            cursors.setdefault(f"{type_}.{name}", []).append(edge["cursor"])
            _gather_cursors(edge.get("node", {}), "Conversation" if name == "conversations" else "Booking", cursors)


# The number of documents after which dropped coroutines are collected.
_COLLECT_AFTER = 25
# The number of documents that reach all fields, or nearly all.
_ENOUGH = 1_000
_FEW, _MANY = 150, 2_000


def leads(definition: Any) -> bool:
    """Whether the type of a field has fields."""
    return is_composite_type(get_named_type(definition.type))


LEADING = {
    f"{type_.name}.{name}"
    for type_ in SCHEMA.type_map.values()
    if isinstance(type_, GraphQLObjectType)
    and not type_.name.startswith("__")
    # Queries lead to none of these.
    and type_.name not in {"Mutation", "Subscription", "ChangesEvent"}
    and not type_.name.endswith("Payload")
    for name, definition in type_.fields.items()
    if leads(definition)
    # Without a rate limit, because many operations run.
} - {"Query.rateLimit"}


def reach(value: Any, path: Path, places: Any, reached: set[str]) -> None:
    """Add the fields of `value` to `reached`. Only a few items of each list are checked."""
    if isinstance(value, list):
        for item in value[:5]:
            reach(item, path, places, reached)
    elif isinstance(value, dict):
        reached |= places.get(path, set())
        for key, inner in value.items():
            reach(inner, (*path, key), places, reached)


@pytest.mark.parametrize("number", [_FEW, pytest.param(_MANY, marks=pytest.mark.slow)])
async def test_drawn_documents_are_answered_alike(
    pair: Pair, known: Known, number: int, pytestconfig: pytest.Config
) -> None:
    """The first documents, or with `-m slow` enough to reach all fields; `--documents 50000` for more.

    A document that fails is named by its number.
    """
    number = pytestconfig.getoption("--documents") or number
    outcomes: Counter[str] = Counter()
    reached: set[str] = set()
    for place in range(2 * number):
        # Some more where chance has left out a field that leads on.
        if place >= number and (number < _ENOUGH or reached >= LEADING):
            break
        drawn = draw(SCHEMA, known, place)
        if place % _COLLECT_AFTER == 0:
            gc.collect()
        fallbacks = FALLBACKS.total()
        answer = await pair.answer(drawn.text, **drawn.variables)
        if "data" not in answer:
            outcomes["refused"] += 1
        elif "errors" in answer:
            outcomes["errors"] += 1
        else:
            outcomes["data"] += 1
            # graphql-core executes an operation only to report its errors.
            assert FALLBACKS.total() == fallbacks, (place, drawn.text, FALLBACKS)
            reach(answer["data"], (), drawn.places, reached)
    # Else the documents would not say much, or nothing would have been planned.
    assert outcomes["data"] > 0.7 * number, outcomes
    assert outcomes["errors"] > 0.02 * number, outcomes
    expected = {field for field in LEADING - RARELY_REACHED if not field.startswith(("Webhook", "SearchMatch."))}
    assert number < _ENOUGH or reached >= expected, sorted(expected - reached)


# The data have no webhooks and no deliveries, and few drawn documents search or select an activity's records.
RARELY_REACHED = {"Message.delivery", "ConversationEdge.match", "Activity.assignee", "Activity.message"}

# Ids for hypothesis-graphql, which does not know the database.
IDS = st.sampled_from(
    [
        encode_id(table, 0 if name in {"Account", "Application"} else 1, id_)
        for name, table in NODE_TABLES.items()
        for id_ in (1, 2)
    ]
)
SCALARS = {
    "ID": IDS.map(nodes.String),
    "DateTime": st.sampled_from(["2026-05-01T00:00:00Z", "2026-03-01T12:00:00.500+02:00"]).map(nodes.String),
    "BigInt": st.integers(1, 5).map(nodes.Int),
}


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(document=queries(SCHEMA, custom_scalars=SCALARS))
@pytest.mark.slow
async def test_documents_of_another_make_are_answered_alike(pair: Pair, document: str) -> None:
    """Documents of hypothesis-graphql: simpler than our own, and shrunk after a failure."""
    await pair.answer(document)


NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
# What is written gets the ids from here on.
FIRST_ID = 10_000
CREATING = {"Mutation.createConversation", "Mutation.createMessage"}
_RANDOM_ID, _FIXED_ID = fan_out._NEW_ID, "'msg_' || nextval('row_ids')"  # noqa: SLF001


def repeatable(statement: Statement) -> Statement:
    """A statement of `fan_out` without random ids and times of the database."""
    sql = statement.sql.replace(_RANDOM_ID, _FIXED_ID).replace(fan_out.NOW, f"'{NOW}'::timestamptz")
    assert sql != statement.sql
    return replace(statement, sql=sql)


def make_secret(place: int) -> str:
    """The secret that is made while the document with that number is executed."""
    return PREFIX + b64encode(place.to_bytes(32)).decode()


@pytest.fixture
def worlds(template: str, create_database: Callable[[str], str]) -> list[str]:
    """Two databases with the same rows, which give the same ids."""

    async def prepare(dsn: str) -> None:
        await fill(dsn)
        connection = await asyncpg.connect(dsn)
        await connection.execute("SELECT setval('row_ids', $1)", FIRST_ID)
        await connection.execute("UPDATE epochs SET value = $1", world.EPOCH)
        await connection.execute("UPDATE conversations SET default_channel = 'EMAIL' WHERE id = $1", world.CONVERSATION)
        failed = "UPDATE messages SET delivery_state = 'FAILED', delivery_at = sent_at WHERE id = $1"
        await connection.execute(failed, world.NOTE)
        await connection.close()

    dsns = [create_database(template) for _ in range(2)]
    for dsn in dsns:
        asyncio.run(prepare(dsn))
    return dsns


@pytest.fixture
async def writing(worlds: list[str]) -> AsyncIterator[Pair]:
    """Both executors, each over a database of its own."""
    async with pairing(*worlds) as pair:
        yield pair


async def dump(dsn: str) -> world.Dump:
    """All rows of a database, with decrypted secrets, as each encryption of one is different.

    The times in the change log, from which replayed events have theirs, are left out: they are those of the database,
    in which one writes after the other.
    """
    connection = await asyncpg.connect(dsn)
    try:
        rows = await world.dump(connection)
    finally:
        await connection.close()
    deliveries = [row | {"data": orjson.loads(row["data"]) | {"at": None}} for row in rows["webhook_deliveries"]]
    secrets = Secrets(make_settings(dsn))
    endpoints = [
        row | {name: secrets.decrypt(row[name]) for name in ("secret", "previous_secret") if row[name]}
        for row in rows["webhook_endpoints"]
    ]
    return rows | {
        "changes": [row | {"at": None} for row in rows["changes"]],
        "webhook_deliveries": deliveries,
        "webhook_endpoints": endpoints,
    }


def count_payloads(value: Any, fields: Any, counted: Counter[tuple[str, bool]]) -> None:
    """Count the results of each mutation: whether it was executed, and whether it showed several records."""
    for key, payload in value.items():
        for field in fields.get((key,), ()):
            if payload is not None and "userErrors" in payload:
                counted[field, not payload["userErrors"]] += 1
            if payload is not None and len({str(row) for row in payload.get("conversations", ())}) > 1:
                counted["several", True] += 1


@pytest.mark.parametrize("number", [2 * _FEW, pytest.param(_MANY, marks=pytest.mark.slow)])
async def test_drawn_mutations_are_answered_alike_and_leave_the_same(
    writing: Pair, worlds: list[str], number: int, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each document continues with the rows that the earlier ones left. A failure is reported with its number."""
    number = pytestconfig.getoption("--documents") or number
    ids = await find_ids(worlds[0], {})
    # Most of an input must exist: one id that does not rejects it.
    cursors = {"ReplayWebhookInput": await log_cursors(worlds[0])}
    known = Known({name: [*of_type[:-2] * 4, *of_type[-2:]] for name, of_type in ids.items()}, cursors)
    for statement in ("_REPLAY", "_TEST"):
        monkeypatch.setattr(fan_out, statement, repeatable(getattr(fan_out, statement)))
    outcomes: Counter[str] = Counter()
    payloads: Counter[tuple[str, bool]] = Counter()
    for place in range(number):
        drawn = draw(SCHEMA, known, place, "mutation")
        moment = NOW + place * timedelta(hours=1)
        monkeypatch.setattr("db.queries.writing.now", lambda moment=moment: moment)
        monkeypatch.setattr("gql.mutations.webhook.new_secret", lambda place=place: make_secret(place))
        writing.planned.viewer = writing.reference.viewer = CHANNEL if place % 3 == 0 else VIEWER
        if place % _COLLECT_AFTER == 0:
            gc.collect()
        fallbacks = FALLBACKS.total()
        answer = await writing.answer(drawn.text, **drawn.variables)
        # What graphql-core dropped beside an error may not keep a connection.
        assert [side.database.pool.used for side in (writing.planned, writing.reference)] == [0, 0], drawn.text
        if "data" not in answer:
            outcomes["refused"] += 1
        elif "errors" in answer:
            outcomes["errors"] += 1
            for key, *inner in (error["path"] for error in answer["errors"]):
                outcomes["not shown"] += bool(inner) and not drawn.places[key,].isdisjoint(CREATING)
        else:
            outcomes["data"] += 1
            # graphql-core executes an operation only to report its errors.
            assert FALLBACKS.total() == fallbacks, (place, drawn.text, FALLBACKS)
        if answer.get("data"):
            count_payloads(answer["data"], drawn.places, payloads)
    # Else the documents would not say much.
    assert outcomes["data"] > 0.4 * number, outcomes
    assert outcomes["errors"] > 0.02 * number, outcomes
    assert SCHEMA.mutation_type is not None
    fields = [f"Mutation.{name}" for name in SCHEMA.mutation_type.fields.keys() - ENDING]
    unseen = {field for field in fields if not (payloads[field, True] and payloads[field, False])}
    # A few documents do not reach each mutation with both outcomes.
    assert len(unseen) <= (0 if number >= _MANY else 2 * len(fields) // 3), (unseen, payloads)
    assert payloads["several", True], payloads
    # What was created and could not be shown would be there twice, if graphql-core created it again.
    assert outcomes["not shown"], outcomes
    planned, reference = [await dump(dsn) for dsn in worlds]
    assert world.changes(planned, reference) == {}
