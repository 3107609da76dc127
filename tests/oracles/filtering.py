"""Filters in plain Python: every condition of a filter, evaluated on every row of an account.

It evaluates rows that were read from the tables, independently of the server's queries.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from db import tables as t
from gql.fields.node import encode_id
from tests.oracles.relations import Rows
from tests.support.client import Client

# The user as whom filters are tried.
ACTOR = 1
CONVERSATIONS = """
query ($filter: ConversationFilter) {
  conversations(first: 100, filter: $filter, orderBy: { field: CREATED_AT, direction: ASC }) {
    totalCount
    nodes { databaseId }
  }
}
"""
LISTED = """
query ($filter: %(type)sFilter) {
  %(root)s(first: 100, filter: $filter) { totalCount nodes { databaseId } }
}
"""
# The other roots with a filter, and the types of their nodes.
ROOTS = {
    "bookings": "Booking",
    "clients": "Client",
    "inquiries": "Inquiry",
    "messages": "Message",
    "rentals": "Rental",
}
BOOKINGS = LISTED % {"root": "bookings", "type": "Booking"}


@dataclass(frozen=True)
class World:
    """The seeded account 1: a client, and all rows."""

    client: Client
    rows: Rows

    async def conversations(self, filter_: Any) -> tuple[int, list[int]]:
        """The number of conversations that the filter finds, and the ids of the first hundred by creation."""
        return self._found((await self.client.data(CONVERSATIONS, filter=filter_))["conversations"])

    async def listed(self, root: str, filter_: Any) -> tuple[int, list[int]]:
        """The number of rows of one of `ROOTS` that the filter finds, and the ids of the first hundred."""
        return self._found((await self.client.data(LISTED % {"root": root, "type": ROOTS[root]}, filter=filter_))[root])

    @staticmethod
    def _found(connection: Any) -> tuple[int, list[int]]:
        return connection["totalCount"], [int(node["databaseId"]) for node in connection["nodes"]]

    def expected(self, table: str, filter_: dict[str, Any] | None) -> tuple[int, list[int]]:
        """The expected result: every given condition is evaluated on every row."""
        rows = [row for row in self.rows[table] if matches(self.rows, table, row, filter_ or {})]
        key = (lambda row: (row["created_at"], row["id"])) if table == "conversations" else (lambda row: row["id"])
        found = [row["id"] for row in sorted(rows, key=key)]
        return len(found), found[:100]


def matches(rows: Rows, table: str, row: Any, filter_: dict[str, Any]) -> bool:
    """Whether the row meets everything in the filter that is not null."""
    given = {name: value for name, value in filter_.items() if value is not None}
    return all(CONDITIONS[table][name](rows, row, value) for name, value in given.items())


def number(id_: str) -> int:
    """The number in a global id of account 1, and 0 for another account's, which no row has."""
    return NUMBERS[id_]


# The global ids that the tests make, with their numbers in account 1.
NUMBERS: dict[str, int] = {}


def own(table: type[t.Table], id_: int) -> str:
    """The id of account 1's row."""
    text = encode_id(table, 1, id_)
    NUMBERS[text] = id_
    return text


def foreign(table: type[t.Table], id_: int) -> str:
    """The id of a row of account 2, which finds nothing in account 1 even if the number exists there."""
    text = encode_id(table, 2, id_)
    NUMBERS[text] = 0
    return text


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_read(_: Rows, row: Any, value: bool) -> bool:
    return value is (row["read_at"] is not None and row["unread_count"] == 0)


def _is_set(column: str) -> Callable[[Rows, Any, Any], bool]:
    return lambda _, row, value: value is (row[column] is not None)


def _is_among(column: str) -> Callable[[Rows, Any, Any], bool]:
    return lambda _, row, values: row[column] in [number(value) for value in values]


def _is_within(column: str) -> Callable[[Rows, Any, Any], bool]:
    compare = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}
    return lambda _, row, ends: all(
        row[column] is not None and compare[name](row[column], _moment(end))
        for name, end in ends.items()
        if end is not None
    )


