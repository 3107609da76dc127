"""Values of a conversation that follow from other rows. Always derived from all of them, so that they cannot drift.

Code that writes messages, participants, clients, bookings, inquiries or subjects calls `derive` in the same
transaction, with the conversations locked. Bulk writers execute `STATEMENTS` themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from db.engine import Transaction
from db.scope import ACCOUNT
from db.statement import Row, Statement
from db.tables import STATUS_BITS, BookingStatus

_BITS = " ".join(f"WHEN '{status}' THEN {bit}" for status, bit in STATUS_BITS.items())

# An answer is an external, not automatic message of a host. Guest messages after the last answer are unanswered, except
# those that arrived before a wait was ended. If an import has a conversation that is closed or spam, the wait ended at
# that time, and stays ended when the conversation is opened again. An imported `last_message_at` may be later than all
# stored messages.
COUNTERS = """
UPDATE conversations c
SET unanswered_since = fresh.unanswered_since, unread_count = fresh.unread_count,
    last_message_at = fresh.last_message_at, wait_ended_at = fresh.wait_ended_at,
    undelivered_count = fresh.undelivered_count
FROM (
    SELECT c.id, ended.wait_ended_at, fresh.unanswered_since, fresh.unread_count, fresh.undelivered_count,
        greatest(c.last_message_at, fresh.last_sent_at) AS last_message_at
    FROM conversations c
    CROSS JOIN LATERAL (
        SELECT greatest(c.wait_ended_at, c.closed_at, c.marked_as_spam_at) AS wait_ended_at
    ) ended
    CROSS JOIN LATERAL (
        SELECT max(sent_at) AS last_sent_at,
            min(sent_at) FILTER (
                WHERE by_guest AND NOT automatic AND NOT answered
                    AND created_at > coalesce(ended.wait_ended_at, '-infinity')
            ) AS unanswered_since,
            count(*) FILTER (WHERE by_guest AND created_at > coalesce(c.read_at, '-infinity')) AS unread_count,
            count(*) FILTER (WHERE delivery_state = 'FAILED') AS undelivered_count
        FROM (
            SELECT m.sent_at, m.created_at, m.automatic, m.delivery_state, p.member_type = 'CLIENT' AS by_guest,
                bool_or(p.member_type = 'HOST' AND m.visibility = 'EXTERNAL' AND NOT m.automatic)
                    OVER (ORDER BY m.sent_at DESC, m.id DESC) AS answered
            FROM messages m JOIN participants p ON (p.account_id, p.id) = (m.account_id, m.sender_id)
            WHERE m.account_id = c.account_id AND m.conversation_id = c.id
        ) message
    ) fresh
    WHERE c.account_id = $1 AND c.id = ANY($2::bigint[])
) fresh
WHERE c.account_id = $1 AND c.id = fresh.id
    AND (c.unanswered_since, c.unread_count, c.last_message_at, c.wait_ended_at, c.undelivered_count)
        IS DISTINCT FROM (fresh.unanswered_since, fresh.unread_count, fresh.last_message_at, fresh.wait_ended_at,
            fresh.undelivered_count)
"""

# The functions are in the database (`db.tables.search`). A form feed separates texts, so that no phrase matches across
# two of them. People and bookings are also found by the endings of their numbers. Only the newest two million
# characters of a thread are split into words: more would make writing to it slow.
TEXTS = r"""
INSERT INTO conversation_texts (account_id, conversation_id, words)
SELECT c.account_id, c.id,
    search_document(c.account_id, concat_ws(E'\f', c.subject, head.content), coalesce(body.content, ''))
