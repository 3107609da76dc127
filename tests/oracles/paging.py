"""Conversations in an order, sorted by plain Python, and an inbox that stores them.

The model is a sorted list. Nulls are last in both directions; equal values are sorted by id in the direction of the
order. Tests compute the expected pages.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson

from tests.support.client import Client, Statements
from tests.support.factories import MOMENT, store_account
from tests.support.serving import serving

PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $order: ConversationOrder) {
  conversations(first: $first, after: $after, last: $last, before: $before, orderBy: $order) {
    totalCount
    nodes { databaseId }
    edges { cursor node { databaseId } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
NULLABLE = {"LAST_MESSAGE_AT", "DEADLINE_RESPONSE_AT"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A conversation: its id, and its value in the tested order, in milliseconds after `MOMENT`."""

    id: int
    value: int | None


@dataclass(frozen=True)
class Ordered:
    """An order of conversations: the client's argument, and Python's sort key."""

    field: str
    direction: str

    @property
    def argument(self) -> dict[str, str]:
        """The value of `orderBy`."""
        return {"field": self.field, "direction": self.direction}

    def fit(self, rows: Sequence[Row]) -> list[Row]:
        """The rows without nulls, if the column has none."""
        return [row if row.value is not None or self.field in NULLABLE else Row(row.id, 0) for row in rows]

    def sort(self, rows: Sequence[Row]) -> list[Row]:
        """The rows sorted in plain Python."""
        nulls = [row for row in rows if row.value is None]
        others = [row for row in rows if row.value is not None]
        down = self.direction == "DESC"
        return sorted(others, key=lambda row: (row.value, row.id), reverse=down) + sorted(
            nulls, key=lambda row: row.id, reverse=down
        )

    def cursor(self, row: Row) -> str:
        """The expected cursor of the row."""
        column = self.field.lower()
        value = None if row.value is None else (MOMENT - EPOCH) // timedelta(milliseconds=1) + row.value
        return encode(["Query.conversations", f"{column}:{self.direction.lower()}", value, row.id])


def encode(parts: Any) -> str:
    """The content of a cursor, as text: `[field, order, milliseconds since 1970 or null, id]`."""
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


@dataclass
class Inbox:
    """An account whose conversations change, with a client that reads them."""

    client: Client
    connection: asyncpg.Connection

    async def hold(self, field: str, rows: Sequence[Row]) -> None:
        """Store these conversations and no others."""
        await self.connection.execute(
            "TRUNCATE messages, participants, conversation_bookings, bookings, conversations CASCADE"
        )
        await self.insert(field, rows)

    async def insert(self, field: str, rows: Sequence[Row]) -> None:
        """Add conversations, also to account 2, whose rows must never be returned."""
        column = field.lower()
        stamps = [name for name in ("created_at", "updated_at") if name != column]
        names = ", ".join(["account_id", "id", column, *stamps])
        places = ", ".join(["$1", "$2", "$3", *("$4" for _ in stamps)])
        await self.connection.executemany(
            f"INSERT INTO conversations ({names}) VALUES ({places})",  # noqa: S608  # the names are the tests' own
            [
                (account, row.id, None if row.value is None else MOMENT + timedelta(milliseconds=row.value), MOMENT)
                for row in rows
                for account in (1, 2)
            ],
        )

    async def delete(self, ids: Sequence[int]) -> None:
        """Remove conversations."""
        await self.connection.execute("DELETE FROM conversations WHERE id = ANY($1)", ids)

    async def page(self, order: Ordered, **arguments: Any) -> dict[str, Any]:
        """A page from the API."""
        data = await self.client.data(PAGE, order=order.argument, **arguments)
        page: dict[str, Any] = data["conversations"]
        return page


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Inbox]:
    """Two accounts without conversations in a migrated, empty database, and a client of the first."""
    connection = await asyncpg.connect(dsn)
    for account in (1, 2):
        await store_account(connection, account)
    async with serving(dsn, Statements()) as client:
        yield Inbox(client, connection)
    await connection.close()
