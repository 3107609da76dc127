"""How many attempts of one process run at the same time, so that endpoints that hang do not delay the others."""

from __future__ import annotations

from dataclasses import dataclass

from db.queries.webhook.lease import AT_ONCE

# All attempts, with those that only wait, as a multiple of the places. One that waits takes 20 KiB and a socket.
_WITH_WAITING = 4
# A connection is kept for some seconds after its attempt, so there are more of them than attempts.
_FILES = 2 * _WITH_WAITING


@dataclass(slots=True)
class AttemptPlaces:
    """The places for attempts, and how many are taken.

    An attempt has a place until its result is recorded. If a receiver has not answered after `Schedule.prompt` seconds,
    its attempt only waits, and needs no place. So endpoints that begin to hang, however many at once, occupy places for
    that time and not for the whole time-out, until four times as many attempts run as there are places.
    """

    at_once: int
    open: int = 0
    """Attempts whose result is not recorded."""
    waiting: int = 0
    """Those of them that need no place."""
    failing: int = 0
    """Those of them whose endpoint has failed since its last success."""

    @property
    def free(self) -> int:
        """How many attempts can begin; none until an eighth of the places is free, so that few statements take many."""
        free = min(self.at_once - (self.open - self.waiting), _WITH_WAITING * self.at_once - self.open)
        return free if free >= self.at_once // 8 else 0

    @property
    def each(self) -> int:
        """How many can run for one endpoint: one while there are many, as it is not known which of them will hang."""
        return AT_ONCE if self.open < self.at_once // 2 else 1

    @property
    def free_for_failing(self) -> int:
        """How many can begin for endpoints that fail: they have half of the places."""
        return max(0, self.at_once // 2 - self.failing)


def files(at_once: int) -> int:
    """The sockets that a worker can have open."""
    return _FILES * at_once
