"""Every relation of the schema returns the rows of a naive join over all rows, for all parents at once.

The list of relations is handwritten, so that a declaration with the wrong column fails; a test checks that it has all
relation fields of the schema.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from strawberry.types.base import StrawberryObjectDefinition

from db import tables as t
from gql.fields.end import EndField
from gql.fields.many import ManyField
from gql.fields.node import NODE_TABLES, encode_id
from gql.fields.one import OneField
from gql.schema import build_schema
from tests.operations.data import store_inbox
from tests.oracles.relations import LAST, MANY, ONE, ROOTS, Rows, read, table_of
from tests.support.client import Client, Statements
from tests.support.factories import derive_all, store, store_account
from tests.support.serving import serving
from tests.support.world import World as SharedWorld
from tests.support.world import empty

pytestmark = pytest.mark.anyio

# The most ids in an operation.
_IDS = 250


def test_the_relations_here_are_those_of_the_schema() -> None:
    declared = set(_relations())

    assert declared == set(ONE) | set(MANY) | set(LAST) | ROOTS


def _relations() -> Iterator[str]:
    schema = build_schema()
    for name in schema._schema.type_map:  # noqa: SLF001  # the names of all types
        definition = schema.get_type_by_name(name)
        if isinstance(definition, StrawberryObjectDefinition):
            for field in definition.fields:
                if isinstance(field, OneField | ManyField | EndField):
                    yield f"{name}.{schema.config.name_converter.get_graphql_name(field)}"


@dataclass(frozen=True)
class World:
    """An account's client, and all rows of the account."""

    client: Client
    account: int
    rows: Rows

    def of_type(self, name: str) -> dict[int, asyncpg.Record]:
        """The rows of a type by their ids."""
        return {row["id"]: row for row in self.rows[table_of(name)]}

    def id(self, name: str, number: int) -> str:
        """The global id of a row."""
        return encode_id(NODE_TABLES[name], 0 if name in {"Account", "Application"} else self.account, number)

    async def follow(self, name: str, selection: str) -> list[Any]:
        """The values of a field for all rows of a type, in the order of the rows."""
        type_, field = name.split(".")
        document = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {type_} {{ found: {field} {selection} }} }} }}"
        nodes = await self.nodes(document, [self.id(type_, id_) for id_ in self.of_type(type_)])
        return [node["found"] for node in nodes]

    async def nodes(self, document: str, ids: list[str]) -> list[Any]:
        """The result of a document with `nodes(ids: $ids)` for any number of ids."""
        parts = [ids[start : start + _IDS] for start in range(0, len(ids), _IDS)]
        return [node for part in parts for node in (await self.client.data(document, ids=part))["nodes"]]


@pytest.fixture(scope="module")
def small_dsn(template: str, create_database: Callable[[str], str]) -> str:
    """The small inbox, where both accounts have the same ids."""
    dsn = create_database(template)

    async def fill() -> None:
        connection = await asyncpg.connect(dsn)
        await store_inbox(connection)
        await connection.close()

    asyncio.run(fill())
    return dsn


@pytest.fixture(scope="module", params=["small 1", "small 2", "seeded 2"])
async def world(
    request: pytest.FixtureRequest,
    small_dsn: str,
    seeded_dsn: str,
    anyio_backend: str,  # noqa: ARG001  # for its scope
) -> AsyncIterator[World]:
    """An account of either database."""
    name, account = request.param.split()
    dsn = small_dsn if name == "small" else seeded_dsn
    async with serving(dsn, Statements(), max_cost=100_000, rate_limit=0) as client:
        actor = (await read(dsn, int(account)))["users"][0]["id"]
        yield World(client.as_(int(account), f"user:{actor}"), int(account), await read(dsn, int(account)))


@pytest.mark.parametrize("name", ONE)
async def test_a_relation_leads_to_the_one_row_that_its_key_names(world: World, name: str) -> None:
    found = await world.follow(name, "{ __typename ... on Node { id } }")

    assert found == [_referred(world, row, ONE[name]) for row in world.of_type(name.split(".", maxsplit=1)[0]).values()]
    assert any(found)


def _referred(world: World, row: asyncpg.Record, keys: dict[str, str]) -> dict[str, str] | None:
    for column, target in keys.items():
        # Foreign keys hold all of them but an activity's booking, which may have been deleted.
        if row[column] is not None and not (target == "Booking" and row[column] not in world.of_type(target)):
            assert row[column] in world.of_type(target)
            return {"__typename": target, "id": world.id(target, row[column])}
    return None


