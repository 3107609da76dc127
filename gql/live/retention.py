"""Removes old changes from the change log, a portion at a time, in one process at a time."""

from __future__ import annotations

import asyncio

import structlog

from db import changes
from db.engine import Database
from gql.log import TASK_FAILURES

_log = structlog.stdlib.get_logger("inbox")

# Seconds until the first check for old changes, between two checks, and between two removals if there are more.
_FIRST = 60.0
_INTERVAL = 600.0
_PAUSE = 0.1


async def keep_removing(database: Database, days: int) -> None:
    """Remove changes that are older than `days`, periodically, until cancelled.

    A failure is logged and retried later.
    """
    pause = _FIRST
    while True:
        await asyncio.sleep(pause)
        pause = _INTERVAL
        try:
            if await remove_once(database, days):
                pause = _PAUSE
        except Exception as error:  # noqa: BLE001  # the next check may succeed
            TASK_FAILURES["change retention"] += 1
            _log.warning("old changes were not removed", error=type(error).__name__)


async def remove_once(database: Database, days: int) -> int:
    """Remove one portion; return its number of changes."""
    async with database.maintenance() as connection:
        removed = await changes.remove_old(connection, days)
    if removed:
        _log.info("old changes were removed", changes=removed)
    return removed
