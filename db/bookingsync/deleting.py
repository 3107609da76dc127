"""Deletes the records that an export lists as deleted: `meta.deleted_ids` of a page with one kind of records.

Bookings and inquiries are deleted with their links. Records of other kinds are part of the inbox's history: they are
kept and listed. The page does not name an account, so the accounts that the import's records name are searched, or all
accounts if none is named. An id that is in several of them is only listed.
"""

from __future__ import annotations

import asyncpg

from db.bookingsync.kind import KINDS, Kind
from db.bookingsync.report import Fate
from db.bookingsync.staging import fill

_AMBIGUOUS = """
INSERT INTO inbox_import.leftovers
SELECT 'file', NULL, '$fate', file, NULL, 'meta.deleted_ids: the page does not have exactly one kind of records'
FROM (SELECT DISTINCT file FROM inbox_import.deleted) d
WHERE (SELECT count(DISTINCT kind) FROM inbox_import.sections s WHERE s.file = d.file) <> 1
"""
# The deleted ids of one kind, each with the first file that lists it.
_DELETED = """
SELECT d.id, min(d.file) AS file
FROM inbox_import.deleted d JOIN inbox_import.sections s USING (file)
GROUP BY d.id, d.file HAVING min(s.kind) = '$kind' AND max(s.kind) = '$kind'
"""
_ANY = "SELECT EXISTS ($deleted)"
_WITHDRAWN = "DELETE FROM inbox_import.staged_$kind WHERE id IN (SELECT id FROM ($deleted) d)"
_STORED = """
SELECT d.id, d.file, t.account_id
FROM ($deleted) d CROSS JOIN accounts a JOIN $kind t ON t.account_id = a.id AND t.id = d.id
WHERE $$1::bigint[] IS NULL OR a.id = ANY ($$1::bigint[])
"""
_STORED_WITHOUT_ACCOUNT = "SELECT d.id, d.file, t.id AS account_id FROM ($deleted) d JOIN $kind t ON t.id = d.id"
_KEPT = """
INSERT INTO inbox_import.leftovers
SELECT '$kind', id, '$fate', min(file), NULL, $reason FROM ($stored) stored GROUP BY id HAVING $condition
"""
_KEPT_TEXT = "'was deleted where the export comes from, and is kept here'"
_SEVERAL_TEXT = "'is in several accounts: import one account at a time'"
_GONE = """
INSERT INTO inbox_import.gone
SELECT '$kind', min(account_id), id FROM ($stored) stored GROUP BY id HAVING count(DISTINCT account_id) = 1
"""
_STATEMENTS = {
    "bookings": (
        # Locks them, so that no other transaction can link to them.
        """
        SELECT FROM bookings t JOIN inbox_import.gone g
        ON g.kind = 'bookings' AND g.account_id = t.account_id AND g.id = t.id
        ORDER BY t.account_id, t.id FOR UPDATE OF t
        """,
        """
        INSERT INTO inbox_import.detached
        SELECT t.account_id, t.conversation_id FROM conversation_bookings t JOIN inbox_import.gone g
        ON g.kind = 'bookings' AND g.account_id = t.account_id AND g.id = t.booking_id
        """,
        """
        DELETE FROM conversation_bookings t USING inbox_import.gone g
        WHERE g.kind = 'bookings' AND g.account_id = t.account_id AND g.id = t.booking_id
        """,
        """
        WITH freed AS (
            UPDATE inquiries t SET booking_id = NULL FROM inbox_import.gone g
            WHERE g.kind = 'bookings' AND g.account_id = t.account_id AND g.id = t.booking_id
            RETURNING t.account_id, t.id
        )
        INSERT INTO inbox_import.aside SELECT 'inquiries', account_id, id FROM freed
        """,
        """
        DELETE FROM bookings t USING inbox_import.gone g
        WHERE g.kind = 'bookings' AND g.account_id = t.account_id AND g.id = t.id
        """,
    ),
    "inquiries": (
        """
        INSERT INTO inbox_import.detached
        SELECT t.account_id, t.conversation_id FROM inquiries t JOIN inbox_import.gone g
        ON g.kind = 'inquiries' AND g.account_id = t.account_id AND g.id = t.id
        WHERE t.conversation_id IS NOT NULL
        """,
        """
        DELETE FROM inquiries t USING inbox_import.gone g
        WHERE g.kind = 'inquiries' AND g.account_id = t.account_id AND g.id = t.id
        """,
    ),
}
_NAMED = "SELECT DISTINCT account_id FROM inbox_import.staged_$kind WHERE account_id IS NOT NULL"


async def delete(connection: asyncpg.Connection) -> int:
    """Delete stored bookings and inquiries, and list the rest; return how many given records are skipped for that."""
    await connection.execute(fill(_AMBIGUOUS, fate=Fate.NOT_DELETED))
    named = " UNION ".join(fill(_NAMED, kind=kind.name) for kind in KINDS if "account_id" in kind.fields)
    accounts = [account_id for (account_id,) in await connection.fetch(named)] or None
    left_out = 0
    for kind in KINDS:
        deleted = fill(_DELETED, kind=kind.name)
        if await connection.fetchval(fill(_ANY, deleted=deleted)):
            left_out += await _delete(connection, kind, deleted, accounts)
    return left_out


async def _delete(connection: asyncpg.Connection, kind: Kind, deleted: str, accounts: list[int] | None) -> int:
    if "account_id" in kind.key:
        stored, arguments = fill(_STORED, kind=kind.name, deleted=deleted), [accounts]
    else:
        stored, arguments = fill(_STORED_WITHOUT_ACCOUNT, kind=kind.name, deleted=deleted), []
    names = {"kind": kind.name, "fate": Fate.NOT_DELETED, "stored": stored}
    if kind.name not in _STATEMENTS:
        await connection.execute(fill(_KEPT, **names, reason=_KEPT_TEXT, condition="true"), *arguments)
        return 0
    several = "count(DISTINCT account_id) > 1"
    await connection.execute(fill(_KEPT, **names, reason=_SEVERAL_TEXT, condition=several), *arguments)
    await connection.execute(fill(_GONE, kind=kind.name, stored=stored), *arguments)
    for statement in _STATEMENTS[kind.name]:
        await connection.execute(statement)
    status = await connection.execute(fill(_WITHDRAWN, kind=kind.name, deleted=deleted))
    return int(status.split()[-1])