@pytest.mark.parametrize("name", MANY)
async def test_a_relation_leads_to_all_rows_that_refer_to_the_parent(world: World, name: str) -> None:
    target, table, parent, child, order = MANY[name]
    children = world.of_type(target)

    found = await world.follow(name, "(first: 100) { totalCount nodes { id } pageInfo { hasNextPage } }")

    expected = []
    for id_ in world.of_type(name.split(".", maxsplit=1)[0]):
        linked = [children[link[child]] for link in world.rows[table] if link[parent] == id_]
        for column in reversed(order):
            linked.sort(key=lambda row: row[column.lstrip("-")], reverse=column.startswith("-"))
        expected.append(
            {
                "totalCount": len(linked),
                "nodes": [{"id": world.id(target, row["id"])} for row in linked],
                "pageInfo": {"hasNextPage": False},
            }
        )
    assert found == expected
    assert any(connection["nodes"] for connection in found)


@pytest.mark.parametrize("name", LAST)
async def test_a_relation_leads_to_the_last_row_that_refers_to_the_parent(world: World, name: str) -> None:
    target, table, parent, order = LAST[name]

    found = await world.follow(name, "{ id }")

    expected = []
    for id_ in world.of_type(name.split(".", maxsplit=1)[0]):
        linked = [row for row in world.rows[table] if row[parent] == id_]
        last = max(linked, key=lambda row: [row[column] for column in order], default=None)
        expected.append(last and {"id": world.id(target, last["id"])})
    assert found == expected
    assert any(found)


@pytest.mark.parametrize(
    ("field", "type_"),
    [("bookings", "Booking"), ("hosts", "Host"), ("sources", "Source"), ("conversations", "Conversation")],
)
async def test_a_root_connection_holds_the_rows_of_the_account(world: World, field: str, type_: str) -> None:
    rows = world.of_type(type_)
    order = (
        "(first: 100, orderBy: { field: CREATED_AT, direction: ASC })" if field == "conversations" else "(first: 100)"
    )

    data = await world.client.data(f"{{ {field}{order} {{ totalCount nodes {{ id }} }} }}")

    expected = sorted(rows, key=lambda id_: (rows[id_]["created_at"] if field == "conversations" else 0, id_))
    assert data[field] == {
        "totalCount": len(rows),
        "nodes": [{"id": world.id(type_, id_)} for id_ in expected[:100]],
    }


async def test_every_row_is_a_node_with_the_id_that_leads_to_it(world: World) -> None:
    for name in NODE_TABLES:
        rows = world.of_type(name)
        ids = [world.id(name, id_) for id_ in rows]

        nodes = await world.nodes(
            "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on %s { databaseId } } }" % name,  # noqa: UP031
            ids,
        )

        assert nodes == [
            {"__typename": name, "id": id_, "databaseId": str(row["id"])}
            for id_, row in zip(ids, rows.values(), strict=True)
        ]


def page_of(selection: str) -> str:
    """A document for a page of conversations."""
    return f"""
    query ($first: Int, $last: Int, $after: String, $filter: ConversationFilter, $order: ConversationOrder) {{
      conversations(first: $first, last: $last, after: $after, filter: $filter, orderBy: $order) {{ {selection} }}
    }}"""


WITH_HOSTS = page_of(
    "pageInfo { endCursor } nodes { databaseId assignee { firstname lastname } again: assignee { updatedAt } }"
)
ALONE = page_of("nodes { databaseId }")
PAGES: list[dict[str, Any]] = [
    {},
    {"first": 5},
    {"last": 5},
    {"first": 5, "filter": {"closed": True}},
    {"last": 3, "filter": {"closed": False}},
    {"first": 7, "filter": {"or": [{"closed": True}, {"markedAsSpam": True}]}},
    {"first": 7, "filter": {"search": "keys"}},
    {"first": 7, "filter": {"search": "keys"}, "order": {"field": "RELEVANCE"}},
    {"first": 7, "filter": {"updatedSince": "2020-01-01T00:00:00Z"}, "order": {"field": "CREATED_AT"}},
    {"filter": {"ids": []}},
]


