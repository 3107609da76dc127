"""The time limit of an operation."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadline:
    """Cancels the block at a moment of the loop's clock, and then raises TimeoutError, as `asyncio.timeout_at` does.

    That one takes two coroutines and a state machine: 2 µs more, 3 % of the time of `{ __typename }`.
    """

    __slots__ = ("_before", "_is_over", "_task", "_timer", "_when")

    def __init__(self, when: float | None) -> None:
        """`None` is no limit."""
        self._when = when
        self._is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # operations run in tasks
        self._task, self._before = task, task.cancelling()
        self._timer = None if self._when is None else task.get_loop().call_at(self._when, self._end)

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # If the task was also cancelled for another reason, it must end instead.
        if self._is_over and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error
