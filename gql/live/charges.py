"""What events cost their subscribers: added up as they are published, and charged once a second.

Each event costs a subscriber the nodes that it returned. The time in the database of an execution that several share is
divided among their users and applications.
"""

from __future__ import annotations

from collections.abc import Collection

from db.scope import Viewer
from gql.execution.operation import EventResult
from gql.live.stream import Stream
from gql.security.rate import RateLimiter


class Charges:
    """The charges of a process that are due. Without `rates` there are none."""

    def __init__(self, rates: RateLimiter | None) -> None:
        self._rates = rates
        self._due: dict[str, tuple[Viewer, int, float]] = {}

    def add(self, streams: Collection[Stream], result: EventResult) -> None:
        """Add one event that was published to these subscribers."""
        if self._rates is None or not streams:
            return
        share = result.seconds / len(streams)
        for stream in streams:
            viewer = stream.viewer
            _, nodes, seconds = self._due.get(viewer.key, (viewer, 0, 0.0))
            self._due[viewer.key] = viewer, nodes + result.nodes, seconds + share

    async def collect(self) -> dict[str, int]:
        """Charge what is due. Returns who cannot pay, by `Viewer.key`, and after how many seconds that changes."""
        due, self._due = self._due, {}
        broke: dict[str, int] = {}
        if self._rates is None:
            return broke
        for actor, (viewer, nodes, seconds) in due.items():
            budget = await self._rates.charge(viewer, nodes)
            await self._rates.spend(viewer, seconds)
            if budget is not None:
                broke[actor] = budget.retry_after(self._rates.bounded(nodes))
            elif wait := await self._rates.seconds_to_wait(viewer):
                broke[actor] = wait
        return broke