@pytest.mark.parametrize("account", [1, 2])
async def test_the_rows_that_a_page_refers_to_come_with_it_in_its_order(shared: SharedWorld, account: int) -> None:
    """Both accounts have the same ids, so that only the account distinguishes their hosts."""
    await shared.fill(1, 2)
    names = {None: None, 1: "Hugo", 2: "Hedda"}
    assignees: dict[str, int | None] = {"10": None, "11": 1}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for place in range(12):
        # Repeated and null references, in another order than that of the ids.
        assignees[str(100 + place)] = assignee = [None, 1, 2, 1, 1][place % 5]
        at = start + timedelta(days=place * 7 % 12)
        values = {"id": 100 + place, "subject": f"Keys {place}", "assignee_id": assignee, "last_message_at": at}
        state = {"closed_at": [at, None][place % 2], "marked_as_spam_at": [None, None, at][place % 3]}
        for each in (1, 2):
            await store(shared.connection, "conversations", account_id=each, **values, **state)
    await derive_all(shared.connection, account)
    viewer = shared.client.as_(account, "user:1")
    await viewer.data("{ __typename }")

    for arguments in PAGES:
        shared.client.statements.take()
        first = (await viewer.data(WITH_HOSTS, **arguments))["conversations"]
        assert len(shared.client.statements.take()) == 1
        assert bool(first["nodes"]) is (arguments.get("filter") != {"ids": []})
        following = {**arguments, "after": first["pageInfo"]["endCursor"]}
        second = (await viewer.data(WITH_HOSTS, **following))["conversations"]
        for variables, page in ((arguments, first), (following, second)):
            alone = (await viewer.data(ALONE, **variables))["conversations"]["nodes"]
            assert [node["databaseId"] for node in page["nodes"]] == [node["databaseId"] for node in alone]
            for node in page["nodes"]:
                name = names[assignees[node["databaseId"]]]
                assert node["assignee"] == (name and {"firstname": name, "lastname": f"of {account}"})
                assert (node["again"] is None) == (name is None)


async def test_a_row_that_no_longer_exists_is_null_beside_its_page(shared: SharedWorld) -> None:
    """Only the reference of an activity can outlive its booking."""
    await shared.fill(1)
    await shared.connection.execute("UPDATE activities SET booking_id = 999 WHERE id = 61")

    data = await shared.client.data(
        "{ conversation(databaseId: 10) { activity { nodes { booking { reference } assignee { firstname } } } } }"
    )

    assert data["conversation"]["activity"]["nodes"] == [
        {"booking": None, "assignee": {"firstname": "Hugo"}},
        {"booking": None, "assignee": None},
        {"booking": None, "assignee": None},
    ]


NAMES = [
    (" Hana\n", " Host ", "hana@villas.example", "Hana Host"),
    ("", "Host", None, "Host"),
    (" ", "\u200b", " hana@villas.example", "hana@villas.example"),
    ("", "", "\t", "{kind} 1"),
    ("", "", None, "{kind} 1"),
]


@pytest.mark.parametrize(("first", "last", "email", "shown"), NAMES)
async def test_a_person_or_program_has_a_name_to_show(
    shared: SharedWorld, first: str, last: str, email: str | None, shown: str
) -> None:
    connection = shared.connection
    await empty(connection)
    await store_account(connection)
    await connection.execute("DELETE FROM hosts; DELETE FROM users")
    await store(connection, "applications", id=1, name=f"{first} {last}")
    await store(connection, "users", account_id=1, id=1, name=f"{first} {last}", email=email)
    await store(connection, "hosts", account_id=1, id=1, firstname=first, lastname=last, email=email)
    await store(connection, "clients", account_id=1, id=1, fullname=f"{first} {last}", email=email, phone=None)
    await store(connection, "clients", account_id=1, id=2, fullname=f"{first} {last}", email=email, phone="+351 1")
    ids: list[tuple[type[t.Table], int, int]] = [
        (t.Application, 0, 1),
        (t.User, 1, 1),
        (t.Host, 1, 1),
        (t.Client, 1, 1),
        (t.Client, 1, 2),
    ]

    data = await shared.client.data(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on Named { displayName } } }",
        ids=[encode_id(*id_) for id_ in ids],
    )

    names = [(node["__typename"], node["displayName"]) for node in data["nodes"]]
    kinds = ["Application", "User", "Host", "Client", "Client"]
    expected = [shown.format(kind=kind) for kind in kinds]
    if email is None or not email.strip():
        # An application has no e-mail address, and the second client has a phone number.
        expected[4] = "+351 1" if "{kind}" in shown else shown
    elif "@" in shown:
        expected[0] = "Application 1"
    assert names == list(zip(kinds, expected, strict=True))


async def test_the_name_of_a_member_requires_the_scopes_of_all_members(shared: SharedWorld) -> None:
    document = "{ conversations { nodes { participants { nodes { member { ... on Named { displayName } } } } } } }"
    reader = shared.client.as_(1, scopes=["inbox_read"])

    code, message = await reader.error(document)

    assert (code, "clients_read" in message) == ("FORBIDDEN", True)
