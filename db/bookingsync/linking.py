"""Links between written rows, and the values that are derived from changed rows.

Conversations are linked with bookings and inquiries, and inquiries with bookings. A new or newer conversation gets
exactly the bookings and inquiries that its record names; a stored one gets additional links to those that were imported
since. Links do not change `updated_at`, which stays as recorded. Batches are in the order of ids, so the first
conversation in a batch that names an inquiry is the first of all.
"""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg

from db.bookingsync.kind import KINDS
from db.bookingsync.report import Fate
from db.bookingsync.staging import fill, note
from db.queries.conversation.derived import STATEMENTS

_REWRITTEN = """
given_conversations g JOIN inbox_import.outcomes o
ON o.kind = 'conversations' AND o.account_id = g.account_id AND o.id = g.id AND o.changed
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
    ON CONFLICT DO NOTHING RETURNING account_id, conversation_id AS id
)
$note
"""
_RELEASE = """
WITH released AS (
    UPDATE inquiries i SET conversation_id = NULL FROM $rewritten
    WHERE i.account_id = g.account_id AND i.conversation_id = g.id AND i.id <> ALL (g.inquiries)
    RETURNING i.account_id, i.id
)
$note
"""
# The conversations that lose an inquiry by the statement after this one.
_YIELD = """
INSERT INTO inbox_import.detached
SELECT DISTINCT i.account_id, i.conversation_id
FROM given_conversations g CROSS JOIN unnest(g.inquiries) AS named(id)
JOIN inquiries i ON i.account_id = g.account_id AND i.id = named.id
WHERE i.conversation_id > g.id
"""
# The conversation with the lowest id wins, stored ones included, so the result does not depend on the order of imports.
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
$note
"""
# The booking that the inquiry's record names is preferred to bookings that name the inquiry.
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
$note
"""
_UNCONNECTED = """
INSERT INTO inbox_import.leftovers
SELECT DISTINCT 'conversations', g.id, '$fate', g.file, g.place,
    format('booking %s was not found: not connected', named.id)
FROM given_conversations g CROSS JOIN unnest(g.bookings) AS named(id)
WHERE NOT EXISTS (SELECT FROM bookings b WHERE b.account_id = g.account_id AND b.id = named.id)
"""
_UNCLAIMED = """
INSERT INTO inbox_import.leftovers
SELECT DISTINCT 'conversations', g.id, '$fate', g.file, g.place, CASE
    WHEN i.id IS NULL THEN format('inquiry %s was not found: not connected', named.id)
    ELSE format('inquiry %s belongs to conversation %s: not connected', named.id, i.conversation_id) END
FROM given_conversations g CROSS JOIN unnest(g.inquiries) AS named(id)
LEFT JOIN inquiries i ON i.account_id = g.account_id AND i.id = named.id
WHERE i.conversation_id IS DISTINCT FROM g.id
"""
_UNBOOKED = """
INSERT INTO inbox_import.leftovers
SELECT 'bookings', g.id, '$fate', g.file, g.place, CASE
    WHEN i.id IS NULL THEN format('inquiry %s was not found: not connected', g.inquiry_id)
    ELSE format('inquiry %s belongs to booking %s: not connected', g.inquiry_id, i.booking_id) END
FROM given_bookings g LEFT JOIN inquiries i ON i.account_id = g.account_id AND i.id = g.inquiry_id
WHERE g.inquiry_id IS NOT NULL AND i.booking_id IS DISTINCT FROM g.id
"""
# No index finds the rows of a member or creator, so the whole table is read, but only if such a record is new.
_ANY = "SELECT EXISTS (SELECT FROM inbox_import.outcomes WHERE kind = '$target' AND changed)"
_FIND = """
INSERT INTO inbox_import.unlinked
SELECT (SELECT count(*) FROM inbox_import.unlinked) + row_number() OVER (ORDER BY t.account_id, t.id),
    '$link', '$kind', t.account_id, t.id
FROM $kind t JOIN inbox_import.outcomes o ON o.kind = '$target' AND o.changed AND o.id = t.$id_column $same_account
WHERE t.$type_column = '$type' AND t.$link IS NULL
"""
_CATCH_UP = """
WITH linked AS (
    UPDATE $kind t SET $link = t.$id_column FROM inbox_import.unlinked u
    WHERE u.number > $$1 AND u.number <= $$2 AND u.link = '$link' AND u.kind = '$kind'
    AND u.account_id = t.account_id AND u.id = t.id AND t.$link IS NULL
    RETURNING t.account_id, t.id
)
$note
"""


async def connect(connection: asyncpg.Connection) -> None:
    """Connect the given batch of conversations as their records say, and list what could not be connected."""
    steps = (
        (_DISCONNECT, ""),
        # Before a connection notes the conversation as changed: only a newer record takes anything away.
        (_RELEASE, note("inquiries", "released")),
        (_CONNECT, note("conversations", "connected")),
        (_YIELD, ""),
        (_CLAIM, note("inquiries", "claimed")),
        (_UNCONNECTED, ""),
        (_UNCLAIMED, ""),
    )
    for statement, note_them in steps:
        await connection.execute(fill(statement, rewritten=_REWRITTEN, note=note_them, fate=Fate.NOT_LINKED))


