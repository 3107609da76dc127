"""The import: pages of the REST API into the database, in one transaction.

Records are copied into temporary tables as they are read, and joined from there by statements over whole sets
(`joining`, `linking`), so that there is no round trip per record. This package is the one place that works on several
accounts at once, and so does not go through `db.scope`, which is for the one account of a request; its joins carry
`account_id` instead.

An import never deletes a record, never replaces a newer one, and does not guess: what could not be joined is listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from db.bookingsync import joining, linking, staging
from db.bookingsync.kind import KINDS
from db.bookingsync.page import Given, find_files, position, read_page
from db.bookingsync.report import Fate, Leftover, Report

# Held to the end of the transaction: of two imports at once, the second finds what the first brought.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('inbox import'))"
_BATCH = 10_000

# Older than any record, so that the account's own record replaces it whenever it comes.
_PLACEHOLDERS = """
INSERT INTO accounts (id, business_name, time_zone, created_at, updated_at)
SELECT account_id, 'Account ' || account_id, 'UTC', 'epoch', 'epoch' FROM ($named) named
ON CONFLICT DO NOTHING
"""
_WRITTEN = """
SELECT count(*) AS changed, count(g.id) AS given
FROM changed c LEFT JOIN given_$kind g ON $same WHERE c.kind = '$kind'
"""
# Ids that were there before were passed by the import that brought them, or came from the sequence.
_MOVE_SEQUENCE = """
SELECT setval('row_ids', brought.id)
FROM (SELECT max(greatest(account_id, id)) AS id FROM changed) brought, row_ids WHERE row_ids.last_value < brought.id
"""


async def import_pages(connection: asyncpg.Connection, paths: Sequence[Path], *, dry_run: bool = False) -> Report:
    """Import files, and the `*.json` files of folders, in any order. With `dry_run`, everything is done and undone.

    `connection` must not be in a transaction. Nothing is raised for what is in the files: it is in the report. Errors
    of the database are asyncpg's, and then nothing is imported.
    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        report = await _import(connection, find_files(paths))
        if not dry_run:
            await connection.execute(_MOVE_SEQUENCE)
    except BaseException:
        await transaction.rollback()
        raise
    await (transaction.rollback() if dry_run else transaction.commit())
    return report


async def _import(connection: asyncpg.Connection, files: Sequence[Path]) -> Report:
    await connection.execute(_LOCK)
    await staging.create(connection)
    unread = await _load(connection, files)
    await staging.analyze(connection)
    for kind in KINDS:
        await joining.adopt(connection, kind)
    stored = {KINDS[0].name: await joining.join(connection, KINDS[0])}
    await _stand_in(connection)
    for kind in KINDS[1:]:
        stored[kind.name] = await joining.join(connection, kind)
    await connection.execute("ANALYZE changed")
    await linking.connect(connection)
    await linking.catch_up(connection)
    leftovers = unread + await _unjoined(connection, files)
    return await _report(connection, stored, leftovers)


async def _load(connection: asyncpg.Connection, files: Sequence[Path]) -> list[Leftover]:
    """Copy the records of all files to their temporary tables. Returns what could not be read."""
    unread: list[Leftover] = []
    for number, file in enumerate(files):
        batches: defaultdict[str, list[Given]] = defaultdict(list)
        for item in read_page(file):
            if isinstance(item, Leftover):
                unread.append(item)
                continue
            batch = batches[item.kind.name]
            batch.append(item)
            if len(batch) == _BATCH:
                await staging.load(connection, number, item.kind, batch)
                batch.clear()
        for batch in filter(None, batches.values()):
            await staging.load(connection, number, batch[0].kind, batch)
    return unread


async def _stand_in(connection: asyncpg.Connection) -> None:
    """Make accounts that records name and nothing brings: `Account 1`."""
    tables = [kind.name for kind in KINDS if "account_id" in kind.fields]
    named = " UNION ".join(staging.fill("SELECT account_id FROM given_$kind", kind=table) for table in tables)
    await connection.execute(staging.fill(_PLACEHOLDERS, named=named))


async def _unjoined(connection: asyncpg.Connection, files: Sequence[Path]) -> list[Leftover]:
    rows = await connection.fetch("SELECT kind, id, what, file, place, text FROM leftovers")
    return [
        Leftover(kind, id, Fate(what), position(files[file], kind, place), text)
        for kind, id, what, file, place, text in rows  # noqa: A001  # the field's own name
    ]


async def _report(connection: asyncpg.Connection, stored: dict[str, int], leftovers: list[Leftover]) -> Report:
    imported: dict[str, int] = {}
    unchanged: dict[str, int] = {}
    linked: dict[str, int] = {}
    for kind in KINDS:
        written = staging.fill(_WRITTEN, kind=kind.name, same=joining.same_record(kind, "g", "c"))
        changed, given = await connection.fetchrow(written)
        imported[kind.name] = given
        unchanged[kind.name] = stored[kind.name] - given
        linked[kind.name] = changed - given
    order = {kind.name: number for number, kind in enumerate(KINDS)}
    leftovers.sort(key=lambda left: (order.get(left.kind, -1), left.kind, left.id or 0, left.where, left.text))
    return Report(_present(imported), _present(unchanged), _present(linked), leftovers)


def _present(counts: dict[str, int]) -> dict[str, int]:
    """The kinds of which there is something."""
    return {kind: count for kind, count in counts.items() if count}
