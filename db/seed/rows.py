"""Collects rows to be copied, assigns ids, and converts times to column values.

Times are whole milliseconds since 1970 until a row is made: plain integers are cheap to add and to compare, and the
columns hold no more than milliseconds. It knows the columns that a seed fills. Rows are checked by the database only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Row = tuple[Any, ...]

_STAMPS = ("created_at", "updated_at")
_CREATOR = ("created_by_type", "created_by_id", "created_by_user_id", "created_by_application_id")

# By table, parents first: the order in which rows are copied, so that every foreign key finds its row.
COLUMNS: dict[str, tuple[str, ...]] = {
    "applications": ("id", "name"),
    "accounts": ("id", "business_name", "email", "time_zone", *_STAMPS),
    "users": ("account_id", "id", "name", "email"),
    "sources": ("account_id", "id", "name", "internal", *_STAMPS),
    "hosts": ("account_id", "id", "firstname", "lastname", "email", "user_id", "source_id", *_STAMPS),
    "rentals": ("account_id", "id", "name", "city", "country_code", *_STAMPS),
    "clients": ("account_id", "id", "fullname", "email", "phone", "preferred_locale", *_STAMPS),
    "bookings": (
        *("account_id", "id", "reference", "external_reference", "status", "start_at", "end_at", "adults", "children"),
        *("currency", "final_price", "notes", "client_id", "rental_id", "source_id", "canceled_at", *_STAMPS),
    ),
    "conversations": (
        *("account_id", "id", "subject", "assignee_id", "source_id", "default_channel", *_CREATOR, "closed_at"),
        *("deadline_response_at", "last_message_at", "marked_as_spam_at", "read_at", *_STAMPS),
    ),
    "conversation_bookings": ("account_id", "conversation_id", "booking_id"),
    "inquiries": (
        *("account_id", "id", "firstname", "lastname", "email", "phone", "message", "adults", "children", "start_at"),
        *("end_at", "conversation_id", "booking_id", "rental_id", "source_id", *_STAMPS),
    ),
    "participants": (
        *("account_id", "id", "conversation_id", "member_type", "member_id", "client_id", "host_id", "read_at"),
        *("last_message_sent_at", *_STAMPS),
    ),
    "messages": (
        *("account_id", "id", "conversation_id", "sender_id", "content", "channel", "origin", "visibility", "sent_at"),
        *(*_CREATOR, *_STAMPS),
    ),
    "activities": (
        *("account_id", "id", "conversation_id", "type", "created_at", *_CREATOR, "assignee_id", "booking_id"),
        "message_id",
    ),
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(milliseconds: int) -> datetime:
    """Turn milliseconds since 1970 into the value of a timestamp column."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def moment_or_null(milliseconds: int | None) -> datetime | None:
    """Like `moment`, and None for None."""
    return None if milliseconds is None else moment(milliseconds)


def milliseconds_of(when: datetime) -> int:
    """Whole milliseconds since 1970 of a moment with a time zone."""
    return (when - _EPOCH) // timedelta(milliseconds=1)


class Rows:
    """The rows since the last `take`, by table, and the last id of each table."""

    def __init__(self) -> None:
        self.last_id = dict.fromkeys(COLUMNS, 0)
        self._waiting: dict[str, list[Row]] = {table: [] for table in COLUMNS}

    def new_id(self, table: str) -> int:
        """Return the next id of `table`, for a row whose children are made before it."""
        self.last_id[table] += 1
        return self.last_id[table]

    def put(self, table: str, *values: Any) -> None:
        """Add a row; `values` are in the order of `COLUMNS`."""
        self._waiting[table].append(values)

    def add(self, table: str, account_id: int, *values: Any) -> int:
        """Add a row of an account with the next id, which is returned; `values` are the columns after these two."""
        row_id = self.new_id(table)
        self._waiting[table].append((account_id, row_id, *values))
        return row_id

    def take(self) -> dict[str, list[Row]]:
        """Return and forget all rows, by table, parents first."""
        taken = self._waiting
        self._waiting = {table: [] for table in COLUMNS}
        return taken
