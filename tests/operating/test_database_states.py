"""Temporary states of the database: reported as SERVICE_UNAVAILABLE with a short log line, or retried."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest
import structlog

from db import tables as t
from db.engine import Database
from db.failure import CollisionError, LockedError, UnavailableError
from db.statement import Statement, row_type
from gql.fields.node import encode_id
from tests.support.client import Client, Statements
from tests.support.factories import store, store_account
from tests.support.request import RESPONSE
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

ONE = Statement("SELECT 1 AS id", (), row_type(t.Account))
READ = "{ conversations { totalCount } }"
WRITE = "mutation { createConversation(input: {}) { conversation { closed } userErrors { code } } }"


async def ask(client: Client, document: str) -> tuple[int, dict[str, Any], list[Any]]:
    """Status, the only error, and the lines of the log."""
    with structlog.testing.capture_logs() as lines:
        response = await client.http.post(
            "/graphql", json={"query": document}, headers=client.headers | {"accept": RESPONSE}
        )
    (error,) = response.json()["errors"]
    return response.status_code, error, lines


def check(error: dict[str, Any], lines: list[Any]) -> None:
    """Assert that the error is masked, can be retried, and has a short log line."""
    assert error["extensions"]["code"] == "SERVICE_UNAVAILABLE"
    assert all(len(json.dumps(line, default=str)) < 2_048 for line in lines)
    assert "unavailable" in {line["event"] for line in lines}


async def test_a_server_that_is_read_only_is_unavailable_for_writes(
    dsn: str, connection: asyncpg.Connection[Any], statements: Statements
) -> None:
    await store_account(connection)
    database = await connection.fetchval("SELECT current_database()")
    await connection.execute(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on')
    async with serving(dsn, statements) as client:
        ready = await client.http.get("/readyz")
        status, error, lines = await ask(client, WRITE)
        read = await client.data(READ)

    assert (ready.status_code, ready.json()) == (503, {"status": "unavailable", "database": "read-only"})
    assert status == 200
    check(error, lines)
    assert read == {"conversations": {"totalCount": 0}}
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 0


@pytest.mark.parametrize(("setting", "document"), [("statement_timeout", READ), ("lock_timeout", READ)])
async def test_a_limit_of_the_server_is_unavailable(
    dsn: str, connection: asyncpg.Connection[Any], statements: Statements, setting: str, document: str
) -> None:
    await store_account(connection)
    database = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE \"{database}\" SET {setting} = '300ms'")
    async with serving(dsn, statements) as client:
        await client.data(document)
        async with connection.transaction():
            await connection.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(8):
                status, error, lines = await ask(client, document)
        await client.data(document)

    assert status == 503
    check(error, lines)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.ReadOnlySQLTransactionError, UnavailableError),
        (asyncpg.QueryCanceledError, UnavailableError),
        (asyncpg.LockNotAvailableError, LockedError),
        (asyncpg.DiskFullError, UnavailableError),
        (asyncpg.InvalidCachedStatementError, CollisionError),
    ],
)
async def test_what_asyncpg_raises_is_a_state_of_the_database(
    dsn: str, monkeypatch: pytest.MonkeyPatch, error: type[Exception], kind: type[UnavailableError]
) -> None:
    async def fail(*_arguments: Any, **_named: Any) -> None:
        raise error("")

    database = Database(dsn, pool_size=1)
    await database.start()
    try:
        async with database.snapshot() as snapshot:
            monkeypatch.setattr(asyncpg.Connection, "fetch", fail)
            with pytest.raises(UnavailableError) as caught:
                await snapshot.fetch(ONE, {})
    finally:
        monkeypatch.undo()
        await database.stop()

    assert caught.type is kind


async def test_a_driver_that_is_confused_by_a_lost_connection_finds_the_database_unavailable(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL closed the connection in the middle of a result: asyncpg then raises `InternalClientError`."""
    database = Database(dsn, pool_size=1)
    await database.start()

    async def lose(self: asyncpg.Connection[Any], *_arguments: Any, **_named: Any) -> None:
        self.terminate()
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")

    try:
        async with database.snapshot() as snapshot:
            await snapshot.fetch(ONE, {})
            monkeypatch.setattr(asyncpg.Connection, "fetch", lose)
            with pytest.raises(UnavailableError):
                await snapshot.fetch(ONE, {})
            monkeypatch.undo()
        async with database.snapshot() as snapshot:
            assert [row["id"] for row in await snapshot.fetch(ONE, {})] == [1]
    finally:
        await database.stop()


async def test_a_driver_that_is_confused_by_anything_else_is_a_defect(
    dsn: str, connection: asyncpg.Connection[Any], statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_account(connection)

    async def fail(*_arguments: Any, **_named: Any) -> None:
        raise asyncpg.InternalClientError("unknown protocol state")

    async with serving(dsn, statements) as client:
        await client.data(READ)
        monkeypatch.setattr(asyncpg.Connection, "fetch", fail)
        _, error, lines = await ask(client, READ)
        monkeypatch.undo()

    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert "internal error" in {line["event"] for line in lines}


SUBJECTS = "{ conversations(first: 1) { nodes { subject account { businessName } } } }"
RENAME = """mutation ($id: ID!) {
  updateConversation(input: {conversationId: $id, closed: true}) { conversation { subject } userErrors { code } }
}"""


async def test_statements_are_prepared_anew_after_a_column_has_changed_its_type(
    dsn: str, connection: asyncpg.Connection[Any], statements: Statements
) -> None:
    """PostgreSQL rejects those that were prepared before. Each pool has some, but clients get no error."""
    await store_account(connection)
    await store(connection, "conversations", account_id=1, id=1, subject="Keys")
    thread = encode_id(t.Conversation, 1, 1)
    node = {"subject": "Keys", "account": {"businessName": "Account 1"}}
    async with serving(dsn, statements, pool_size=2) as client:
        expected = await client.data(SUBJECTS)
        await client.data(RENAME, id=thread)
        with structlog.testing.capture_logs() as lines:
            for type_ in ("text", "varchar(255)"):
                await connection.execute(f"ALTER TABLE conversations ALTER COLUMN subject TYPE {type_}")
                statements.take()
                assert await client.data(SUBJECTS) == expected
                assert await client.data(RENAME, id=thread) == {
                    "updateConversation": {"conversation": {"subject": "Keys"}, "userErrors": []}
                }

    assert expected["conversations"]["nodes"][0]["subject"] == node["subject"]
    assert "internal error" not in {line["event"] for line in lines}
