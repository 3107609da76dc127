"""Counting by stage reads an index alone, and stays that are going on are found without those to come."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
# Only indexes.
oldest_code = "0004"

_STATE = ("account_id", "closed_at", "marked_as_spam_at", "assignee_id", "read_at", "last_message_at")
_UNREAD = "coalesce(last_message_at > read_at, read_at IS NULL)"
_INCLUDED = (
    *("waiting_since", "deadline_response_at", "default_channel", "source_id"),
    *("booking_statuses", "stays_until"),
)


def upgrade() -> None:
    """Make the indexes anew with one column more."""
    _index_state((*_INCLUDED, "id"))
    op.drop_index(op.f("ix_bookings_account_id_end_at_id"), table_name="bookings")
    op.create_index(
        op.f("ix_bookings_account_id_end_at_start_at_id"), "bookings", ["account_id", "end_at", "start_at", "id"]
    )


def downgrade() -> None:
    """Make them without it."""
    op.drop_index(op.f("ix_bookings_account_id_end_at_start_at_id"), table_name="bookings")
    op.create_index(op.f("ix_bookings_account_id_end_at_id"), "bookings", ["account_id", "end_at", "id"])
    _index_state(_INCLUDED)


def _index_state(included: Sequence[str]) -> None:
    op.drop_index("ix_conversations_state", table_name="conversations")
    op.create_index(
        "ix_conversations_state",
        "conversations",
        [*_STATE, sa.text(_UNREAD)],
        postgresql_include=list(included),
    )
