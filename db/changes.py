"""The change log: read page by page, written for several accounts at once, and shortened at its beginning.

Each account has a counter. The last statement before COMMIT increments it and writes the log, and the lock of its row
puts the numbers into the order of commits, without gaps: a reader that sees number 7 also sees the changes 1 to 6.
Timestamps and sequences do not have this property, because transactions become visible at COMMIT. `db.commit` writes
the changes of a client's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Integer, bindparam

from db import tables as t
from db.engine import Snapshot
from db.scope import ACCOUNT, visible
from db.statement import Row, Statement

if TYPE_CHECKING:
    import asyncpg

    from db.scope import Viewer

_CHANGE: Any = t.Change
# The most log rows that one page examines, because excluded changes take time too.
MOST_EXAMINED = 2_000
# The log rows that a page examines per requested change. More than one, because a node often changes several times.
_EXAMINED_PER_CHANGE = 4

# Counters are locked in the order of account ids, so that two writers of several accounts cannot wait for each other.
_WRITE_SEVERAL = """
WITH given AS ({source}), counters AS (
    INSERT INTO change_counters AS c (account_id, number, removed)
    SELECT account_id, count(*), 0 FROM given GROUP BY account_id ORDER BY account_id
    ON CONFLICT (account_id) DO UPDATE SET number = c.number + excluded.number
    RETURNING account_id, number
)
INSERT INTO changes (account_id, number, type, node_id, conversation_id, operation, at)
SELECT given.account_id, counters.number + 1 - row_number() OVER (
        PARTITION BY given.account_id ORDER BY given.place DESC
    ), given.type, given.node_id, given.conversation_id, given.operation, clock_timestamp()
FROM given JOIN counters USING (account_id)
"""


async def write_several(connection: asyncpg.Connection[Any], source: str, *arguments: Any) -> None:
    """Log the changes of several accounts, as the last statement of a transaction.

    `source` is a SELECT of `account_id`, `place` (their order), `type`, `node_id`, `conversation_id` and `operation`.
    """
    await connection.execute(_WRITE_SEVERAL.format(source=source), *arguments)


async def start_epoch(connection: asyncpg.Connection[Any]) -> None:
    """Replace the epoch: all cursors issued before become RESYNC_REQUIRED.

    For a database whose rows differ from those that clients have read: after a seed, or a restored backup.
    """
    await connection.execute("UPDATE epochs SET value = replace(gen_random_uuid()::text, '-', '')")


async def epoch(connection: asyncpg.Connection[Any]) -> str:
    """The epoch of the database."""
    value: str = await connection.fetchval("SELECT value FROM epochs")
    return value


# Held by the process that removes old changes, so that only one does.
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('inbox changes'))"
# The oldest changes of one account are removed, and `removed` is updated in the same statement, so that a reader sees
# both or neither. Writers lock the counter's row last too, so a deadlock is impossible. Accounts are selected by their
# oldest change, with one lookup in the primary key for each.
_REMOVE = """
WITH due AS (
    SELECT c.account_id FROM change_counters c
    WHERE c.removed < c.number AND (
        SELECT l.at FROM changes l WHERE l.account_id = c.account_id AND l.number > c.removed ORDER BY l.number LIMIT 1
    ) < now() - make_interval(days => $1)
    LIMIT 1
), old AS (
    SELECT l.account_id, l.number FROM due CROSS JOIN LATERAL (
        SELECT r.account_id, r.number,
            bool_and(r.at < now() - make_interval(days => $1)) OVER (ORDER BY r.number) AS old
        FROM (
            SELECT l.* FROM changes l JOIN change_counters k USING (account_id)
            WHERE l.account_id = due.account_id AND l.number > k.removed ORDER BY l.number LIMIT $2
        ) r
    ) l WHERE l.old
), removed AS (
    DELETE FROM changes l USING old WHERE l.account_id = old.account_id AND l.number = old.number
    RETURNING l.account_id, l.number
), moved AS (
    UPDATE change_counters c SET removed = last.number
    FROM (SELECT account_id, max(number) AS number FROM removed GROUP BY account_id) last
    WHERE c.account_id = last.account_id
)
SELECT count(*) FROM removed
"""
# The most rows that one transaction removes.
REMOVED_AT_ONCE = 1_000


async def remove_old(connection: asyncpg.Connection[Any], days: int) -> int:
    """Remove at most `REMOVED_AT_ONCE` changes that are older than `days`, all of one account; return how many.

    Returns 0 if none is left, or if another process is removing them.
    """
    async with connection.transaction():
        if not await connection.fetchval(_LOCK):
            return 0
        removed: int = await connection.fetchval(_REMOVE, days, REMOVED_AT_ONCE)
        return removed


@dataclass(frozen=True, slots=True)
class ChangePosition:
    """A position in the log of one account: the number of the last change before it, in one epoch of the database."""

    epoch: str
    number: int


class ResyncRequiredError(Exception):
    """The log cannot be continued from a position: of another epoch, or before the oldest stored change."""


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Changes in the order of their commits, each node at most once. `end` is where the next page begins."""

    changes: Sequence[Any]
    end: ChangePosition
    has_more: bool