async def book(connection: asyncpg.Connection) -> None:
    """Connect the inquiries of the given batch of bookings, and list what could not be connected."""
    await connection.execute(fill(_BOOK, note=note("inquiries", "booked")))
    await connection.execute(fill(_UNBOOKED, fate=Fate.NOT_LINKED))


async def find_unlinked(connection: asyncpg.Connection) -> None:
    """Find rows of earlier imports whose member or creator was stored by this import."""
    await connection.execute("TRUNCATE inbox_import.unlinked")
    for kind, names in _polymorphs():
        if await connection.fetchval(fill(_ANY, target=names["target"])):
            same = "" if names["target"] == "applications" else "AND o.account_id = t.account_id"
            await connection.execute(fill(_FIND, kind=kind, same_account=same, **names))


async def catch_up(connection: asyncpg.Connection, after: int, last: int) -> None:
    """Link the rows that were found, from the number after `after` to `last`."""
    for kind, names in _polymorphs():
        await connection.execute(fill(_CATCH_UP, kind=kind, note=note(kind, "linked"), **names), after, last)


def _polymorphs() -> Iterator[tuple[str, dict[str, str]]]:
    """Each kind with a polymorphic reference, once for each of its links, and the names for a statement."""
    for kind in KINDS:
        if kind.polymorph:
            columns = {"type_column": kind.polymorph.type_column, "id_column": kind.polymorph.id_column}
            for type_, (link, target) in kind.polymorph.links.items():
                yield kind.name, {**columns, "type": type_, "link": link, "target": target}


# A conversation's derived values depend on its own row, messages, people, bookings and inquiries. A change of any
# column counts: deriving a conversation needlessly costs time, missing one leaves it wrong.
_FIND_TOUCHED = """
WITH changed AS (SELECT kind, account_id, id FROM inbox_import.outcomes WHERE changed)
INSERT INTO inbox_import.touched
SELECT row_number() OVER (ORDER BY account_id, conversation_id), account_id, conversation_id
FROM (
    SELECT account_id, id AS conversation_id FROM changed WHERE kind = 'conversations'
    UNION
    SELECT m.account_id, m.conversation_id FROM messages m JOIN changed c USING (account_id, id)
    WHERE c.kind = 'messages'
    UNION
    SELECT p.account_id, p.conversation_id FROM participants p JOIN changed c USING (account_id, id)
    WHERE c.kind = 'participants'
    UNION
    SELECT p.account_id, p.conversation_id
    FROM participants p JOIN changed c ON c.account_id = p.account_id AND c.id = p.client_id WHERE c.kind = 'clients'
    UNION
    SELECT p.account_id, p.conversation_id
    FROM participants p JOIN changed c ON c.account_id = p.account_id AND c.id = p.host_id WHERE c.kind = 'hosts'
    UNION
    SELECT b.account_id, b.conversation_id
    FROM conversation_bookings b JOIN changed c ON c.account_id = b.account_id AND c.id = b.booking_id
    WHERE c.kind = 'bookings'
    UNION
    SELECT l.account_id, l.conversation_id
    FROM conversation_bookings l JOIN bookings b ON b.account_id = l.account_id AND b.id = l.booking_id
    JOIN changed c ON c.account_id = b.account_id AND c.id = b.client_id
    WHERE c.kind = 'clients'
    UNION
    SELECT i.account_id, i.conversation_id FROM inquiries i JOIN changed c USING (account_id, id)
    WHERE c.kind = 'inquiries' AND i.conversation_id IS NOT NULL
    UNION
    SELECT account_id, conversation_id FROM inbox_import.detached
) touched
"""
_PICK = """
SELECT account_id, array_agg(conversation_id ORDER BY conversation_id) FROM inbox_import.touched
WHERE number > $1 AND number <= $2 GROUP BY account_id ORDER BY account_id
"""
_HOLD = """
SELECT FROM conversations WHERE account_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""
# Messages may come without the newer record of their sender. That of their conversation follows with its counters.
_NEWEST = """
UPDATE participants p SET last_message_sent_at = newest.sent_at
FROM (
    SELECT sender_id, max(sent_at) AS sent_at FROM messages
    WHERE account_id = $1 AND conversation_id = ANY ($2::bigint[]) GROUP BY sender_id
) newest
WHERE p.account_id = $1 AND p.id = newest.sender_id
AND (p.last_message_sent_at IS NULL OR p.last_message_sent_at < newest.sent_at)
"""


async def find_touched(connection: asyncpg.Connection) -> None:
    """Find the conversations whose derived values may have changed, and number them."""
    await connection.execute("TRUNCATE inbox_import.touched")
    await connection.execute("ANALYZE inbox_import.outcomes")
    await connection.execute(_FIND_TOUCHED)
    await connection.execute("ANALYZE inbox_import.touched")


async def derive(connection: asyncpg.Connection, after: int, last: int) -> None:
    """Derive values for the conversations found, from the number after `after` to `last`, in a transaction."""
    async with connection.transaction():
        for account_id, ids in await connection.fetch(_PICK, after, last):
            await connection.execute(_HOLD, account_id, ids)
            for statement in (_NEWEST, *STATEMENTS):
                await connection.execute(statement, account_id, ids)
