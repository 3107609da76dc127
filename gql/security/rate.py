"""How much each principal may ask for in a minute, counted in nodes: a budget that refills as time passes.

The budget slides: what was spent in the minute before counts less and less. It is kept in this process, or in Redis for
several processes together; where Redis fails, requests are let through, as an inbox that cannot be read is worse than
one that is read too often. What an operation costs is told by `gql.execution.measure`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar

import limits
import structlog
from limits import RateLimitItemPerMinute, aio, storage

from db.scope import Viewer
from gql.settings import ConfigurationError, Settings, variable

_MINUTE = 60.0
# Seconds for Redis to answer, and for it to be left alone after it did not.
_PATIENCE = 0.25
_PAUSE = 5.0

_Store: TypeAlias = storage.MemoryStorage | aio.storage.RedisStorage
_T = TypeVar("_T")

_log = structlog.stdlib.get_logger("inbox")


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left of a minute's nodes at one moment. Times are seconds; `now` is since the epoch."""

    limit: int
    now: float
    before: int = 0
    """What was spent in the minute before this one; where minutes begin is the store's matter."""
    spent: int = 0
    """What was spent in this minute."""
    left: float = _MINUTE
    """How long this minute lasts."""

    @property
    def remaining(self) -> int:
        """So many nodes may be asked for now."""
        return max(0, self.limit - math.floor(self.before * self.left / _MINUTE + self.spent))

    @property
    def reset_at(self) -> datetime:
        """When all of it is there again, if nothing is asked for."""
        return datetime.fromtimestamp(self.now + self.wait(self.limit), UTC)

    def wait(self, cost: int) -> float:
        """How long until so many nodes, at most all of them, can be asked for."""
        room = self.limit - cost
        if self.spent > room:
            # Only when this minute is the one before does what was spent in it count less.
            return self.left + _MINUTE * (1 - room / self.spent)
        if self.before == 0:
            return 0.0
        return max(0.0, self.left - _MINUTE * (room - self.spent) / self.before)

    def headers(self, cost: int) -> dict[str, str]:
        """For the answer to an operation of this cost that must wait."""
        return {
            "Retry-After": _whole(self.wait(cost)),
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": _whole(self.wait(self.limit)),
        }


class RateLimiter:
    """The budgets of all principals. Raises ConfigurationError where the store's client is not installed."""

    def __init__(self, settings: Settings) -> None:
        self._item = RateLimitItemPerMinute(settings.rate_limit)
        self._store: _Store = storage.MemoryStorage()
        self._asks_again = -math.inf
        if settings.rate_limit_url is not None:
            url = settings.rate_limit_url.get_secret_value()
            try:
                self._store = aio.storage.RedisStorage(f"async+{url}", implementation="redispy")
            except (limits.errors.ConfigurationError, ValueError):
                # What went wrong may quote the URL, which can have a password.
                message = "is no URL of Redis, or there is no Redis client: install inbox-graphql[redis]"
                raise ConfigurationError(f"{variable('rate_limit_url')} {message}") from None

    async def stop(self) -> None:
        """Disconnect from the store."""
        if isinstance(self._store, aio.storage.RedisStorage):
            await self._store.bridge.get_connection().aclose()  # type: ignore[attr-defined]  # of the Redis client

    async def charge(self, viewer: Viewer, cost: int) -> Budget | None:
        """Take `cost` nodes off the viewer's budget; the budget as it is where they are not there, so that nothing is.

        Every operation costs one at least, and none more than all of it: it could never run.
        """
        nodes = self.bounded(cost)
        taken = await self._ask(
            lambda store: store.acquire_sliding_window_entry(self._key(viewer), self._item.amount, int(_MINUTE), nodes),
            otherwise=True,
        )
        return None if taken else await self.budget(viewer)

    async def budget(self, viewer: Viewer) -> Budget:
        """What is left for the viewer; all of it where the store fails."""
        nothing = (0, 0.0, 0, 0.0)
        before, before_counts, spent, spent_counts = await self._ask(
            lambda store: store.get_sliding_window(self._key(viewer), int(_MINUTE)), nothing
        )
        # A minute counts for itself and for the one after it. The store knows nothing of one without spending.
        left = spent_counts - _MINUTE if spent else before_counts
        return Budget(self._item.amount, time.time(), before, spent, left)

    def bounded(self, cost: int) -> int:
        """What an operation of this cost is charged."""
        return min(max(1, cost), self._item.amount)

    def _key(self, viewer: Viewer) -> str:
        return self._item.key_for(str(viewer.account_id), viewer.actor_type, str(viewer.actor_id))

    async def _ask(self, question: Callable[[_Store], _T | Awaitable[_T]], otherwise: _T) -> _T:
        """What the store says, or `otherwise` where it does not say anything in time."""
        if time.monotonic() < self._asks_again:
            return otherwise
        try:
            answer = question(self._store)
            if not isinstance(answer, Awaitable):
                return answer
            async with asyncio.timeout(_PATIENCE):
                return await answer
        except Exception as error:  # noqa: BLE001  # a store can fail in every way, and all of them mean the same here
            self._asks_again = time.monotonic() + _PAUSE
            _log.warning("rate limits are not kept", error=type(error).__name__)
            return otherwise


def _whole(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))
