"""Reads long documents that are new in a thread, so that other requests are answered meanwhile.

To parse, measure and validate the longest documents takes 50 to 200 ms. In the event loop, all other requests would
wait that long. The thread takes turns with the event loop every `SWITCH_AFTER` seconds, so that a request of 3 ms takes
6 and not 200. Short documents are read in the event loop.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakValueDictionary

from db.scope import Viewer
from gql.execution.document import Reading
from gql.execution.persisted import PersistedDocuments, Reference

# Characters from which a document is long. Most of those of applications are shorter, and take a few milliseconds; one
# of 3,000, with fragments, took 110 ms.
LONG = 1_000
# Seconds that Python lets a thread run while another one waits. Its default, 5 ms, would delay each step of a request.
SWITCH_AFTER = 0.000_5


class AsideReader:
    """The thread, one document at a time. Of each actor at most one is being read or waits for the thread."""

    def __init__(self, documents: PersistedDocuments) -> None:
        self._documents = documents
        self._thread = ThreadPoolExecutor(1, "documents")
        self._turns: WeakValueDictionary[Any, asyncio.Lock] = WeakValueDictionary()

    def find(self, reference: Reference) -> str | None:
        """The document's text, if it is a long one that was not read yet."""
        text = reference.text
        if text is not None and len(text) < LONG:
            # As nearly always: looking for it takes longer.
            return None
        text = self._documents.find_new(reference)
        return None if text is None or len(text) < LONG else text

    async def read(
        self,
        text: str,
        viewer: Viewer,
        check: Callable[[], Awaitable[None]],
        charge: Callable[[float], Awaitable[None]],
    ) -> None:
        """Read a document that `find` returned, so that it is known afterwards.

        `check` is called when it is the actor's turn, and may raise. `charge` gets the CPU time, even if the request
        was cancelled meanwhile.
        """
        turn = self._turns.setdefault(viewer.key, asyncio.Lock())
        await turn.acquire()
        try:
            await check()
        except BaseException:
            turn.release()
            raise
        # A thread cannot be cancelled.
        await asyncio.shield(asyncio.create_task(self._read(text, turn, charge)))

    async def _read(self, text: str, turn: asyncio.Lock, charge: Callable[[float], Awaitable[None]]) -> None:
        try:
            reading, seconds = await asyncio.get_running_loop().run_in_executor(self._thread, self._read_timed, text)
            self._documents.keep(text, reading)
            await charge(seconds)
        finally:
            turn.release()

    def _read_timed(self, text: str) -> tuple[Reading, float]:
        started = time.thread_time()
        reading = self._documents.read(text)
        return reading, time.thread_time() - started


def tune_threads() -> None:
    """Make the thread and the event loop take turns quickly. Costs nothing while only one of them is busy."""
    sys.setswitchinterval(SWITCH_AFTER)
