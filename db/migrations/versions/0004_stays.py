"""What a conversation's bookings say stands beside it, and orders are indexed without coalesce."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0004"
down_revision = "0003"
# Older code does not derive the columns, which this code reads.
oldest_code = "0004"

# Orders by a nullable column: the index, the column and what null sorts as.
_NULLS_LAST = {
    f"ix_conversations_{column}_{direction}": (column, infinity)
    for column in ("last_message_at", "deadline_response_at", "waiting_since")
    for direction, infinity in (("asc", "infinity"), ("desc", "-infinity"))
}
_UNREAD = "coalesce(last_message_at > read_at, read_at IS NULL)"
# Indexes of what few conversations are, with the condition.
_FEW = {
    "ix_conversations_open": ("closed_at IS NULL", "last_message_at", "-infinity"),
    "ix_conversations_spam": ("marked_as_spam_at IS NOT NULL", "last_message_at", "-infinity"),
    "ix_conversations_unread": (_UNREAD, "last_message_at", "-infinity"),
    "ix_conversations_waiting": ("waiting_since IS NOT NULL", "last_message_at", "-infinity"),
    "ix_conversations_waiting_longest": ("waiting_since IS NOT NULL", "waiting_since", "infinity"),
    "ix_conversations_waiting_by_deadline": ("waiting_since IS NOT NULL", "deadline_response_at", "infinity"),
}
_STATE = ("account_id", "closed_at", "marked_as_spam_at", "assignee_id", "read_at", "last_message_at")
_INCLUDED = ("waiting_since", "deadline_response_at", "default_channel", "source_id")
_STAYS = ("booking_statuses", "stays_until")

# As `db.queries.conversation.derived` derived it at that time, for all conversations at once. Those without bookings
# have it already.
_FILL = """
UPDATE conversations c
SET booking_statuses = told.booking_statuses, stays_until = told.stays_until
FROM (
    SELECT cb.account_id, cb.conversation_id,
        bit_or(CASE b.status WHEN 'BOOKED' THEN 1 WHEN 'TENTATIVE' THEN 2 WHEN 'UNAVAILABLE' THEN 4
            WHEN 'LOCKED' THEN 8 WHEN 'CANCELED' THEN 16 END)::smallint AS booking_statuses,
        max(greatest(b.start_at, b.end_at)) FILTER (WHERE b.status = 'BOOKED') AS stays_until
    FROM conversation_bookings cb JOIN bookings b ON (b.account_id, b.id) = (cb.account_id, cb.booking_id)
    GROUP BY cb.account_id, cb.conversation_id
) told
WHERE (c.account_id, c.id) = (told.account_id, told.conversation_id)
"""


def _never_null(column: str, infinity: str) -> str:
    return f"(CASE WHEN {column} IS NULL THEN '{infinity}'::timestamptz ELSE {column} END)"


def _coalesced(column: str, infinity: str) -> str:
    return f"coalesce({column}, '{infinity}'::timestamptz)"


def upgrade() -> None:
    """Add the columns and fill them while there are the fewest indexes to write."""
    _drop_indexes()
    op.add_column("conversations", sa.Column("booking_statuses", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("conversations", sa.Column("stays_until", TIMESTAMP(timezone=True, precision=3), nullable=True))
    op.execute(_FILL)
    for column in _STAYS:
        op.create_index(op.f(f"ix_conversations_account_id_{column}"), "conversations", ["account_id", column])
    _create_indexes(_never_null, (*_INCLUDED, *_STAYS))


def downgrade() -> None:
    """Drop the columns, and index orders as before."""
    _drop_indexes()
    for column in _STAYS:
        op.drop_index(op.f(f"ix_conversations_account_id_{column}"), table_name="conversations")
        op.drop_column("conversations", column)
    _create_indexes(_coalesced, _INCLUDED)


def _drop_indexes() -> None:
    for name in (*_NULLS_LAST, *_FEW, "ix_conversations_state"):
        op.drop_index(name, table_name="conversations")


def _create_indexes(key: Callable[[str, str], str], included: Sequence[str]) -> None:
    for name, (column, infinity) in _NULLS_LAST.items():
        op.create_index(name, "conversations", ["account_id", sa.text(key(column, infinity)), "id"])
    for name, (condition, column, infinity) in _FEW.items():
        op.create_index(
            name,
            "conversations",
            ["account_id", sa.text(key(column, infinity)), "id"],
            postgresql_where=sa.text(condition),
        )
    op.create_index(
        "ix_conversations_state",
        "conversations",
        [*_STATE, sa.text(_UNREAD)],
        postgresql_include=list(included),
    )
