"""Interrupted operations also end in PostgreSQL, and their connection can be used again."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from starlette.types import Message

from db import tables as t
from db.engine import Database, Snapshot, SnapshotClosedError
from db.failure import UnavailableError
from db.scope import Viewer
from db.statement import Statement, row_type
from gql.app import create_app
from gql.fields.node import encode_id
from tests.support.client import Client, Statements, make_settings
from tests.support.database import database_dsn
from tests.support.factories import store, store_account
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

READ = "{ conversations { totalCount nodes { subject messages { nodes { content sender { memberType } } } } } }"
MESSAGES = {"nodes": [{"content": "Hello", "sender": {"memberType": "CLIENT"}}]}
READ_ANSWER = {"conversations": {"totalCount": 1, "nodes": [{"subject": "Old", "messages": MESSAGES}]}}
WRITE = """mutation ($id: ID!) {
  updateConversation(input: {conversationId: $id, closed: true}) { conversation { closed } userErrors { code } }
}"""
WRITTEN = {"updateConversation": {"conversation": {"closed": True}, "userErrors": []}}
WRITE_BOTH = """mutation ($first: ID!, $second: ID!) {
  first: updateConversation(input: {conversationId: $first, closed: true}) { conversation { closed } }
  second: updateConversation(input: {conversationId: $second, closed: true}) { conversation { closed } }
}"""


@pytest.fixture
async def conversation(connection: asyncpg.Connection) -> str:
    """The global id of the account's only conversation."""
    await store_account(connection)
    await store(connection, "conversations", account_id=1, id=1, subject="Old")
    thread = {"account_id": 1, "conversation_id": 1}
    await store(connection, "participants", id=1, member_type="CLIENT", member_id=1, **thread)
    await store(connection, "messages", id=1, sender_id=1, **thread)
    return encode_id(t.Conversation, 1, 1)


@asynccontextmanager
async def locked(connection: asyncpg.Connection, table: str = "conversations") -> AsyncIterator[None]:
    """Lock the table against other readers and writers during the block."""
    async with connection.transaction():
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


