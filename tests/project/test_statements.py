"""The number of statements depends on the document, not on the number of rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.factories import store
from tests.support.world import World

pytestmark = pytest.mark.anyio

# One statement for each relation and number, at each level. Of at most 100 rows, the rows that they refer to come with
# them, if nothing below those is selected.
DEEP = """
query ($ids: [ID!], $first: Int) {
  conversations(first: $first, filter: { ids: $ids }) {    # conversations
    totalCount                                             # their number
    nodes {
      databaseId
      account { businessName }                             # with the conversations
      assignee { firstname user { name } }                 # hosts with users
      source { name }                                      # with the conversations
      bookings {                                           # bookings
        totalCount                                         # their number
        nodes { client { fullname } rental { name } }      # clients, rentals
      }
      inquiries { nodes { message } }                      # inquiries
      messages(last: 3) {                                  # messages
        pageInfo { hasPreviousPage }
        nodes { content sender { memberType readAt } }     # participants by their ids
      }
      participants { edges { cursor node { conversation { subject } } } }  # participants, conversations by their ids
    }
  }
}
"""
DEEP_STATEMENTS = 12


@pytest.fixture
async def seeded(seeded_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the seeded database, for reading."""
    connection = await asyncpg.connect(seeded_dsn)
    yield connection
    await connection.close()


async def complete_first(seeded: asyncpg.Connection) -> list[str]:
    """All conversations of account 1; the first one has rows in every relation of `DEEP`."""
    rows = await seeded.fetch(
        """
        SELECT id,
            EXISTS (SELECT FROM inquiries WHERE account_id = 1 AND conversation_id = c.id)
            AND EXISTS (SELECT FROM messages WHERE account_id = 1 AND conversation_id = c.id)
            AND EXISTS (
                SELECT FROM conversation_bookings l JOIN bookings b ON b.account_id = 1 AND b.id = l.booking_id
                WHERE l.account_id = 1 AND l.conversation_id = c.id
                    AND b.client_id IS NOT NULL AND b.rental_id IS NOT NULL)
            AND EXISTS (SELECT FROM hosts WHERE account_id = 1 AND id = c.assignee_id AND user_id IS NOT NULL)
            AND source_id IS NOT NULL AS complete
        FROM conversations c WHERE account_id = 1 ORDER BY complete DESC, id
        """
    )
    assert rows[0]["complete"]
    return [encode_id(t.Conversation, 1, row["id"]) for row in rows]


async def costs(client: Client, statements: Statements, document: str, /, **variables: Any) -> list[str]:
    """The statements of a response, after the actor was looked up."""
    await client.data("{ __typename }")
    statements.take()
    await client.data(document, **variables)
    return statements.take()


@pytest.mark.parametrize("size", [1, 20, 100])
async def test_a_deep_document_costs_the_same_for_any_number_of_rows(
    reader: Client, statements: Statements, seeded: asyncpg.Connection, size: int
) -> None:
    ids = (await complete_first(seeded))[:size]

    ran = await costs(reader, statements, DEEP, ids=ids, first=size)

    data = await reader.data(DEEP, ids=ids, first=size)
    assert len(data["conversations"]["nodes"]) == size
    assert len(ran) == DEEP_STATEMENTS, "\n".join(ran)


# One statement for each type of a union, at each level of more than 100 rows. A conversation was created by a user or
# an application.
UNIONS = """
query ($ids: [ID!], $first: Int) {
  conversations(first: $first, filter: { ids: $ids }) {                                   # conversations
    nodes {
      createdBy { ... on User { name } ... on Application { name } }                      # with the conversations
      messages(last: 5) {                                                                 # messages
        nodes {
          createdBy { ... on User { email } ... on Application { id } }                   # users, applications
          sender { member { ... on Client { fullname } ... on Host { user { databaseId } } } }
          # participants, clients, hosts, users
        }
      }
    }
  }
}
"""


@pytest.mark.parametrize(("size", "number"), [(1, 8), (20, 8), (100, 8)])
async def test_a_document_of_unions_costs_the_same_for_any_number_of_rows(
    reader: Client, statements: Statements, seeded: asyncpg.Connection, size: int, number: int
) -> None:
    ids = (await complete_first(seeded))[:size]

    ran = await costs(reader, statements, UNIONS, ids=ids, first=size)

    assert len(ran) == number, "\n".join(ran)


async def test_the_same_relation_asked_for_twice_is_read_once(reader: Client, statements: Statements) -> None:
    ran = await costs(
        reader,
        statements,
        "{ conversations { totalCount nodes { source { name } again: source { internal } } } again: conversations {"
        " totalCount nodes { databaseId } edges { cursor } pageInfo { endCursor } } }",
    )

    # The number once; the page twice, because the two root fields need different columns; the sources with the first.
    assert len(ran) == 3
    assert [sql.count("FROM sources") for sql in ran] == [0, 1, 0]


