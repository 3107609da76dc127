"""Two versions serve one database: older code with newer tables, as in a rolling deployment."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from db.migrations.apply import downgrade, migrate, oldest_code, pending
from db.migrations.revision import State, head, revisions, state
from db.refusal import OperatorError
from tests.operations.data import store_inbox
from tests.operations.documents import DOCUMENTS, as_written, writes
from tests.support.client import SECRET, Client, Statements, make_settings
from tests.support.importing import import_pages
from tests.support.serving import serving

ROOT = Path(__file__).parents[2]
COMPLETE = ROOT / "tests" / "exports" / "complete"

# A migration of the next version that only expands: each table gets a column, and there is a new table and an index.
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = {head!r}
oldest_code = {oldest!r}


def upgrade():
    names = sa.inspect(op.get_bind()).get_table_names()
    for name in names:
        if name != "alembic_version":
            op.add_column(name, sa.Column("next_version", sa.Text(), server_default="new"))
    op.create_table("next_versions", sa.Column("id", sa.BigInteger(), primary_key=True))
    op.create_index("ix_messages_next_version", "messages", ["next_version"])
"""
# The next version's `inbox migrate`, in a separate process: this process stays the older version.
MIGRATE = """
import sys
from db.migrations import apply

made = apply._config


def config():
    config = made()
    config.set_main_option("version_locations", sys.argv[2])
    config.set_main_option("path_separator", "newline")
    return config


apply._config = config
print(apply.migrate(sys.argv[1]))
"""
# The requests to the last release, with features that every release has.
RELEASE = """
import asyncio, json, sys
import httpx
from gql.app import create_app
from gql.settings import Settings

async def run(dsn, documents, secret, headers):
    app = create_app(Settings(database_url=dsn, jwt_secret=secret))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox") as http:
            for document in documents:
                print((await http.post("/graphql", json={"query": document}, headers=headers)).text)
            print((await http.get("/readyz")).text)

asyncio.run(run(*json.loads(sys.argv[1])))
"""


def next_version(dsn: str, folder: Path, *, oldest: str) -> None:
    """Migrate a database with the next version; code from revision `oldest` on can serve it."""
    (folder / "9999_next.py").write_text(NEXT.format(head=head(), oldest=oldest))
    locations = f"{ROOT / 'db' / 'migrations' / 'versions'}\n{folder}"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", MIGRATE, dsn, locations], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "['9999']\n", done.stderr


def fetch_state(dsn: str) -> State:
    """Whether this version can serve a database."""

    async def fetch() -> State:
        connection = await asyncpg.connect(dsn)
        try:
            return await state(connection)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_each_revision_names_the_oldest_code_that_can_serve_its_tables() -> None:
    known = revisions()
    oldest = [known.index(oldest_code(revision)) for revision in known]
    assert oldest == sorted(oldest), "code that one revision excludes cannot serve a later one"
    assert all(index <= own for own, index in enumerate(oldest))


def test_older_code_serves_expanded_tables_and_changes_none(dsn: str, tmp_path: Path) -> None:
    next_version(dsn, tmp_path, oldest=head())
    assert fetch_state(dsn) is State.SERVABLE
    assert pending(dsn) == []
    assert migrate(dsn) == []
    with pytest.raises(OperatorError, match="9999"):
        downgrade(dsn, "base")


def test_older_code_refuses_contracted_tables(dsn: str, tmp_path: Path) -> None:
    next_version(dsn, tmp_path, oldest="9999")
    assert fetch_state(dsn) is State.TOO_NEW
    for operation in (pending, migrate):
        with pytest.raises(OperatorError, match="9999"):
            operation(dsn)


@pytest.mark.parametrize(
    "comment",
    ["NULL", "'Revision 0001 can be served by the code of revision 0001 and later.'", "'another comment'"],
    ids=["none", "of another revision", "other"],
)
def test_without_a_statement_of_its_own_a_newer_revision_is_refused(dsn: str, comment: str) -> None:
    async def change() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        await connection.execute(f"COMMENT ON TABLE alembic_version IS {comment}")
        await connection.close()

    asyncio.run(change())
    assert fetch_state(dsn) is State.TOO_NEW


