"""What conversations are found by, and what was done under which idempotency key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0002"
down_revision = "0001"
# Earlier code does not derive the new columns.
oldest_code = "0002"

_UNREAD = "coalesce(last_message_at > read_at, read_at IS NULL)"
# Indexes of what few conversations are: their names, with the condition, and what they are sorted by.
_FEW = {
    "open": ("closed_at IS NULL", "last_message_at", "-infinity"),
    "spam": ("marked_as_spam_at IS NOT NULL", "last_message_at", "-infinity"),
    "unread": (_UNREAD, "last_message_at", "-infinity"),
    "waiting": ("waiting_since IS NOT NULL", "last_message_at", "-infinity"),
    "waiting_longest": ("waiting_since IS NOT NULL", "waiting_since", "infinity"),
    "waiting_by_deadline": ("waiting_since IS NOT NULL", "deadline_response_at", "infinity"),
}
_STATE = ("account_id", "closed_at", "marked_as_spam_at", "assignee_id", "read_at", "last_message_at")

# As `db.queries.derivation` derived it at that time, for all conversations at once.
_COUNTERS = """
UPDATE conversations c
SET unanswered_since = told.unanswered_since, unread_count = told.unread_count
FROM (
    SELECT m.account_id, m.conversation_id, min(m.sent_at) FILTER (WHERE by_guest AND NOT answered) AS unanswered_since,
        count(*) FILTER (WHERE by_guest AND m.sent_at > coalesce(c.read_at, '-infinity')) AS unread_count
    FROM (
        SELECT m.account_id, m.conversation_id, m.sent_at, p.member_type = 'CLIENT' AS by_guest,
            bool_or(p.member_type = 'HOST') OVER (
                PARTITION BY m.account_id, m.conversation_id ORDER BY m.sent_at DESC, m.id DESC
            ) AS answered
        FROM messages m JOIN participants p ON (p.account_id, p.id) = (m.account_id, m.sender_id)
        WHERE m.visibility = 'EXTERNAL'
    ) m JOIN conversations c ON (c.account_id, c.id) = (m.account_id, m.conversation_id)
    GROUP BY m.account_id, m.conversation_id
) told
WHERE (c.account_id, c.id) = (told.account_id, told.conversation_id)
"""

# As `db.tables.search` had them at that time.
_FUNCTIONS = (
    r"""
    CREATE FUNCTION search_plain(content text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace(
        regexp_replace(
            replace(replace(replace(replace(
                translate(
                    regexp_replace(
                        lower(normalize(content, NFKD)), '[\u0300-\u036f\u00ad\u200b-\u200d\ufe00-\ufe0f]', '', 'g'
                    ),
                    'øłđðħıς', 'olddhiσ'
                ),
                'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'
            ),
            '(?!["-])[[:punct:]]|(?<=\S)-|-(?![^\s[:punct:]]|")', '''', 'g'
        ),
        '([^\s''"]{100})[^\s''"]+', '\1', 'g'
    )
    """,  # noqa: RUF001  # a Greek letter
    r"""
    CREATE FUNCTION search_owned(account bigint, lexemes text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace(lexemes, '''([^'']+)''', '''' || account::text || ' \1''', 'g')
    """,
    r"""
    CREATE FUNCTION search_document(account bigint, head text, body text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN search_owned(account, (
        setweight(to_tsvector('simple'::regconfig,
            left(replace(translate(search_plain(head), '-', ' '), E'\f', ' 0.0 '), 10000) || ' 0.0 '), 'A')
        || to_tsvector('simple'::regconfig,
            left(replace(translate(search_plain(body), '-', ' '), E'\f', ' 0.0 '), 50000))
    )::text)::tsvector
    """,
    r"""
    CREATE FUNCTION search_query(account bigint, search text) RETURNS tsquery
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000000000
    RETURN (
        SELECT search_owned(account, CASE
            WHEN content ~ '^(?:[^"]*"[^"]*")*[^"]*[^\s"''-][\s''-]*$'
            THEN regexp_replace(asked, '(^|[^!])(''[^'']+'')$', '\1\2:*')
            ELSE asked
        END)
        FROM left(search_plain(left(search, 1000)), 1000) AS content,
            CAST(websearch_to_tsquery('simple'::regconfig, content) AS text) AS asked
    )::tsquery
    """,
)

# As `db.queries.derivation` derived it at that time, for all conversations at once.
_TEXTS = r"""
INSERT INTO conversation_texts (account_id, conversation_id, words)
SELECT c.account_id, c.id,
    search_document(c.account_id, concat_ws(E'\f', c.subject, head.content), coalesce(body.content, ''))
FROM conversations c
CROSS JOIN LATERAL (
    SELECT string_agg(content, E'\f' ORDER BY content) AS content
    FROM (
        SELECT concat_ws(E'\f', b.reference, b.external_reference, l.fullname)
        FROM conversation_bookings cb
        JOIN bookings b ON (b.account_id, b.id) = (cb.account_id, cb.booking_id)
        LEFT JOIN clients l ON (l.account_id, l.id) = (b.account_id, b.client_id)
        WHERE (cb.account_id, cb.conversation_id) = (c.account_id, c.id)
        UNION
        SELECT coalesce(l.fullname, concat_ws(' ', h.firstname, h.lastname))
        FROM participants p
        LEFT JOIN clients l ON (l.account_id, l.id) = (p.account_id, p.client_id)
        LEFT JOIN hosts h ON (h.account_id, h.id) = (p.account_id, p.host_id)
        WHERE (p.account_id, p.conversation_id) = (c.account_id, c.id)
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
    WHERE start < 50000
) body
"""


def upgrade() -> None:
    """Add the columns, tables and indexes, and fill them from what is there."""
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor_type",
            sa.Enum("USER", "APPLICATION", name="creatortype", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("written_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIMESTAMP(timezone=True, precision=3), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_idempotency_keys_account_id")),
        sa.PrimaryKeyConstraint("account_id", "actor_type", "actor_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        op.f("ix_idempotency_keys_account_id_created_at"),
        "idempotency_keys",
        ["account_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "conversation_texts",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "conversation_id"],
            ["conversations.account_id", "conversations.id"],
            name=op.f("fk_conversation_texts_account_id_conversation_id"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_conversation_texts_account_id")),
        sa.PrimaryKeyConstraint("account_id", "conversation_id", name=op.f("pk_conversation_texts")),
    )
    op.create_index(
        op.f("ix_conversation_texts_words"), "conversation_texts", ["words"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        op.f("ix_bookings_account_id_client_id_id"), "bookings", ["account_id", "client_id", "id"], unique=False
    )
    op.create_index(op.f("ix_bookings_account_id_end_at_id"), "bookings", ["account_id", "end_at", "id"], unique=False)
    op.create_index(
        op.f("ix_bookings_account_id_rental_id_id"), "bookings", ["account_id", "rental_id", "id"], unique=False
    )
    op.create_index(
        op.f("ix_bookings_account_id_start_at_id"), "bookings", ["account_id", "start_at", "id"], unique=False
    )
    op.add_column("conversations", sa.Column("unanswered_since", TIMESTAMP(timezone=True, precision=3), nullable=True))
    op.add_column("conversations", sa.Column("unread_count", sa.Integer(), server_default="0", nullable=False))
    op.add_column(
        "conversations",
        sa.Column(
            "waiting_since",
            TIMESTAMP(timezone=True, precision=3),
            sa.Computed(
                "CASE WHEN closed_at IS NULL AND marked_as_spam_at IS NULL THEN unanswered_since "
                "ELSE NULL::timestamp with time zone END",
                persisted=True,
            ),
            nullable=True,
        ),
    )
    op.create_index(
        "ix_conversations_waiting_since_asc",
        "conversations",
        ["account_id", sa.literal_column("coalesce(waiting_since, 'infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_conversations_waiting_since_desc",
        "conversations",
        ["account_id", sa.literal_column("coalesce(waiting_since, '-infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_conversations_account_id_default_channel"), "conversations", ["account_id", "default_channel"]
    )
    for name, (condition, column, infinity) in _FEW.items():
        op.create_index(
            f"ix_conversations_{name}",
            "conversations",
            ["account_id", sa.literal_column(f"coalesce({column}, '{infinity}'::timestamptz)"), "id"],
            postgresql_where=sa.text(condition),
        )
    op.drop_index("ix_conversations_state", table_name="conversations")
    op.create_index(
        "ix_conversations_state",
        "conversations",
        [*_STATE, sa.literal_column(_UNREAD)],
        postgresql_include=["waiting_since", "deadline_response_at", "default_channel", "source_id"],
    )
    op.create_index(
        op.f("ix_participants_account_id_client_id_conversation_id"),
        "participants",
        ["account_id", "client_id", "conversation_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_participants_account_id_host_id_conversation_id"),
        "participants",
        ["account_id", "host_id", "conversation_id"],
        unique=False,
    )
    for function in _FUNCTIONS:
        op.execute(sa.DDL(function))  # type: ignore[no-untyped-call]
    # How frequent a word is decides between the index of words and that of the order. With the usual number of words
    # remembered, PostgreSQL takes every other one, and every beginning of one, for too frequent.
    op.execute("ALTER TABLE conversation_texts ALTER COLUMN words SET STATISTICS 1000")
    op.execute(_COUNTERS)
    op.execute(_TEXTS)


def downgrade() -> None:
    """Drop them. Idempotency keys are lost; the rest can be derived again."""
    for function in ("search_query", "search_document", "search_owned", "search_plain"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index(op.f("ix_participants_account_id_host_id_conversation_id"), table_name="participants")
    op.drop_index(op.f("ix_participants_account_id_client_id_conversation_id"), table_name="participants")
    op.drop_index("ix_conversations_state", table_name="conversations")
    op.create_index("ix_conversations_state", "conversations", _STATE)
    for name in _FEW:
        op.drop_index(f"ix_conversations_{name}", table_name="conversations")
    op.drop_index(op.f("ix_conversations_account_id_default_channel"), table_name="conversations")
    op.drop_index("ix_conversations_waiting_since_desc", table_name="conversations")
    op.drop_index("ix_conversations_waiting_since_asc", table_name="conversations")
    op.drop_column("conversations", "waiting_since")
    op.drop_column("conversations", "unread_count")
    op.drop_column("conversations", "unanswered_since")
    op.drop_index(op.f("ix_bookings_account_id_start_at_id"), table_name="bookings")
    op.drop_index(op.f("ix_bookings_account_id_rental_id_id"), table_name="bookings")
    op.drop_index(op.f("ix_bookings_account_id_end_at_id"), table_name="bookings")
    op.drop_index(op.f("ix_bookings_account_id_client_id_id"), table_name="bookings")
    op.drop_index(op.f("ix_conversation_texts_words"), table_name="conversation_texts", postgresql_using="gin")
    op.drop_table("conversation_texts")
    op.drop_index(op.f("ix_idempotency_keys_account_id_created_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
