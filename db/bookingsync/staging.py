"""The tables of an import: records, their outcomes, and leftovers.

They are in a schema of their own, `inbox_import`, from the beginning of an import to its end. As long as that schema
exists, an import is unfinished and can be continued. The tables are logged: after a crash of PostgreSQL, unlogged ones
would be empty while the checkpoint says that they are not.

`inbox_import.staged_<kind>` holds all given records as they were read, and the temporary `given_<kind>` those of the
batch that is being joined. Both have the columns of the kind's table without its constraints, the ids that are stored
elsewhere, and the record's position: `file` (number of the file) and `place` (index in the array).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter
from string import Template

import asyncpg

from db.bookingsync import checkpoint
from db.bookingsync.files import Deleted, File, Given, Item, Section
from db.bookingsync.kind import KINDS, Kind
from db.bookingsync.report import Leftover
from db.migrations.revision import head

_LIKE = "SELECT 0 AS file, 0 AS place, $elsewhere t.* FROM $kind t WITH NO DATA"
# Their rows are never updated, and the steps analyze the tables themselves.
_STAGED = f"CREATE TABLE inbox_import.staged_$kind WITH (autovacuum_enabled = false) AS {_LIKE}"
_GIVEN = f"CREATE TEMP TABLE given_$kind AS {_LIKE}"
_TABLES = (
    "CREATE TABLE inbox_import.files (number int, digest bytea, path text, version text)",
    # The outcome of a record: whether it was given, and whether its row changed. A row without an account is noted with
    # its own id as the account.
    """CREATE TABLE inbox_import.outcomes (
        kind text, account_id bigint, id bigint, given bool, changed bool, PRIMARY KEY (kind, account_id, id)
    )""",
    "CREATE TABLE inbox_import.leftovers (kind text, id bigint, what text, file int, place int, text text)",
    # Rows that are found after joining, and then processed in the order of the numbers.
    """CREATE TABLE inbox_import.unlinked (
        number bigint PRIMARY KEY, link text, kind text, account_id bigint, id bigint
    )""",
    "CREATE TABLE inbox_import.touched (number bigint PRIMARY KEY, account_id bigint, conversation_id bigint)",
    # The arrays of known kinds that each file has, and the ids that it names as deleted.
    "CREATE TABLE inbox_import.sections (file int, kind text)",
    "CREATE TABLE inbox_import.deleted (file int, id bigint)",
    # The rows that the import deletes, and the conversations that lose a booking or an inquiry.
    "CREATE TABLE inbox_import.gone (kind text, account_id bigint, id bigint, PRIMARY KEY (kind, account_id, id))",
    "CREATE TABLE inbox_import.detached (account_id bigint, conversation_id bigint)",
    # Changed rows that are not in `outcomes`, because the report does not count them.
    "CREATE TABLE inbox_import.aside (kind text, account_id bigint, id bigint)",
    # The entries for the change log, in the order of the numbers.
    """CREATE TABLE inbox_import.changes (
        number bigint PRIMARY KEY, account_id bigint, type text, node_id bigint, conversation_id bigint, operation text
    )""",
)
# Rows that an import changes although they were not given. `source` has their `account_id` and `id`.
_NOTE = """
INSERT INTO inbox_import.outcomes SELECT DISTINCT '$kind', account_id, id, false, true FROM $source
ON CONFLICT (kind, account_id, id) DO UPDATE SET changed = true
"""
_INDEX = "CREATE INDEX IF NOT EXISTS staged_$kind ON inbox_import.staged_$kind (id)"
_LAST_OF_BATCH = "SELECT id FROM inbox_import.staged_$kind WHERE id > $$1 ORDER BY id OFFSET $$2 - 1 LIMIT 1"
_PICK = "INSERT INTO given_$kind SELECT * FROM inbox_import.staged_$kind WHERE id > $$1 AND id <= $$2"
_LAST_ID = 2**63 - 1
_COPIED = {
    "leftovers": ("kind", "id", "what", "file", "place", "text"),
    "sections": ("file", "kind"),
    "deleted": ("file", "id"),
}
# Incremented when the tables of an import change without a migration.
_FORMAT = 3


def fill(text: str, **names: str) -> str:
    """Put identifiers into a statement. They come from declarations (`kind`), never from a record."""
    return Template(text).substitute(names)


def note(kind: str, source: str) -> str:
    """The end of a statement that notes changed rows of a kind: those in `source`, a table or a subquery."""
    return fill(_NOTE, kind=kind, source=source)


async def exists(connection: asyncpg.Connection) -> bool:
    """Whether there is an unfinished import."""
    found: bool = await connection.fetchval("SELECT to_regnamespace('inbox_import') IS NOT NULL")
    return found


async def create(connection: asyncpg.Connection, files: Sequence[File]) -> None:
    """Create the tables that outlive a connection, for an import of these files."""
    await connection.execute("CREATE SCHEMA inbox_import")
    for kind in KINDS:
        await connection.execute(_of(kind, _STAGED))
    for table in (*_TABLES, checkpoint.TABLE):
        await connection.execute(table)
    rows = [
        # The path is only displayed. It may contain bytes that are not valid text.
        (number, file.digest, str(file.path).encode(errors="replace").decode(), _version())
        for number, file in enumerate(files)
    ]
    await _copy(connection, "files", ("number", "digest", "path", "version"), rows)


async def arrange(connection: asyncpg.Connection, files: Sequence[File]) -> list[File] | None:
    """The files in the order that they had when the import began; None if it began with other files.

    Files are identified by their content, not by their path. An import that another version of this program began does
    not match: its tables may have other columns.
    """
    by_digest: defaultdict[bytes, list[File]] = defaultdict(list)
    for file in reversed(files):
        by_digest[file.digest].append(file)
    begun = await connection.fetch("SELECT digest, version FROM inbox_import.files ORDER BY number")
    if not begun or len(begun) != len(files):
        return None
    arranged = []
    for digest, version in begun:
        if version != _version() or not by_digest[digest]:
            return None
        arranged.append(by_digest[digest].pop())
    return arranged


async def count_files(connection: asyncpg.Connection) -> tuple[int, str | None]:
    """How many files the unfinished import has, and the path of the first; 0 and None after it was abandoned."""
    count, first = await connection.fetchrow("SELECT count(*), min(path) FROM inbox_import.files")
    return count, first


async def forget_files(connection: asyncpg.Connection) -> None:
    """Mark the import as abandoned: from now on it matches no files.

    An earlier version may have begun it: tables that the remaining steps need are added.
    """
    for table in _TABLES:
        await connection.execute(table.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))
    await connection.execute("TRUNCATE inbox_import.files")


async def open_batches(connection: asyncpg.Connection) -> None:
    """Create the temporary tables of a batch, which belong to this connection."""
    for kind in KINDS:
        await connection.execute(fill("DROP TABLE IF EXISTS pg_temp.given_$kind", kind=kind.name))
        await connection.execute(_of(kind, _GIVEN))


async def close_batches(connection: asyncpg.Connection) -> None:
    """Drop the tables of a batch."""
    await connection.execute("DROP TABLE " + ", ".join(f"pg_temp.given_{kind.name}" for kind in KINDS))


async def drop(connection: asyncpg.Connection) -> None:
    """End the import: drop its tables."""
    await connection.execute("DROP SCHEMA inbox_import CASCADE")


async def load(connection: asyncpg.Connection, items: Sequence[tuple[int, Item]]) -> None:
    """Copy items, with the numbers of their files, to the tables of the import."""
    given: defaultdict[str, list[tuple[int, Given]]] = defaultdict(list)
    rows: defaultdict[str, list[tuple[object, ...]]] = defaultdict(list)
    for number, item in items:
        match item:
            case Given():
                given[item.kind.name].append((number, item))
            case Leftover():
                rows["leftovers"].append((item.kind, item.id, item.what, number, item.place, item.text))
            case Section():
                rows["sections"].append((number, item.kind.name))
            case Deleted():
                rows["deleted"] += [(number, id) for id in item.ids]  # noqa: A001  # the field's own name
    for name, batch in given.items():
        fields = batch[0][1].kind.fields
        values = attrgetter(*fields)
        records = [(number, item.place, *values(item.record)) for number, item in batch]
        await _copy(connection, f"staged_{name}", ("file", "place", *fields), records)
    for table, columns in _COPIED.items():
        if rows[table]:
            await _copy(connection, table, columns, rows[table])


async def index(connection: asyncpg.Connection) -> None:
    """Index the records by id."""
    for kind in KINDS:
        await connection.execute(fill(_INDEX, kind=kind.name))
        await connection.execute(f"ANALYZE inbox_import.staged_{kind.name}")


async def pick(connection: asyncpg.Connection, kind: Kind, after: int, size: int) -> tuple[int | None, int]:
    """Fill the given table: the next `size` records of a kind after the id `after`, and all others with the last id.

    Returns that last id, or None if no records follow, and how many records the batch has.
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

    # If a connection is lost while asyncpg waits to write, asyncpg waits for ever.
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


def _version() -> str:
    """The version that must be the same to continue an import."""
    return f"{head()}.{_FORMAT}"
