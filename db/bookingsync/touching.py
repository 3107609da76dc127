"""What an import derives at its end: the conversations whose rows, or those that tell of them, were changed.

What is derived, and how, is told by `db.queries.derivation` alone.
"""

from __future__ import annotations

import asyncpg

from db.queries.derivation import STATEMENTS

# The words of a conversation come from its subject, messages, people and bookings. Too many conversations cost time,
# and one too few would stay wrong: a change of any column counts.
_FIND = """
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
) touched
"""
_PICK = """
SELECT account_id, array_agg(conversation_id ORDER BY conversation_id) FROM inbox_import.touched
WHERE number > $1 AND number <= $2 GROUP BY account_id ORDER BY account_id
"""
_HOLD = """
SELECT FROM conversations WHERE account_id = $1 AND id = ANY ($2::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""


async def find_touched(connection: asyncpg.Connection) -> None:
    """Find the conversations to derive for, and number them."""
    await connection.execute("TRUNCATE inbox_import.touched")
    await connection.execute("ANALYZE inbox_import.outcomes")
    await connection.execute(_FIND)
    await connection.execute("ANALYZE inbox_import.touched")


async def derive(connection: asyncpg.Connection, after: int, last: int) -> None:
    """Derive in a transaction for those that were found under the numbers behind `after` up to `last`."""
    async with connection.transaction():
        for account_id, ids in await connection.fetch(_PICK, after, last):
            await connection.execute(_HOLD, account_id, ids)
            for statement in STATEMENTS:
                await connection.execute(statement, account_id, ids)
