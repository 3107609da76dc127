"""The steps of an import, in their order. Each call of a step processes one batch, and moves the checkpoint past it.

The caller runs a step in a transaction that also saves the checkpoint. So a step can be repeated from any saved
checkpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import asyncpg

from db.bookingsync import deleting, joining, linking, recording, staging
from db.bookingsync.checkpoint import Checkpoint
from db.bookingsync.files import Batch, File, read_batches
from db.bookingsync.kind import KINDS, Kind
from db.bookingsync.stream import MAX_DEPTH

# The sizes of batches: of records that are joined, and of conversations whose values are derived.
RECORDS = 20_000
CONVERSATIONS = 2_000

# The time of a placeholder: before any record, so that the account's own record replaces it.
_PLACEHOLDERS = """
WITH added AS (
    INSERT INTO accounts (id, business_name, time_zone, created_at, updated_at)
    SELECT account_id, 'Account ' || account_id, 'UTC', 'epoch', 'epoch' FROM ($named) named
    ON CONFLICT DO NOTHING RETURNING id
)
INSERT INTO inbox_import.aside SELECT 'accounts', id, id FROM added
"""
_BOOKINGS = next(kind for kind in KINDS if kind.name == "bookings")


@dataclass(slots=True)
class Work:
    """A running import. `second` is another connection, for work outside of the transaction of a batch."""

    connection: asyncpg.Connection
    second: asyncpg.Connection | None
    files: Sequence[File]
    checkpoint: Checkpoint
    dry_run: bool = False
    max_depth: int = MAX_DEPTH
    batches: Iterator[Batch] | None = None
    # Batches of the current step that this process has finished.
    done: int = 0


async def read(work: Work) -> bool:
    """Read files into the staging tables."""
    checkpoint = work.checkpoint
    if work.batches is None:
        work.batches = read_batches(work.files, checkpoint.file, checkpoint.start, work.max_depth)
    batch = next(work.batches)
    await staging.load(work.connection, batch.items)
    checkpoint.file, checkpoint.start = batch.file, batch.start
    checkpoint.read += batch.records
    return checkpoint.file < len(work.files)


async def prepare(work: Work) -> bool:
    """Index the staging tables."""
    await staging.index(work.connection)
    return False


async def delete(work: Work) -> bool:
    """Delete the records that the files list as deleted, and skip them if they are given."""
    work.checkpoint.read -= await deleting.delete(work.connection)
    return False


async def join(kind: Kind, work: Work) -> bool:
    """Turn records of a kind into rows."""
    checkpoint = work.checkpoint
    last, size = await staging.pick(work.connection, kind, checkpoint.after, RECORDS)
    if size:
        await joining.join(work.connection, kind)
        if kind.name == "conversations":
            await linking.connect(work.connection)
    if last is None or (work.done + 1).bit_count() == 1:
        # PostgreSQL keeps the plans for checking foreign keys until there are new statistics. A plan made for a small
        # table reads all rows of an account. New statistics at each doubling are enough.
        await work.connection.execute(f"ANALYZE {kind.name}")
    checkpoint.after = last or 0
    checkpoint.joined += size
    return last is not None


async def stand_in(work: Work) -> bool:
    """Add placeholders such as `Account 1` for accounts that records name and that have no record."""
    tables = [kind.name for kind in KINDS if "account_id" in kind.fields]
    statement = "SELECT account_id FROM inbox_import.staged_$kind"
    named = " UNION ".join(staging.fill(statement, kind=table) for table in tables)
    await work.connection.execute(staging.fill(_PLACEHOLDERS, named=named))
    return False


async def book(work: Work) -> bool:
    """Link inquiries with the bookings that name them."""
    checkpoint = work.checkpoint
    last, size = await staging.pick(work.connection, _BOOKINGS, checkpoint.after, RECORDS)
    if size:
        await joining.drop_older(work.connection, _BOOKINGS)
        await linking.book(work.connection)
    checkpoint.after = last or 0
    return last is not None


async def find_unlinked(work: Work) -> bool:
    """Find rows of earlier imports whose member or creator was stored by this import."""
    await linking.find_unlinked(work.connection)
    return False


async def catch_up(work: Work) -> bool:
    """Link those rows."""
    return await _process(work, "unlinked", RECORDS, linking.catch_up)


async def find_touched(work: Work) -> bool:
    """Find the conversations whose derived values may have changed."""
    await linking.find_touched(work.connection)
    return False


async def derive(work: Work) -> bool:
    """Derive the values of those conversations."""
    return await _process(work, "touched", CONVERSATIONS, partial(_derive, work.second))


async def _derive(second: asyncpg.Connection | None, connection: asyncpg.Connection, after: int, last: int) -> None:
    """Derive on two connections at once, so that PostgreSQL uses two cores: it takes as long as joining does.

    After an interruption the second connection's work may be repeated, which changes nothing.
    """
    if second is None:
        await linking.derive(connection, after, last)
        return
    middle = (after + last) // 2
    async with asyncio.TaskGroup() as both:
        both.create_task(linking.derive(connection, after, middle))
        both.create_task(linking.derive(second, middle, last))


async def find_changes(work: Work) -> bool:
    """Find the entries for the change log, after all other steps, so that each record is in it once."""
    await recording.find_changes(work.connection)
    return False


async def log(work: Work) -> bool:
    """Log those changes."""
    return await _process(work, "changes", RECORDS, recording.log)


async def _process(
    work: Work, queue: str, size: int, do: Callable[[asyncpg.Connection, int, int], Awaitable[None]]
) -> bool:
    checkpoint = work.checkpoint
    end: int = await work.connection.fetchval(f"SELECT coalesce(max(number), 0) FROM inbox_import.{queue}")  # noqa: S608
    last = min(checkpoint.after + size, end)
    await do(work.connection, checkpoint.after, last)
    checkpoint.after = last if last < end else 0
    return last < end


Step = Callable[[Work], Awaitable[bool]]

# A step returns whether it has more batches.
STEPS: dict[str, Step] = {
    "read": read,
    "prepare": prepare,
    "delete": delete,
    "join accounts": partial(join, KINDS[0]),
    "stand in": stand_in,
    **{f"join {kind.name}": partial(join, kind) for kind in KINDS[1:]},
    "book": book,
    "find unlinked": find_unlinked,
    "catch up": catch_up,
    "find touched": find_touched,
    "derive": derive,
    "find changes": find_changes,
    "log": log,
}
FIRST = next(iter(STEPS))
DONE = "done"


def following(step: str) -> str:
    """The step after this one."""
    names = [*STEPS, DONE]
    return names[names.index(step) + 1]
