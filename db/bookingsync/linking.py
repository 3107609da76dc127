"""What connects records that are all written: conversations with bookings and inquiries, inquiries with bookings.

A newer conversation has exactly the bookings and inquiries that its record names; one that is stored already gains
those that have come since. Nothing of this moves `updated_at`, which stays as recorded.
"""

from __future__ import annotations

import asyncpg

from db.bookingsync.kind import KINDS
from db.bookingsync.report import Fate
from db.bookingsync.staging import fill

_REWRITTEN = """
given_conversations g JOIN changed c ON c.kind = 'conversations' AND c.account_id = g.account_id AND c.id = g.id
"""
_DISCONNECT = """
DELETE FROM conversation_bookings p USING $rewritten
WHERE p.account_id = g.account_id AND p.conversation_id = g.id AND p.booking_id <> ALL (g.bookings)
"""
_CONNECT = """
WITH connected AS (
    INSERT INTO conversation_bookings (account_id, conversation_id, booking_id)
    SELECT DISTINCT g.account_id, g.id, b.id
    FROM given_conversations g CROSS JOIN unnest(g.bookings) AS named(id)
    JOIN bookings b ON b.account_id = g.account_id AND b.id = named.id
    ON CONFLICT DO NOTHING RETURNING account_id, conversation_id
)
INSERT INTO changed SELECT DISTINCT 'conversations', account_id, conversation_id FROM connected ON CONFLICT DO NOTHING
"""
_RELEASE = """
WITH released AS (
    UPDATE inquiries i SET conversation_id = NULL FROM $rewritten
    WHERE i.account_id = g.account_id AND i.conversation_id = g.id AND i.id <> ALL (g.inquiries)
    RETURNING i.account_id, i.id
)
INSERT INTO changed SELECT 'inquiries', account_id, id FROM released ON CONFLICT DO NOTHING
"""
# The first conversation by its id wins, a stored one included: the outcome does not depend on the order of imports.
_CLAIM = """
WITH claimed AS (
    UPDATE inquiries i SET conversation_id = first.conversation_id
    FROM (
        SELECT g.account_id, named.id, min(g.id) AS conversation_id
        FROM given_conversations g CROSS JOIN unnest(g.inquiries) AS named(id) GROUP BY 1, 2
    ) first
    WHERE i.account_id = first.account_id AND i.id = first.id
    AND (i.conversation_id IS NULL OR i.conversation_id > first.conversation_id)
    RETURNING i.account_id, i.id
)
INSERT INTO changed SELECT 'inquiries', account_id, id FROM claimed ON CONFLICT DO NOTHING
"""
# What an inquiry says of its booking goes before what bookings say of their inquiry.
_BOOK = """
WITH booked AS (
    UPDATE inquiries i SET booking_id = first.booking_id
    FROM (
        SELECT account_id, inquiry_id, min(id) AS booking_id
        FROM given_bookings WHERE inquiry_id IS NOT NULL GROUP BY 1, 2
    ) first
    WHERE i.account_id = first.account_id AND i.id = first.inquiry_id AND i.booking_id IS NULL
    RETURNING i.account_id, i.id
)
INSERT INTO changed SELECT 'inquiries', account_id, id FROM booked ON CONFLICT DO NOTHING
"""
_UNCONNECTED = """
INSERT INTO leftovers
SELECT DISTINCT 'conversations', g.id, '$fate', g.file, g.place,
    format('booking %s is nowhere: not connected', named.id)
FROM given_conversations g CROSS JOIN unnest(g.bookings) AS named(id)
WHERE NOT EXISTS (SELECT FROM bookings b WHERE b.account_id = g.account_id AND b.id = named.id)
"""
_UNCLAIMED = """
INSERT INTO leftovers
SELECT DISTINCT 'conversations', g.id, '$fate', g.file, g.place, CASE
    WHEN i.id IS NULL THEN format('inquiry %s is nowhere: not connected', named.id)
    ELSE format('inquiry %s is of conversation %s: not connected', named.id, i.conversation_id) END
FROM given_conversations g CROSS JOIN unnest(g.inquiries) AS named(id)
LEFT JOIN inquiries i ON i.account_id = g.account_id AND i.id = named.id
WHERE i.conversation_id IS DISTINCT FROM g.id
"""
_UNBOOKED = """
INSERT INTO leftovers
SELECT 'bookings', g.id, '$fate', g.file, g.place, CASE
    WHEN i.id IS NULL THEN format('inquiry %s is nowhere: not connected', g.inquiry_id)
    ELSE format('inquiry %s is of booking %s: not connected', g.inquiry_id, i.booking_id) END
FROM given_bookings g LEFT JOIN inquiries i ON i.account_id = g.account_id AND i.id = g.inquiry_id
WHERE g.inquiry_id IS NOT NULL AND i.booking_id IS DISTINCT FROM g.id
"""
_CATCH_UP = """
WITH linked AS (
    UPDATE $kind t SET $link = t.$id_column FROM changed c
    WHERE c.kind = '$target' AND t.$type_column = '$type' AND t.$id_column = c.id $same_account AND t.$link IS NULL
    RETURNING t.account_id, t.id
)
INSERT INTO changed SELECT '$kind', account_id, id FROM linked ON CONFLICT DO NOTHING
"""
_ANY = "SELECT EXISTS (SELECT FROM changed WHERE kind = '$target')"


async def connect(connection: asyncpg.Connection) -> None:
    """Connect conversations, bookings and inquiries as the given records name them, and list what could not be."""
    for statement in (_DISCONNECT, _CONNECT, _RELEASE, _CLAIM, _BOOK, _UNCONNECTED, _UNCLAIMED, _UNBOOKED):
        await connection.execute(fill(statement, rewritten=_REWRITTEN, fate=Fate.NOT_LINKED))


async def catch_up(connection: asyncpg.Connection) -> None:
    """Link rows of earlier imports that kept the id of a member or creator which comes now."""
    for kind in KINDS:
        if kind.polymorph is None:
            continue
        names = {"kind": kind.name, "type_column": kind.polymorph.type_column, "id_column": kind.polymorph.id_column}
        for type_, (link, target) in kind.polymorph.links.items():
            # No index leads from a member or creator to its rows: the whole table is read, and only where it may help.
            if not await connection.fetchval(fill(_ANY, target=target)):
                continue
            same = "" if target == "applications" else "AND t.account_id = c.account_id"
            await connection.execute(fill(_CATCH_UP, **names, type=type_, link=link, target=target, same_account=same))
