"""The hub of a process: the followed accounts, and the detection of their changes.

An account's feed is woken by a commit of this process, by a notification from another one, and by a comparison of the
counters each second. The comparison would be sufficient; the others only make it faster. Needless or repeated wake-ups
do no harm, because the feed reads the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field

import structlog

from db import changes
from db.changes import ChangePosition
from db.engine import Database
from db.failure import UnavailableError
from db.listen import Signals
from db.scope import Viewer
from gql.errors import ANSWERS, Code, RequestError
from gql.fields.change import resync_required
from gql.live.charges import Charges
from gql.live.feed import Feed
from gql.live.group import Document, Group
from gql.live.stream import Stream
from gql.log import SUBSCRIPTIONS, TASK_FAILURES, describe
from gql.security.auth import CACHE_SECONDS
from gql.security.rate import RateLimiter

# Seconds between two comparisons of the counters, and between two charges.
_INTERVAL = 1.0
# Seconds that a look may take.
_COMPARED_WITHIN = 5.0
# Seconds between two checks that the actors of open subscriptions exist: as for requests.
_ACTORS_INTERVAL = CACHE_SECONDS
# Streams that end at a time when the server stops, and seconds between two times.
_BATCH = 100
_BETWEEN_BATCHES = 0.05

_log = structlog.stdlib.get_logger("inbox")


@dataclass(slots=True)
class _Account:
    """The feed and groups of an account. Tasks are referenced here, because the loop does not keep them alive."""

    feed: Feed
    reading: asyncio.Task[None]
    groups: dict[Hashable, tuple[Group, asyncio.Task[None]]] = field(default_factory=dict)


class Hub:
    """One per process and event loop: `start()` it before the first subscription, and `stop()` it at the end."""

    def __init__(
        self,
        database: Database,
        rates: RateLimiter | None,
        listen_dsn: str | None,
        at_once: int,
        exists: Callable[[Viewer], Awaitable[bool]],
    ) -> None:
        """Without `listen_dsn`, changes of other processes are noticed within a second.

        Documents are executed for events `at_once` at a time, so that queries keep connections of the pool. `exists`
        returns whether an actor exists, as for an `Authenticator`.
        """
        self._database = database
        self._exists = exists
        self._charges = Charges(rates)
        self._signals = Signals(listen_dsn, self.wake, self._count_failure)
        self._turn = asyncio.Semaphore(at_once)
        self._accounts: dict[int, _Account] = {}
        self._streams: dict[Stream, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Follow commits of this process, and compare counters while there are subscribers."""
        self._database.committed = self._signals.mark
        self._tasks = [
            asyncio.create_task(self._repeat("change counters", self._compare, _INTERVAL)),
            asyncio.create_task(self._repeat("event charges", self._charge, _INTERVAL)),
            asyncio.create_task(self._repeat("actors of subscriptions", self._check_actors, _ACTORS_INTERVAL)),
            asyncio.create_task(self._signals.run()),
        ]

    async def stop(self) -> None:
        """End all subscriptions, some at a time, and everything else."""
        for place, stream in enumerate(list(self._streams), 1):
            stream.stop()
            if place % _BATCH == 0:
                await asyncio.sleep(_BETWEEN_BATCHES)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def wake(self, account_id: int) -> None:
        """Wake the feed of an account, if it is followed here."""
        if account := self._accounts.get(account_id):
            account.feed.wake()

    def subscribe(self, stream: Stream, key: Hashable, document: Document, head: ChangePosition, after: int) -> None:
        """Publish the document's results for the changes after a number to `stream`, until it ends.

        `head` is a recent end of the log. Subscribers of one account and `key` share executions.
        """
        account_id = stream.viewer.account_id
        account = self._accounts.get(account_id)
        if account is not None and account.feed.epoch != head.epoch:
            self._lose(account_id)
            account = None
        if account is None:
            account = self._accounts[account_id] = self._open(account_id, head)
        if key not in account.groups:
            group = Group(account.feed, document, self._charges, self._turn)
            account.groups[key] = group, asyncio.create_task(group.run())
        group, _ = account.groups[key]
        group.streams.add(stream)
        SUBSCRIPTIONS["started"] += 1
        self._signals.need()
        self._streams[stream] = asyncio.create_task(group.follow(stream, after))

    def leave(self, stream: Stream, key: Hashable) -> None:
        """Remove a subscriber, and the feed and group that only it used."""
        if (following := self._streams.pop(stream, None)) is None:
            return
        if following is not asyncio.current_task():
            following.cancel()
        account = self._accounts.get(stream.viewer.account_id)
        if account is None or key not in account.groups:
            return
        group, publishing = account.groups[key]
        group.leave(stream)
        if group.streams:
            return
        del account.groups[key]
        _cancel(publishing)
        if not account.groups:
            del self._accounts[stream.viewer.account_id]
            _cancel(account.reading)

    def _open(self, account_id: int, head: ChangePosition) -> _Account:
        feed = Feed(
            self._database,
            account_id,
            head,
            advanced=lambda: self._wake_groups(account_id),
            lost=lambda: self._lose(account_id),
        )
        return _Account(feed, asyncio.create_task(feed.run()))

    def _wake_groups(self, account_id: int) -> None:
        if account := self._accounts.get(account_id):
            for group, _ in account.groups.values():
                group.wake()

    def _lose(self, account_id: int) -> None:
        """End the subscriptions of an account whose log has no continuation."""
        if account := self._accounts.get(account_id):
            for group, _ in list(account.groups.values()):
                group.end(RequestError.of(Code.RESYNC_REQUIRED, resync_required()))

    async def _repeat(self, task: str, work: Callable[[], Awaitable[None]], interval: float) -> None:
        """Run `work` after each `interval` in seconds. A failure is counted under the name of the task."""
        while True:
            await asyncio.sleep(interval)
            try:
                await work()
            except Exception as error:  # noqa: BLE001  # the next time may succeed
                TASK_FAILURES[task] += 1
                if not isinstance(error, UnavailableError | TimeoutError):
                    _log.error("a task of subscriptions failed", task=task, exception=describe(error))

    async def _compare(self) -> None:
        """Compare the counters of all accounts that are followed with what was read of their logs."""
        if not self._accounts:
            return
        snapshot = self._database.control_snapshot()
        try:
            async with asyncio.timeout(_COMPARED_WITHIN):
                heads = await changes.heads(snapshot, list(self._accounts))
        finally:
            await snapshot.close()
        for account_id, position in heads.items():
            if account := self._accounts.get(account_id):
                account.feed.compare(position)

    async def _check_actors(self) -> None:
        """End the subscriptions of users and applications that were removed."""
        for viewer in {stream.viewer.key: stream.viewer for stream in self._streams}.values():
            if not await self._exists(viewer):
                for stream in [stream for stream in self._streams if stream.viewer.key == viewer.key]:
                    stream.fail("removed", RequestError.of(Code.UNAUTHENTICATED))

    async def _charge(self) -> None:
        """Charge the events of the last second, and end the subscriptions of those whose budget is used up."""
        self._end_broke(await self._charges.collect())

    def _end_broke(self, broke: dict[str, int]) -> None:
        for stream in [stream for stream in self._streams if broke and stream.viewer.key in broke]:
            extensions = {"code": Code.RATE_LIMITED, "retryAfter": broke[stream.viewer.key]}
            stream.fail("rate", {"message": ANSWERS[Code.RATE_LIMITED].message, "extensions": extensions})

    def _count_failure(self, error: Exception) -> None:
        TASK_FAILURES["listening"] += 1
        _log.warning("changes are not listened to", error=type(error).__name__)


def _cancel(task: asyncio.Task[None]) -> None:
    """End a task, unless it is the one that runs, which ends by itself."""
    if task is not asyncio.current_task():
        task.cancel()
