"""Searches find conversations by the names, e-mail addresses and phones of their inquiries."""

from __future__ import annotations

import importlib

from alembic import op

revision = "0009"
down_revision = "0008"
# Older code writes documents without inquiries.
oldest_code = "0009"

_BEFORE = importlib.import_module("db.migrations.versions.0006_search")
# Only conversations that have an inquiry: to derive all of 300,000 takes a quarter of an hour.
_WITH_INQUIRIES = """
WHERE EXISTS (SELECT FROM inquiries i WHERE (i.account_id, i.conversation_id) = (c.account_id, c.id))
ON CONFLICT (account_id, conversation_id) DO UPDATE SET words = excluded.words
WHERE conversation_texts.words <> excluded.words
"""
# As `db.queries.conversation.derived` derived it at that time, for these conversations at once.
_TEXTS = r"""
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
"""


def upgrade() -> None:
    """Derive their documents anew."""
    op.execute(_TEXTS + _WITH_INQUIRIES)


def downgrade() -> None:
    """Derive them as before."""
    op.execute(_BEFORE._TEXTS + _WITH_INQUIRIES)  # noqa: SLF001  # another revision's