# The epoch, and the numbers of the account's last change and of the last one that was removed.
HEAD = Statement(
    """
    SELECT epochs.value AS epoch, coalesce(c.number, 0) AS number, coalesce(c.removed, 0) AS removed
    FROM epochs LEFT JOIN change_counters c ON c.account_id = $1
    """,
    (ACCOUNT,),
    Row,
)


def _read(*, in_conversation: bool) -> Statement:
    after, most = bindparam("after", type_=BigInteger), bindparam("most", type_=Integer)
    columns = _CHANGE.number, _CHANGE.type, _CHANGE.node_id, _CHANGE.conversation_id, _CHANGE.operation
    rows = visible(t.Change, *columns).where(_CHANGE.number > after).order_by(_CHANGE.number).limit(most)
    if in_conversation:
        rows = rows.where(_CHANGE.conversation_id == bindparam("conversation", type_=BigInteger))
    return Statement.of(rows, t.Change)


_READ = {in_conversation: _read(in_conversation=in_conversation) for in_conversation in (False, True)}


async def head(snapshot: Snapshot, viewer: Viewer) -> ChangePosition:
    """The end of the account's log in the snapshot."""
    (row,) = await snapshot.fetch(HEAD, {ACCOUNT: viewer.account_id})
    return ChangePosition(row.epoch, row.number)


# All accounts that are asked for, in one statement; the epoch stands in each row, and in one if there is no account.
_HEADS = Statement(
    """
    SELECT epochs.value AS epoch, given.id AS account_id, coalesce(c.number, 0) AS number
    FROM epochs LEFT JOIN unnest($1::bigint[]) AS given(id) ON true
    LEFT JOIN change_counters c ON c.account_id = given.id
    """,
    ("accounts",),
    Row,
)


async def heads(snapshot: Snapshot, accounts: Sequence[int]) -> dict[int, ChangePosition]:
    """Where the logs of accounts end, in one statement."""
    rows = await snapshot.fetch(_HEADS, {"accounts": list(accounts)})
    return {row.account_id: ChangePosition(row.epoch, row.number) for row in rows}


async def check_head(snapshot: Snapshot, viewer: Viewer, begin: ChangePosition | None) -> ChangePosition:
    """Where the account's log ends. Raises `ResyncRequiredError` if it has no continuation from `begin`."""
    (log,) = await snapshot.fetch(HEAD, {ACCOUNT: viewer.account_id})
    if begin is not None and not is_continued(log, begin):
        raise ResyncRequiredError
    return ChangePosition(log.epoch, log.number)


def is_continued(log: Any, after: ChangePosition) -> bool:
    """Whether the log, a row of `HEAD`, has a continuation from a position."""
    return bool(after.epoch == log.epoch and log.removed <= after.number <= log.number)


async def read(  # noqa: PLR0913  # what to read, and which part of it
    snapshot: Snapshot,
    viewer: Viewer,
    after: ChangePosition,
    size: int,
    *,
    types: Collection[t.ChangeType],
    conversation_id: int | None,
    until: int | None = None,
) -> ChangeBatch:
    """The changes after a position, of these types, up to the number `until`. Raises `ResyncRequiredError`.

    `end` is after changes of other types too, so a page can be empty although `has_more` is set.
    """
    most = min(size * _EXAMINED_PER_CHANGE, MOST_EXAMINED)
    found = await read_rows(snapshot, viewer, after, most, conversation_id=conversation_id)
    rows, end, has_more = found.changes, found.end.number, found.has_more
    if until is not None and end > until:
        rows, end, has_more = [row for row in rows if row.number <= until], until, False
    return pick(rows, ChangePosition(found.end.epoch, end), size, types=types, has_more=has_more)


async def read_rows(
    snapshot: Snapshot, viewer: Viewer, after: ChangePosition, most: int, *, conversation_id: int | None = None
) -> ChangeBatch:
    """At most `most` rows of the log after a position, unfiltered. Raises `ResyncRequiredError`."""
    (log,) = await snapshot.fetch(HEAD, {ACCOUNT: viewer.account_id})
    if not is_continued(log, after):
        raise ResyncRequiredError
    parameters = {ACCOUNT: viewer.account_id, "after": after.number, "most": most, "conversation": conversation_id}
    rows = await snapshot.fetch(_READ[conversation_id is not None], parameters)
    has_more = len(rows) == most
    return ChangeBatch(rows, ChangePosition(log.epoch, rows[-1].number if has_more else log.number), has_more=has_more)


def pick(
    rows: Sequence[Any], end: ChangePosition, size: int, *, types: Collection[t.ChangeType], has_more: bool
) -> ChangeBatch:
    """A page of at most `size` changes from rows of the log that end at `end`, each node at most once."""
    found: dict[tuple[t.ChangeType, int], Any] = {}
    for place, row in enumerate(rows):
        node = (row.type, row.node_id)
        if row.type not in types:
            continue
        if node not in found and len(found) == size:
            stop = ChangePosition(end.epoch, rows[place - 1].number)
            return ChangeBatch(list(found.values()), stop, has_more=True)
        # A node is listed at its latest change.
        found.pop(node, None)
        found[node] = row
    return ChangeBatch(list(found.values()), end, has_more=has_more)