def _takes_part(column: str) -> Callable[[Rows, Any, Any], bool]:
    return lambda rows, row, values: any(
        participant["conversation_id"] == row["id"] and participant[column] in [number(value) for value in values]
        for participant in rows["participants"]
    )


def _bookings(rows: Rows, row: Any) -> list[Any]:
    connected = {link["booking_id"] for link in rows["conversation_bookings"] if link["conversation_id"] == row["id"]}
    return [booking for booking in rows["bookings"] if booking["id"] in connected]


def _waits(row: Any) -> bool:
    return row["closed_at"] is None and row["marked_as_spam_at"] is None and row["unanswered_since"] is not None


def _is_changed_since(_: Rows, row: Any, value: str) -> bool:
    return bool(row["updated_at"] >= _moment(value))


def _is_overdue(_: Rows, row: Any, value: bool) -> bool:
    deadline = row["deadline_response_at"]
    return value is (_waits(row) and deadline is not None and deadline < datetime.now(UTC))


CONDITIONS: dict[str, dict[str, Callable[[Rows, Any, Any], bool]]] = {
    "conversations": {
        "ids": _is_among("id"),
        "closed": _is_set("closed_at"),
        "markedAsSpam": _is_set("marked_as_spam_at"),
        "read": _is_read,
        "externalIds": lambda _, row, values: row["external_id"] in values,
        "assigned": _is_set("assignee_id"),
        "assigneeIds": _is_among("assignee_id"),
        "mine": lambda rows, row, value: (
            value is (row["assignee_id"] in [host["id"] for host in rows["hosts"] if host["user_id"] == ACTOR])
        ),
        "sourceIds": _is_among("source_id"),
        "channels": lambda _, row, values: row["default_channel"] in values,
        "bookingIds": lambda rows, row, values: any(
            link["conversation_id"] == row["id"] and link["booking_id"] in [number(value) for value in values]
            for link in rows["conversation_bookings"]
        ),
        "inquiryIds": lambda rows, row, values: any(
            inquiry["conversation_id"] == row["id"] and inquiry["id"] in [number(value) for value in values]
            for inquiry in rows["inquiries"]
        ),
        "bookingStatuses": lambda rows, row, values: any(
            booking["status"] in values for booking in _bookings(rows, row)
        ),
        "rentalIds": lambda rows, row, values: any(
            booking["rental_id"] in [number(value) for value in values] for booking in _bookings(rows, row)
        ),
        "clientIds": _takes_part("client_id"),
        "hostIds": _takes_part("host_id"),
        "updatedSince": _is_changed_since,
        "createdAt": _is_within("created_at"),
        "updatedAt": _is_within("updated_at"),
        "lastMessageAt": _is_within("last_message_at"),
        "deadlineResponseAt": _is_within("deadline_response_at"),
        "needsReply": lambda _, row, value: value is _waits(row),
        "overdue": _is_overdue,
        "deliveryFailed": lambda _, row, value: value is (row["undelivered_count"] > 0),
        "not": lambda rows, row, filter_: not matches(rows, "conversations", row, filter_),
        "or": lambda rows, row, filters: any(matches(rows, "conversations", row, filter_) for filter_ in filters),
    },
    "bookings": {
        "ids": _is_among("id"),
        "statuses": lambda _, row, values: row["status"] in values,
        "reference": lambda _, row, value: row["reference"] == value,
        "startsBefore": lambda _, row, value: row["start_at"] < _moment(value),
        "endsAfter": lambda _, row, value: row["end_at"] > _moment(value),
        "rentalIds": _is_among("rental_id"),
        "updatedSince": _is_changed_since,
    },
    "clients": {"ids": _is_among("id"), "updatedSince": _is_changed_since},
    "inquiries": {"ids": _is_among("id"), "updatedSince": _is_changed_since},
    "messages": {
        "ids": _is_among("id"),
        "conversationIds": _is_among("conversation_id"),
        "visibility": lambda _, row, value: row["visibility"] == value,
        "externalIds": lambda _, row, values: row["external_id"] in values,
        "updatedSince": _is_changed_since,
    },
    "rentals": {"ids": _is_among("id"), "updatedSince": _is_changed_since},
}
