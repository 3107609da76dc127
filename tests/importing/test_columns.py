"""The import and the seed fill every column, except those that are listed here with a reason."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
import pytest

from db.bookingsync.kind import KINDS
from db.tables import Table

DERIVED = "derived from other rows"
OF_REQUESTS = "written by requests to this API only"
EXTERNAL = {
    f"{kind}.{column}" for kind in ("conversations", "messages") for column in ("external_id", "external_digest")
}
DELIVERY = {
    *("messages.delivery_state", "messages.delivery_at", "messages.delivery_error", "messages.delivery_attempts"),
    *("messages.relayed_id", "messages.relayed_by_id"),
}
RELAYED = DELIVERY - {"messages.delivery_attempts"}
WEBHOOKS = {table.name for table in Table.metadata.sorted_tables if table.name.startswith("webhook_")}
OF_CHANGES = dict.fromkeys(["changes", "change_counters", "epochs"], "says what changed, and is no record's")

# Columns that an import reads neither from a record nor from its links.
NOT_IMPORTED = {
    "conversations.booking_statuses": DERIVED,
    "conversations.stays_until": DERIVED,
    "conversations.unanswered_since": DERIVED,
    "conversations.unread_count": DERIVED,
    "conversations.undelivered_count": DERIVED,
    "conversations.wait_ended_at": DERIVED,
    "conversations.waiting_since": DERIVED,
    "conversations.read": DERIVED,
    "messages.automatic": OF_REQUESTS,
    **dict.fromkeys([*EXTERNAL, *DELIVERY, *WEBHOOKS], OF_REQUESTS),
    "conversation_texts": DERIVED,
    "activities": OF_REQUESTS,
    "idempotency_keys": OF_REQUESTS,
    **OF_CHANGES,
}
# Written from the `links` of conversations, inquiries and bookings (`db.bookingsync.linking`), not from a field.
LINKED = {
    "conversation_bookings.account_id",
    "conversation_bookings.conversation_id",
    "conversation_bookings.booking_id",
    "inquiries.conversation_id",
}
# A seed starts an epoch, and no client has cursors from before.
NOT_SEEDED = dict.fromkeys(
    # Where nothing is relayed, there were no attempts.
    [
        "idempotency_keys",
        "changes",
        "change_counters",
        *EXTERNAL,
        *WEBHOOKS,
        *DELIVERY - {"messages.delivery_attempts"},
    ],
    OF_REQUESTS,
)

COLUMNS = {f"{table.name}.{column.name}" for table in Table.metadata.sorted_tables for column in table.columns}


def missing(filled: Iterable[str], exempt: Iterable[str]) -> set[str]:
    """The columns that are neither filled nor exempt, by themselves or with their table."""
    rest = COLUMNS - set(filled)
    return {column for column in rest if column not in exempt and column.partition(".")[0] not in exempt}


def test_an_import_reads_every_column() -> None:
    read = LINKED | {f"{kind.name}.{column}" for kind in KINDS for column in kind.columns}
    assert read <= COLUMNS
    assert missing(read, NOT_IMPORTED) == set()
    assert read.isdisjoint(NOT_IMPORTED)


@pytest.mark.anyio
async def test_a_seed_fills_every_column(seeded_dsn: str) -> None:
    connection = await asyncpg.connect(seeded_dsn)
    try:
        filled = [
            f"{table.name}.{column.name}"
            for table in Table.metadata.sorted_tables
            for column in table.columns
            if await connection.fetchval(f"SELECT count({column.name}) > 0 FROM {table.name}")  # noqa: S608
        ]
    finally:
        await connection.close()
    assert missing(filled, NOT_SEEDED) == set()
    assert set(filled).isdisjoint(NOT_SEEDED)


@pytest.mark.parametrize("exempt", [NOT_IMPORTED, NOT_SEEDED], ids=["import", "seed"])
def test_every_exemption_is_of_a_column_or_table_that_exists(exempt: dict[str, str]) -> None:
    assert set(exempt) <= COLUMNS | {column.partition(".")[0] for column in COLUMNS}
