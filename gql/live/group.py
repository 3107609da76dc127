"""Subscribers with the same document, variables, account and scopes. The document is executed once for all of them.

A group publishes in rounds. A round reads the changes from `position` to `target`, executes the document for them, and
publishes the same bytes to all members. A subscriber with an earlier cursor first gets the missed changes separately,
up to the `target` at the time of joining; events of the group in the meantime are held back for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import orjson

from db.changes import ChangeBatch, ResyncRequiredError
from db.failure import UnavailableError
from db.scope import Viewer
from gql.errors import Code, RequestError
from gql.execution.call import Call
from gql.execution.operation import EventResult
from gql.fields.change import FoundChanges, Selection, resync_required, show_page
from gql.live.charges import Charges
from gql.live.feed import FIRST_PAUSE, LONGEST_PAUSE, Feed
from gql.live.stream import Event, Stream
from gql.log import LIVE_STEPS, TASK_FAILURES

# The number of queues after which other tasks of the loop run.
_CHUNK = 100

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Document:
    """The operation of a group, with its variables, its viewer, and the selected changes."""

    call: Call
    viewer: Viewer
    selection: Selection
    execute: Callable[[Call, Viewer, FoundChanges], Awaitable[EventResult]]


@dataclass(frozen=True, slots=True)
class _Round:
    event: Event
    result: EventResult

    @property
    def is_failure(self) -> bool:
        """Whether the operation has no data, so that its subscribers do not get the changes."""
        return self.result.result.data is None


class Group:
    """The subscribers of one document in one account: `streams` are all, `_members` those that are up to date."""

    def __init__(self, feed: Feed, document: Document, charges: Charges, turn: asyncio.Semaphore) -> None:
        self.streams: set[Stream] = set()
        self._feed = feed
        self._document = document
        self._charges = charges
        self._turn = turn
        self._members: dict[Stream, None] = {}
        # Pages that are found for subscribers further back, by the numbers that they ask for.
        self._missed: dict[tuple[int, int | None], asyncio.Task[tuple[ChangeBatch, _Round | None]]] = {}
        self._target = feed.head
        self._woken = asyncio.Event()
        self._moved = asyncio.Event()

    def wake(self) -> None:
        """Begin a round: the feed's head has moved."""
        self._woken.set()

    def leave(self, stream: Stream) -> None:
        """Remove a subscriber."""
        self.streams.discard(stream)
        self._members.pop(stream, None)

    def end(self, error: RequestError) -> None:
        """End all subscriptions with an error."""
        for stream in list(self.streams):
            stream.fail("resync" if error.code is Code.RESYNC_REQUIRED else "failed", error)

    async def run(self) -> None:
        """Publish new changes of the feed, until cancelled or without subscribers."""
        position = self._target
        while self.streams:
            await self._woken.wait()
            self._woken.clear()
            while position < self._feed.head and self.streams:
                started = time.monotonic()
                try:
                    page = await self._page(position)
                    # No subscriber can join until the next `await`: these members get the round, later ones begin after
                    # it.
                    members = list(self._members)
                    self._move(page.end.number)
                    if page.changes and members:
                        await self._publish(members, await self._execute(page))
                except ResyncRequiredError:
                    self.end(RequestError.of(Code.RESYNC_REQUIRED, resync_required()))
                except RequestError as error:
                    self.end(error)
                except Exception as error:  # noqa: BLE001  # after any error, subscribers must not wait
                    self.end(RequestError.masking(error))
                self._feed.rest(time.monotonic() - started)
                position = self._target

    async def follow(self, stream: Stream, position: int) -> None:
        """Publish the changes that a subscriber missed since `position`, then make it a member."""
        try:
            has_more = True
            while has_more and not stream.is_ended:
                position, has_more = await self._publish_missed(stream, position, None)
            if stream.is_ended:
                return
            until = await self._join(stream, position)
            while position < until and not stream.is_ended:
                position, _ = await self._publish_missed(stream, position, until)
            stream.release()
        except ResyncRequiredError:
            stream.fail("resync", RequestError.of(Code.RESYNC_REQUIRED, resync_required()))
        except RequestError as error:
            stream.fail("failed", error)
        except Exception as error:  # noqa: BLE001  # the same
            stream.fail("failed", RequestError.masking(error))

    async def _join(self, stream: Stream, position: int) -> int:
        """Make a subscriber a member from the next round on; return where that begins, which is not before `position`.

        A subscriber that is ahead of the group waits for it, because otherwise it would get changes twice.
        """
        while self._target < position:
            self._feed.wake()
            self._moved.clear()
            await self._moved.wait()
        self._members[stream] = None
        return self._target

    async def _page(self, after: int, until: int | None = None) -> ChangeBatch:
        return await self._retrying(lambda: self._feed.page(after, self._document.selection, until))

    def _move(self, target: int) -> None:
        self._target = target
        self._moved.set()

    async def _publish_missed(self, stream: Stream, position: int, until: int | None) -> tuple[int, bool]:
        """Publish one page; return where it ended, and whether there is more."""
        page, round_ = await self._find_missed(position, until)
        if round_ is not None:
            await stream.put_missed(round_.event)
            self._settle([stream], round_)
        return page.end.number, page.has_more

    async def _find_missed(self, position: int, until: int | None) -> tuple[ChangeBatch, _Round | None]:
        """A page, and its execution if it has changes: once for all that ask for the same page at the same time.

        When a server has restarted, all of its clients do.
        """
        key = position, until
        running = self._missed.get(key)
        if running is not None:
            page, round_ = await asyncio.shield(running)
            # Its time is charged to the first of them.
            return page, round_ and _Round(round_.event, replace(round_.result, seconds=0.0))

        async def find() -> tuple[ChangeBatch, _Round | None]:
            page = await self._page(position, until)
            return page, await self._execute(page) if page.changes else None

        def forget(task: asyncio.Task[Any]) -> None:
            del self._missed[key]
            if not task.cancelled():
                # Retrieved here, as all that waited for it may have left.
                task.exception()

        running = self._missed[key] = asyncio.create_task(find())
        running.add_done_callback(forget)
        return await asyncio.shield(running)

    async def _publish(self, members: list[Stream], round_: _Round) -> None:
        for place, stream in enumerate(members, 1):
            stream.put(round_.event)
            if place % _CHUNK == 0:
                await asyncio.sleep(0)
        self._settle(members, round_)

    def _settle(self, streams: list[Stream], round_: _Round) -> None:
        """Charge an event; end the subscriptions that got no data."""
        LIVE_STEPS["publish"] += len(streams)
        self._charges.add(streams, round_.result)
        if round_.is_failure:
            for stream in streams:
                stream.end("failed")

    async def _execute(self, page: ChangeBatch) -> _Round:
        """Execute the document for a page; retries while the database is unavailable. Raises RequestError."""
        document = self._document
        found = show_page(document.viewer, page)

        async def attempt() -> EventResult:
            async with self._turn:
                return await document.execute(document.call, document.viewer, found)

        result = await self._retrying(attempt)
        LIVE_STEPS["execute"] += 1
        cursor = None if result.result.data is None else found.end_cursor
        return _Round(Event(orjson.dumps(result.result.payload), cursor), result)

    async def _retrying(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """The result of `attempt`, which is retried while the database is unavailable."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await attempt()
            except UnavailableError:
                pass
            except RequestError as error:
                if error.code is not Code.SERVICE_UNAVAILABLE:
                    raise
            TASK_FAILURES["events"] += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
