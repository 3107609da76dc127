"""Every visible change of a node is in the change log, for all kinds of writes.

All nodes of an account are read before and after a write. A node that was added, removed or changed must be in the log,
so that a new kind of write that does not log its changes fails here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from graphql import GraphQLObjectType

from db import tables as t
from db.queries import writing
from gql.fields.node import NODE_TABLES, encode_id
from tests.oracles.company import ACCOUNTS, write_company
from tests.oracles.ways import TRIED, as_1, schema, select_all
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.importing import import_pages
from tests.support.serving import serving
from tests.support.world import World

pytestmark = pytest.mark.anyio

# These nodes are not in the log. Only imports change users and applications; deliveries change with each attempt; an
# activity never changes.
NOT_LOGGED = {"User", "Application", "WebhookDelivery", "WebhookAttempt", "Activity"}
TYPES = sorted({*NODE_TABLES} - NOT_LOGGED)
SHOWN = " ".join(f"... on {name} {{ {select_all(name, 0)} }}" for name in TYPES)
READ = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {SHOWN} }} }}"
CHANGES = """query($after: String!) {
  changes(after: $after) { changes { nodeId operation } endCursor hasMore }
}"""
MUTATIONS = [(str(way), as_1(text), value) for way, text, value in TRIED if way.parent == "Mutation"]


@pytest.fixture(scope="module")
async def shared(shared_dsn: str) -> AsyncIterator[World]:
    """Like the common fixture, but without limits, because the documents here select everything."""
    free: dict[str, Any] = {"max_aliases": 1_000, "max_cost": 10**9, "rate_limit": 0, "rate_seconds": 0}
    connection = await asyncpg.connect(shared_dsn)
    async with serving(shared_dsn, Statements(), **free) as client:
        yield World(client, connection)
    await connection.close()


async def read_nodes(client: Client, connection: asyncpg.Connection[Any], account: int) -> dict[str, Any]:
    """All nodes of the account with their scalar fields, by id."""
    ids = []
    for name in TYPES:
        table = NODE_TABLES[name]
        column, of = ("account_id", account) if issubclass(table, t.TenantTable) else ("id", 0)
        rows = await connection.fetch(
            f"SELECT id FROM {table.__tablename__} WHERE {column} = $1",  # noqa: S608  # names are the tables' own
            account,
        )
        ids += [encode_id(table, of or 0, row["id"]) for row in rows]
    found: dict[str, Any] = {}
    for start in range(0, len(ids), 100):
        part = ids[start : start + 100]
        found |= dict(zip(part, (await client.data(READ, ids=part))["nodes"], strict=True))
    return {id_: node for id_, node in found.items() if node is not None}


async def read_links(connection: asyncpg.Connection[Any], account: int) -> set[tuple[int, int]]:
    """The bookings of the account's conversations."""
    rows = await connection.fetch(
        "SELECT conversation_id, booking_id FROM conversation_bookings WHERE account_id = $1", account
    )
    return {(row["conversation_id"], row["booking_id"]) for row in rows}


async def read_log(client: Client, after: str) -> dict[str, str]:
    """The operations of all nodes in the log after the cursor."""
    found: dict[str, str] = {}
    more = True
    while more:
        page = (await client.data(CHANGES, after=after))["changes"]
        found |= {change["nodeId"]: change["operation"] for change in page["changes"]}
        after, more = page["endCursor"], page["hasMore"]
    return found


class Observed:
    """An account's nodes and the end of its log at one moment."""

    def __init__(self, client: Client, connection: asyncpg.Connection[Any], account: int) -> None:
        self.client, self.connection, self.account = client, connection, account
        self.nodes: dict[str, Any] = {}
        self.links: set[tuple[int, int]] = set()
        self.cursor = ""

    async def look(self) -> None:
        """Read everything."""
        self.cursor = (await self.client.data("{ changesCursor }"))["changesCursor"]
        self.nodes = await read_nodes(self.client, self.connection, self.account)
        self.links = await read_links(self.connection, self.account)

    async def unlogged(self) -> tuple[set[str], set[str]]:
        """The changes since the last look that are not in the log, and all changes; looks again."""
        before, links, cursor = self.nodes, self.links, self.cursor
        await self.look()
        differing = {id_ for id_ in before.keys() | self.nodes if before.get(id_) != self.nodes.get(id_)}
        differing |= {encode_id(t.Conversation, self.account, conversation) for conversation, _ in links ^ self.links}
        log = await read_log(self.client, cursor)
        removed = {id_ for id_ in differing if id_ not in self.nodes}
        assert all(log.get(id_, "REMOVED") == "REMOVED" for id_ in removed)
        return differing - log.keys(), differing