async def backends(connection: asyncpg.Connection) -> list[tuple[int, str, bool]]:
    """The application's connections: process id, state, and whether it waits for a lock."""
    # Within a transaction PostgreSQL returns the same activity every time.
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    rows = await connection.fetch(
        """SELECT pid, state, wait_event_type = 'Lock' AS waits FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    )
    return sorted((row["pid"], row["state"], bool(row["waits"])) for row in rows)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as the condition holds."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110  # PostgreSQL has no notification of a session that waits
            await asyncio.sleep(0.01)


async def one_waits(connection: asyncpg.Connection) -> bool:
    return any(waits for _, _, waits in await backends(connection))


async def all_are_idle(connection: asyncpg.Connection) -> bool:
    return all(state == "idle" for _, state, _ in await backends(connection))


# Documents with the table that they wait for, at the first, second and third level of a plan.
WAITING = [(READ, "conversations"), (READ, "messages"), (READ, "participants"), (WRITE, "conversations")]


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
@pytest.mark.parametrize(("document", "table"), WAITING)
async def test_an_operation_that_takes_too_long_is_504_and_ends_in_postgresql(  # noqa: PLR0913, PLR0917
    dsn: str, connection: asyncpg.Connection, conversation: str, document: str, table: str, accept: str
) -> None:
    variables = {"id": conversation} if document is WRITE else {}
    async with serving(dsn, Statements(), operation_timeout=0.4, pool_size=1) as client:
        assert "errors" not in await client.answer("{ conversations { totalCount } }")
        async with locked(connection, table), asyncio.timeout(5):
            response = await client.http.post(
                "/graphql",
                json={"query": document, "variables": variables},
                headers=client.headers | {"accept": accept},
            )
            ended = await backends(connection)
        unchanged = await connection.fetchval("SELECT closed_at IS NULL FROM conversations")
        afterwards = await client.data(document, **variables)
        kept = await backends(connection)

    assert response.status_code == 504
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    message = "The operation took longer than 0.4 seconds"
    assert response.json() == {"errors": [{"message": message, "extensions": {"code": "TIMEOUT"}}]}
    assert {(state, waits) for _, state, waits in ended} == {("idle", False)}
    assert unchanged
    assert afterwards == (WRITTEN if document is WRITE else READ_ANSWER)
    assert set(kept) >= set(ended)


async def test_an_operation_that_finds_no_free_connection_is_504(
    dsn: str, connection: asyncpg.Connection, conversation: str, statements: Statements
) -> None:
    assert conversation
    async with serving(dsn, statements, operation_timeout=1, pool_size=1) as client:
        await client.data("{ __typename }")
        async with locked(connection):
            responses = await asyncio.gather(*(client.post(READ) for _ in range(5)))
        assert [response.status_code for response in responses] == [504] * 5
        assert await client.data(READ) == READ_ANSWER


@pytest.mark.parametrize(("document", "table"), WAITING)
async def test_a_client_that_goes_away_takes_its_operation_along(
    dsn: str, connection: asyncpg.Connection, conversation: str, document: str, table: str
) -> None:
    settings = make_settings(dsn, pool_size=1)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        call = Call(app, Client(None, settings, Statements()))  # type: ignore[arg-type]
        async with locked(connection, table):
            request = asyncio.create_task(call.post(document, {"id": conversation} if document is WRITE else {}))
            await until(lambda: one_waits(connection))
            call.gone.set()
            async with asyncio.timeout(5):
                status, _ = await request
            assert await all_are_idle(connection)
        unchanged = await connection.fetchval("SELECT closed_at IS NULL FROM conversations")
        call.gone.clear()
        afterwards = await call.post(READ, {})

    assert status == 499
    assert unchanged
    assert afterwards == (200, {"data": READ_ANSWER})


async def test_nothing_is_written_after_a_commit_that_was_interrupted(
    dsn: str, connection: asyncpg.Connection, conversation: str
) -> None:
    await store(connection, "conversations", account_id=1, id=2, subject="Old")
    # A COMMIT first runs deferred triggers, and so the first one waits.
    await connection.execute(
        """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER wait AFTER UPDATE ON conversations
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION wait();
        SELECT pg_advisory_lock(1)"""
    )
    settings = make_settings(dsn)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        call = Call(app, Client(None, settings, Statements()))  # type: ignore[arg-type]
        ids = {"first": conversation, "second": encode_id(t.Conversation, 1, 2)}
        request = asyncio.create_task(call.post(WRITE_BOTH, ids))
        await until(lambda: one_waits(connection))
        call.gone.set()
        status, _ = await asyncio.wait_for(request, 5)
        await connection.execute("SELECT pg_advisory_unlock(1)")
        closed = await connection.fetchval("SELECT count(closed_at) FROM conversations")
        call.gone.clear()
        afterwards = await call.post(WRITE_BOTH, ids)

    assert (status, closed) == (499, 0)
    assert afterwards == (200, {"data": {key: {"conversation": {"closed": True}} for key in ids}})


async def test_a_client_that_goes_away_while_it_sends_is_no_error(dsn: str, conversation: str) -> None:
    assert conversation
    settings = make_settings(dsn)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        call = Call(app, Client(None, settings, Statements()))  # type: ignore[arg-type]
        call.gone.set()
        status, _ = await call.send([{"type": "http.request", "body": b'{"query":', "more_body": True}])

    assert status == 499


async def test_a_slow_answer_reaches_a_client_that_stays(
    dsn: str, connection: asyncpg.Connection, conversation: str, statements: Statements
) -> None:
    assert conversation
    async with serving(dsn, statements) as client:
        async with locked(connection):
            request = asyncio.create_task(client.data(READ))
            await until(lambda: one_waits(connection))
            await asyncio.sleep(0.2)
        assert await request == READ_ANSWER


class Call:
    """Requests to an application without a server, from a client that disconnects when `gone` is set."""

    def __init__(self, app: Any, client: Client) -> None:
        self.app = app
        self.client = client
        self.gone = asyncio.Event()

    async def post(self, document: str, variables: dict[str, Any]) -> tuple[int, Any]:
        """Status and response."""
        body = json.dumps({"query": document, "variables": variables}).encode()
        return await self.send([{"type": "http.request", "body": body, "more_body": False}])

    async def send(self, messages: list[Message]) -> tuple[int, Any]:
        """Status and response for a request that arrives in these messages."""
        headers = {"authorization": f"Bearer {self.client.token}", "content-type": "application/json"}
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/graphql",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        arriving = iter(messages)
        sent: list[Message] = []

        async def receive() -> Message:
            message = next(arriving, None)
            if message is None:
                await self.gone.wait()
            return message or {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], json.loads(body) if body else None


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A database with one connection for reading, which must be back in its pool in the end."""
    database = Database(dsn, pool_size=1)
    await database.start()
    yield database
    async with asyncio.timeout(5):
        await database.pool.release(await database.pool.acquire())
    await database.stop()


def statement(sql: str) -> Statement:
    """A statement without parameters."""
    return Statement(sql, (), row_type(t.Account))


VIEWER = Viewer(1, t.CreatorType.USER, 1, frozenset())
ONE = statement("SELECT 1 AS id")
SLOW = statement("SELECT 1 AS id FROM pg_sleep(60)")


async def sleeps(connection: asyncpg.Connection) -> bool:
    return any(state == "active" for _, state, _ in await backends(connection))


async def test_a_closed_snapshot_reads_no_more(database: Database) -> None:
    snapshot = Snapshot(database.pool)
    await snapshot.fetch(ONE, {})
    await snapshot.close()
    await snapshot.close()

    with pytest.raises(SnapshotClosedError):
        await snapshot.fetch(ONE, {})


async def test_a_snapshot_that_is_closed_unused_takes_no_connection_later(database: Database) -> None:
    snapshot = Snapshot(database.pool)
    await snapshot.close()

    with pytest.raises(SnapshotClosedError):
        await snapshot.fetch(ONE, {})


async def test_closing_cancels_what_runs_and_what_waits(database: Database, connection: asyncpg.Connection) -> None:
    snapshot = Snapshot(database.pool)
    reads = [asyncio.create_task(snapshot.fetch(SLOW, {})) for _ in range(3)]
    await until(lambda: sleeps(connection))
    async with asyncio.timeout(5):
        await snapshot.close()

    assert [read.cancelled() for read in reads] == [True] * 3
    assert await all_are_idle(connection)


async def test_closing_cancels_a_read_that_waits_for_a_connection(database: Database) -> None:
    async with database.pool.connection():
        snapshot = Snapshot(database.pool)
        read = asyncio.create_task(snapshot.fetch(ONE, {}))
        await asyncio.sleep(0)
        await snapshot.close()

        assert read.cancelled()


async def test_a_cancelled_close_still_gives_the_connection_back(
    database: Database, connection: asyncpg.Connection
) -> None:
    snapshot = Snapshot(database.pool)
    read = asyncio.create_task(snapshot.fetch(SLOW, {}))
    await until(lambda: sleeps(connection))
    closing = asyncio.create_task(snapshot.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing, read])

    assert closing.cancelled()
    await until(lambda: all_are_idle(connection))


