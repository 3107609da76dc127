"""Fan-out: each event in the change log becomes a delivery for each endpoint that asks for it.

An account's position is the number of the last change whose events have deliveries. It moves in the statement that
stores them, under the lock of its row, so that workers at the same time make no delivery twice, and none is missed if
one of them is killed. The numbers of changes are in the order of commits, and `change_number` is the order in which
deliveries are sent. An endpoint gets the events after `after_number`: the end of the log when it was created or
enabled.

The statement has one snapshot. If it contains a change, it contains all endpoints that were committed before that
change, because the log is written in the order of commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from db.engine import Transaction
from db.scope import ACCOUNT, Viewer
from db.statement import Row, Statement

if TYPE_CHECKING:
    import asyncpg

# Accounts of one statement, and changes of each account.
ACCOUNTS_AT_ONCE = 100
CHANGES_AT_ONCE = 200

# The ids that the payload has, and the time of the change. `c` is a row of the log.
_DATA = """jsonb_strip_nulls(jsonb_build_object(
    'at', c.at,
    'message', CASE WHEN c.type = 'MESSAGE' THEN c.node_id END,
    'conversation', c.conversation_id
))"""
_NEW_ID = "'msg_' || replace(gen_random_uuid()::text, '-', '')"
# In milliseconds, and not rounded up, so that nothing is due later than now.
NOW = "date_trunc('milliseconds', now())"
_INSERT = """
INSERT INTO webhook_deliveries
    (account_id, endpoint_id, message_id, event, conversation_id, data, change_number, state, due_at, created_at)
"""

# Accounts get their position with their first endpoint that is enabled.
_BEGIN = """
INSERT INTO webhook_positions (account_id, number)
SELECT e.account_id, min(e.after_number) FROM webhook_endpoints e
WHERE e.enabled AND NOT EXISTS (SELECT FROM webhook_positions p WHERE p.account_id = e.account_id)
GROUP BY e.account_id
ON CONFLICT DO NOTHING
"""
# The accounts are chosen in random order, so that busy ones do not keep the others waiting. Those whose position is
# locked are served by another worker.
_FAN_OUT = f"""
WITH behind AS (
    SELECT p.account_id, greatest(p.number, enabled.after_number) AS after, c.number AS head
    FROM webhook_positions p
    JOIN change_counters c ON c.account_id = p.account_id AND c.number > p.number
    CROSS JOIN LATERAL (
        SELECT min(e.after_number) AS after_number FROM webhook_endpoints e
        WHERE e.account_id = p.account_id AND e.enabled
    ) enabled
    WHERE enabled.after_number IS NOT NULL
    ORDER BY random() LIMIT $1
    FOR UPDATE OF p SKIP LOCKED
), steps AS (
    SELECT b.account_id, b.after, coalesce(last.number, greatest(b.after, b.head)) AS until
    FROM behind b LEFT JOIN LATERAL (
        SELECT c.number FROM changes c
        WHERE c.account_id = b.account_id AND c.number > b.after AND c.events <> '{{}}'
        ORDER BY c.number OFFSET $2 - 1 LIMIT 1
    ) last ON true
), moved AS (
    UPDATE webhook_positions p SET number = s.until FROM steps s WHERE p.account_id = s.account_id
), made AS (
    {_INSERT}
    SELECT e.account_id, e.id, {_NEW_ID}, happened.event, c.conversation_id, {_DATA}, c.number, 'PENDING', {NOW}, {NOW}
    FROM steps s
    JOIN changes c ON c.account_id = s.account_id AND c.number > s.after AND c.number <= s.until AND c.events <> '{{}}'
    CROSS JOIN unnest(c.events) WITH ORDINALITY AS happened(event, place)
    JOIN webhook_endpoints e ON e.account_id = c.account_id AND e.enabled
        AND e.after_number < c.number AND happened.event = ANY (e.events)
    ORDER BY c.account_id, c.number, happened.place
    RETURNING 1
)
SELECT (SELECT count(*) FROM steps) AS accounts, (SELECT count(*) FROM made) AS deliveries
"""  # noqa: S608  # parts of this package


async def fan_out(connection: asyncpg.Connection[Any]) -> tuple[int, int]:
    """Make the deliveries of a limited number of changes; return the numbers of accounts and deliveries.

    Without accounts, all positions are at the end of the log, or another worker moves them.
    """
    # Through a pooler, a statement with arguments needs a transaction around it.
    async with connection.transaction():
        await connection.execute(_BEGIN)
        row = await connection.fetchrow(_FAN_OUT, ACCOUNTS_AT_ONCE, CHANGES_AT_ONCE)
    return row["accounts"], row["deliveries"]


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """The deliveries that were made again, and the number of the last change that was read."""

    deliveries: int
    end: int
    has_more: bool


_REPLAY = Statement(
    f"""
    WITH span AS (
        SELECT c.number FROM changes c
        WHERE c.account_id = $1 AND c.number > $3 AND c.events <> '{{}}' ORDER BY c.number LIMIT $4
    ), made AS (
        {_INSERT}
        SELECT e.account_id, e.id, {_NEW_ID}, happened.event, c.conversation_id, {_DATA}, c.number, 'PENDING',
            {NOW}, {NOW}
        FROM webhook_endpoints e
        JOIN changes c ON c.account_id = e.account_id AND c.number IN (SELECT number FROM span)
        CROSS JOIN unnest(c.events) WITH ORDINALITY AS happened(event, place)
        WHERE e.account_id = $1 AND e.id = $2 AND happened.event = ANY (e.events)
        ORDER BY c.number, happened.place
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM made) AS deliveries, coalesce(max(number), $3) AS "end", count(*) = $4 AS has_more
    FROM span
    """,  # noqa: S608  # parts of this package
    (ACCOUNT, "endpoint", "after", "most"),
    Row,
)


async def replay(transaction: Transaction, viewer: Viewer, endpoint_id: int, after: int, most: int) -> ReplayStep:
    """Make new deliveries of the events in at most `most` changes after a number, for one endpoint."""
    parameters = {ACCOUNT: viewer.account_id, "endpoint": endpoint_id, "after": after, "most": most}
    (row,) = await transaction.fetch(_REPLAY, parameters)
    return ReplayStep(row.deliveries, row.end, row.has_more)


_TEST = Statement(
    f"""
    {_INSERT}
    SELECT e.account_id, e.id, {_NEW_ID}, 'TEST', NULL, jsonb_build_object('at', {NOW}), NULL, 'PENDING', {NOW}, {NOW}
    FROM webhook_endpoints e WHERE e.account_id = $1 AND e.id = $2
    RETURNING id
    """,  # noqa: S608  # parts of this package
    (ACCOUNT, "endpoint"),
    Row,
)


async def test(transaction: Transaction, viewer: Viewer, endpoint_id: int) -> int:
    """Make the delivery of a test event for one endpoint; return its id."""
    (row,) = await transaction.fetch(_TEST, {ACCOUNT: viewer.account_id, "endpoint": endpoint_id})
    return int(row.id)
