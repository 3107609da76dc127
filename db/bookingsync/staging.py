"""The tables of an import: given records per kind, what became of them, and what is left over.

They are in a schema of their own, from the beginning of an import to its end, so that it can be gone on with when it is
interrupted; while the schema is there, an import is unfinished. They are logged like any table: with unlogged ones,
a crash of PostgreSQL would leave a position and lose the records that are behind it.

`inbox_import.staged_<kind>` has all given records as they were read, `given_<kind>` (temporary) those of the batch that
is being joined. Both have the columns of the kind's table without its constraints, the ids that live elsewhere, and the
record's position: `file` (number of the file) and `place` (index in the array).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter
from string import Template

import asyncpg

from db.bookingsync import checkpoint
from db.bookingsync.files import File, Given
from db.bookingsync.kind import KINDS, Kind
from db.bookingsync.report import Leftover
from db.migrations.apply import head

_LIKE = "SELECT 0 AS file, 0 AS place, $elsewhere t.* FROM $kind t WITH NO DATA"
# Nothing is ever updated there, and steps tell the planner themselves what there is.
_STAGED = f"CREATE TABLE inbox_import.staged_$kind WITH (autovacuum_enabled = false) AS {_LIKE}"
_GIVEN = f"CREATE TEMP TABLE given_$kind AS {_LIKE}"
_TABLES = (
    "CREATE TABLE inbox_import.files (number int, digest bytea, path text, version text)",
    # What became of a record: whether it was given, and is not older than what was stored; and whether its row changed.
    # A row of a table without accounts stands under its own id.
    """CREATE TABLE inbox_import.outcomes (
        kind text, account_id bigint, id bigint, given bool, changed bool, PRIMARY KEY (kind, account_id, id)
    )""",
    "CREATE TABLE inbox_import.leftovers (kind text, id bigint, what text, file int, place int, text text)",
    # What is found at the end of joining and worked off in the order of numbers.
    """CREATE TABLE inbox_import.unlinked (
        number bigint PRIMARY KEY, link text, kind text, account_id bigint, id bigint
    )""",
    "CREATE TABLE inbox_import.touched (number bigint PRIMARY KEY, account_id bigint, conversation_id bigint)",
    checkpoint.TABLE,
)
# Rows that an import changes without having been given them. `source` has their `account_id` and `id`.
_NOTE = """
INSERT INTO inbox_import.outcomes SELECT DISTINCT '$kind', account_id, id, false, true FROM $source
ON CONFLICT (kind, account_id, id) DO UPDATE SET changed = true
"""
_INDEX = "CREATE INDEX IF NOT EXISTS staged_$kind ON inbox_import.staged_$kind (id)"
_LAST_OF_BATCH = "SELECT id FROM inbox_import.staged_$kind WHERE id > $$1 ORDER BY id OFFSET $$2 - 1 LIMIT 1"
_PICK = "INSERT INTO given_$kind SELECT * FROM inbox_import.staged_$kind WHERE id > $$1 AND id <= $$2"
_LAST_ID = 2**63 - 1
_LEFTOVER = ("kind", "id", "what", "file", "place", "text")


def fill(text: str, **names: str) -> str:
    """A statement with its identifiers filled in. These come from declarations (`kind`), never from a record."""
    return Template(text).substitute(names)


def note(kind: str, source: str) -> str:
    """The statement's end that notes as changed the rows of a kind which `source` has, a table or a subquery."""
    return fill(_NOTE, kind=kind, source=source)


async def exists(connection: asyncpg.Connection) -> bool:
    """Whether there is an unfinished import."""
    found: bool = await connection.fetchval("SELECT to_regnamespace('inbox_import') IS NOT NULL")
    return found


async def create(connection: asyncpg.Connection, files: Sequence[File]) -> None:
    """Make the tables that outlive a connection, for an import of these files."""
    await connection.execute("CREATE SCHEMA inbox_import")
    for kind in KINDS:
        await connection.execute(_of(kind, _STAGED))
    for table in _TABLES:
        await connection.execute(table)
    rows = [
        # A path is here only to be shown, and may have characters that no text has.
        (number, file.digest, str(file.path).encode(errors="replace").decode(), head())
        for number, file in enumerate(files)
    ]
    await _copy(connection, "files", ("number", "digest", "path", "version"), rows)


async def arrange(connection: asyncpg.Connection, files: Sequence[File]) -> list[File] | None:
    """The files in the order in which they were given when the import began; None where those were others.

    They are known by their content, wherever they are now. Tables of another version would not have the same columns.
    """
    by_digest: defaultdict[bytes, list[File]] = defaultdict(list)
    for file in reversed(files):
        by_digest[file.digest].append(file)
    begun = await connection.fetch("SELECT digest, version FROM inbox_import.files ORDER BY number")
    if not begun or len(begun) != len(files):
        return None
    arranged = []
    for digest, version in begun:
        if version != head() or not by_digest[digest]:
            return None
        arranged.append(by_digest[digest].pop())
    return arranged


