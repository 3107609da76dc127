"""Removes old deliveries, a portion at a time, in one process at a time."""

from __future__ import annotations

import asyncio

import structlog

from db.engine import Database
from db.queries.webhook.retention import remove_old
from gql.log import TASK_FAILURES
from gql.webhooks.schedule import DAY

_log = structlog.stdlib.get_logger("inbox")

# Seconds until the first check, between two checks, and between two removals if there are more.
_FIRST = 60.0
_INTERVAL = 600.0
_PAUSE = 0.1


async def keep_removing(database: Database, days: int) -> None:
    """Remove deliveries that are older than `days`, periodically, until cancelled.

    A failure is logged and retried later.
    """
    pause = _FIRST
    while True:
        await asyncio.sleep(pause)
        pause = _INTERVAL
        try:
            async with database.maintenance() as connection:
                removed = await remove_old(connection, days * DAY)
        except Exception as error:  # noqa: BLE001  # the next check may succeed
            TASK_FAILURES["webhook retention"] += 1
            _log.warning("old webhook deliveries were not removed", error=type(error).__name__)
        else:
            if removed:
                pause = _PAUSE
                _log.info("old webhook deliveries were removed", deliveries=removed)
