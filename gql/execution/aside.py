"""Long computations of requests, in the thread of `db.thread`: other requests are answered meanwhile.

| what | when |
|---|---|
| a body is parsed, its variables are checked and converted | it has `LONG_BODY` bytes |
| a document is parsed, measured and validated, and its operation is planned | it has `LONG` characters, and is new |
| introspection is executed | its result is not cached |

Anything shorter takes less than a few milliseconds, and is done in the event loop. Each actor has one computation at a
time. Their CPU time is charged, and an actor without remaining time is rejected before the next one begins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from db.scope import Viewer
from db.thread import ComputingThread

# Characters from which a document is long. Most of those of applications are shorter, and take a few milliseconds; one
# of 3,000, with fragments, took 110 ms.
LONG = 1_000
# Bytes from which a body is long. To parse one takes up to 1 ms for each 16 KiB.
LONG_BODY = 16_384

_T = TypeVar("_T")


class Aside:
    """The thread, for the requests of actors."""

    def __init__(
        self,
        thread: ComputingThread,
        reject_late: Callable[[Viewer], Awaitable[object]],
        charge: Callable[[Viewer, float], Awaitable[None]],
    ) -> None:
        """`reject_late` raises RequestError for an actor who has used its time, and `charge` charges CPU seconds."""
        self._thread = thread
        self._reject_late = reject_late
        self._charge = charge

    async def run(self, viewer: Viewer, compute: Callable[[], _T]) -> _T:
        """The result of `compute`, or what it raises; RequestError for an actor who has used its time."""
        return await self._thread.run(
            viewer.key, compute, partial(self._charge, viewer), partial(self._reject_late, viewer)
        )
