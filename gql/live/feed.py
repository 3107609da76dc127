"""The newest changes of one account, read once for all of its subscribers.

`head` is the number up to which the log was read. The rows of the last changes are cached for groups and new
subscribers; older ones are read from the log.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Any

import structlog

from db import changes
from db.changes import ChangeBatch, ChangePosition
from db.engine import Database, Snapshot
from db.failure import UnavailableError
from db.scope import Viewer
from db.tables import CreatorType
from gql.fields.change import PAGE_SIZE, Selection
from gql.log import LIVE_STEPS, TASK_FAILURES, describe

# The most cached rows, and the most rows of one statement.
_KEPT = 1_000
_READ_AT_ONCE = 2_000
# The time limit of reading in seconds.
_READ_WITHIN = 10.0
# Seconds between two attempts while the database is away.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
# Seconds that a feed rests at most after a round of publishing.
LONGEST_REST = 0.1

_log = structlog.stdlib.get_logger("inbox")
_number = attrgetter("number")


def anonymous(account_id: int, scopes: frozenset[str] = frozenset()) -> Viewer:
    """A viewer of the account without an actor, for executions that several actors share."""
    return Viewer(account_id, CreatorType.USER, 0, scopes)


class Feed:
    """The log of an account from `position` on.

    `advanced` is called after `head` moved, `lost` if the log cannot be continued.
    """

    def __init__(
        self,
        database: Database,
        account_id: int,
        position: ChangePosition,
        advanced: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self.epoch = position.epoch
        self.head = position.number
        self._database = database
        self._viewer = anonymous(account_id)
        self._advanced = advanced
        self._lost = lost
        # The rows after `_base`, up to `head`.
        self._base = position.number
        self._rows: list[Any] = []
        self._woken = asyncio.Event()
        self._rests_until = 0.0

    def wake(self) -> None:
        """Make the feed read the log, because there may be new changes."""
        self._woken.set()

    def rest(self, seconds: float) -> None:
        """Do not read the log for as long as a round of publishing took, or for LONGEST_REST.

        So publishing takes at most half of the time, until rounds take longer than LONGEST_REST: the more subscribers
        there are and the busier the process is, the more changes are collected for one event.
        """
        rests_until = asyncio.get_running_loop().time() + min(seconds, LONGEST_REST)
        self._rests_until = max(self._rests_until, rests_until)

    def compare(self, position: ChangePosition) -> None:
        """Make the feed read the log if it does not end at `head`."""
        if position != ChangePosition(self.epoch, self.head):
            self.wake()

    async def run(self) -> None:
        """Read the log after each `wake`, until cancelled or until the log cannot be continued."""
        pause = FIRST_PAUSE
        while True:
            await self._woken.wait()
            await asyncio.sleep(max(0.0, self._rests_until - asyncio.get_running_loop().time()))
            self._woken.clear()
            try:
                await self._read()
                pause = FIRST_PAUSE
            except changes.ResyncRequiredError:
                self._lost()
                return
            except Exception as error:  # noqa: BLE001  # the log and the position stay, so it is retried
                TASK_FAILURES["changes"] += 1
                if not isinstance(error, UnavailableError):
                    _log.error("changes were not read", exception=describe(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                self._woken.set()

    async def page(self, after: int, selection: Selection, until: int | None = None) -> ChangeBatch:
        """The changes of a selection after a number, up to another. Raises `ResyncRequiredError`."""
        if after < self._base:
            return await self._read_page(after, selection, until)
        end = max(after, self.head if until is None else until)
        rows = self._rows[bisect_right(self._rows, after, key=_number) :]
        if until is not None:
            rows = rows[: bisect_right(rows, until, key=_number)]
        if selection.conversation_id is not None:
            rows = [row for row in rows if row.conversation_id == selection.conversation_id]
        position = ChangePosition(self.epoch, end)
        return changes.pick(rows, position, PAGE_SIZE, types=selection.types, has_more=False)

    async def _read_page(self, after: int, selection: Selection, until: int | None) -> ChangeBatch:
        async with self._snapshot() as snapshot:
            return await changes.read(
                snapshot,
                self._viewer,
                ChangePosition(self.epoch, after),
                PAGE_SIZE,
                types=selection.types,
                conversation_id=selection.conversation_id,
                until=until,
            )

    async def _read(self) -> None:
        has_more = True
        while has_more:
            LIVE_STEPS["read"] += 1
            position = ChangePosition(self.epoch, self.head)
            async with self._snapshot() as snapshot:
                batch = await changes.read_rows(snapshot, self._viewer, position, _READ_AT_ONCE)
            has_more = batch.has_more
            self._keep(batch)

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Snapshot]:
        """A snapshot of the account. Raises `UnavailableError` if the block takes too long."""
        snapshot = self._database.snapshot_for(self._viewer)
        try:
            async with asyncio.timeout(_READ_WITHIN):
                yield snapshot
        except TimeoutError as error:
            raise UnavailableError from error
        finally:
            await snapshot.close()

    def _keep(self, batch: ChangeBatch) -> None:
        """Move the head. Rows that are probably no longer needed are dropped."""
        if batch.end.number == self.head:
            return
        self._rows += batch.changes
        self.head = batch.end.number
        surplus = len(self._rows) - _KEPT
        if surplus > 0:
            self._base = self._rows[surplus - 1].number
            del self._rows[:surplus]
        self._advanced()
