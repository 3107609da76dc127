"""Mutations that are late or lose their connection: written results are returned, and unknown outcomes are reported."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from db import tables as t
from db.engine import Database
from db.queries.conversation import writes
from db.scope import Viewer
from gql.context import Context
from gql.fields.node import encode_id
from tests.support.client import Client, Statements
from tests.support.factories import store, store_account
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

TWO = """mutation ($a: ID!, $b: ID!) {
  a: updateConversation(input: {conversationId: $a, closed: true}) { conversation { closed } }
  b: updateConversation(input: {conversationId: $b, closed: true}) { conversation { closed } }
  c: updateConversation(input: {conversationId: $a, markedAsSpam: true}) { conversation { closed } }
}"""
ONE = "mutation ($b: ID!) { updateConversation(input: {conversationId: $b, closed: true}) { conversation { closed } } }"
CREATE = 'mutation { createConversation(input: {subject: "Late"}) { conversation { subject } } }'


@pytest.fixture
async def ids(connection: asyncpg.Connection[Any]) -> dict[str, str]:
    """Two conversations."""
    await store_account(connection)
    for number in (1, 2):
        await store(connection, "conversations", account_id=1, id=number, subject="Old")
    return {name: encode_id(t.Conversation, 1, number) for name, number in (("a", 1), ("b", 2))}


async def ask_while_locked(client: Client, connection: asyncpg.Connection[Any], document: str, **variables: str) -> Any:
    """The response while another transaction locks the second conversation."""
    async with connection.transaction(), asyncio.timeout(10):
        await connection.execute("SELECT 1 FROM conversations WHERE id = 2 FOR UPDATE")
        return await client.post(document, **variables)


def error(field: str, line: int, effect: str) -> dict[str, Any]:
    """The error of a late field."""
    return {
        "message": f"The operation took longer than 1 seconds: {effect}",
        "locations": [{"line": line, "column": 3}],
        "path": [field],
        "extensions": {"code": "TIMEOUT"},
    }


async def test_fields_that_were_finished_stay(
    dsn: str, connection: asyncpg.Connection[Any], statements: Statements, ids: dict[str, str]
) -> None:
    async with serving(dsn, statements, operation_timeout=1) as client:
        response = await ask_while_locked(client, connection, TWO, **ids)

    nothing = "this field changed nothing"
    assert (response.status_code, response.json()) == (
        200,
        {
            "errors": [error("b", 3, nothing), error("c", 4, nothing)],
            "data": {"a": {"conversation": {"closed": True}}, "b": None, "c": None},
        },
    )
    rows = await connection.fetch("SELECT closed_at, marked_as_spam_at FROM conversations ORDER BY id")
    assert [(row["closed_at"] is None, row["marked_as_spam_at"] is None) for row in rows] == [
        (False, True),
        (True, True),
    ]


async def test_an_operation_that_changed_nothing_is_504(
    dsn: str, connection: asyncpg.Connection[Any], statements: Statements, ids: dict[str, str]
) -> None:
    async with serving(dsn, statements, operation_timeout=1) as client:
        response = await ask_while_locked(client, connection, ONE, b=ids["b"])

    message = "The operation took longer than 1 seconds"
    assert (response.status_code, response.json()) == (
        504,
        {"errors": [{"message": message, "extensions": {"code": "TIMEOUT"}}]},
    )
    assert await connection.fetchval("SELECT count(closed_at) FROM conversations") == 0


async def test_a_change_that_fails_with_the_commit_changes_nothing(
    client: Client, connection: asyncpg.Connection[Any], ids: dict[str, str]
) -> None:
    """The change of one conversation is sent together with the COMMIT."""
    await connection.execute("ALTER TABLE conversations ADD CONSTRAINT never CHECK (closed_at IS NULL)")
    failed = await client.answer(ONE, b=ids["b"])
    await connection.execute("ALTER TABLE conversations DROP CONSTRAINT never")
    left = [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in ("activities", "changes")]  # noqa: S608
    done = await client.answer(ONE, b=ids["b"])

    assert [error["extensions"]["code"] for error in failed["errors"]] == ["INTERNAL_SERVER_ERROR"]
    assert left == [0, 0]
    assert done == {"data": {"updateConversation": {"conversation": {"closed": True}}}}


async def test_no_statement_follows_a_change_that_is_sent_with_the_commit(
    dsn: str, connection: asyncpg.Connection[Any], ids: dict[str, str]
) -> None:
    viewer = Viewer(1, t.CreatorType.USER, 1, frozenset())
    database = Database(dsn)

    async def change_twice() -> None:
        async with database.write(viewer) as transaction:
            await writes.update(transaction, viewer, len(ids), {"closed": True}, None)
            await writes.update(transaction, viewer, len(ids), {"closed": False}, None)

    await database.start()
    with pytest.raises(RuntimeError, match="would run before a change"):
        await change_twice()
    await database.stop()

    assert await connection.fetchval("SELECT count(closed_at) FROM conversations") == 0


async def test_a_commit_that_takes_too_long_is_reported_with_an_unknown_outcome(
    dsn: str, connection: asyncpg.Connection[Any], statements: Statements
) -> None:
    await store_account(connection)
    # A commit first runs deferred triggers, and so waits here.
    await connection.execute(
        """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON conversations
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
        SELECT pg_advisory_lock(1)"""
    )
    async with serving(dsn, statements, operation_timeout=1) as client, asyncio.timeout(10):
        response = await client.post(CREATE)

    (unknown,) = response.json()["errors"]
    assert (response.status_code, response.json()["data"]) == (200, {"createConversation": None})
    assert unknown["message"].startswith("It is unknown whether the change was made")
    assert (unknown["path"], unknown["extensions"]["code"]) == (["createConversation"], "SERVICE_UNAVAILABLE")


KEYED = """mutation { createConversation(input: {subject: "Keys", idempotencyKey: "k"}) {
  conversation { subject } userErrors { code }
} }"""
COMMITTING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"


async def test_a_commit_with_unknown_outcome_is_reported_and_can_be_repeated_with_its_key(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    # A commit first runs deferred triggers.
    await connection.execute(
        """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON conversations
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
        SELECT pg_advisory_lock(1)"""
    )
    writing = asyncio.create_task(client.post(KEYED))
    async with asyncio.timeout(10):
        while (lost := await connection.fetchval(COMMITTING)) is None:
            pass
    await connection.execute("SELECT pg_terminate_backend($1, 5000)", lost)
    response = await writing
    await connection.execute("SELECT pg_advisory_unlock(1)")
    left = await connection.fetchval("SELECT count(*) FROM conversations")
    answers = [await client.data(KEYED) for _ in range(2)]

    (error,) = response.json()["errors"]
    assert response.status_code == 200
    assert response.json() == {
        "data": {"createConversation": None},
        "errors": [
            {
                "message": "It is unknown whether the change was made: repeat it with the same idempotencyKey, "
                "with which it is made only once",
                "locations": [{"line": 1, "column": 12}],
                "path": ["createConversation"],
                "extensions": {"code": "SERVICE_UNAVAILABLE", "id": error["extensions"]["id"]},
            }
        ],
    }
    assert left == 0
    assert answers == [{"createConversation": {"conversation": {"subject": "Keys"}, "userErrors": []}}] * 2
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 1


class LostSnapshot:
    """A snapshot whose connection is lost."""

    seconds = cpu_seconds = 0.0
    is_closed = False

    async def close(self) -> None:
        """Fail after it is closed."""
        self.is_closed = True
        raise ConnectionError


async def test_each_snapshot_of_an_operation_is_closed_even_if_another_cannot_be() -> None:
    snapshots: list[Any] = [LostSnapshot(), LostSnapshot()]
    database: Any = None
    context = Context(
        Viewer(1, t.CreatorType.USER, 1, frozenset()), database, later=snapshots[0], _snapshot=snapshots[1]
    )

    with pytest.raises(ConnectionError):
        await context.close()

    assert [snapshot.is_closed for snapshot in snapshots] == [True, True]
