"""A second implementation of the inbox's rules: the state after each event, from plain lists.

Values that are derived from rows are in `recomputation` and `answers`. No SQL is used here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.support.world import APPLICATION, USER, Dump

STEP = timedelta(milliseconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Written:
    """A message. `id` orders messages that were sent at the same time."""

    id: int
    by_guest: bool
    sent_at: datetime
    arrived_at: datetime
    internal: bool = False
    automatic: bool = False

    @property
    def is_answer(self) -> bool:
        """Whether it is an answer, which ends a wait."""
        return not (self.by_guest or self.internal or self.automatic)


@dataclass(frozen=True)
class Act:
    """An activity. `at` is a moment, and the others are ids."""

    type: str
    at: datetime
    by_user: bool = True
    """Whether the user did it, and not the application."""
    assignee: int | None = None
    booking: int | None = None
    message: int | None = None


@dataclass
class Thread:
    """A conversation after events."""

    id: int
    updated_at: datetime
    messages: list[Written] = field(default_factory=list)
    bookings: set[int] = field(default_factory=set)
    guests: list[int] = field(default_factory=list)
    """The participants who are clients."""
    has_channel: bool = True
    assignee: int | None = None
    closed_at: datetime | None = None
    spam_at: datetime | None = None
    read_at: datetime | None = None
    deadline: datetime | None = None
    ended_at: datetime | None = None
    acts: list[Act] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """The expected values, by the names of columns."""
        waits = self.waits()
        return {
            "updated_at": self.updated_at,
            "assignee_id": self.assignee,
            "closed_at": self.closed_at,
            "marked_as_spam_at": self.spam_at,
            "read_at": self.read_at,
            "deadline_response_at": self.deadline,
            "wait_ended_at": self.ended_at,
            "unanswered_since": waits[0].sent_at if waits else None,
            "waiting_since": waits[0].sent_at if waits and not self.is_idle else None,
            "unread_count": self.unread(),
            "last_message_at": max((message.sent_at for message in self.messages), default=None),
        }

    @property
    def is_idle(self) -> bool:
        """Whether it is closed or spam, so that nobody waits."""
        return self.closed_at is not None or self.spam_at is not None

    def waits(self) -> list[Written]:
        """The messages of a wait, also in a closed or spam conversation."""
        found: list[Written] = []
        for message in sorted(self.messages, key=lambda message: (message.sent_at, message.id)):
            if message.is_answer:
                found.clear()
            elif message.by_guest and not message.automatic:
                found.append(message)
        return [message for message in found if self.ended_at is None or message.arrived_at > self.ended_at]

    def unread(self) -> int:
        """The number of guest messages that arrived since it was read."""
        return sum(
            message.by_guest and (self.read_at is None or message.arrived_at > self.read_at)
            for message in self.messages
        )

    def write(self, now: datetime, id_: int, *, user: bool, sent_at: datetime | None, **message: Any) -> None:
        """Write a message, sent at `sent_at` or now."""
        moment = self.touch(now)
        written = Written(id_, sent_at=min(sent_at or moment, moment), arrived_at=moment, **message)
        before = self.waits()[:1]
        self.messages.append(written)
        after = self.waits()[:1]
        if user:
            self.read_at = moment
        if written.is_answer and (not before or before != after):
            self.deadline = after[0].arrived_at + DAY if after and not self.is_idle else None
        if self.spam_at is None and written in self.waits():
            if self.closed_at is not None:
                self.closed_at = self.deadline = None
                self.acts.append(Act("REOPENED", moment, user, message=id_))
            self.deadline = self.deadline or moment + DAY

    def update(self, now: datetime, *, closed: bool | None = None, spam: bool | None = None, **assignee: Any) -> None:
        """Close or open it, mark it as spam or not, and assign it, in one update."""
        closes = closed is not None and closed is not (self.closed_at is not None)
        marks = spam is not None and spam is not (self.spam_at is not None)
        if not (closes or marks or assignee.get("assignee", self.assignee) != self.assignee):
            return
        moment = self.touch(now)
        if assignee.get("assignee", self.assignee) != self.assignee:
            self.assignee = assignee["assignee"]
            self.acts.append(Act("ASSIGNED" if self.assignee else "UNASSIGNED", moment, assignee=self.assignee))
        if closes:
            self.closed_at = moment if closed else None
            self.acts.append(Act("CLOSED" if closed else "REOPENED", moment))
        if marks:
            self.spam_at = moment if spam else None
            self.acts.append(Act("MARKED_AS_SPAM" if spam else "UNMARKED_AS_SPAM", moment))
        if (closes and closed) or (marks and spam):
            self.ended_at, self.deadline = moment, None
        elif (closes or marks) and not self.is_idle and self.waits():
            self.deadline = moment + DAY

    def read(self, now: datetime, *, up_to: Written | None = None) -> None:
        """Mark it as read, completely or up to a message."""
        if up_to is not None:
            if self.read_at is None or up_to.arrived_at > self.read_at:
                self.read_at = up_to.arrived_at
                self.touch(now)
        elif self.read_at is None or self.unread():
            self.read_at = self.touch(now)

    def mark_unread(self, now: datetime) -> None:
        """Mark it as unread."""
        if self.read_at is not None:
            self.read_at = None
            self.touch(now)

    def connect(self, now: datetime, bookings: Collection[int], *, connected: bool) -> None:
        """Connect or disconnect bookings."""
        changed = self.bookings | set(bookings) if connected else self.bookings - set(bookings)
        if changed != self.bookings:
            moment, type_ = self.touch(now), "BOOKING_CONNECTED" if connected else "BOOKING_DISCONNECTED"
            self.acts += [Act(type_, moment, booking=booking) for booking in sorted(changed ^ self.bookings)]
            self.bookings = changed

    def touch(self, now: datetime) -> datetime:
        """Set the time of a change."""
        self.updated_at = max(now, self.updated_at + STEP)
        return self.updated_at


@dataclass
class Inbox:
    """The conversations of an account, and the conversation of each inquiry."""

    threads: dict[int, Thread] = field(default_factory=dict)
    bookings: set[int] = field(default_factory=set)
    inquiries: dict[int, int | None] = field(default_factory=dict)

    def record(
        self,
        id_: int,
        updated_at: datetime,
        bookings: Collection[int],
        inquiries: Collection[int],
        **columns: datetime | None,
    ) -> None:
        """Import a conversation's record, which may be newer or older than the stored one."""
        thread = self.threads.get(id_)
        if thread is not None and updated_at < thread.updated_at:
            return
        if thread is None or updated_at > thread.updated_at:
            thread = self.threads[id_] = self._replace(thread or Thread(id_, updated_at), updated_at, **columns)
            thread.bookings = set()
            self.inquiries |= {
                inquiry: None for inquiry, owner in self.inquiries.items() if owner == id_ and inquiry not in inquiries
            }
        thread.bookings |= set(bookings) & self.bookings
        for inquiry in set(inquiries) & set(self.inquiries):
            owner = self.inquiries[inquiry]
            # It belongs to the first conversation that names it.
            self.inquiries[inquiry] = id_ if owner is None else min(owner, id_)

    @staticmethod
    def _replace(thread: Thread, updated_at: datetime, **columns: datetime | None) -> Thread:
        thread.updated_at, thread.assignee, thread.has_channel = updated_at, None, True
        for name, value in columns.items():
            setattr(thread, name, value)
        ends = [moment for moment in (thread.ended_at, thread.closed_at, thread.spam_at) if moment is not None]
        thread.ended_at = max(ends, default=None)
        return thread

    def delete_booking(self, booking: int) -> None:
        """Delete a booking with its links."""
        self.bookings.discard(booking)
        for thread in self.threads.values():
            thread.bookings.discard(booking)


def stored_acts(dump: Dump) -> dict[int, list[Act]]:
    """The stored activities of each conversation, in the order of their ids."""
    found: dict[int, list[Act]] = {row["id"]: [] for row in dump["conversations"]}
    for row in dump["activities"]:
        by_user = row["created_by_user_id"] == USER
        assert (row["created_by_application_id"] == APPLICATION) is not by_user
        ids = row["assignee_id"], row["booking_id"], row["message_id"]
        found[row["conversation_id"]].append(Act(row["type"], row["created_at"], by_user, *ids))
    return found