async def count_files(connection: asyncpg.Connection) -> tuple[int, str | None]:
    """How many files the unfinished import has, and the path of the first; none where it was abandoned."""
    count, first = await connection.fetchrow("SELECT count(*), min(path) FROM inbox_import.files")
    return count, first


async def forget_files(connection: asyncpg.Connection) -> None:
    """Let no files be those of the import."""
    await connection.execute("TRUNCATE inbox_import.files")


async def open_batches(connection: asyncpg.Connection) -> None:
    """Make this connection's tables of a batch."""
    for kind in KINDS:
        await connection.execute(fill("DROP TABLE IF EXISTS pg_temp.given_$kind", kind=kind.name))
        await connection.execute(_of(kind, _GIVEN))


async def close_batches(connection: asyncpg.Connection) -> None:
    """Drop this connection's tables of a batch."""
    await connection.execute("DROP TABLE " + ", ".join(f"pg_temp.given_{kind.name}" for kind in KINDS))


async def drop(connection: asyncpg.Connection) -> None:
    """Forget the import."""
    await connection.execute("DROP SCHEMA inbox_import CASCADE")


async def load(connection: asyncpg.Connection, items: Sequence[tuple[int, Given | Leftover]]) -> None:
    """Copy what was found in files of the given numbers to the tables of its kind, or to the leftovers."""
    given: defaultdict[str, list[tuple[int, Given]]] = defaultdict(list)
    leftovers = []
    for number, item in items:
        if isinstance(item, Leftover):
            leftovers.append((item.kind, item.id, item.what, number, item.place, item.text))
        else:
            given[item.kind.name].append((number, item))
    for name, batch in given.items():
        fields = batch[0][1].kind.fields
        values = attrgetter(*fields)
        records = [(number, item.place, *values(item.record)) for number, item in batch]
        await _copy(connection, f"staged_{name}", ("file", "place", *fields), records)
    if leftovers:
        await _copy(connection, "leftovers", _LEFTOVER, leftovers)


async def index(connection: asyncpg.Connection) -> None:
    """Put what was read in the order of ids."""
    for kind in KINDS:
        await connection.execute(fill(_INDEX, kind=kind.name))
        await connection.execute(f"ANALYZE inbox_import.staged_{kind.name}")


async def last_id(connection: asyncpg.Connection) -> int:
    """The highest id that was read, of a record or its account; 0 where there is none."""
    maxima = (
        fill("SELECT $highest FROM inbox_import.staged_$kind", kind=kind.name, highest=f"greatest({ids})")
        for kind in KINDS
        for ids in ["max(id), max(account_id)" if "account_id" in kind.fields else "max(id)"]
    )
    last: int = await connection.fetchval(f"SELECT coalesce(max(greatest), 0) FROM ({' UNION ALL '.join(maxima)}) ids")  # noqa: S608
    return last


async def pick(connection: asyncpg.Connection, kind: Kind, after: int, size: int) -> tuple[int | None, int]:
    """Give a batch: the next `size` records of a kind behind the id `after`, and all others of the last one's id.

    Returns that id, or None where no more are left behind it, and how many were given.
    """
    await connection.execute(f"TRUNCATE given_{kind.name}")
    last: int | None = await connection.fetchval(fill(_LAST_OF_BATCH, kind=kind.name), after, size)
    status = await connection.execute(fill(_PICK, kind=kind.name), after, _LAST_ID if last is None else last)
    return last, int(status.split()[-1])


async def _copy(
    connection: asyncpg.Connection, table: str, columns: tuple[str, ...], records: Sequence[tuple[object, ...]]
) -> None:
    copying = asyncio.ensure_future(
        connection.copy_records_to_table(table, schema_name="inbox_import", columns=columns, records=records)
    )

    def stop(_connection: asyncpg.Connection) -> None:
        copying.cancel()

    # Where a connection is lost while it waits to write, asyncpg waits for ever.
    connection.add_termination_listener(stop)
    try:
        await copying
    except asyncio.CancelledError:
        if connection.is_closed():
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation") from None
        raise
    finally:
        connection.remove_termination_listener(stop)


def _of(kind: Kind, statement: str) -> str:
    elsewhere = "".join(f"NULL::{type_} AS {name}, " for name, type_ in kind.elsewhere.items())
    return fill(statement, kind=kind.name, elsewhere=elsewhere)
