"""The events of one subscription, between the hub that publishes them and the transport that sends them.

For a transport that is slower than the events, there is a bounded queue, so that other subscribers never wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias

import orjson
import structlog

from db.scope import Viewer
from gql.errors import Code, RequestError
from gql.log import SUBSCRIPTIONS

# The limits of a subscriber's queue: events, and bytes unless it has a single event.
MAX_EVENTS = 256
MAX_BYTES = 1_048_576
# Reading of missed events continues when at most this many events, of at most MAX_BYTES, wait to be sent.
_FEW = 4

EndReason: TypeAlias = Literal["closed", "expired", "removed", "overflow", "resync", "rate", "failed", "stopped"]

_log = structlog.stdlib.get_logger("inbox")


@dataclass(frozen=True, slots=True)
class Event:
    """One execution result of a subscription, as JSON: `{"data": …}`, with `errors` where there are any.

    A transport sends `body` as it is: as the data of an SSE event `next`, or as the payload of a WebSocket message
    `next`. `cursor` is the position after the event, for clients that continue; None if the event has no data.
    """

    body: bytes
    cursor: str | None


class Stream:
    """The events of one subscription: an async iterator that ends when the subscription is complete.

    One task may iterate. Cancelling it while it waits loses no event. The opener of a stream calls `aclose()`, however
    the iteration ended; that unsubscribes and does nothing the second time.

    A stream ends by itself, after a last event with `errors` and null or no `data`, in these cases:

    | code | when | what the client does |
    |---|---|---|
    | `RESYNC_REQUIRED` with `extensions.cursor` | over 256 events or 1 MiB waited | subscribes again after it |
    | `RESYNC_REQUIRED` without it | the log has no continuation | reads its lists again |
    | `UNAUTHENTICATED` | the token expired, or its actor was removed | subscribes again with another token |
    | `RATE_LIMITED` with `extensions.retryAfter` | the budget of a minute is used up | waits and subscribes again |
    | others | the operation could not be executed | subscribes again with its last cursor |

    It also ends without such an event when the server stops; then `is_stopped` is set, and the transport closes so that
    clients reconnect.
    """

    def __init__(self, viewer: Viewer, cursor: str, leave: Callable[[Stream], None]) -> None:
        """`cursor` is the beginning of the stream. `leave` is called once, when the stream ends."""
        self.viewer = viewer
        self.cursor = cursor
        """The position after the events taken so far."""
        self.is_stopped = False
        self.send_now: Callable[[Event], bool] | None = None
        """Sends an event at once and returns True, or returns False. A transport can set it."""
        self.sent = 0
        """The number of events taken."""
        self._leave = leave
        self._queue: deque[Event] = deque()
        self._held: deque[Event] | None = deque()
        self._bytes = 0
        self._ended = False
        self._changed = asyncio.Event()
        # Whether the iterating task waits, and so has sent all events that it took.
        self._idle = False
        self._expiry: asyncio.TimerHandle | None = None
        self._started = time.monotonic()

    @property
    def is_ended(self) -> bool:
        """Whether no more events are accepted."""
        return self._ended

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            self._idle = True
            try:
                await self._changed.wait()
            finally:
                self._idle = False
        event = self._queue.popleft()
        self._bytes -= len(event.body)
        self._changed.set()
        self._count(event)
        return event

    async def aclose(self) -> None:
        """Unsubscribe. Events that were not taken are dropped."""
        self._queue.clear()
        self.end("closed")
        # Wakes the iterating task, which ends.
        await asyncio.sleep(0)

    def expire_at(self, moment: float) -> None:
        """End the stream with `UNAUTHENTICATED` at a time in seconds since the epoch."""
        delay = max(0.0, moment - time.time())
        self._expiry = asyncio.get_running_loop().call_later(delay, self._expire)

    def put(self, event: Event) -> None:
        """Publish an event of the group. Until `release()`, it is held back.

        If nothing waits to be sent, the transport sends it now: an event over a WebSocket takes 15 µs of CPU, and 24 µs
        if the subscriber's task is woken to send it.
        """
        if self._ended:
            return
        if self._idle and not self._queue and self._held is None and self.send_now is not None and self.send_now(event):
            self._count(event)
            return
        waiting = len(self._queue) + len(self._held or ())
        if waiting >= MAX_EVENTS or (waiting and self._bytes + len(event.body) > MAX_BYTES):
            self._overflow()
            return
        self._bytes += len(event.body)
        (self._queue if self._held is None else self._held).append(event)
        self._changed.set()

    async def put_missed(self, event: Event) -> None:
        """Publish an event with missed changes, before all that are held back, when the queue has room."""
        while (len(self._queue) > _FEW or (self._queue and self._bytes > MAX_BYTES)) and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._ended:
            self._queue.append(event)
            self._bytes += len(event.body)
            self._changed.set()

    def release(self) -> None:
        """Publish the events that were held back, and from now on each event at once."""
        if self._held is not None:
            self._queue += self._held
            self._held = None
            self._changed.set()

    def fail(self, reason: EndReason, error: RequestError | dict[str, Any]) -> None:
        """Publish a last event with the error, and end."""
        errors = error.errors if isinstance(error, RequestError) else [error]
        if not self._ended:
            cursor = self._queue[-1].cursor if self._queue else self.cursor
            self._queue.append(Event(orjson.dumps({"errors": errors}), cursor))
            self.end(reason)

    def stop(self) -> None:
        """End because the server stops."""
        self.is_stopped = True
        self.end("stopped")

    def end(self, reason: EndReason) -> None:
        """Accept no more events. Queued ones can still be taken."""
        if self._ended:
            return
        self._ended = True
        self._held = None
        if self._expiry is not None:
            self._expiry.cancel()
        self._changed.set()
        self._leave(self)
        SUBSCRIPTIONS[reason] += 1
        _log.info(
            "subscription ended",
            reason=reason,
            events=self.sent,
            seconds=round(time.monotonic() - self._started, 1),
            account=self.viewer.account_id,
        )

    def _count(self, event: Event) -> None:
        """Move the cursor, because the transport has taken the event."""
        self.sent += 1
        if event.cursor is not None:
            self.cursor = event.cursor

    def _expire(self) -> None:
        message = "The token has expired: subscribe again with a new one"
        self.fail("expired", {"message": message, "extensions": {"code": Code.UNAUTHENTICATED}})

    def _overflow(self) -> None:
        """Drop the queue. The client can read the dropped events from the log, after its last cursor."""
        self._queue.clear()
        self._bytes = 0
        message = "Events were not read fast enough: subscribe again after the cursor"
        extensions = {"code": Code.RESYNC_REQUIRED, "cursor": self.cursor}
        self.fail("overflow", {"message": message, "extensions": extensions})
