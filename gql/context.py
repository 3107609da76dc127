"""What a request carries: the viewer, the database at one moment, and the loaders over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from db.engine import Database, Snapshot
from db.scope import Viewer
from gql.security.rate import RateLimiter


@dataclass(slots=True)
class Context:
    """One request's. Made without work; the snapshot connects when something is read, loaders are made when used."""

    viewer: Viewer
    database: Database
    cost: int = 0
    """What the operation could return, in nodes."""
    rates: RateLimiter | None = None
    reads_once: bool = False
    loaders: dict[Any, Any] = field(default_factory=dict)
    snapshot: Snapshot = field(init=False)
    """The moment that this operation reads."""

    def __post_init__(self) -> None:
        self.snapshot = Snapshot(self.database.pool, in_transaction=not self.reads_once)

    async def renew(self) -> None:
        """Let what follows read a later moment: after a write, whose outcome it must show."""
        self.loaders.clear()
        earlier, self.snapshot = self.snapshot, Snapshot(self.database.pool)
        await earlier.close()

    async def close(self) -> None:
        """Give the connection back. What a loader still asks for is refused from here on."""
        # Loaders lead back here: without this, all rows would stay until Python looks for cycles.
        self.loaders.clear()
        await self.snapshot.close()