@pytest.mark.parametrize("reading", [False, True])
async def test_a_connection_that_is_lost_is_replaced(
    database: Database, connection: asyncpg.Connection, *, reading: bool
) -> None:
    async with database.snapshot() as snapshot:
        await snapshot.fetch(ONE, {})
        read = asyncio.create_task(snapshot.fetch(SLOW if reading else ONE, {}))
        await until(lambda: sleeps(connection)) if reading else await read
        [(lost, _, _)] = await backends(connection)
        await connection.execute("SELECT pg_terminate_backend($1, 5000)", lost)
        with pytest.raises(UnavailableError):
            await (read if reading else snapshot.fetch(ONE, {}))
    async with database.snapshot() as snapshot:
        assert [row.id for row in await snapshot.fetch(ONE, {})] == [1]

    assert [pid for pid, _, _ in await backends(connection)] != [lost]


async def test_a_write_that_is_cancelled_is_rolled_back(
    database: Database, connection: asyncpg.Connection, conversation: str
) -> None:
    assert conversation

    async def write() -> None:
        async with database.write(VIEWER) as transaction:
            await transaction.fetch(statement("UPDATE conversations SET subject = 'New'"), {})
            await transaction.fetch(SLOW, {})

    writing = asyncio.create_task(write())
    await until(lambda: sleeps(connection))
    writing.cancel()
    await asyncio.wait([writing])
    async with asyncio.timeout(5), database.write(VIEWER) as transaction:
        (row,) = await transaction.fetch(statement("SELECT subject FROM conversations"), {})

    assert writing.cancelled()
    assert row.subject == "Old"


