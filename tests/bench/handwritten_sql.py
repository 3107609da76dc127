"""The SQL of `handwritten`: one statement for each relation, with only the returned columns.

asyncpg prepares each once per connection, because its text never changes. The first parameter is the account.
"""

from __future__ import annotations

# The expression of the index; otherwise each page would sort all conversations.
_NEWEST_FIRST = "CASE WHEN last_message_at IS NULL THEN '-infinity'::timestamptz ELSE last_message_at END"

_AFTER = f"AND ({_NEWEST_FIRST}, id) < (coalesce($3, '-infinity'::timestamptz), $4)"


def _pages(columns: str) -> tuple[str, str]:
    """Conversations, the newest message first: `$2` of them, from the start or after the position (`$3`, `$4`)."""
    start = f"SELECT {columns} FROM conversations WHERE account_id = $1"  # noqa: S608  # constants only
    end = f"ORDER BY {_NEWEST_FIRST} DESC, id DESC LIMIT $2"
    return f"{start} {end}", f"{start} {_AFTER} {end}"


NESTED = _pages("id, subject, closed_at, last_message_at, assignee_id, source_id")
LIST = _pages(
    "id, subject, default_channel, closed_at, marked_as_spam_at, read, last_message_at, updated_at, assignee_id"
)
WIDE = _pages("id, subject, closed_at, last_message_at")
ONE = "SELECT id, subject, closed_at, last_message_at FROM conversations WHERE account_id = $1 AND id = $2"

HOSTS = "SELECT id, firstname, lastname, email FROM hosts WHERE account_id = $1 AND id = ANY($2)"
CLIENTS = "SELECT id, fullname, email, phone FROM clients WHERE account_id = $1 AND id = ANY($2)"
SOURCES = "SELECT id, name, internal, created_at FROM sources WHERE account_id = $1 AND id = ANY($2)"
SENDERS = """
SELECT id, member_type, read_at, created_at, client_id, host_id FROM participants
WHERE account_id = $1 AND id = ANY($2)
"""

# The first rows of each conversation, in the order of the array `$2`.
BOOKINGS = """
SELECT conversation.id, b.* FROM unnest($2::bigint[]) conversation (id) CROSS JOIN LATERAL (
    SELECT b.id, reference, status, start_at, end_at, final_price
    FROM conversation_bookings l JOIN bookings b ON b.account_id = l.account_id AND b.id = l.booking_id
    WHERE l.account_id = $1 AND l.conversation_id = conversation.id
    ORDER BY l.booking_id LIMIT 20
) b
"""
INQUIRIES = """
SELECT conversation.id, i.* FROM unnest($2::bigint[]) conversation (id) CROSS JOIN LATERAL (
    SELECT i.id, firstname, lastname, email FROM inquiries i
    WHERE i.account_id = $1 AND i.conversation_id = conversation.id ORDER BY i.id LIMIT 20
) i
"""
PARTICIPANTS = """
SELECT conversation.id, p.* FROM unnest($2::bigint[]) conversation (id) CROSS JOIN LATERAL (
    SELECT p.id, member_type, read_at, last_message_sent_at, client_id, host_id FROM participants p
    WHERE p.account_id = $1 AND p.conversation_id = conversation.id ORDER BY p.id LIMIT 20
) p
"""
# The newest first; the caller reverses them.
LAST_MESSAGES = """
SELECT conversation.id, m.* FROM unnest($2::bigint[]) conversation (id) CROSS JOIN LATERAL (
    SELECT m.id, content, visibility, sent_at, sender_id FROM messages m
    WHERE m.account_id = $1 AND m.conversation_id = conversation.id ORDER BY sent_at DESC, m.id DESC LIMIT 10
) m
"""
FIRST_MESSAGES = """
SELECT conversation.id, m.* FROM unnest($2::bigint[]) conversation (id) CROSS JOIN LATERAL (
    SELECT m.id, content, channel, origin, visibility, sent_at FROM messages m
    WHERE m.account_id = $1 AND m.conversation_id = conversation.id ORDER BY sent_at, m.id LIMIT 100
) m
"""
