"""The steps of an import, in their order: each does a batch of its work, and says where the next one begins.

A step runs in a transaction that its caller commits along with the position that it has moved to. It may therefore be
begun again at any position that was saved, and nothing that it does may be outside of the transaction, but for the
sequence of ids, which may be moved twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import asyncpg

from db.bookingsync import joining, linking, staging
from db.bookingsync.checkpoint import Position
from db.bookingsync.files import Batch, File, read_batches
from db.bookingsync.kind import KINDS, Kind

# Records of a batch that is joined, and conversations of one that is derived for.
RECORDS = 20_000
CONVERSATIONS = 2_000

# Ids that were there before were passed by the import that brought them, or came from the sequence. All of this one's
# are passed before the first is written, so that nobody is given one that is still to come.
_MOVE_SEQUENCE = "SELECT setval('row_ids', $1) FROM row_ids WHERE last_value < $1"
# Older than any record, so that the account's own record replaces it whenever it comes.
_PLACEHOLDERS = """
INSERT INTO accounts (id, business_name, time_zone, created_at, updated_at)
SELECT account_id, 'Account ' || account_id, 'UTC', 'epoch', 'epoch' FROM ($named) named
ON CONFLICT DO NOTHING
"""
_BOOKINGS = next(kind for kind in KINDS if kind.name == "bookings")


@dataclass(slots=True)
class Work:
    """An import on its way. `second` is another connection, for what need not be in the transaction of a batch."""

    connection: asyncpg.Connection
    second: asyncpg.Connection | None
    files: Sequence[File]
    position: Position
    dry_run: bool = False
    batches: Iterator[Batch] | None = None
    # Batches of the current step, as far as this process knows.
    done: int = 0


async def read(work: Work) -> bool:
    """Files into staging tables."""
    position = work.position
    if work.batches is None:
        work.batches = read_batches(work.files, position.file, position.start)
    batch = next(work.batches)
    await staging.load(work.connection, batch.items)
    position.file, position.start = batch.file, batch.start
    position.read += batch.records
    return position.file < len(work.files)


async def prepare(work: Work) -> bool:
    """What is the same for all batches that follow: order, and ids that are not to be given away."""
    await staging.index(work.connection)
    if not work.dry_run:
        last = await staging.last_id(work.connection)
        await work.connection.execute(_MOVE_SEQUENCE, last)
    return False


async def join(kind: Kind, work: Work) -> bool:
    """Records of a kind into rows."""
    position = work.position
    last, size = await staging.pick(work.connection, kind, position.after, RECORDS)
    if size:
        await joining.join(work.connection, kind)
        if kind.name == "conversations":
            await linking.connect(work.connection)
    if last is None or (work.done + 1).bit_count() == 1:
        # PostgreSQL checks foreign keys with plans that it keeps until there are new statistics. Those made for small
        # tables walk through all rows of an account. At each doubling is often enough.
        await work.connection.execute(f"ANALYZE {kind.name}")
    position.after = last or 0
    position.joined += size
    return last is not None


async def stand_in(work: Work) -> bool:
    """Accounts that records name and nothing brings: `Account 1`."""
    tables = [kind.name for kind in KINDS if "account_id" in kind.fields]
    statement = "SELECT account_id FROM inbox_import.staged_$kind"
    named = " UNION ".join(staging.fill(statement, kind=table) for table in tables)
    await work.connection.execute(staging.fill(_PLACEHOLDERS, named=named))
    return False


async def book(work: Work) -> bool:
    """Inquiries of bookings."""
    position = work.position
    last, size = await staging.pick(work.connection, _BOOKINGS, position.after, RECORDS)
    if size:
        await joining.drop_older(work.connection, _BOOKINGS)
        await linking.book(work.connection)
    position.after = last or 0
    return last is not None


async def find_unlinked(work: Work) -> bool:
    """Rows of earlier imports that lack what came now."""
    await linking.find_unlinked(work.connection)
    return False


async def catch_up(work: Work) -> bool:
    """Links for those."""
    return await _work_off(work, "unlinked", RECORDS, linking.catch_up)


async def find_touched(work: Work) -> bool:
    """Conversations that an import changed anything of."""
    await linking.find_touched(work.connection)
    return False


async def derive(work: Work) -> bool:
    """What is derived, for those."""
    return await _work_off(work, "touched", CONVERSATIONS, partial(_derive, work.second))


async def _derive(second: asyncpg.Connection | None, connection: asyncpg.Connection, after: int, last: int) -> None:
    """Derive on two connections at once: it takes as long as joining, and either is busy on a core of its own.

    What the second one commits by itself may be done again after an interruption, which changes nothing.
    """
    if second is None:
        await linking.derive(connection, after, last)
        return
    middle = (after + last) // 2
    async with asyncio.TaskGroup() as both:
        both.create_task(linking.derive(connection, after, middle))
        both.create_task(linking.derive(second, middle, last))


async def _work_off(
    work: Work, queue: str, size: int, do: Callable[[asyncpg.Connection, int, int], Awaitable[None]]
) -> bool:
    position = work.position
    end: int = await work.connection.fetchval(f"SELECT coalesce(max(number), 0) FROM inbox_import.{queue}")  # noqa: S608
    last = min(position.after + size, end)
    await do(work.connection, position.after, last)
    position.after = last if last < end else 0
    return last < end


Step = Callable[[Work], Awaitable[bool]]

# A step does a batch, and says whether there is more to do.
STEPS: dict[str, Step] = {
    "read": read,
    "prepare": prepare,
    "join accounts": partial(join, KINDS[0]),
    "stand in": stand_in,
    **{f"join {kind.name}": partial(join, kind) for kind in KINDS[1:]},
    "book": book,
    "find unlinked": find_unlinked,
    "catch up": catch_up,
    "find touched": find_touched,
    "derive": derive,
}
FIRST = next(iter(STEPS))
DONE = "done"


def following(step: str) -> str:
    """The step after this one."""
    names = [*STEPS, DONE]
    return names[names.index(step) + 1]
