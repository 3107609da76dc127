"""Limits the operations that run at once in a process: a limited number of others wait, and the rest are rejected."""

from __future__ import annotations

import asyncio
from types import TracebackType

from gql.errors import Code, RequestError


class Admission:
    """Entered around each operation, `async with admission`. Raises RequestError if too many are waiting."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._places = at_once + waiting
        self._inside = 0

    async def __aenter__(self) -> None:
        if self._inside >= self._places:
            raise RequestError.of(Code.SERVICE_UNAVAILABLE, "Too many operations are waiting: try again", strict=True)
        self._inside += 1
        try:
            await self._turn.acquire()
        except BaseException:
            self._inside -= 1
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside -= 1
        self._turn.release()
