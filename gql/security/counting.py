"""Counts the usage of principals: in this process, or in a Redis that several processes share.

A window is a minute. Each count belongs to a key and to the window in which it was added; a reader gets the counts of
the present window and of the one before it. Amounts are integers; a negative amount gives back.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine
from typing import Any, NamedTuple, TypeVar

import limits
import structlog
from limits import aio

WINDOW = 60.0
# Keys per window: 100,000 take 20 MB. Beyond that, the oldest key of the window is forgotten.
MAX_KEYS = 100_000
# Redis adds only up to a limit. This one is never reached, and a Lua number represents it exactly.
_NO_LIMIT = 2**53
# Seconds within which Redis must answer, and seconds without requests to it after a failure.
_PATIENCE = 0.25
_PAUSE = 5.0

_T = TypeVar("_T")

_log = structlog.stdlib.get_logger("inbox")


class Counts(NamedTuple):
    """The counts of one key."""

    before: int
    """The count of the previous window."""
    spent: int
    """The count of this window."""
    left: float
    """Seconds until this window ends."""

    @property
    def weighted(self) -> int:
        """The current sum: the weight of the previous window falls as this one passes."""
        return _weigh(self.before, self.spent, self.left)


def _weigh(before: int, spent: int, left: float) -> int:
    return int(before * left / WINDOW) + spent


class LocalCounter:
    """Counts in this process; windows begin with the minutes of the clock.

    An operation takes 0.5 µs for any number of keys: when a minute begins, all counts are dropped at once. Each request
    makes several, so they do without a `Counts` where that is not returned, which takes as long again.
    """

    def __init__(self) -> None:
        self._begins = self._ends = 0.0
        self._spent: dict[str, int] = {}
        self._before: dict[str, int] = {}

    async def read(self, key: str) -> Counts:
        """The counts of `key`."""
        return Counts(*self._read(key))

    async def sum(self, key: str) -> int:
        """The current sum of `key`."""
        return _weigh(*self._read(key))

    def _read(self, key: str) -> tuple[int, int, float]:
        now = time.time()
        if not self._begins <= now < self._ends:
            self._begin(now)
        return self._before.get(key, 0), self._spent.get(key, 0), self._ends - now

    async def take(self, key: str, amount: int, limit: int) -> bool:
        """Add `amount`, unless the sum would exceed `limit`."""
        before, spent, left = self._read(key)
        if _weigh(before, spent, left) + amount > limit:
            return False
        self._store(key, spent + amount)
        return True

    async def add(self, key: str, amount: int) -> None:
        """Add `amount` without a limit. A negative amount lowers this window's count to 0 at most."""
        _, spent, _ = self._read(key)
        self._store(key, max(0, spent + amount))

    def _store(self, key: str, spent: int) -> None:
        self._spent[key] = spent
        if len(self._spent) > MAX_KEYS:
            del self._spent[next(iter(self._spent))]

    def _begin(self, now: float) -> None:
        """Begin the window of that moment."""
        begins = now - now % WINDOW
        self._before = self._spent if begins == self._ends else {}
        self._spent = {}
        self._begins, self._ends = begins, begins + WINDOW


class RedisCounter:
    """Counts in Redis; a key's windows begin with the first amount.

    If Redis fails or does not answer in time, nothing is counted for a while, and a warning is logged.
    """

    def __init__(self, url: str) -> None:
        """Raise ValueError for a URL of another scheme, limits.errors.ConfigurationError without a Redis client."""
        self._storage = aio.storage.RedisStorage(f"async+{url}", implementation="redispy")
        self._asks_again = -math.inf

    async def read(self, key: str) -> Counts:
        """The counts of `key`."""
        asked = self._storage.get_sliding_window(_text(key), int(WINDOW))
        before, before_counts, spent, spent_counts = await self._answer(asked, (0, 0.0, 0, 0.0))
        # A window's counts are kept for two windows. Redis returns no time for a window without counts.
        return Counts(before, spent, spent_counts - WINDOW if spent else before_counts)

    async def sum(self, key: str) -> int:
        """The current sum of `key`."""
        return (await self.read(key)).weighted

    async def take(self, key: str, amount: int, limit: int) -> bool:
        """Add `amount`, unless the sum would exceed `limit`."""
        asked = self._storage.acquire_sliding_window_entry(_text(key), limit, int(WINDOW), amount)
        return await self._answer(asked, otherwise=True)

    async def add(self, key: str, amount: int) -> None:
        """Add `amount` without a limit."""
        await self.take(key, amount, _NO_LIMIT)

    async def _answer(self, asked: Coroutine[Any, Any, _T], otherwise: _T) -> _T:
        """The answer of Redis, or `otherwise` without an answer in time."""
        if time.monotonic() < self._asks_again:
            asked.close()
            return otherwise
        try:
            async with asyncio.timeout(_PATIENCE):
                return await asked
        except Exception as error:  # noqa: BLE001  # any failure of Redis has the same effect
            self._asks_again = time.monotonic() + _PAUSE
            _log.warning("rate limits are not kept", error=type(error).__name__)
            return otherwise

    async def stop(self) -> None:
        """Disconnect."""
        await self._storage.bridge.get_connection().aclose()  # type: ignore[attr-defined]  # the Redis client has it


def _text(key: str) -> str:
    return str(limits.RateLimitItemPerMinute(1).key_for(key))