def test_going_back_names_the_code_of_the_revision_it_goes_back_to(dsn: str) -> None:
    previous = revisions()[-2]
    downgrade(dsn, previous)

    async def fetch() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval("SELECT obj_description('alembic_version'::regclass, 'pg_class')")
        finally:
            await connection.close()

    assert asyncio.run(fetch()) == (
        f"Revision {previous} can be served by the code of revision {oldest_code(previous)} and later."
    )
    assert fetch_state(dsn) is State.PENDING


@pytest.mark.anyio
async def test_readiness_follows_what_the_newer_version_says(dsn: str, tmp_path: Path) -> None:
    async with serving(dsn, Statements()) as client:
        before = await client.http.get("/readyz")
        await asyncio.to_thread(next_version, dsn, tmp_path, oldest=head())
        expanded = await client.http.get("/readyz")
        connection = await asyncpg.connect(dsn)
        await connection.execute(
            "COMMENT ON TABLE alembic_version IS 'Revision 9999 can be served by the code of revision 9999 and later.'"
        )
        await connection.close()
        contracted = await client.http.get("/readyz")

    assert [answer.status_code for answer in (before, expanded, contracted)] == [200, 200, 503]
    assert contracted.json() == {"status": "unavailable", "database": "migrated by a newer version"}


@pytest.fixture
async def expanded(dsn: str, tmp_path: Path) -> str:
    """The small inbox of the operations, in tables that the next version has expanded."""
    connection = await asyncpg.connect(dsn)
    await store_inbox(connection)
    await connection.close()
    await asyncio.to_thread(next_version, dsn, tmp_path, oldest=head())
    return dsn


@pytest.mark.anyio
@pytest.mark.slow
async def test_every_operation_has_the_same_answer_on_expanded_tables(
    expanded: str, create_database: Callable[[str], str]
) -> None:
    changing = [path for path in DOCUMENTS if writes(path.read_text())]
    for paths in [[path for path in DOCUMENTS if path not in changing], *([path] for path in changing)]:
        copy = await asyncio.to_thread(create_database, urlsplit(expanded).path[1:])
        async with serving(copy, Statements()) as client:
            for path in paths:
                document = path.read_text()
                answer = await as_written(client, document).answer(document)
                assert answer == json.loads(path.with_suffix(".json").read_text()), path


@pytest.mark.anyio
async def test_an_import_fills_expanded_tables(dsn: str, tmp_path: Path) -> None:
    await asyncio.to_thread(next_version, dsn, tmp_path, oldest=head())
    connection = await asyncpg.connect(dsn)
    try:
        assert (await import_pages(connection, [COMPLETE])).exit_code == 0
        assert await connection.fetchval("SELECT count(*) FROM messages WHERE next_version = 'new'") == 2
    finally:
        await connection.close()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout.strip() if done.returncode == 0 else ""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The code of the last release: of the commit before the newest migration was added."""
    if oldest_code(head()) == head():
        pytest.skip(f"revision {head()} cannot be served by earlier code")
    added = _git("log", "--diff-filter=A", "--format=%H", "-1", "--", f"db/migrations/versions/{head()}_*.py")
    commit = added and _git("rev-parse", "--verify", f"{added}^")
    if not commit:
        pytest.skip("the history of the repository is not here")
    folder = tmp_path / "release"
    folder.mkdir()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit, "gql", "db"], capture_output=True, check=True)  # noqa: S603, S607
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)  # noqa: S603, S607
    return folder


def test_the_last_release_serves_the_tables_of_this_version(release: Path, dsn: str) -> None:
    async def fill() -> None:
        connection = await asyncpg.connect(dsn)
        await store_inbox(connection)
        await connection.close()

    asyncio.run(fill())
    documents = [
        "{ conversations(first: 1) { totalCount nodes { subject messages { nodes { content } } } } }",
        'mutation { createConversation(input: {subject: "Rolling"}) { conversation { subject } } }',
    ]
    settings = make_settings(dsn)
    headers = Client(httpx.AsyncClient(), settings, Statements()).headers
    arguments = json.dumps([dsn, documents, SECRET, headers])
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", RELEASE, arguments],
        cwd=release,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(release)},
    )
    assert done.returncode == 0, done.stderr
    read, written, ready = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    assert "errors" not in read
    assert len(read["data"]["conversations"]["nodes"]) == 1
    assert written == {"data": {"createConversation": {"conversation": {"subject": "Rolling"}}}}
    if "oldest_code" in (release / "db" / "migrations" / "script.py.mako").read_text():
        assert ready == {"status": "ok"}
