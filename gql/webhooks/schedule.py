"""When a delivery is attempted again, and when an endpoint is given up."""

from __future__ import annotations

import random
from dataclasses import dataclass

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """All times in seconds. Tests shorten them."""

    waits: tuple[float, ...] = (5.0, 5 * MINUTE, 30 * MINUTE, *(HOUR * hours for hours in (2, 5, 10, 14, 20, 24)))
    """The waits after the first failure, the second one, and so on. After as many failures, no attempt follows."""
    spread: float = 0.2
    """Each wait is longer or shorter by up to this part, so that endpoints that were away do not get all at once."""
    unable: float = 30.0
    """The wait after an attempt that this server could not make."""
    timeout: float = 15.0
    """The time for the connection, the request and the answer."""
    prompt: float = 1.0
    """The time after which an attempt without an answer only waits, so that others can begin in its place."""
    lease: float = 60.0
    """Longer than an attempt takes: the document's execution, the request, and recording."""
    hopeless_after: float = 5 * DAY
    """An endpoint that has only failed for this time is disabled."""
    poll: float = 1.0
    """The interval in which the database is asked for work. Notifications only make it faster."""
    grace: float = 7.0
    """The time that running attempts have when the worker stops."""

    def wait(self, failures: int, retry_after: float | None) -> float | None:
        """The wait after that many failures; None after the last one.

        A `Retry-After` of the receiver can make it longer, up to the longest regular wait.
        """
        if failures > len(self.waits):
            return None
        wait = self.waits[failures - 1] * random.uniform(1 - self.spread, 1 + self.spread)  # noqa: S311  # no secret
        return wait if retry_after is None else max(wait, min(retry_after, max(self.waits)))
