"""Unread is counted by arrival, waits end when a conversation is closed, and creators have ids of their own."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0007"
down_revision = "0006"
# Older code does not derive what this code reads.
oldest_code = "0007"

_UNREAD = "coalesce(last_message_at > read_at, read_at IS NULL)"
_STATE = ("account_id", "closed_at", "marked_as_spam_at", "assignee_id")
_INCLUDED = (
    "waiting_since",
    "deadline_response_at",
    "default_channel",
    "source_id",
    "booking_statuses",
    "stays_until",
    "id",
)
_LAST_MESSAGE = "(CASE WHEN last_message_at IS NULL THEN '-infinity'::timestamptz ELSE last_message_at END)"
_EXTERNAL_KEY = ("account_id", "external_id", "created_by_type", "created_by_id")

# As `db.queries.conversation.derived` derived it at that time, for all conversations at once. What was closed or spam
# ended a wait then.
_COUNTERS = """
UPDATE conversations c
SET unanswered_since = told.unanswered_since, unread_count = told.unread_count,
    last_message_at = told.last_message_at, wait_ended_at = told.wait_ended_at
FROM (
    SELECT m.account_id, m.conversation_id, m.wait_ended_at,
        greatest(m.last_message_at, max(m.sent_at)) AS last_message_at,
        min(m.sent_at) FILTER (
            WHERE by_guest AND NOT answered AND m.created_at > coalesce(m.wait_ended_at, '-infinity')
        ) AS unanswered_since,
        count(*) FILTER (WHERE by_guest AND m.created_at > coalesce(m.read_at, '-infinity')) AS unread_count
    FROM (
        SELECT m.account_id, m.conversation_id, m.sent_at, m.created_at, c.last_message_at, c.read_at,
            greatest(c.closed_at, c.marked_as_spam_at) AS wait_ended_at, p.member_type = 'CLIENT' AS by_guest,
            bool_or(p.member_type = 'HOST' AND m.visibility = 'EXTERNAL') OVER (
                PARTITION BY m.account_id, m.conversation_id ORDER BY m.sent_at DESC, m.id DESC
            ) AS answered
        FROM messages m
        JOIN participants p ON (p.account_id, p.id) = (m.account_id, m.sender_id)
        JOIN conversations c ON (c.account_id, c.id) = (m.account_id, m.conversation_id)
    ) m
    GROUP BY m.account_id, m.conversation_id, m.wait_ended_at, m.last_message_at
) told
WHERE (c.account_id, c.id) = (told.account_id, told.conversation_id)
"""
_ENDED = """
UPDATE conversations SET wait_ended_at = greatest(closed_at, marked_as_spam_at)
WHERE wait_ended_at IS NULL AND (closed_at IS NOT NULL OR marked_as_spam_at IS NOT NULL)
"""


def upgrade() -> None:
    """Add the columns and derive anew while there are the fewest indexes to write."""
    for name in ("ix_conversations_unread", "ix_conversations_state"):
        op.drop_index(name, table_name="conversations")
    op.add_column("messages", sa.Column("automatic", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("conversations", sa.Column("wait_ended_at", TIMESTAMP(timezone=True, precision=3), nullable=True))
    for table in ("conversations", "messages"):
        op.add_column(table, sa.Column("external_id", sa.String(255), nullable=True))
        op.add_column(table, sa.Column("external_digest", sa.LargeBinary(), nullable=True))
        where = sa.text("external_id IS NOT NULL")
        op.create_index(f"uq_{table}_external_id", table, _EXTERNAL_KEY, unique=True, postgresql_where=where)
    op.execute(_COUNTERS)
    op.execute(_ENDED)
    op.add_column(
        "conversations",
        sa.Column(
            "read",
            sa.Boolean(),
            sa.Computed("read_at IS NOT NULL AND unread_count = 0", persisted=True),
            nullable=False,
        ),
    )
    _create_indexes("read", "NOT read")


def downgrade() -> None:
    """Drop the columns. What is derived keeps its new values until a conversation is next written."""
    for name in ("ix_conversations_unread", "ix_conversations_state"):
        op.drop_index(name, table_name="conversations")
    for table in ("conversations", "messages"):
        op.drop_index(f"uq_{table}_external_id", table_name=table)
        op.drop_column(table, "external_digest")
        op.drop_column(table, "external_id")
    op.drop_column("conversations", "read")
    op.drop_column("conversations", "wait_ended_at")
    op.drop_column("messages", "automatic")
    _create_indexes(None, _UNREAD)


def _create_indexes(read: str | None, unread: str) -> None:
    state: list[Any] = [*_STATE, read] if read else [*_STATE, "read_at", "last_message_at", sa.text(unread)]
    op.create_index("ix_conversations_state", "conversations", state, postgresql_include=list(_INCLUDED))
    op.create_index(
        "ix_conversations_unread",
        "conversations",
        ["account_id", sa.text(_LAST_MESSAGE), "id"],
        postgresql_where=sa.text(unread),
    )
