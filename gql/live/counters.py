"""What the hub of a process has done, for operators."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class LiveCounters:
    """Counts since the process started, but for `streams`, which is a number of now."""

    streams: int = 0
    """Subscriptions that are open."""
    started: int = 0
    executions: int = 0
    """How often a document was executed for an event, whatever the number of its subscribers."""
    published: int = 0
    """Events put into the queues of subscribers."""
    reads: int = 0
    """How often the log of an account was read for new changes."""
    retries: Counter[str] = field(default_factory=Counter)
    """What was tried again: `read`, `execute`, `poll` and `listen`."""
    ended: Counter[str] = field(default_factory=Counter)
    """Subscriptions that ended, by reason."""


COUNTERS = LiveCounters()
