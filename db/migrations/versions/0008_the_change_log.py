"""The change log: changes by account and number, the counter of each account, and the epoch of the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0008"
down_revision = "0007"
# Older code writes without logging, so that a client that follows the log would miss its changes.
oldest_code = "0008"


def upgrade() -> None:
    """Create the tables, and start the first epoch."""
    op.create_table(
        "epochs",
        sa.Column("value", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("value", name=op.f("pk_epochs")),
    )
    op.create_table(
        "change_counters",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_change_counters_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_change_counters")),
    )
    op.create_table(
        "changes",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "ACCOUNT",
                "BOOKING",
                "CLIENT",
                "CONVERSATION",
                "HOST",
                "INQUIRY",
                "MESSAGE",
                "PARTICIPANT",
                "RENTAL",
                "SOURCE",
                name="changetype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "operation",
            sa.Enum(
                "UPSERTED", "REMOVED", name="changeoperation", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("at", TIMESTAMP(timezone=True, precision=3), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_changes_account_id")),
        sa.PrimaryKeyConstraint("account_id", "number", name=op.f("pk_changes")),
    )
    op.create_index(
        op.f("ix_changes_account_id_conversation_id_number"),
        "changes",
        ["account_id", "conversation_id", "number"],
        unique=False,
    )
    op.execute("INSERT INTO epochs (value) VALUES (replace(gen_random_uuid()::text, '-', ''))")


def downgrade() -> None:
    """Drop the log. Clients have to read their lists again."""
    op.drop_index(op.f("ix_changes_account_id_conversation_id_number"), table_name="changes")
    op.drop_table("changes")
    op.drop_table("change_counters")
    op.drop_table("epochs")
