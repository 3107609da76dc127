"""Derived values of conversations and participants, recomputed from all rows in plain Python.

The rows are those of one account, from `world.dump`. It is independent of the application's derivation.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.support.world import Dump, Rows

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def derived_columns(dump: Dump) -> dict[int, dict[str, Any]]:
    """The derived columns of each conversation, by name."""
    guests = {row["id"] for row in dump["participants"] if row["member_type"] == "CLIENT"}
    statuses = {row["id"]: row["status"] for row in dump["bookings"]}
    stays = {row["id"]: max(row["start_at"], row["end_at"]) for row in dump["bookings"]}
    found = {}
    for conversation in dump["conversations"]:
        id_ = conversation["id"]
        messages = [row for row in dump["messages"] if row["conversation_id"] == id_]
        bookings = {row["booking_id"] for row in dump["conversation_bookings"] if row["conversation_id"] == id_}
        booked = [stays[booking] for booking in bookings if statuses[booking] == "BOOKED"]
        found[id_] = {
            **_columns_of(conversation, messages, guests),
            "booking_statuses": sum(_BITS[status] for status in {statuses[booking] for booking in bookings}),
            "stays_until": max(booked, default=None),
        }
    return found


_BITS = {"BOOKED": 1, "TENTATIVE": 2, "UNAVAILABLE": 4, "LOCKED": 8, "CANCELED": 16}


def _columns_of(conversation: dict[str, Any], messages: Rows, guests: set[int]) -> dict[str, Any]:
    # Oldest first: an answer ends the wait of all that were sent before it.
    waiting: list[datetime] = []
    for message in sorted(messages, key=lambda row: (row["sent_at"], row["id"])):
        if message["automatic"]:
            continue
        if message["sender_id"] in guests:
            if message["created_at"] > (conversation["wait_ended_at"] or _LONG_AGO):
                waiting.append(message["sent_at"])
        elif message["visibility"] == "EXTERNAL":
            waiting = []
    read_at = conversation["read_at"]
    unread = [row for row in messages if row["sender_id"] in guests and row["created_at"] > (read_at or _LONG_AGO)]
    idle = conversation["closed_at"] or conversation["marked_as_spam_at"]
    return {
        "last_message_at": max((row["sent_at"] for row in messages), default=None),
        "unanswered_since": waiting[0] if waiting else None,
        "waiting_since": waiting[0] if waiting and not idle else None,
        "unread_count": len(unread),
        "undelivered_count": sum(row["delivery_state"] == "FAILED" for row in messages),
        "read": read_at is not None and not unread,
    }


def last_sent(dump: Dump) -> dict[int, datetime | None]:
    """When each participant last wrote."""
    return {
        participant["id"]: max(
            (row["sent_at"] for row in dump["messages"] if row["sender_id"] == participant["id"]), default=None
        )
        for participant in dump["participants"]
    }
