"""Removes old changes from the change log, a portion at a time, in one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from db import changes
from db.engine import Database
from gql.log import TASK_FAILURES

_log = structlog.stdlib.get_logger("inbox")

# Seconds until the first check for old rows, between two checks, and between two removals if there are more.
_FIRST = 60.0
_INTERVAL = 600.0
_PAUSE = 0.1


async def keep_removing(database: Database, days: int) -> None:
    """Remove changes that are older than `days`, periodically, until cancelled."""
    await repeat(partial(remove_once, database, days), "change retention", "old changes were not removed")


async def repeat(remove: Callable[[], Awaitable[int]], counter: str, failure: str) -> None:
    """Call `remove` periodically, and soon again if it removed something, until cancelled.

    A failure is counted as `counter`, logged as `failure`, and retried later.
    """
    pause = _FIRST
    while True:
        await asyncio.sleep(pause)
        pause = _INTERVAL
        try:
            if await remove():
                pause = _PAUSE
        except Exception as error:  # noqa: BLE001  # the next check may succeed
            TASK_FAILURES[counter] += 1
            _log.warning(failure, error=type(error).__name__)


async def remove_once(database: Database, days: int) -> int:
    """Remove one portion; return its number of changes."""
    async with database.maintenance() as connection:
        removed = await changes.remove_old(connection, days)
    if removed:
        _log.info("old changes were removed", changes=removed)
    return removed
