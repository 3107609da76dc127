"""Rate limits: the nodes and the seconds that each principal can use per minute.

Both limits are sliding windows: the weight of the previous minute's usage falls during the present one. Nodes are
charged before an operation runs, and those that it did not return are refunded. Time is that of statements in the
database, and `CPU_WEIGHT` times that of reading documents and long bodies, and of compiling statements, in this
process; it is charged afterwards, when it is known. Counts are kept in this process, or in Redis for several processes.
If Redis fails, requests are let through and a warning is logged.
`gql.execution.measure` computes the cost of an operation.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import NamedTuple

import limits

from db.scope import Viewer
from gql.security.counting import WINDOW, Counts, LocalCounter, RedisCounter
from gql.settings import ConfigurationError, Settings, variable

# The seconds of database time that are charged for one second of this process's CPU: the process serves all clients on
# one core, while each actor has a quarter of the database connections.
CPU_WEIGHT = 5
# The part of the time of a minute after which a principal gets one connection at a time. Otherwise it would use all of
# its time at once, on several cores, and others would wait for one. A request a second uses about a hundredth.
_HEAVY = 0.1
_MICROSECONDS = 1_000_000


class Budget(NamedTuple):
    """The usage of a principal at one moment. Times are in seconds; `now` is since the epoch."""

    limit: int
    now: float
    used: Counts

    @property
    def remaining(self) -> int:
        """The nodes that can be used now."""
        return max(0, self.limit - self.used.weighted)

    @property
    def reset_at(self) -> datetime:
        """The time when the whole limit is available again, without further usage."""
        return datetime.fromtimestamp(self.now + self.wait(self.limit), UTC)

    def wait(self, cost: int) -> float:
        """The time until `cost`, at most the limit, can be used."""
        before, spent, left = self.used
        room = self.limit - cost
        if spent > room:
            # The weight of this minute's usage only falls once this minute is the previous one.
            return left + WINDOW * (1 - room / spent)
        if before == 0:
            return 0.0
        return max(0.0, left - WINDOW * (room - spent) / before)

    def retry_after(self, cost: int) -> int:
        """The whole seconds, at least 1, that an operation of this cost must wait."""
        return max(1, math.ceil(self.wait(cost)))


class TimeUsed(NamedTuple):
    """The usage of a principal's time."""

    wait: int
    """The whole seconds that it must wait because its time is used up; 0 if it is not."""
    is_heavy: bool
    """Whether it has used so much that it gets only one connection at a time."""


_LITTLE = TimeUsed(0, is_heavy=False)


class RateLimiter:
    """The budgets of all principals. Raises ConfigurationError if the client of Redis is not installed."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.rate_limit
        self._time_limit = round(settings.rate_seconds * _MICROSECONDS)
        self._heavy = _HEAVY * self._time_limit
        self._counter: LocalCounter | RedisCounter = LocalCounter()
        if settings.rate_limit_url is not None:
            try:
                self._counter = RedisCounter(settings.rate_limit_url.get_secret_value())
            except (limits.errors.ConfigurationError, ValueError):
                # The error may quote the URL, which may contain a password.
                message = "is not a URL of Redis, or there is no Redis client: install inbox-graphql[redis]"
                raise ConfigurationError(f"{variable('rate_limit_url')} {message}") from None

    async def stop(self) -> None:
        """Disconnect from Redis."""
        if isinstance(self._counter, RedisCounter):
            await self._counter.stop()

    async def time(self, viewer: Viewer) -> TimeUsed:
        """How much of its time the viewer has used."""
        if not self._time_limit:
            return _LITTLE
        used = await self._counter.sum(_time(viewer))
        if used <= self._heavy:
            return _LITTLE
        if used < self._time_limit:
            return TimeUsed(0, is_heavy=True)
        wait = Budget(self._time_limit, 0.0, await self._counter.read(_time(viewer))).retry_after(1)
        return TimeUsed(wait, is_heavy=True)

    async def charge(self, viewer: Viewer, cost: int) -> Budget | None:
        """Take `cost` nodes, within `bounded`, from the viewer's budget and return None.

        If they are not available, take nothing and return the budget.
        """
        nodes = self.bounded(cost)
        if await self._counter.take(viewer.key, nodes, self._limit):
            return None
        return await self.budget(viewer)

    async def refund(self, viewer: Viewer, nodes: int) -> None:
        """Refund nodes that were charged and not returned. Only charges of this minute are refunded."""
        if nodes > 0:
            await self._counter.add(viewer.key, -nodes)

    async def spend(self, viewer: Viewer, seconds: float) -> None:
        """Charge the time used."""
        if self._time_limit and seconds > 0:
            await self._counter.add(_time(viewer), math.ceil(seconds * _MICROSECONDS))

    async def budget(self, viewer: Viewer) -> Budget:
        """The viewer's nodes; all of them if Redis fails."""
        return Budget(self._limit, time.time(), await self._counter.read(viewer.key))

    def bounded(self, cost: int) -> int:
        """The charge of an operation: at least 1, and at most the limit, so that an expensive one can still run."""
        return min(max(1, cost), self._limit)


def _time(viewer: Viewer) -> str:
    """The key of a viewer's time; that of its nodes is the viewer's own."""
    return f"{viewer.key}/time"
