"""The derived columns of conversations and participants, computed anew from all rows in plain Python.

The rows are those of one account, as `world.dump` gives them. Nothing here knows how the application keeps them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.world import Dump, Rows

_BITS = {"BOOKED": 1, "TENTATIVE": 2, "UNAVAILABLE": 4, "LOCKED": 8, "CANCELED": 16}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def derived_columns(dump: Dump) -> dict[int, dict[str, Any]]:
    """The derived columns of each conversation, by name.

    Messages got their ids in the order in which they were written.
    """
    guests = {row["id"] for row in dump["participants"] if row["member_type"] == "CLIENT"}
    return {
        conversation["id"]: _told_of(
            conversation, [row for row in dump["messages"] if row["conversation_id"] == conversation["id"]], guests
        )
        | _told_of_bookings(_bookings(dump, conversation["id"]))
        for conversation in dump["conversations"]
    }


def _bookings(dump: Dump, conversation: int) -> Rows:
    connected = [row["booking_id"] for row in dump["conversation_bookings"] if row["conversation_id"] == conversation]
    return [row for row in dump["bookings"] if row["id"] in connected]


def _told_of_bookings(bookings: Rows) -> dict[str, Any]:
    ends = [max(row["start_at"], row["end_at"]) for row in bookings if row["status"] == "BOOKED"]
    return {
        "booking_statuses": sum({_BITS[row["status"]] for row in bookings}),
        "stays_until": max(ends, default=None),
    }


def _told_of(conversation: dict[str, Any], messages: Rows, guests: set[int]) -> dict[str, Any]:
    external = sorted((row for row in messages if row["visibility"] == "EXTERNAL"), key=_sent)
    unanswered: datetime | None = None
    for message in external:
        unanswered = (unanswered or message["sent_at"]) if message["sender_id"] in guests else None
    deadline: datetime | None = None
    for message in sorted(external, key=lambda row: row["id"]):
        deadline = (deadline or message["sent_at"] + timedelta(hours=24)) if message["sender_id"] in guests else None
    read_at = conversation["read_at"] or _LONG_AGO
    idle = conversation["closed_at"] or conversation["marked_as_spam_at"]
    return {
        "last_message_at": max((row["sent_at"] for row in messages), default=None),
        "unanswered_since": unanswered,
        "waiting_since": None if idle else unanswered,
        "unread_count": sum(row["sender_id"] in guests and row["sent_at"] > read_at for row in external),
        "deadline_response_at": deadline,
    }


def last_sent(dump: Dump) -> dict[int, datetime | None]:
    """When each participant last wrote."""
    return {
        participant["id"]: max(
            (row["sent_at"] for row in dump["messages"] if row["sender_id"] == participant["id"]), default=None
        )
        for participant in dump["participants"]
    }


def _sent(message: dict[str, Any]) -> tuple[datetime, int]:
    return message["sent_at"], message["id"]
