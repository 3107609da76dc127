"""Removes old deliveries, a portion at a time, in one process at a time."""

from __future__ import annotations

from functools import partial

import structlog

from db.engine import Database
from db.queries.webhook.retention import remove_old
from gql.live.retention import repeat
from gql.webhooks.schedule import DAY

_log = structlog.stdlib.get_logger("inbox")


async def keep_removing(database: Database, days: int) -> None:
    """Remove deliveries that are older than `days`, periodically, until cancelled."""
    await repeat(partial(_remove_once, database, days), "webhook retention", "old webhook deliveries were not removed")


async def _remove_once(database: Database, days: int) -> int:
    async with database.maintenance() as connection:
        removed = await remove_old(connection, days * DAY)
    if removed:
        _log.info("old webhook deliveries were removed", deliveries=removed)
    return removed
