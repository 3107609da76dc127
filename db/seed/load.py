"""Writes a seed to the database, in one transaction.

Ids start at 1 in every table, so a database that has an account or an application is rejected. Nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg

from db import changes
from db.queries.conversation.derived import STATEMENTS
from db.refusal import OperatorError
from db.seed.dice import Dice
from db.seed.rows import COLUMNS, DAY, MINUTE, Row, Rows, milliseconds_of
from db.seed.tenant import add_applications, add_tenant
from db.seed.thread import Desk

# The default moment is fixed, so that the same command gives the same rows on any day.
MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)

# Conversations per batch. It bounds the memory, however many conversations there are in all.
BATCH = 1_000
# The greatest and the least age of a conversation. In 10 minutes each has at least its first message.
_SPAN = 400 * DAY
_YOUNGEST = 10 * MINUTE


class SeedError(OperatorError):
    """The seed cannot be made with these arguments, or in this database. Nothing was changed."""


async def seed(  # noqa: PLR0913 - each is an option of the command
    connection: asyncpg.Connection,
    *,
    accounts: int = 2,
    conversations: int = 1_000,
    seed: int = 1,
    now: datetime = MOMENT,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Fill a migrated database without accounts, in one transaction; return the number of rows by table.

    Each of the accounts 1 to `accounts` gets that many `conversations`, the newest a few minutes before `now`. The rows
    depend only on the numbers, `seed` and `now`. `progress` is called with the conversations copied so far and in all.
    Raises SeedError where `accounts` is below 1, `conversations` below 0, `now` without a time zone, or the database
    has an account or an application already.
    """
    if accounts < 1 or conversations < 0:
        raise SeedError("A seed needs at least one account, and no fewer than zero conversations.")
    if now.tzinfo is None:
        raise SeedError("The moment of a seed needs a time zone.")
    rows = Rows()
    counts = dict.fromkeys(COLUMNS, 0)
    async with connection.transaction():
        await _refuse_data(connection)
        for nth, done in enumerate(_batches(rows, accounts, conversations, seed, milliseconds_of(now)), 1):
            await _copy(connection, rows.take(), counts)
            if nth.bit_count() == 1:
                # PostgreSQL keeps the plans for checking foreign keys until there are new statistics. A plan made for a
                # small table reads all rows of an account: without this, 30,000 conversations took 88 seconds, not 14.
                # New statistics at each doubling are enough.
                await _analyze(connection)
            if progress:
                progress(done, accounts * conversations)
        # Clients may still have cursors of the data that the database held before.
        await changes.start_epoch(connection)
        await _analyze(connection)
    return counts


async def _copy(connection: asyncpg.Connection, batch: Mapping[str, Sequence[Row]], counts: dict[str, int]) -> None:
    """Copy a batch, add its rows to `counts`, and derive the values of its conversations, all of one account."""
    for table, records in batch.items():
        if records:
            await connection.copy_records_to_table(table, records=records, columns=COLUMNS[table])
            counts[table] += len(records)
    if conversations := batch["conversations"]:
        account_id = conversations[0][0]
        for statement in STATEMENTS:
            await connection.execute(statement, account_id, [id_ for _, id_, *_ in conversations])


def _batches(rows: Rows, accounts: int, conversations: int, seed: int, now: int) -> Iterator[int]:
    """Add one batch after the other to `rows`, from which the caller takes it; yield the conversations so far."""
    add_applications(rows)
    for account in range(accounts):
        # Each account has its own dice, so that its rows do not depend on how many accounts there are.
        dice = Dice(f"{seed}/{account}")
        desk = Desk(rows, dice, add_tenant(rows, dice, now - _SPAN, conversations), now)
        for start in range(0, conversations, BATCH):
            end = min(start + BATCH, conversations)
            for place in range(start, end):
                # The square puts more conversations into the last days than into the first, as in a busy inbox.
                back = 1 - (place + dice.below(1_000) / 1_000) / conversations
                desk.converse(now - _YOUNGEST - int(back * back * (_SPAN - _YOUNGEST)))
            desk.forget()
            yield account * conversations + end
    if not conversations:
        yield 0


async def _refuse_data(connection: asyncpg.Connection) -> None:
    # The lock keeps other transactions, such as a second seed, from adding an account before this one commits.
    await connection.execute("LOCK TABLE accounts, applications IN SHARE ROW EXCLUSIVE MODE")
    if await connection.fetchval("SELECT EXISTS (SELECT FROM accounts) OR EXISTS (SELECT FROM applications)"):
        raise SeedError("The database has accounts or applications already; a seed needs an empty one.")


async def _analyze(connection: asyncpg.Connection) -> None:
    await connection.execute(f"ANALYZE {', '.join(COLUMNS)}")