async def test_a_union_costs_one_statement_a_type(reader: Client, statements: Statements) -> None:
    """One page of messages for each conversation may have more than 100 messages."""
    ran = await costs(
        reader,
        statements,
        "{ conversations(first: 100) { nodes { messages { nodes {"
        " createdBy { ... on User { name } ... on Application { name } } } } } } }",
    )

    assert len(ran) == 4


ONE_STATEMENT = {
    "the list of the benchmark": (Path(__file__).parents[1] / "bench/documents/list.graphql").read_text(),
    "each kind of reference": """{ conversations(filter: { closed: false }) { nodes {
      stage account { businessName } createdBy { ... on User { name } ... on Application { name } }
      guest { displayName } booking { reference } } } }""",
    "a row": "{ conversation(databaseId: 1) { subject assignee { displayName } } }",
    "a node": f'{{ node(id: "{encode_id(t.Message, 1, 1)}") {{ ... on Message {{ sender {{ memberType }} }} }} }}',
    "nothing": "{ conversations(filter: { ids: [] }) { nodes { assignee { id } } } }",
    "numbers": "{ inboxCounts { open closed } }",
}
SEVERAL_STATEMENTS = {
    "a page and its number": "{ conversations { totalCount nodes { id } } }",
    "a list below a row": "{ conversation(databaseId: 1) { participants { nodes { memberType } } } }",
    "the last row below a row": "{ conversation(databaseId: 1) { lastMessage { visibility } } }",
    "numbers of two filters": "{ inboxCounts { open } closed: inboxCounts(filter: { closed: true }) { unread } }",
    "a row and the viewer's": f"""{{
      conversation(databaseId: 1) {{ id }}
      viewer {{ participant(conversationId: "{encode_id(t.Conversation, 1, 1)}") {{ id }} }} }}""",
    "a reference of a reference": "{ conversations { nodes { assignee { user { name } } } } }",
    "a text of any length": "{ inquiries { nodes { booking { notes } } } }",
    "what graphql-core executes": '{ conversations { nodes { assignee { id } } } __type(name: "Host") { name } }',
}


@pytest.mark.parametrize("document", ONE_STATEMENT.values(), ids=ONE_STATEMENT)
async def test_an_operation_of_one_statement_begins_no_transaction(
    reader: Client, statements: Statements, document: str
) -> None:
    await reader.data("{ __typename }")
    before = statements.begun

    ran = await costs(reader, statements, document)

    assert (len(ran), statements.begun - before) == (1, 0)


@pytest.mark.parametrize("document", SEVERAL_STATEMENTS.values(), ids=SEVERAL_STATEMENTS)
async def test_an_operation_of_several_statements_reads_in_one_transaction(
    reader: Client, statements: Statements, document: str
) -> None:
    await reader.data("{ __typename }")
    before = statements.begun

    ran = await costs(reader, statements, document)

    assert (len(ran), statements.begun - before) == (2, 1)


async def test_a_number_alone_reads_no_page(reader: Client, statements: Statements) -> None:
    ran = await costs(reader, statements, "{ conversations(first: 100) { totalCount } }")

    (sql,) = ran
    assert "count(*)" in sql
    assert "LIMIT" not in sql


async def test_the_number_of_children_reads_no_child(reader: Client, statements: Statements) -> None:
    ran = await costs(
        reader,
        statements,
        "{ conversations(first: 100) { nodes { messages { totalCount } bookings { totalCount } } } }",
    )

    assert [sql.count("LIMIT") for sql in ran] == [1, 0, 0]


async def test_a_page_alone_counts_nothing(reader: Client, statements: Statements) -> None:
    ran = await costs(reader, statements, "{ conversations { nodes { databaseId } pageInfo { hasNextPage } } }")

    (sql,) = ran
    assert "count(" not in sql


LOOKUPS = {
    "conversation by number": "{ conversation(databaseId: %(id)s) { databaseId } }",
    "conversation": '{ conversation(id: "%(conversation)s") { databaseId } }',
    "booking by number": "{ booking(databaseId: %(id)s) { databaseId } }",
    "booking": '{ booking(id: "%(booking)s") { databaseId } }',
    "node": '{ node(id: "%(conversation)s") { id } }',
}


@pytest.mark.parametrize("document", LOOKUPS.values(), ids=LOOKUPS)
@pytest.mark.parametrize(("account", "id_"), [(1, 1), (1, 999_999), (2, 999_999), (3, 1)])
async def test_a_lookup_costs_one_statement_found_or_not(
    reader: Client, statements: Statements, document: str, account: int, id_: int
) -> None:
    ids = {
        "id": id_,
        "conversation": encode_id(t.Conversation, account, id_),
        "booking": encode_id(t.Booking, account, id_),
    }

    assert len(await costs(reader, statements, document % ids)) == 1


