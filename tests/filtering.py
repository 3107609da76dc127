"""Filters as plain Python understands them: every condition of a filter, evaluated on every row of an account.

What it is given to compare with are rows read from the tables: it does not look at how the server builds a query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db import tables as t
from gql.node import encode_id
from tests.client import Client
from tests.relations import Rows

CONVERSATIONS = """
query ($filter: ConversationFilter) {
  conversations(first: 100, filter: $filter, orderBy: { field: CREATED_AT, direction: ASC }) {
    totalCount
    nodes { databaseId }
  }
}
"""
BOOKINGS = """
query ($filter: BookingFilter) {
  bookings(first: 100, filter: $filter) { totalCount nodes { databaseId } }
}
"""


@dataclass(frozen=True)
class World:
    """The seeded account 1: a client, and all rows."""

    client: Client
    rows: Rows

    async def conversations(self, filter_: Any) -> tuple[int, list[int]]:
        """How many conversations the filter finds, and the ids of the first hundred by their creation."""
        return self._found((await self.client.data(CONVERSATIONS, filter=filter_))["conversations"])

    async def bookings(self, filter_: Any) -> tuple[int, list[int]]:
        """How many bookings the filter finds, and the ids of the first hundred."""
        return self._found((await self.client.data(BOOKINGS, filter=filter_))["bookings"])

    @staticmethod
    def _found(connection: Any) -> tuple[int, list[int]]:
        return connection["totalCount"], [int(node["databaseId"]) for node in connection["nodes"]]

    def expected(self, table: str, filter_: dict[str, Any] | None) -> tuple[int, list[int]]:
        """What must be found: every given condition is evaluated on every row."""
        conditions = CONDITIONS[table]
        given_ = {name: value for name, value in (filter_ or {}).items() if value is not None}
        rows = [
            row
            for row in self.rows[table]
            if all(conditions[name](self.rows, row, value) for name, value in given_.items())
        ]
        key = (lambda row: (row["created_at"], row["id"])) if table == "conversations" else (lambda row: row["id"])
        found = [row["id"] for row in sorted(rows, key=key)]
        return len(found), found[:100]


def number(id_: str) -> int:
    """The number in a global id of account 1, and 0 for another account's, which no row has."""
    return NUMBERS[id_]


# The global ids that the tests make, with what they must mean to account 1.
NUMBERS: dict[str, int] = {}


def own(table: type[t.Table], id_: int) -> str:
    """The id of account 1's row."""
    text = encode_id(table, 1, id_)
    NUMBERS[text] = id_
    return text


def foreign(table: type[t.Table], id_: int) -> str:
    """The id of account 2's row, which is none of account 1's even where the number is."""
    text = encode_id(table, 2, id_)
    NUMBERS[text] = 0
    return text


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_read(_: Rows, row: Any, value: bool) -> bool:
    return value is (
        row["read_at"] is not None and (row["last_message_at"] is None or row["last_message_at"] <= row["read_at"])
    )


def _is_set(column: str) -> Callable[[Rows, Any, Any], bool]:
    return lambda _, row, value: value is (row[column] is not None)


def _is_among(column: str) -> Callable[[Rows, Any, Any], bool]:
    return lambda _, row, values: row[column] in [number(value) for value in values]


CONDITIONS: dict[str, dict[str, Callable[[Rows, Any, Any], bool]]] = {
    "conversations": {
        "ids": _is_among("id"),
        "closed": _is_set("closed_at"),
        "markedAsSpam": _is_set("marked_as_spam_at"),
        "read": _is_read,
        "assigned": _is_set("assignee_id"),
        "assigneeIds": _is_among("assignee_id"),
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
        "updatedSince": lambda _, row, value: row["updated_at"] >= _moment(value),
    },
    "bookings": {
        "ids": _is_among("id"),
        "statuses": lambda _, row, values: row["status"] in values,
        "reference": lambda _, row, value: row["reference"] == value,
        "startsBefore": lambda _, row, value: row["start_at"] < _moment(value),
        "endsAfter": lambda _, row, value: row["end_at"] > _moment(value),
    },
}
