"""Imports pages of the REST API into the database, one transaction per batch. An interrupted import can be continued.

Records are copied to staging tables as they are read, and joined from there by statements over whole batches (`steps`),
so there is no round trip per record. Only this package works on several accounts at once. It does not use `db.scope`,
which is for the one account of a request; instead, its joins compare `account_id`.

An import deletes only records that the export lists as deleted, and never replaces a newer record. References that
cannot be resolved are listed. The records of finished batches are visible during the import.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from itertools import accumulate
from pathlib import Path

import asyncpg

from db.bookingsync import checkpoint, staging
from db.bookingsync.checkpoint import Checkpoint
from db.bookingsync.files import File, find_files, find_others, identify
from db.bookingsync.kind import KINDS
from db.bookingsync.report import Fate, Leftover, Report
from db.bookingsync.steps import DONE, FIRST, STEPS, Work, following
from db.bookingsync.stream import MAX_DEPTH
from db.refusal import OperatorError

# Held by the connection, so that imports run one after the other. A killed process holds it until PostgreSQL notices.
_LOCK = "SELECT pg_advisory_lock(hashtext('inbox import'))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtext('inbox import'))"

# Makes the planner look up the records of a batch by index, instead of reading whole tables.
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
_DELETED = "SELECT kind, count(*) FROM inbox_import.gone GROUP BY kind"
_COUNTS = """
SELECT count(*), count(*) FILTER (WHERE what = ANY ($1::text[])),
    (SELECT count(DISTINCT file) FROM inbox_import.sections)
FROM inbox_import.leftovers
"""
_FAILED = [Fate.MALFORMED, Fate.KEPT_ASIDE]


class Phase(StrEnum):
    """The phase of an import: it reads bytes, joins records, and then links and derives in steps."""

    READING = "Reading"
    JOINING = "Joining"
    FINISHING = "Finishing"


# Called with the phase, the amount done and the total.
Progress = Callable[[Phase, int, int], None]


@asynccontextmanager
async def importing(  # noqa: PLR0913 - each is an option of the command
    connection: asyncpg.Connection,
    paths: Sequence[Path],
    *,
    second: asyncpg.Connection | None = None,
    dry_run: bool = False,
    abandon: bool = False,
    max_depth: int = MAX_DEPTH,
    progress: Progress | None = None,
) -> AsyncIterator[Report]:
    """Import files and folders, in any order; yield the report, and drop the import's tables when the block ends.

    `connection` must not be in a transaction. A `second` one to the same database makes the import faster. An
    interrupted import continues if the same contents are given again; its report is the same as without the
    interruption. If the block raises, the next import yields the same report again. With other files,
    OperatorError is raised; with `abandon`, the rest of the unfinished import is dropped instead. With `dry_run`,
    everything is done in one transaction and rolled back. Records nested beyond `max_depth` are left over.

    The content of files raises no errors: problems are in the report. Errors of the database are asyncpg's; what was
    imported before them stays. Files must not change during the import.
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
            await _run(Work(connection, None if dry_run else second, files, at, dry_run, max_depth), progress)
            yield await _report(connection, files, find_others(paths))
            await staging.drop(connection)
        finally:
            if transaction:
                await transaction.rollback()
    finally:
        # A lost connection no longer holds the lock.
        with suppress(OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
            await connection.execute(_UNLOCK)


async def _begin(connection: asyncpg.Connection, files: list[File], *, abandon: bool) -> list[File]:
    """Begin an import of the files, or continue it. Returns the files in the order of their numbers."""
    if await staging.exists(connection):
        begun = await staging.arrange(connection, files)
        if begun is not None:
            return begun
        others, name = await staging.count_files(connection)
        if others and not abandon:
            raise OperatorError(
                f"An import of {others:,} other files is unfinished, {name} among them: "
                "import these again to continue it, or add --abandon to drop the rest of it"
            )
        await _abandon(connection)
    async with connection.transaction():
        await staging.create(connection, files)
        await Checkpoint(FIRST).begin(connection)
    return files


async def _abandon(connection: asyncpg.Connection) -> None:
    """End an import early, but link and derive the rows that it has written: no later import would."""
    async with connection.transaction():
        # Without files, it cannot be continued, only abandoned again.
        await staging.forget_files(connection)
        left = await checkpoint.load(connection)
        steps = [*STEPS, DONE]
        if steps.index(left.step) < steps.index("find unlinked"):
            left.step, left.after = "find unlinked", 0
            await left.save(connection)
    await _run(Work(connection, None, [], left), None)
    await staging.drop(connection)


async def _run(work: Work, progress: Progress | None) -> None:
    """Run the rest of an import, each batch in a transaction that also saves the checkpoint after it."""
    at = work.checkpoint
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
            # Errors of files are leftovers, so this one is the connection's.
            raise asyncpg.ConnectionDoesNotExistError("the connection to the database was lost") from error
    await staging.close_batches(work.connection)


async def _advance(work: Work) -> None:
    """Run a batch; after the last one of a step, move to the next step."""
    at = work.checkpoint
    async with work.connection.transaction():
        await work.connection.execute(_PLANNING)
        more = await STEPS[at.step](work)
        work.done += 1
        if not more:
            at.step, at.after, work.done = following(at.step), 0, 0
        await at.save(work.connection)


async def _report(connection: asyncpg.Connection, files: Sequence[File], others: Sequence[Path]) -> Report:
    rows = {kind: counts for kind, *counts in await connection.fetch(_OUTCOMES)}
    imported, unchanged, linked = (
        {kind.name: rows[kind.name][nth] for kind in KINDS if kind.name in rows and rows[kind.name][nth]}
        for nth in range(3)
    )
    deleted = dict(await connection.fetch(_DELETED))
    left_over, failed, pages = await connection.fetchrow(_COUNTS, _FAILED)
    leftovers = _leftovers(connection, files, others)
    return Report(imported, unchanged, linked, deleted, pages, left_over + len(others), failed, leftovers)


async def _leftovers(
    connection: asyncpg.Connection, files: Sequence[File], others: Sequence[Path]
) -> AsyncIterator[Leftover]:
    """All leftovers, sorted by kind and id, independent of the order of the files; skipped files come first."""
    for path in others:
        yield Leftover("file", None, Fate.SKIPPED, path, None, "is not a *.json or *.json.gz file")
    async with connection.transaction():
        async for row in connection.cursor(_LEFTOVERS, [kind.name for kind in KINDS]):
            kind, id, what, file, place, text = row  # noqa: A001  # the field's own name
            yield Leftover(kind, id, Fate(what), files[file].path, place, text)
