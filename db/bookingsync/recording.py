"""Logs what an import changed, for clients that follow the change log (`db.changes`).

This comes after all other steps, so each record is logged once. A client that reads a record before that gets it as it
is stored, and finds it in the log later. An import that was interrupted logs its changes when it is continued or
abandoned.
"""

from __future__ import annotations

from typing import Any

import asyncpg

from db import changes
from db import tables as t
from db.bookingsync.kind import KINDS
from db.bookingsync.staging import fill

# A message also changes its sender and its conversation. Conversations whose values were derived again count as
# changed: one too many costs a client a read, a missing one would stay outdated.
_CHANGED = """
SELECT kind, account_id, id FROM inbox_import.outcomes WHERE changed
UNION
SELECT kind, account_id, id FROM inbox_import.aside
UNION
SELECT 'conversations', account_id, conversation_id FROM inbox_import.touched
UNION
SELECT 'participants', m.account_id, m.sender_id
FROM inbox_import.outcomes o JOIN messages m USING (account_id, id) WHERE o.kind = 'messages' AND o.changed
"""
_FIND = """
WITH changed AS ($changed)
INSERT INTO inbox_import.changes
SELECT row_number() OVER (ORDER BY account_id, type, node_id), account_id, type, node_id, conversation_id, operation
FROM ($rows) logged
"""
_WRITTEN = """
SELECT account_id, '$type' AS type, id AS node_id, $conversation AS conversation_id, 'UPSERTED' AS operation
FROM changed $rows WHERE kind = '$kind'
"""
_REMOVED = """
SELECT account_id, '$type', id, NULL, 'REMOVED' FROM inbox_import.gone WHERE kind = '$kind'
"""
_BATCH = """
SELECT account_id, number AS place, type, node_id, conversation_id, operation
FROM inbox_import.changes WHERE number > $1 AND number <= $2
"""


def _tables() -> dict[str, Any]:
    """The tables whose rows are in the log, by name. Users and applications are not."""
    tables = [table for name in t.__all__ if hasattr(table := getattr(t, name), "__table__")]
    return {table.__tablename__: table for table in tables if t.change_type(table) is not None}


async def find_changes(connection: asyncpg.Connection) -> None:
    """Find the records that the import changed or removed, and number them."""
    tables = _tables()
    rows = []
    for kind in KINDS:
        if (table := tables.get(kind.name)) is None:
            continue
        conversation, source = "NULL::bigint", ""
        if table is t.Conversation:
            conversation = "id"
        elif "conversation_id" in table.__table__.columns:
            conversation, source = "conversation_id", f"JOIN {kind.name} USING (account_id, id)"
        names = {"kind": kind.name, "type": str(t.change_type(table)), "conversation": conversation, "rows": source}
        rows += [fill(_WRITTEN, **names), fill(_REMOVED, **names)]
    await connection.execute("TRUNCATE inbox_import.changes")
    await connection.execute(fill(_FIND, changed=_CHANGED, rows=" UNION ALL ".join(rows)))


async def log(connection: asyncpg.Connection, after: int, last: int) -> None:
    """Log the changes that were found, from the number after `after` to `last`."""
    await changes.write_several(connection, _BATCH, after, last)