async def test_what_follows_a_write_is_read_as_everything_is(
    database: Database, connection: asyncpg.Connection
) -> None:
    settings = statement(
        "SELECT current_setting('plan_cache_mode') AS mode, current_setting('random_page_cost') AS cost,"
        " current_setting('work_mem') AS memory, current_setting('transaction_read_only') AS read_only,"
        " current_setting('transaction_isolation') AS isolation, current_setting('jit') AS compiling"
    )
    snapshot = database.snapshot_for(VIEWER)
    async with database.write(VIEWER, then=snapshot) as transaction:
        (writing,) = await transaction.fetch(settings, {})
    (following,) = await snapshot.fetch(settings, {})
    states = [state for _, state, _ in await backends(connection)]
    await snapshot.close()
    async with database.snapshot() as other:
        (reading,) = await other.fetch(settings, {})

    assert (writing.mode, writing.read_only) == ("force_generic_plan", "off")
    assert (writing.compiling, following.compiling) == ("off", "off")
    assert dict(following) == dict(reading)
    assert (following.mode, following.read_only, following.isolation) == ("auto", "on", "repeatable read")
    assert "idle in transaction" in states
    assert await all_are_idle(connection)


async def test_nothing_follows_a_write_whose_snapshot_was_closed_meanwhile(
    database: Database, connection: asyncpg.Connection
) -> None:
    snapshot = database.snapshot_for(VIEWER)
    async with database.write(VIEWER, then=snapshot) as transaction:
        await transaction.fetch(ONE, {})
        await snapshot.close()

    assert await all_are_idle(connection)
    with pytest.raises(SnapshotClosedError):
        await snapshot.fetch(ONE, {})


@pytest.mark.parametrize(
    ("dsn", "error"),
    [
        ("postgresql://127.0.0.1:1/inbox", OSError),
        ("postgresql:///inbox?host=/nowhere", OSError),
        ("mysql://127.0.0.1/inbox", asyncpg.InterfaceError),
        ("no address", asyncpg.InterfaceError),
    ],
)
async def test_a_database_that_cannot_be_reached_fails_the_start(dsn: str, error: type[Exception]) -> None:
    database = Database(dsn)
    with pytest.raises(error):
        await database.start()
    await database.stop()

    with pytest.raises(RuntimeError, match="not started"):
        _ = database.pool


async def test_a_database_that_refuses_fails_the_start(server_dsn: str) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await Database(database_dsn(server_dsn, "nothing_of_that_name")).start()


@pytest.mark.parametrize("pool", ["reading", "writing"])
async def test_a_server_that_does_not_answer_is_not_waited_for(
    dsn: str, monkeypatch: pytest.MonkeyPatch, pool: str
) -> None:
    monkeypatch.setattr("db.engine._CONNECT_WITHIN", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/inbox"
        database = Database(address if pool == "reading" else dsn)
        async with asyncio.timeout(5):
            if pool == "reading":
                with pytest.raises(TimeoutError):
                    await database.start()
            else:
                await database.start()
                # The write pool connects with its first use.
                database._dsn = address  # noqa: SLF001
                with pytest.raises(UnavailableError):
                    async with database.write(VIEWER):
                        pass
                await database.stop()
