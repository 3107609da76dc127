"""Through PgBouncer in transaction mode, where each transaction may run on another connection of PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest

from db.engine import Database
from db.scope import Viewer
from db.session import READING
from db.statement import Row, Statement
from db.tables import CreatorType
from tests.operations.data import store_inbox
from tests.operations.documents import DOCUMENTS, as_written, writes
from tests.support.client import Client, Statements
from tests.support.command import forget_settings, refusal
from tests.support.delivering import delivering, receiving, settled, store_endpoint
from tests.support.process import CONVERSATIONS, SEND, prepare
from tests.support.serving import serving

PGBOUNCER = shutil.which("pgbouncer")

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not PGBOUNCER, reason="there is no pgbouncer on this machine")]

# Two connections of PostgreSQL for all clients, so that they take turns on each.
CONFIGURATION = """
[databases]
* = host={host} port={port} user=postgres

[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 200
logfile = {folder}/log
"""


@pytest.fixture(scope="module")
def pooled(server_dsn: str) -> Iterator[Callable[[str], str]]:
    """Starts PgBouncer for the tests' server; returns a function from a DSN to one through PgBouncer."""
    server = {name: values[0] for name, values in parse_qs(urlsplit(server_dsn).query).items()}
    # PgBouncer does not run as root.
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(CONFIGURATION.format(**server, folder=folder))
        Path(folder).chmod(0o755)
        os.chown(folder, account.pw_uid, account.pw_gid)
        process = subprocess.Popen(  # noqa: S603
            [str(PGBOUNCER), "--quiet", str(file)],
            user=account.pw_uid,
            group=account.pw_gid,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not (Path(folder) / ".s.PGSQL.6432").exists():
                assert process.poll() is None, (Path(folder) / "log").read_text()
                time.sleep(0.01)
            yield lambda dsn: f"postgresql://postgres@{urlsplit(dsn).path}?host={quote(folder)}&port=6432"
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def inbox(dsn: str) -> str:
    """A database with the small inbox of the operations."""

    async def fill() -> None:
        connection = await asyncpg.connect(dsn)
        await store_inbox(connection)
        await connection.close()

    asyncio.run(fill())
    return dsn


async def expect_answers(client: Client, paths: list[Path]) -> None:
    """Assert that each document has the response of its file."""
    for path in paths:
        document = path.read_text()
        answer = await as_written(client, document).answer(document)
        assert answer == json.loads(path.with_suffix(".json").read_text()), path


async def test_every_operation_has_the_same_answer(
    inbox: str, pooled: Callable[[str], str], create_database: Callable[[str], str]
) -> None:
    changing = [path for path in DOCUMENTS if writes(path.read_text())]
    for paths in [[path for path in DOCUMENTS if path not in changing], *([path] for path in changing)]:
        copy = await asyncio.to_thread(create_database, urlsplit(inbox).path[1:])
        async with serving(pooled(copy), Statements(), pooler="transaction") as client:
            await expect_answers(client, paths)


async def test_many_clients_share_two_connections(inbox: str, pooled: Callable[[str], str]) -> None:
    reading = [path for path in DOCUMENTS if not writes(path.read_text())]
    create = (
        "mutation($subject: String!) { createConversation(input: {subject: $subject}) { conversation { subject } } }"
    )
    async with serving(pooled(inbox), Statements(), pooler="transaction", pool_size=10) as client:
        readers = [expect_answers(client, reading) for _ in range(5)]
        await asyncio.gather(*readers)
        created = await asyncio.gather(*(client.data(create, subject=f"Stay {nth}") for nth in range(20)))
        ready = await client.http.get("/readyz")

    assert [answer["createConversation"]["conversation"]["subject"] for answer in created] == [
        f"Stay {nth}" for nth in range(20)
    ]
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})
    connection = await asyncpg.connect(inbox)
    try:
        own = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert own <= 2
    finally:
        await connection.close()


async def test_settings_are_those_of_a_transaction(inbox: str, pooled: Callable[[str], str]) -> None:
    async with serving(pooled(inbox), Statements(), pooler="transaction") as client:
        await client.data("{ conversations(first: 1) { totalCount } }")
        other = await asyncpg.connect(pooled(inbox), statement_cache_size=0)
        try:
            async with other.transaction():
                assert await other.fetchval("SHOW random_page_cost") == "4"
        finally:
            await other.close()


@pytest.mark.parametrize("in_transaction", [True, False])
async def test_every_operation_has_the_settings(
    inbox: str, pooled: Callable[[str], str], *, in_transaction: bool
) -> None:
    """One of a single statement too, which through a pooler needs a transaction for its two round trips."""
    database = Database(pooled(inbox), pool_size=1, pooled=True)
    await database.start()
    try:
        viewer = Viewer(1, CreatorType.USER, 1, frozenset())
        snapshot = database.snapshot_for(viewer, in_transaction=in_transaction)
        (row,) = await snapshot.fetch(Statement("SELECT current_setting('random_page_cost') AS value", (), Row), {})
        await snapshot.close()
    finally:
        await database.stop()

    assert row["value"] == READING["random_page_cost"]


@pytest.mark.parametrize("command", ["migrate", "seed", "import"])
def test_commands_that_need_a_session_refuse_a_pooler(
    command: str, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forget_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("DATABASE_URL", dsn)
    monkeypatch.setenv("INBOX_POOLER", "transaction")
    (tmp_path / "page.json").write_text("{}")
    arguments = ["import", "page.json"] if command == "import" else [command]
    assert refusal(capsys, *arguments) == (
        "inbox: This command does not work through a pooler: let DATABASE_URL name PostgreSQL itself, "
        "and unset INBOX_POOLER"
    )


async def test_webhooks_are_delivered(dsn: str, pooled: Callable[[str], str]) -> None:
    await prepare(dsn)
    connection = await asyncpg.connect(dsn)
    async with receiving() as receiver:
        await store_endpoint(connection, receiver.url)
        async with (
            delivering(pooled(dsn), pooler="transaction"),
            serving(pooled(dsn), Statements(), pooler="transaction") as client,
        ):
            for key in ("1", "2", "3"):
                await client.data(SEND, key=key, text=key, there=CONVERSATIONS[0])
            rows = await settled(connection)
    await connection.close()

    assert [(row["state"], row["attempt_count"]) for row in rows] == [("DELIVERED", 1)] * 3
    assert [each.id for each in receiver.received] == [row["message_id"] for row in rows]
