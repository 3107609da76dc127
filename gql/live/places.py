"""Limits the open WebSockets and event streams of a process, in total and of each user or application."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from db.scope import Viewer
from gql.errors import Code, RequestError
from gql.settings import Settings


class Places:
    """The places of one process. A transport takes one for each connection that stays open."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.max_sockets
        self._most_of_actor = settings.max_sockets_per_principal
        self.taken = 0
        self._by_actor: Counter[str] = Counter()

    @contextmanager
    def of_process(self) -> Iterator[None]:
        """Take a place of the process for the block. Raises RequestError (`SERVICE_UNAVAILABLE`)."""
        if self.taken >= self._most:
            message = f"This server has {self._most} open sockets and streams, the most that it may: try again"
            raise RequestError.of(Code.SERVICE_UNAVAILABLE, message, strict=True)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    @contextmanager
    def of_actor(self, viewer: Viewer) -> Iterator[None]:
        """Take a place of the user or application for the block. Raises RequestError (`RATE_LIMITED`)."""
        if self._by_actor[viewer.key] >= self._most_of_actor:
            message = f"A user or application has at most {self._most_of_actor} open sockets and streams"
            raise RequestError.of(Code.RATE_LIMITED, message, retry_after=1)
        self._by_actor[viewer.key] += 1
        try:
            yield
        finally:
            self._by_actor[viewer.key] -= 1
            if not self._by_actor[viewer.key]:
                del self._by_actor[viewer.key]
