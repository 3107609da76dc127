"""An application over a database, and a clock, for rules that are no coroutines: those of a stateful property."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg

from tests.oracles.answers import LIMITS
from tests.support.client import Client, Statements
from tests.support.factories import MOMENT, derive_all, store
from tests.support.serving import serving
from tests.support.world import APPLICATION, World


class Place:
    """An application and a connection over one database, on a loop that rules can run something on."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.folder = folder
        self.now = MOMENT
        self._dsn = dsn
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.user, self.connection = self.run(self._open())
        self.channel = self.user.as_(1, f"application:{APPLICATION}")

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The result."""
        return self._runner.run(work)

    async def _open(self) -> tuple[Client, asyncpg.Connection[Any]]:
        connection = await asyncpg.connect(self._dsn)
        self._stack.push_async_callback(connection.close)
        serving_ = serving(self._dsn, Statements(), rate_limit=0, **LIMITS)
        return await self._stack.enter_async_context(serving_), connection

    def close(self) -> None:
        """Stop the application."""
        self.run(self._stack.aclose())
        self._runner.close()

    async def fill(self) -> None:
        """Two conversations without messages: one with a guest, a host, bookings and an inquiry, one with none."""
        connection = self.connection
        await World(self.user, connection).fill(1)
        await connection.execute("DELETE FROM activities")
        await connection.execute("DELETE FROM messages")
        await connection.execute("UPDATE conversations SET default_channel = 'EMAIL', last_message_at = NULL")
        await connection.execute("UPDATE conversations SET assignee_id = NULL, external_id = NULL")
        await connection.execute("UPDATE clients SET email = 'clara@guest.example'")
        await connection.execute("UPDATE inquiries SET email = 'ina@guest.example'")
        await connection.execute("UPDATE bookings SET reference = 'ref' || id")
        await store(connection, "clients", account_id=1, id=9, fullname="Zoe", email="zoe@guest.example")
        await derive_all(connection)
