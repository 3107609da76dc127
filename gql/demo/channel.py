"""An invented channel, such as Airbnb: it delivers messages to guests, who read them and answer after some seconds."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final, Protocol

# Seconds until a guest has a message, and until they have read it, at most.
_DELIVERED = (0.5, 2.0)
_READ = (3.0, 8.0)
# The share of messages that the channel does not accept.
_REFUSED = 1 / 8
REASONS: Final = (
    "The guest does not accept messages at the moment",
    "The channel could not be reached",
    "The channel does not allow links before the stay is booked",
)
ANSWERS: Final = (
    "Great, thank you!",
    "Perfect, see you then.",
    "That is very kind of you.",
    "Thanks for the quick answer. One more thing: is there a supermarket near by?",
    "Understood, we will call when we are close.",
)


class Listener(Protocol):
    """What the channel reports: to a real connector by webhooks of its own."""

    def delivered(self, message_id: str) -> None:
        """The guest has the message."""

    def read(self, message_id: str) -> None:
        """The guest has read it."""

    def answered(self, message_id: str, answer_id: str, text: str) -> None:
        """The guest has answered it."""


class InventedChannel:
    """Accepts messages, and calls its listener from threads of its own."""

    def __init__(self, listener: Listener, *, refused: float = _REFUSED) -> None:
        self._listener = listener
        self._refused = refused
        self._timers: set[threading.Timer] = set()

    def send(self, key: str) -> str:
        """Accept a message, and return the channel's id of it.

        Raises `ConnectionRefusedError`, whose text is for people. The same `key` again is the same message, so that a
        connector can repeat a call whose answer it has lost.
        """
        if random.random() < self._refused:  # noqa: S311  # no secret
            raise ConnectionRefusedError(random.choice(REASONS))  # noqa: S311  # no secret
        id_ = f"channel-{key}"
        soon, later = random.uniform(*_DELIVERED), random.uniform(*_READ)  # noqa: S311  # no secret
        answer = random.choice(ANSWERS)  # noqa: S311  # no secret
        self._after(soon, lambda: self._listener.delivered(id_))
        self._after(later, lambda: self._listener.read(id_))
        self._after(later + 1, lambda: self._listener.answered(id_, f"{id_}-answer", answer))
        return id_

    def close(self) -> None:
        """Forget what was going to happen."""
        for timer in tuple(self._timers):
            timer.cancel()

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, happen)
        timer.daemon = True
        self._timers = {other for other in self._timers if other.is_alive()} | {timer}
        timer.start()
