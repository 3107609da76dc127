"""Notifies the processes of a server of changed accounts: NOTIFY after commits, and LISTEN.

Commits are collected for 20 ms and then announced together, on a connection of its own: NOTIFY within a transaction
that writes takes a lock over all commits. The same connection listens. What is announced may get lost, and a connection
can die unnoticed, so nothing may depend on it: a listener compares the counters of `db.changes` now and then.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable

import asyncpg

_CHANNEL = "inbox_changes"
# Seconds for which commits are collected.
COLLECTED_FOR = 0.02
# Accounts per notification: a payload has at most 8,000 bytes, and an id up to 19 digits.
_AT_ONCE = 300
# Seconds between two checks of a silent connection, and for the response to one.
_QUESTION_AFTER = 5.0
_ANSWER_WITHIN = 2.0
_CONNECT_WITHIN = 5.0
# Seconds until a lost connection is replaced, at first and at last.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 30.0
_ANNOUNCE = "SELECT pg_notify($1, $2)"


class Signals:
    """Notifies other processes of commits, and receives their notifications.

    `heard` is called with each account that has changed, here or in another process; `failed` when the connection is
    lost. The connection is opened when it is first needed. Without `dsn`, only commits of this process are reported.
    """

    def __init__(self, dsn: str | None, heard: Callable[[int], None], failed: Callable[[Exception], None]) -> None:
        self._dsn = dsn
        self._heard = heard
        self._failed = failed
        # A process receives its own notifications, which are ignored.
        self._process = secrets.token_hex(4)
        self._collected: set[int] = set()
        self._outgoing: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._needed = asyncio.Event()
        self._work = asyncio.Event()

    def need(self) -> None:
        """Connect, because notifications are needed."""
        self._needed.set()

    def mark(self, account_id: int) -> None:
        """Notify of a changed account, together with others. Call it after the commit."""
        self._collected.add(account_id)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COLLECTED_FOR, self._announce)

    def _announce(self) -> None:
        self._timer = None
        collected, self._collected = self._collected, set()
        for account_id in collected:
            self._heard(account_id)
        if self._dsn is not None:
            self._outgoing |= collected
            self._needed.set()
            self._work.set()

    async def run(self) -> None:
        """Keep the connection, until cancelled."""
        if self._dsn is None:
            return
        await self._needed.wait()
        pause = _FIRST_PAUSE
        while True:
            try:
                connection = await asyncpg.connect(
                    self._dsn,
                    timeout=_CONNECT_WITHIN,
                    statement_cache_size=0,
                    server_settings={"application_name": "inbox listening"},
                )
                try:
                    await connection.add_listener(_CHANNEL, self._hear)
                    connection.add_termination_listener(lambda _: self._work.set())
                    pause = _FIRST_PAUSE
                    await self._converse(connection)
                finally:
                    # A connection that does not respond would not close either.
                    connection.terminate()
            except Exception as error:  # noqa: BLE001  # another connection may work
                self._failed(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _converse(self, connection: asyncpg.Connection) -> None:
        """Send notifications, and check periodically that the connection is alive. Raises if it is not."""
        while True:
            try:
                async with asyncio.timeout(_QUESTION_AFTER):
                    await self._work.wait()
            except TimeoutError:
                pass
            self._work.clear()
            outgoing, self._outgoing = self._outgoing, set()
            async with asyncio.timeout(_ANSWER_WITHIN):
                if not outgoing:
                    await connection.execute("SELECT")
                for payload in self._payloads(outgoing):
                    await connection.execute(_ANNOUNCE, _CHANNEL, payload)

    def _payloads(self, accounts: Iterable[int]) -> list[str]:
        ids = [str(account_id) for account_id in sorted(accounts)]
        return [f"{self._process} {' '.join(ids[place : place + _AT_ONCE])}" for place in range(0, len(ids), _AT_ONCE)]

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        process, *ids = str(payload).split()
        if process != self._process:
            for id_ in ids:
                # Every client of the database can send notifications, so their text is checked.
                if id_.isdecimal():
                    self._heard(int(id_))
