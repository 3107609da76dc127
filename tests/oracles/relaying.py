"""A second implementation of the rules of deliveries: a message's state after reports and retries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

# How far a state is. Only a state further on replaces one; what failed is further than nothing.
PROGRESS = {"QUEUED": 0, "SENT": 1, "DELIVERED": 2, "READ": 3}


@dataclass(frozen=True)
class Relayed:
    """A host's message on its way."""

    state: str
    at: datetime
    error: str | None = None
    attempts: int = 1
    external_id: str | None = None

    def keeps(self, external_id: str | None) -> bool:
        """Whether it was sent under another id."""
        return (
            external_id is not None
            and self.external_id not in {None, external_id}
            and self.state in {"SENT", "DELIVERED", "READ"}
        )

    def reported(self, state: str, at: datetime, error: str | None, external_id: str | None) -> Relayed:
        """After a report, which may be late."""
        known = self if external_id is None else replace(self, external_id=external_id)
        if "FAILED" in {state, self.state}:
            moves = state != self.state and at >= self.at
        else:
            moves = PROGRESS[state] > PROGRESS[self.state]
        return replace(known, state=state, at=at, error=error) if moves else known

    def retried(self, now: datetime) -> Relayed:
        """After it was queued again."""
        if self.state == "FAILED":
            return replace(self, state="QUEUED", at=now, error=None, attempts=self.attempts + 1)
        return self
