"""Charges subscribers for events: sums them up, and charges once a second.

Each event costs a subscriber the nodes that it returned. The database time of a shared execution is divided among its
users and applications.
"""

from __future__ import annotations

from collections.abc import Collection

from db.scope import Viewer
from gql.execution.operation import EventResult
from gql.live.stream import Stream
from gql.security.rate import RateLimiter


class Charges:
    """The outstanding charges of a process. Without `rates` there are none."""

    def __init__(self, rates: RateLimiter | None) -> None:
        self._rates = rates
        self._due: dict[str, tuple[Viewer, int, float]] = {}

    def add(self, streams: Collection[Stream], result: EventResult) -> None:
        """Add an event that was published to these subscribers."""
        if self._rates is None or not streams:
            return
        share = result.seconds / len(streams)
        for stream in streams:
            viewer = stream.viewer
            _, nodes, seconds = self._due.get(viewer.key, (viewer, 0, 0.0))
            self._due[viewer.key] = viewer, nodes + result.nodes, seconds + share

    async def collect(self) -> dict[str, int]:
        """Charge the outstanding sums.

        Returns principals without budget, by `Viewer.key`, and the seconds that they must wait.
        """
        due, self._due = self._due, {}
        broke: dict[str, int] = {}
        if self._rates is None:
            return broke
        for actor, (viewer, nodes, seconds) in due.items():
            budget = await self._rates.charge(viewer, nodes)
            await self._rates.spend(viewer, seconds)
            if budget is not None:
                broke[actor] = budget.retry_after(self._rates.bounded(nodes))
            elif wait := (await self._rates.time(viewer)).wait:
                broke[actor] = wait
        return broke
