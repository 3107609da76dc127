"""Records in the wire format, and an empty inbox into which they are imported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from db.bookingsync.importing import importing
from db.bookingsync.kind import KINDS
from db.bookingsync.report import Fate, Leftover

TABLES = (*(kind.name for kind in KINDS), "conversation_bookings", "conversation_texts")
# The required fields of each kind, besides the id and the account.
REQUIRED: dict[str, dict[str, Any]] = {
    "accounts": {"business_name": "Fjord Cabins"},
    "applications": {"name": "Airbnb"},
    "users": {"name": "Ingrid"},
    "sources": {"name": "Airbnb"},
    "rentals": {"name": "Boathouse"},
    "clients": {"fullname": "Ada"},
    "hosts": {"firstname": "Ingrid", "lastname": "Dahl"},
    "bookings": {
        "reference": "FJ1",
        "status": "Booked",
        "start_at": "2019-07-01T16:00:00Z",
        "end_at": "2019-07-08T10:00:00Z",
    },
    "conversations": {},
    "inquiries": {"firstname": "Ada", "lastname": "Berg", "email": "ada@guest.example"},
    "participants": {},
    "messages": {"content": "Hei", "origin": "email", "visibility": "external"},
}


def moment(day: int) -> str:
    return f"2019-05-{day:02}T08:00:00Z"


def record(kind: str, id: int, *, day: int = 1, links: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A record of account 1 (if the wire format has the account), last changed on `day`."""
    stamps = {"created_at": moment(1), "updated_at": moment(day)}
    return {"id": id, **stamps, **REQUIRED[kind], **fields, "links": {"account": 1, **(links or {})}}


def thread(conversation: int, account: int = 1) -> dict[str, list[dict[str, Any]]]:
    """A conversation with one participant (client 30) and one message of theirs, all under the same id."""
    member = {"conversation": conversation, "member": {"id": 30, "type": "Client"}}
    return {
        "conversations": [record("conversations", conversation, links={"account": account})],
        "participants": [record("participants", conversation, links=member)],
        "messages": [record("messages", conversation, links={"conversation": conversation, "sender": conversation})],
    }


@dataclass(frozen=True)
class Imported:
    """A report with all of its leftovers."""

    imported: dict[str, int]
    unchanged: dict[str, int]
    linked: dict[str, int]
    deleted: dict[str, int]
    leftovers: list[Leftover]
    exit_code: int


async def import_pages(connection: asyncpg.Connection, paths: Sequence[Path], **options: Any) -> Imported:
    """Import files to the end."""
    async with importing(connection, paths, **options) as report:
        leftovers = [left async for left in report.leftovers]
        assert report.left_over == len(leftovers)
        counts = report.imported, report.unchanged, report.linked, report.deleted
        return Imported(*counts, leftovers, report.exit_code)


def by_text(report: Imported) -> list[tuple[str, int | None, Fate, str]]:
    return [(left.kind, left.id, left.what, left.text) for left in report.leftovers]


class Inbox:
    """An empty database, and pages to import into it."""

    def __init__(self, connection: asyncpg.Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.files = 0

    def page(self, **kinds: Any) -> Path:
        """A file with the given arrays."""
        self.files += 1
        file = self.folder / f"page-{self.files}.json"
        file.write_text(json.dumps(kinds))
        return file

    async def give(self, **kinds: Any) -> Imported:
        """Import one page."""
        return await import_pages(self.connection, [self.page(**kinds)])

    async def one(self, query: str) -> Any:
        """The single value of a query."""
        return await self.connection.fetchval(query)

    async def rows(self) -> dict[str, list[Any]]:
        """All stored rows."""
        return await rows(self.connection)


async def rows(connection: asyncpg.Connection) -> dict[str, list[Any]]:
    """All rows that an import writes."""
    return {
        table: [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table} t ORDER BY t")]  # noqa: S608
        for table in TABLES
    }
