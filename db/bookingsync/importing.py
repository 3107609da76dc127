"""The import: pages of the REST API into the database, a transaction a batch, gone on with when it was interrupted.

Records are copied to tables of the import as they are read, and joined from there by statements over whole batches
(`steps`), so that there is no round trip per record. This package is the one place that works on several accounts at
once, and so does not go through `db.scope`, which is for the one account of a request; its joins carry `account_id`
instead.

An import never deletes a record, never replaces a newer one, and does not guess: what could not be joined is listed.
While it runs, readers see the part that is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from itertools import accumulate
from pathlib import Path

import asyncpg

from db.bookingsync import checkpoint, staging
from db.bookingsync.checkpoint import Position
from db.bookingsync.files import File, find_files, identify
from db.bookingsync.kind import KINDS
from db.bookingsync.report import Fate, Leftover, Report
from db.bookingsync.steps import DONE, FIRST, STEPS, Work, following

# Held by the connection: of two imports at once, the second finds what the first brought, and what is gone on with is
# not still going on. A process that is killed has it until PostgreSQL knows.
_LOCK = "SELECT pg_advisory_lock(hashtext('inbox import'))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtext('inbox import'))"

# A batch looks up its records one by one, however large the tables have become that it would otherwise read whole.
_PLANNING = "SET LOCAL random_page_cost = 1.1"

_OUTCOMES = """
SELECT kind, count(*) FILTER (WHERE given AND changed), count(*) FILTER (WHERE given AND NOT changed),
    count(*) FILTER (WHERE NOT given)
FROM inbox_import.outcomes GROUP BY kind
"""
_LEFTOVERS = """
SELECT kind, id, what, file, place, text FROM inbox_import.leftovers
ORDER BY coalesce(array_position($1::text[], kind), 0), kind COLLATE "C", coalesce(id, 0), text COLLATE "C", file, place
"""


class UnfinishedError(RuntimeError):
    """Another import is unfinished. The message is one line and says what can be done."""


class Phase(StrEnum):
    """What an import is doing: it reads bytes, joins records, and then works off what follows from those."""

    READING = "Reading"
    JOINING = "Joining"
    FINISHING = "Finishing"


# Told the phase, how much of it is done, and how much there is in all.
Progress = Callable[[Phase, int, int], None]


@asynccontextmanager
async def importing(  # noqa: PLR0913 - each is an option of the command
    connection: asyncpg.Connection,
    paths: Sequence[Path],
    *,
    second: asyncpg.Connection | None = None,
    dry_run: bool = False,
    abandon: bool = False,
    progress: Progress | None = None,
) -> AsyncIterator[Report]:
    """Import files, and the `*.json` files of folders, in any order; yield the report, and then forget the import.

    `connection` must not be in a transaction; with a `second` one to the same database, it is faster. An import that
    was interrupted at whatever moment is gone on with when the same contents are given again, and reports as if it
    never had been. Whoever does not come to the end of the `async with` gets the report again. With other files,
    UnfinishedError is raised or, with `abandon`, the rest of the unfinished import left out. With `dry_run`, everything
    is done in one transaction, and undone.

    Nothing is raised for what is in the files: it is in the report. Errors of the database are asyncpg's; what was
    imported until then stays. Files must not change meanwhile.
    """
    files = [identify(path) for path in find_files(paths)]
    await connection.execute(_LOCK)
    try:
        transaction = connection.transaction() if dry_run else None
        if transaction:
            await transaction.start()
        try:
            files = await _begin(connection, files, abandon=abandon)
            at = await checkpoint.load(connection)
            await _run(Work(connection, None if dry_run else second, files, at, dry_run), progress)
            yield await _report(connection, files)
            await staging.drop(connection)
        finally:
            if transaction:
                await transaction.rollback()
    finally:
        # A connection that was lost has no lock either.
        with suppress(OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
            await connection.execute(_UNLOCK)


async def _begin(connection: asyncpg.Connection, files: list[File], *, abandon: bool) -> list[File]:
    """Begin an import of the files, or go on with it. Returns them by their numbers."""
    if await staging.exists(connection):
        begun = await staging.arrange(connection, files)
        if begun is not None:
            return begun
        others, name = await staging.count_files(connection)
        if others and not abandon:
            raise UnfinishedError(
                f"An import of {others:,} other files is unfinished, of {name} among them: "
                "give these again to go on with it, or --abandon it to leave the rest of it out"
            )
        await _abandon(connection)
    async with connection.transaction():
        await staging.create(connection, files)
        await Position(FIRST).begin(connection)
    return files


async def _abandon(connection: asyncpg.Connection) -> None:
    """End an import where it is, but do what follows from all that it has written: no later one would."""
    async with connection.transaction():
        # Without files, it can only be abandoned again.
        await staging.forget_files(connection)
        left = await checkpoint.load(connection)
        steps = [*STEPS, DONE]
        if steps.index(left.step) < steps.index("find unlinked"):
            left.step, left.after = "find unlinked", 0
            await left.save(connection)
    await _run(Work(connection, None, [], left), None)
    await staging.drop(connection)


async def _run(work: Work, progress: Progress | None) -> None:
    """Do what is left of an import, each batch in a transaction with the position behind it."""
    at = work.position
    sizes = [0, *accumulate(file.size for file in work.files)]
    await staging.open_batches(work.connection)
    while at.step != DONE:
        if progress:
            offset = 0 if at.start is None else at.start.offset
            if at.step == FIRST:
                progress(Phase.READING, sizes[at.file] + offset, sizes[-1])
            elif at.joined < at.read:
                progress(Phase.JOINING, at.joined, at.read)
            else:
                progress(Phase.FINISHING, list(STEPS).index(at.step), len(STEPS))
        try:
            await _advance(work)
        except OSError as error:
            # Of files, none comes up to here.
            raise asyncpg.ConnectionDoesNotExistError("the connection to the database was lost") from error
    await staging.close_batches(work.connection)


async def _advance(work: Work) -> None:
    """Do a batch, and move to the next step after the last one."""
    at = work.position
    async with work.connection.transaction():
        await work.connection.execute(_PLANNING)
        more = await STEPS[at.step](work)
        work.done += 1
        if not more:
            at.step, at.after, work.done = following(at.step), 0, 0
        await at.save(work.connection)


async def _report(connection: asyncpg.Connection, files: Sequence[File]) -> Report:
    rows = {kind: counts for kind, *counts in await connection.fetch(_OUTCOMES)}
    imported, unchanged, linked = (
        {kind.name: rows[kind.name][nth] for kind in KINDS if kind.name in rows and rows[kind.name][nth]}
        for nth in range(3)
    )
    left_over = await connection.fetchval("SELECT count(*) FROM inbox_import.leftovers")
    return Report(imported, unchanged, linked, left_over, _leftovers(connection, files))


async def _leftovers(connection: asyncpg.Connection, files: Sequence[File]) -> AsyncIterator[Leftover]:
    """What is left over, in the order of kinds and ids, whichever order the files were in."""
    async with connection.transaction():
        async for row in connection.cursor(_LEFTOVERS, [kind.name for kind in KINDS]):
            kind, id, what, file, place, text = row  # noqa: A001  # the field's own name
            yield Leftover(kind, id, Fate(what), files[file].path, place, text)
