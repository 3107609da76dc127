"""One thread for long computations, so that the event loop answers other requests meanwhile.

Compiling a statement of a new shape takes 10 ms, reading a long document 200. In the event loop, all other requests
would wait that long. The thread and the event loop take turns every `SWITCH_AFTER` seconds, so that a request of 3 ms
takes 6 and not 200. More threads would only take each other's turns: Python runs one at a time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from weakref import WeakValueDictionary

# Seconds that Python lets a thread run while another one waits. Its default, 5 ms, would delay each step of a request.
SWITCH_AFTER = 0.000_5

_T = TypeVar("_T")


class ComputingThread:
    """The thread, with one computation at a time. Of each actor at most one runs or waits for the thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "computing")
        self._turns: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def run(
        self,
        actor: Hashable,
        compute: Callable[[], _T],
        charge: Callable[[float], Awaitable[None]],
        check: Callable[[], Awaitable[object]] | None = None,
    ) -> _T:
        """The result of `compute`, or what it raises.

        `check` is called when it is the actor's turn, and may raise. `charge` gets the CPU time in seconds, also if
        `compute` raises. If the caller is cancelled, what has not begun is left out; what has begun cannot be
        interrupted, so this returns when it is done.
        """
        async with self._turns.setdefault(actor, asyncio.Lock()):
            if check is not None:
                await check()
            return await self._run(compute, charge)

    def stop(self) -> None:
        """Leave out what has not begun, and end the thread when it is done. It is started again when it is needed."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = ThreadPoolExecutor(1, "computing")

    async def _run(self, compute: Callable[[], _T], charge: Callable[[float], Awaitable[None]]) -> _T:
        seconds: list[float] = []

        def timed() -> _T:
            started = time.thread_time()
            try:
                return compute()
            finally:
                seconds.append(time.thread_time() - started)

        computing = self._thread.submit(timed)
        running = asyncio.wrap_future(computing)
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            if not computing.cancel():
                await asyncio.wait([running])
                # Retrieved here, as nobody else does.
                running.exception()
            raise
        finally:
            await charge(sum(seconds))
        try:
            return running.result()
        finally:
            # An exception refers to this frame, and must not be referred to by it: only Python's collector would free
            # them.
            del computing, running


def tune_threads() -> None:
    """Make the thread and the event loop take turns quickly. Costs nothing while only one of them is busy."""
    sys.setswitchinterval(SWITCH_AFTER)
