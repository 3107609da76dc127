"""Messages have a delivery state, and conversations count those that failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0013"
down_revision = "0012"
# Older code writes no delivery states, so what it writes has none, as all messages before.
oldest_code = "0009"

_STATES = ("QUEUED", "SENT", "DELIVERED", "READ", "FAILED")
_STATE = ("account_id", "closed_at", "marked_as_spam_at", "assignee_id", "read")
_INCLUDED = ("waiting_since", "deadline_response_at", "default_channel", "source_id", "booking_statuses", "stays_until")
_LAST_MESSAGE = "(CASE WHEN last_message_at IS NULL THEN '-infinity'::timestamptz ELSE last_message_at END)"


def upgrade() -> None:
    """Add the columns and their indexes."""
    state = sa.Enum(*_STATES, native_enum=False, create_constraint=True, length=32, name="deliverystate")
    for column in (
        sa.Column("delivery_state", state, nullable=True),
        sa.Column("delivery_at", TIMESTAMP(timezone=True, precision=3), nullable=True),
        sa.Column("delivery_error", sa.String(1000), nullable=True),
        sa.Column("delivery_attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("relayed_id", sa.String(255), nullable=True),
        sa.Column("relayed_by_id", sa.BigInteger(), nullable=True),
    ):
        op.add_column("messages", column)
    op.create_check_constraint(
        op.f("ck_messages_delivery"), "messages", "(delivery_state IS NULL) = (delivery_at IS NULL)"
    )
    op.create_index(
        "uq_messages_relayed_id",
        "messages",
        ["account_id", "relayed_id", "relayed_by_id"],
        unique=True,
        postgresql_where=sa.text("relayed_id IS NOT NULL"),
    )
    op.add_column("conversations", sa.Column("undelivered_count", sa.Integer(), server_default="0", nullable=False))
    op.create_index(
        "ix_conversations_undelivered",
        "conversations",
        ["account_id", sa.text(_LAST_MESSAGE), "id"],
        postgresql_where=sa.text("undelivered_count > 0"),
    )
    _create_state_index("undelivered_count")


def downgrade() -> None:
    """Drop them."""
    _create_state_index()
    op.drop_index("ix_conversations_undelivered", table_name="conversations")
    op.drop_column("conversations", "undelivered_count")
    op.drop_index("uq_messages_relayed_id", table_name="messages")
    op.drop_constraint(op.f("ck_messages_delivery"), "messages")
    for name in ("relayed_by_id", "relayed_id", "delivery_attempts", "delivery_error", "delivery_at", "delivery_state"):
        op.drop_column("messages", name)


def _create_state_index(*added: str) -> None:
    op.drop_index("ix_conversations_state", table_name="conversations")
    included = [*_INCLUDED, *added, "id"]
    op.create_index("ix_conversations_state", "conversations", list(_STATE), postgresql_include=included)
