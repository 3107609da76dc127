"""Migrations bring a database to this version's tables, from any state, and can be repeated."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import time
import uuid
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Enum, text

from db.migrations import apply
from db.migrations.apply import LOCK, connected, downgrade, drift, migrate, pending
from db.migrations.revision import applied, head, revisions
from db.refusal import OperatorError
from db.tables import Table

ROOT = Path(__file__).parents[2]

# The tables in PostgreSQL's catalogs, without the order of columns. `alembic_version` is Alembic's table.
CATALOG = {
    "relations": """
        SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relname NOT LIKE 'alembic_version%'""",
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
               attgenerated, attcollation::regcollation::text, pg_get_expr(adbin, adrelid)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
        AND relname <> 'alembic_version'""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> coalesce(to_regclass('alembic_version'), 0)""",
    "indexes": """
        SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'""",
    "sequences": """
        SELECT sequencename, data_type::text, start_value, min_value, max_value, increment_by, cycle, cache_size
        FROM pg_sequences WHERE schemaname = 'public'""",
    "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "types": """
        SELECT typname, typtype FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')""",
}


@pytest.fixture
def empty(server_dsn: str) -> Iterator[str]:
    """The DSN of a database without a table."""
    name = f"migration_{uuid.uuid4().hex}"
    _execute(server_dsn, f"CREATE DATABASE {name}")
    yield urlsplit(server_dsn)._replace(path=f"/{name}").geturl()
    _execute(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(dsn: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def _rows(dsn: str, statement: str) -> Sequence[Any]:
    return connected(dsn, lambda connection: connection.execute(text(statement)).all())


def _catalog(dsn: str) -> dict[str, set[Any]]:
    return {kind: {tuple(row) for row in _rows(dsn, statement)} for kind, statement in CATALOG.items()}


def _create_all(connection: Connection) -> None:
    Table.metadata.create_all(connection)
    connection.commit()


def test_an_empty_database_is_brought_to_the_newest_revision_once(empty: str) -> None:
    missing = pending(empty)
    assert missing[-1] == head()
    assert migrate(empty) == missing
    assert pending(empty) == []
    assert migrate(empty) == []


def test_back_to_the_start_leaves_nothing_and_forward_again_works(empty: str) -> None:
    before = _catalog(empty)
    revisions = migrate(empty)
    migrated = _catalog(empty)
    downgrade(empty, "base")
    assert _catalog(empty) == before
    assert pending(empty) == revisions
    migrate(empty)
    assert _catalog(empty) == migrated


def test_alembic_sees_no_difference_to_the_tables(empty: str) -> None:
    migrate(empty)
    assert drift(empty) == []
    _execute(empty, "ALTER TABLE rentals DROP COLUMN country_code")
    assert [(change[0], change[3].name) for change in drift(empty)] == [("add_column", "country_code")]


def test_postgresql_sees_no_difference_to_the_tables(empty: str) -> None:
    """Alembic does not compare checks and sequences, and only the letters of index expressions."""
    migrate(empty)
    migrated = _catalog(empty)
    _execute(empty, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    connected(empty, _create_all)
    declared = _catalog(empty)
    for kind in CATALOG:
        assert migrated[kind] == declared[kind], kind


def test_two_machines_at_once_apply_each_revision_once(empty: str) -> None:
    revisions = pending(empty)
    program = [
        sys.executable,
        "-c",
        "import sys; from db.migrations.apply import migrate; print(migrate(sys.argv[1]))",
        empty,
    ]

    def start_two(connection: Connection) -> list[subprocess.Popen[str]]:
        connection.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
        connection.commit()
        machines = [
            stack.enter_context(subprocess.Popen(program, stdout=subprocess.PIPE, text=True))  # noqa: S603
            for _ in range(2)
        ]
        # Both wait for the lock before it is released.
        there = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        deadline = time.monotonic() + 30
        while connection.scalar(there) != 1 + len(machines):
            assert time.monotonic() < deadline
            connection.commit()
            time.sleep(0.02)
        return machines

    with ExitStack() as stack:
        outputs = [machine.communicate(timeout=60)[0] for machine in connected(empty, start_two)]
    assert sorted(outputs) == sorted([f"{revisions}\n", "[]\n"])
    assert pending(empty) == []


@pytest.mark.anyio
async def test_it_waits_while_another_migrates(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await asyncpg.connect(empty)
    await other.execute(f"SELECT pg_advisory_lock({LOCK})")
    loop = asyncio.get_running_loop()
    seen = []

    async def finish() -> None:
        seen.append(await applied(other))
        await other.execute(f"SELECT pg_advisory_unlock({LOCK})")

    def sleep(_seconds: float) -> None:
        asyncio.run_coroutine_threadsafe(finish(), loop).result()

    monkeypatch.setattr("db.migrations.apply.time", SimpleNamespace(sleep=sleep))
    try:
        revisions = await asyncio.to_thread(migrate, empty)
        assert seen == [None]
        assert revisions[-1] == await applied(other) == head()
    finally:
        await other.close()


def test_the_names_of_the_files_are_the_revisions_in_their_order() -> None:
    history = [script.revision for script in apply._history().walk_revisions()]  # noqa: SLF001  # what Alembic reads

    assert list(revisions()) == history[::-1]


def test_a_new_revision_has_the_next_number_as_its_name(empty: str, tmp_path: Path) -> None:
    migrate(empty)
    config = Config(toml_file=ROOT / "pyproject.toml", cmd_opts=Namespace(x=[f"dsn={empty}"]))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{ROOT / 'db' / 'migrations' / 'versions'}\n{tmp_path}")
    command.revision(config, "What is new", version_path=str(tmp_path))
    number = f"{int(head()) + 1:04}"
    [file] = tmp_path.glob("*.py")
    assert file.name == f"{number}_what_is_new.py"
    assert f'\nrevision = "{number}"\ndown_revision = "{head()}"\n' in file.read_text()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty: str) -> None:
    migrate(empty)
    _execute(empty, "UPDATE alembic_version SET version_num = '9999'")
    before = _catalog(empty)
    for operation in (pending, migrate, lambda dsn: downgrade(dsn, "base")):
        with pytest.raises(OperatorError, match=r"9999.*does not know"):
            operation(empty)
    assert _catalog(empty) == before


def test_the_working_directory_does_not_matter(empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert migrate(empty)[-1] == head()


@pytest.mark.anyio
async def test_a_server_can_ask_and_migrate_while_its_loop_runs(empty: str) -> None:
    connection = await asyncpg.connect(empty)
    try:
        assert await applied(connection) is None
        await asyncio.to_thread(migrate, empty)
        assert await applied(connection) == head()
        await asyncio.to_thread(downgrade, empty, "base")
        assert await applied(connection) is None
    finally:
        await connection.close()


@pytest.fixture
def copy_dsn(seeded_dsn: str, create_database: Callable[[str], str]) -> str:
    """The seeded database once more, to be changed."""
    return create_database(urlsplit(seeded_dsn).path.removeprefix("/"))


@pytest.mark.anyio
async def test_migrations_derive_what_is_searched_as_writers_do(copy_dsn: str) -> None:
    connection = await asyncpg.connect(copy_dsn)
    everything = "SELECT account_id, conversation_id, words FROM conversation_texts ORDER BY 1, 2"
    derived = await connection.fetch(everything)
    first, second = (
        importlib.import_module(f"db.migrations.versions.{name}")
        for name in ("0006_search", "0009_inquiries_are_searched")
    )

    await connection.execute("DELETE FROM conversation_texts")
    await connection.execute(first._TEXTS)  # noqa: SLF001  # what it executes
    earlier = await connection.fetch(everything)
    await connection.execute(second._TEXTS + second._WITH_INQUIRIES)  # noqa: SLF001  # what it executes
    filled = await connection.fetch(everything)
    await connection.close()

    assert len(derived) == 240
    assert earlier != derived
    assert filled == derived


def _closed_columns() -> dict[tuple[str, str], str]:
    """The checks of columns that have a closed set of values, by table and column. Some of the columns are lists."""
    return {
        (table.name, column.name): f"ck_{table.name}_{column.type.name}"
        for table in Table.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Enum)
    } | {("webhook_endpoints", "events"): "ck_webhook_endpoints_webhookevent"}


# The other columns of a row that are checked together with one.
_CHECKED_WITH = {
    "created_by_type": ", created_by_id = 1, created_by_user_id = NULL, created_by_application_id = NULL",
    "delivery_state": ", delivery_at = now()",
    "member_type": ", client_id = NULL, host_id = NULL",
}


async def _refusals(dsn: str) -> dict[tuple[str, str], str]:
    """The check that refuses an unknown value, for each column of a closed set that has one."""
    connection = await asyncpg.connect(dsn)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("""
        INSERT INTO idempotency_keys (account_id, actor_type, actor_id, key, digest, created_at)
        VALUES (1, 'USER', 1, 'key', '', now());
        INSERT INTO activities (account_id, conversation_id, type, created_at)
        SELECT account_id, id, 'CLOSED', now() FROM conversations WHERE account_id = 1 LIMIT 1""")
    found = {}
    for table, column in _closed_columns():
        also = _CHECKED_WITH.get(column, "")
        value = "'{CREATED}'" if column == "events" else "'CREATED'"
        try:
            async with connection.transaction():
                await connection.execute(f"UPDATE {table} SET {column} = {value}{also}")  # noqa: S608
        except asyncpg.CheckViolationError as error:
            found[table, column] = str(error.constraint_name)
    await transaction.rollback()
    await connection.close()
    return found


@pytest.mark.anyio
async def test_no_column_of_a_closed_set_has_another_value(seeded_dsn: str) -> None:
    """The transaction is rolled back."""
    checks = _closed_columns()

    assert len(checks) > 15
    assert await _refusals(seeded_dsn) == checks


@pytest.mark.anyio
async def test_stored_rows_are_checked_after_a_migration_as_before(copy_dsn: str) -> None:
    """An attempt was interrupted between the two steps of one table."""
    await asyncio.to_thread(downgrade, copy_dsn, "0018")
    connection = await asyncpg.connect(copy_dsn)
    kept = await connection.fetch("SELECT * FROM messages ORDER BY account_id, id")

    assert await _refusals(copy_dsn) == _closed_columns()
    await connection.execute("""
        ALTER TABLE changes DROP CONSTRAINT ck_changes_changetype,
            ADD CONSTRAINT ck_changes_changetype CHECK (type <> '') NOT VALID""")
    await asyncio.to_thread(migrate, copy_dsn)

    assert await _refusals(copy_dsn) == _closed_columns()
    assert await connection.fetch("SELECT conname FROM pg_constraint WHERE NOT convalidated") == []
    assert await connection.fetch("SELECT * FROM messages ORDER BY account_id, id") == kept
    await connection.close()