async def observe_mutations(shared: World) -> tuple[set[str], set[str]]:
    """Run every mutation with all of its inputs; return changes that were not logged, and the changed fields."""
    await shared.fill(1)
    observed = Observed(shared.client, shared.connection, 1)
    await observed.look()
    unlogged, writing_fields = set(), set()
    for way, text, value in MUTATIONS:
        await shared.client.answer(text, value=value)
        missing, differing = await observed.unlogged()
        unlogged |= {f"{way}: {id_}" for id_ in missing}
        if differing:
            writing_fields.add(way.partition("(")[0])
    return unlogged, writing_fields


@pytest.mark.slow
async def test_every_mutation_logs_what_it_changes(shared: World) -> None:
    unlogged, fields = await observe_mutations(shared)

    assert unlogged == set()
    mutations = schema().get_type("Mutation")
    assert isinstance(mutations, GraphQLObjectType)
    # All candidates are participants already, and nothing is relayed; `WRITES` has these. Reports change only messages.
    assert fields >= {f"Mutation.{name}" for name in mutations.fields} - {
        "Mutation.addParticipant",
        "Mutation.reportDelivery",
        "Mutation.retryDelivery",
        "Mutation.rotateWebhookSecret",
        "Mutation.redeliver",
        "Mutation.sendTestEvent",
        "Mutation.replayWebhook",
    }


THERE = encode_id(t.Conversation, 1, world.CONVERSATION)
BOOKED = encode_id(t.Booking, 1, world.BOOKING)
HOOKED = encode_id(t.WebhookEndpoint, 1, world.ENDPOINT)
WRITES = [
    f'createMessage(input: {{conversationId: "{THERE}", content: "x", channel: EMAIL}})',
    f'addParticipant(input: {{conversationId: "{THERE}", memberId: "{encode_id(t.Host, 1, world.OTHER_HOST)}"}})',
    f'markConversationRead(input: {{conversationId: "{THERE}"}})',
    f'updateWebhookEndpoint(input: {{endpointId: "{HOOKED}", enabled: false}})',
    f'rotateWebhookSecret(input: {{endpointId: "{HOOKED}"}})',
    f'deleteWebhookEndpoint(input: {{endpointId: "{HOOKED}"}})',
    f'disconnectBookings(input: {{conversationId: "{THERE}", bookingIds: ["{BOOKED}"]}})',
    f'retryDelivery(input: {{messageId: "{encode_id(t.Message, 1, world.NOTE)}"}})',
]


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_logs_what_it_changes(shared: World, write: str) -> None:
    await shared.fill(1)
    failed = "UPDATE messages SET delivery_state = 'FAILED', delivery_at = sent_at WHERE id = $1"
    await shared.connection.execute(failed, world.NOTE)
    observed = Observed(shared.client, shared.connection, 1)
    await observed.look()

    await shared.client.data(f"mutation {{ {write} {{ userErrors {{ code }} }} }}")

    unlogged, differing = await observed.unlogged()
    assert unlogged == set()
    assert differing


async def test_a_write_that_logs_nothing_is_noticed(shared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of the oracle: without the hook, it reports the changed node."""
    monkeypatch.setattr(writing, "note_change", lambda *_: None)
    await shared.fill(1)
    observed = Observed(shared.client, shared.connection, 1)
    await observed.look()

    await shared.client.data(f"mutation {{ {WRITES[0]} {{ userErrors {{ code }} }} }}")

    unlogged, _ = await observed.unlogged()
    assert THERE in unlogged


async def test_a_mutation_that_is_rejected_logs_nothing(shared: World) -> None:
    await shared.fill(1)
    observed = Observed(shared.client, shared.connection, 1)
    await observed.look()
    before = observed.cursor

    answer = await shared.client.data(
        'mutation { createMessage(input: {conversationId: "Q29udmVyc2F0aW9uOjE6OTk5", content: "x"}) '
        "{ userErrors { code } } }"
    )

    assert answer == {"createMessage": {"userErrors": [{"code": "NOT_FOUND"}]}}
    await observed.look()
    assert observed.cursor == before


@pytest.mark.slow
async def test_an_import_logs_what_it_changes(shared: World, tmp_path: Path) -> None:
    """In every account, import after import: new, newer, later linked and deleted records."""
    await shared.fill()
    files = write_company(tmp_path, 5)
    total = 0
    observed = []
    await import_pages(shared.connection, files[:4])
    for account in ACCOUNTS:
        client = shared.client.as_(account, f"application:{world.APPLICATION}")
        observed.append(Observed(client, shared.connection, account))
        await observed[-1].look()
    for start in range(4, len(files), 3):
        await import_pages(shared.connection, files[start : start + 3])
        for one in observed:
            unlogged, differing = await one.unlogged()
            assert unlogged == set()
            total += len(differing)
    assert total > 100