FROM conversations c
CROSS JOIN LATERAL (
    SELECT string_agg(content, E'\f' ORDER BY content) AS content
    FROM (
        SELECT concat_ws(E'\f', b.reference, b.external_reference, search_ends(b.reference, 3, 12),
            search_ends(b.external_reference, 3, 12), l.fullname, search_contact(l.email, l.phone))
        FROM conversation_bookings cb
        JOIN bookings b ON (b.account_id, b.id) = (cb.account_id, cb.booking_id)
        LEFT JOIN clients l ON (l.account_id, l.id) = (b.account_id, b.client_id)
        WHERE (cb.account_id, cb.conversation_id) = (c.account_id, c.id)
        UNION
        SELECT concat_ws(E'\f', coalesce(l.fullname, concat_ws(' ', h.firstname, h.lastname)),
            search_contact(l.email, l.phone))
        FROM participants p
        LEFT JOIN clients l ON (l.account_id, l.id) = (p.account_id, p.client_id)
        LEFT JOIN hosts h ON (h.account_id, h.id) = (p.account_id, p.host_id)
        WHERE (p.account_id, p.conversation_id) = (c.account_id, c.id)
        UNION
        SELECT concat_ws(E'\f', concat_ws(' ', i.firstname, i.lastname), search_contact(i.email, i.phone))
        FROM inquiries i
        WHERE (i.account_id, i.conversation_id) = (c.account_id, c.id)
    ) piece (content)
) head
CROSS JOIN LATERAL (
    SELECT string_agg(content, E'\f' ORDER BY place) AS content
    FROM (
        SELECT m.content, row_number() OVER newest AS place,
            sum(length(m.content)) OVER newest - length(m.content) AS start
        FROM messages m WHERE (m.account_id, m.conversation_id) = (c.account_id, c.id)
        WINDOW newest AS (ORDER BY m.sent_at DESC, m.id DESC)
    ) message
    WHERE start < 2000000
) body
WHERE c.account_id = $1 AND c.id = ANY($2::bigint[])
ON CONFLICT (account_id, conversation_id) DO UPDATE SET words = excluded.words
WHERE conversation_texts.words <> excluded.words
"""

# The end of a stay is the later one of its dates, because imported ones may be in either order. LATERAL, because for a
# new account PostgreSQL expects one conversation and one booking: joined and grouped, they were read again for each
# conversation, and PostgreSQL 14 took 120 s for 1,000.
STAYS = f"""
UPDATE conversations c
SET booking_statuses = fresh.booking_statuses, stays_until = fresh.stays_until
FROM (
    SELECT c.id, fresh.booking_statuses, fresh.stays_until
    FROM conversations c
    CROSS JOIN LATERAL (
        SELECT coalesce(bit_or(CASE b.status {_BITS} END), 0)::smallint AS booking_statuses,
            max(greatest(b.start_at, b.end_at)) FILTER (WHERE b.status = '{BookingStatus.BOOKED}') AS stays_until
        FROM conversation_bookings cb
        JOIN bookings b ON (b.account_id, b.id) = (cb.account_id, cb.booking_id)
        WHERE (cb.account_id, cb.conversation_id) = (c.account_id, c.id)
    ) fresh
    WHERE c.account_id = $1 AND c.id = ANY($2::bigint[])
) fresh
WHERE c.account_id = $1 AND c.id = fresh.id
    AND (c.booking_statuses, c.stays_until) IS DISTINCT FROM (fresh.booking_statuses, fresh.stays_until)
"""  # noqa: S608  # its only parts are the bits

_PARAMETERS = (ACCOUNT, "ids")

STATEMENTS = (COUNTERS, STAYS, TEXTS)
# The values that depend on messages and people, and those that depend on bookings.
OF_MESSAGES = (COUNTERS, TEXTS)
OF_BOOKINGS = (STAYS, TEXTS)


async def derive(
    transaction: Transaction, account_id: int, ids: Sequence[int], statements: Sequence[str] = OF_MESSAGES
) -> None:
    """Derive the values of the conversations `ids` of the account, from the rows that the transaction sees.

    `statements` are those of `STATEMENTS` whose result can have changed.
    """
    for sql in statements:
        await transaction.fetch(Statement(sql, _PARAMETERS, Row), {ACCOUNT: account_id, "ids": list(ids)})
