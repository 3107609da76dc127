"""Removes old deliveries and their attempts, in small steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

REMOVED_AT_ONCE = 1_000

# Held by the process that removes, so that only one does.
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('inbox webhook deliveries'))"
# Ids are given in the order of time, so the oldest deliveries of an account are the first in its primary key. Each
# account that ever had an endpoint has a position.
_REMOVE = """
WITH due AS (
    SELECT p.account_id FROM webhook_positions p
    WHERE (SELECT d.created_at FROM webhook_deliveries d WHERE d.account_id = p.account_id ORDER BY d.id LIMIT 1)
        < now() - make_interval(secs => $1)
    LIMIT 1
), old AS (
    SELECT d.account_id, d.id FROM due CROSS JOIN LATERAL (
        SELECT d.* FROM webhook_deliveries d WHERE d.account_id = due.account_id ORDER BY d.id LIMIT $2
    ) d
    WHERE d.created_at < now() - make_interval(secs => $1)
), attempts AS (
    DELETE FROM webhook_attempts a USING old WHERE a.account_id = old.account_id AND a.delivery_id = old.id
), removed AS (
    DELETE FROM webhook_deliveries d USING old WHERE d.account_id = old.account_id AND d.id = old.id RETURNING 1
)
SELECT count(*) FROM removed
"""


async def remove_old(connection: asyncpg.Connection[Any], seconds: float) -> int:
    """Remove at most `REMOVED_AT_ONCE` deliveries older than `seconds`, all of one account; return how many."""
    async with connection.transaction():
        if not await connection.fetchval(_LOCK):
            return 0
        removed: int = await connection.fetchval(_REMOVE, seconds, REMOVED_AT_ONCE)
        return removed