async def test_another_accounts_row_costs_what_an_unknown_one_costs(
    reader: Client, statements: Statements, seeded: asyncpg.Connection
) -> None:
    foreign = await seeded.fetchval("SELECT min(id) FROM conversations WHERE account_id = 2")
    document = "query ($id: ID!) { conversation(id: $id) { databaseId } }"

    ran = [
        await costs(reader, statements, document, id=encode_id(t.Conversation, account, id_))
        for account, id_ in ((2, foreign), (1, foreign), (1, 999_999))
    ]

    assert len(ran[0]) == 1
    assert ran[0] == ran[1] == ran[2]


async def test_nodes_cost_one_statement_a_type(reader: Client, statements: Statements) -> None:
    tables = (t.Conversation, t.Message, t.Booking)
    ids = [encode_id(table, 1, id_) for table in tables for id_ in range(1, 31)]

    ran = await costs(reader, statements, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids + ids[:5])

    assert len(ran) == 3


async def test_the_actor_is_looked_up_with_the_first_request_only(reader: Client, statements: Statements) -> None:
    counts = []

    for _ in range(3):
        await reader.data("{ conversation(databaseId: 1) { databaseId } }")
        counts.append(len(statements.take()))

    assert counts == [2, 1, 1]


async def test_a_document_that_reads_nothing_costs_nothing(reader: Client, statements: Statements) -> None:
    assert await costs(reader, statements, "{ __schema { types { name } } viewer { scopes } }") == []


# The statements of a write, without those that derive values, and the number of the latter. One is for the payload.
THERE = encode_id(t.Conversation, 1, world.CONVERSATION)
WRITES: list[tuple[str, str, int, int]] = [
    # Lock, find the sender, write three rows, log, read the payload.
    ("createMessage", f'conversationId: "{THERE}", content: "Hi", channel: EMAIL', 7, 2),
    ("createMessage", f'conversationId: "{THERE}", content: "Hi", channel: EMAIL, idempotencyKey: "k"', 8, 2),
    # Lock, find the member, write two rows, log, read the payload.
    ("addParticipant", f'conversationId: "{THERE}", memberId: "{encode_id(t.Host, 1, world.OTHER_HOST)}"', 6, 2),
    ("addParticipant", f'conversationId: "{THERE}", memberId: "{encode_id(t.Host, 1, world.HOST)}"', 3, 0),
    ("markConversationRead", f'conversationId: "{THERE}"', 4, 1),
    ("markConversationRead", f'conversationId: "{THERE}", read: false', 2, 0),
    ("updateConversation", f'conversationId: "{THERE}", closed: true', 4, 1),
    ("createConversation", 'idempotencyKey: "k"', 4, 1),
    ("createConversation", 'subject: "Keys"', 3, 1),
]


@pytest.mark.parametrize(("field", "input", "number", "derived"), WRITES)
async def test_a_write_costs_few_statements(shared: World, field: str, input: str, number: int, derived: int) -> None:
    await shared.fill(1)
    shown = {"createMessage": "message", "addParticipant": "participant"}.get(field, "conversation")
    document = f"mutation {{ {field}(input: {{{input}}}) {{ {shown} {{ id createdAt }} userErrors {{ code }} }} }}"

    ran = await costs(shared.client, shared.client.statements, document)

    assert len(ran) == number + derived, "\n".join(ran)


async def test_what_is_done_already_is_found_with_two_statements(shared: World) -> None:
    await shared.fill(1)
    given = f'conversationId: "{THERE}", content: "Hi", channel: EMAIL, idempotencyKey: "k"'
    document = f"mutation {{ createMessage(input: {{{given}}}) {{ message {{ createdAt }} }} }}"
    await shared.client.data(document)

    ran = await costs(shared.client, shared.client.statements, document)

    assert len(ran) == 2 + 1, "\n".join(ran)


@pytest.mark.parametrize("size", [1, 20, 250])
async def test_updating_several_conversations_costs_the_same_for_any_number(shared: World, size: int) -> None:
    await shared.fill(1)
    for place in range(size):
        # Each is in another state, so that the same input changes different columns.
        state = {"default_channel": ["EMAIL", None, "VRBO"][place % 3], "assignee_id": [None, world.HOST][place % 2]}
        await store(shared.connection, "conversations", account_id=1, id=1_000 + place, **state)
    ids = [encode_id(t.Conversation, 1, 1_000 + place) for place in range(size)]

    ran = await costs(
        shared.client,
        shared.client.statements,
        """mutation($ids: [ID!]!, $host: ID) {
          updateConversations(input: {conversationIds: $ids, closed: true, defaultChannel: EMAIL, assigneeId: $host}) {
            conversations { id closed assignee { firstname } } } }""",
        ids=ids,
        host=encode_id(t.Host, 1, world.HOST),
    )

    # Lock, find the assignee, write, log; read the payload with assignees. The driver reports a statement with many
    # rows twice.
    assert len(dict.fromkeys(ran)) == 6, "\n".join(ran)
    assert len(ran) <= 7
