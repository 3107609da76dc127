"""The state of one operation: its viewer, its snapshot of the database, and its loaders."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from db.engine import Database, Snapshot, SnapshotClosedError
from db.scope import Viewer
from gql.security.rate import CPU_WEIGHT, RateLimiter
from gql.security.webhook import WebhookRules


@dataclass(slots=True)
class Context:
    """Made for each operation. Making it costs nothing: the snapshot connects when it is first read."""

    viewer: Viewer
    database: Database
    cost: int = 0
    """The most nodes that the operation can return."""
    rates: RateLimiter | None = None
    webhooks: WebhookRules | None = None
    """The rules for webhook endpoints; None where nothing is written."""
    is_charged: bool = True
    """Whether closing charges the viewer. A shared execution is charged by its caller instead."""
    reads_once: bool = False
    """Whether the operation runs one statement, so that it needs no transaction for a consistent result."""
    is_heavy: bool = False
    """Whether the viewer gets only one connection at a time."""
    max_text: int = sys.maxsize
    """Bytes of free text that a snapshot may read."""
    loaders: dict[Any, Any] = field(default_factory=dict)
    seconds: float = 0.0
    """Charged time: of the closed snapshots and of writes in the database, and of compiling statements."""
    returned: int | None = None
    """The most nodes that the finished operation can have returned; None if unknown."""
    event: Any = None
    """What the root field of a subscription is resolved from."""
    outcomes: dict[str, Any] = field(default_factory=dict)
    """The results of a mutation's fields so far, by response key: outcomes, or the exceptions that they raised."""
    later: Snapshot | None = None
    _snapshot: Snapshot | None = None
    _is_closed: bool = False

    @property
    def snapshot(self) -> Snapshot:
        """What the operation reads from, made when it is first needed. Raises `SnapshotClosedError` after the end."""
        if self._snapshot is None:
            if self._is_closed:
                raise SnapshotClosedError("the operation has ended")
            self._snapshot = self._begin(in_transaction=not self.reads_once)
        return self._snapshot

    def _begin(self, *, in_transaction: bool = True) -> Snapshot:
        return self.database.snapshot_for(
            self.viewer, in_transaction=in_transaction, max_text=self.max_text, is_heavy=self.is_heavy
        )

    async def renew(self) -> None:
        """Release the connection and forget what was read. What is read next is from a new snapshot."""
        self.loaders.clear()
        later = self.later or self._begin()
        earlier, self._snapshot, self.later = self._snapshot, later, None
        if earlier is not None:
            await earlier.close()
            self._count(earlier)

    def _count(self, snapshot: Snapshot) -> None:
        self.seconds += snapshot.seconds + CPU_WEIGHT * snapshot.cpu_seconds

    def begin_later(self) -> Snapshot:
        """The snapshot from which is read after the next `renew()`. Until then, nothing else can read from it."""
        self.later = self._begin()
        return self.later

    async def close(self) -> None:
        """Release the connection and charge the time. Loaders that ask later get an error."""
        # Loaders refer to this context: otherwise all rows would stay in memory until the garbage collector runs.
        self.loaders.clear()
        self._is_closed = True
        snapshot = self._snapshot
        try:
            try:
                if self.later is not None:
                    await self.later.close()
            finally:
                if snapshot is not None:
                    await snapshot.close()
        finally:
            if snapshot is not None:
                self._count(snapshot)
            if self.seconds and self.rates is not None and self.is_charged:
                await self.rates.spend(self.viewer, self.seconds)
