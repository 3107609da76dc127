"""The rules of one thread, a second time: what each event leaves, from plain lists and one event after the other.

What is derived is not here, but in `recomputation`, from the rows that are left. Nothing here knows SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

STEP = timedelta(milliseconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Written:
    """A message. `place` is where it stands among those of the same moment."""

    place: int
    by_guest: bool
    sent_at: datetime
    arrived_at: datetime
    internal: bool = False
    automatic: bool = False

    @property
    def is_answer(self) -> bool:
        """Whether it ends a wait."""
        return not (self.by_guest or self.internal or self.automatic)


@dataclass
class Thread:
    """A conversation with a guest, as events leave it."""

    updated_at: datetime
    messages: list[Written] = field(default_factory=list)
    bookings: set[int] = field(default_factory=set)
    closed_at: datetime | None = None
    spam_at: datetime | None = None
    read_at: datetime | None = None
    deadline: datetime | None = None
    ended_at: datetime | None = None

    def state(self) -> dict[str, Any]:
        """What must be stored, by the names of columns."""
        return {
            "updated_at": self.updated_at,
            "closed_at": self.closed_at,
            "marked_as_spam_at": self.spam_at,
            "read_at": self.read_at,
            "deadline_response_at": self.deadline,
            "wait_ended_at": self.ended_at,
        }

    def waits(self) -> list[Written]:
        """The messages of a wait, whether it shows or not."""
        found: list[Written] = []
        for message in sorted(self.messages, key=lambda message: (message.sent_at, message.place)):
            if message.is_answer:
                found.clear()
            elif message.by_guest and not message.automatic:
                found.append(message)
        return [message for message in found if self.ended_at is None or message.arrived_at > self.ended_at]

    def unread(self) -> int:
        """How many of the guest's messages arrived since it was read."""
        return sum(
            message.by_guest and (self.read_at is None or message.arrived_at > self.read_at)
            for message in self.messages
        )

    def write(self, now: datetime, place: int, *, user: bool, sent_at: datetime | None, **message: Any) -> None:
        """Somebody writes, at `sent_at` or now."""
        moment = self._change(now)
        written = Written(place, sent_at=min(sent_at or moment, moment), arrived_at=moment, **message)
        self.messages.append(written)
        if user:
            self.read_at = moment
        if written.is_answer:
            self.deadline = None
        if self.spam_at is None and any(message is written for message in self.waits()):
            if self.closed_at is not None:
                self.closed_at = self.deadline = None
            self.deadline = self.deadline or moment + DAY

    def set_closed(self, now: datetime, *, closed: bool) -> None:
        """Somebody closes or opens it."""
        if closed is not (self.closed_at is not None):
            moment = self._change(now)
            self.closed_at = moment if closed else None
            self._rest(moment, ended=closed)

    def set_spam(self, now: datetime, *, spam: bool) -> None:
        """Somebody marks it as spam, or takes the mark off."""
        if spam is not (self.spam_at is not None):
            moment = self._change(now)
            self.spam_at = moment if spam else None
            self._rest(moment, ended=spam)

    def _rest(self, moment: datetime, *, ended: bool) -> None:
        if ended:
            self.ended_at, self.deadline = moment, None
        elif self.closed_at is None and self.spam_at is None and self.waits():
            self.deadline = moment + DAY

    def read(self, now: datetime, *, up_to: Written | None = None) -> None:
        """A host has read it, all of it or up to a message."""
        if up_to is not None:
            if self.read_at is None or up_to.arrived_at > self.read_at:
                self.read_at = up_to.arrived_at
                self._change(now)
        elif self.read_at is None or self.unread():
            self.read_at = self._change(now)

    def mark_unread(self, now: datetime) -> None:
        """Nobody has read it."""
        if self.read_at is not None:
            self.read_at = None
            self._change(now)

    def set_booking(self, now: datetime, booking: int, *, connected: bool) -> None:
        """A booking is connected or not."""
        if connected is not (booking in self.bookings):
            self.bookings ^= {booking}
            self._change(now)

    def _change(self, now: datetime) -> datetime:
        self.updated_at = max(now, self.updated_at + STEP)
        return self.updated_at
