"""The activities of conversations: who assigned, closed, reopened, marked and connected, from now on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0016"
down_revision = "0015"
# Only a table. What older code does has no activities.
oldest_code = "0009"

_TYPES = (
    *("ASSIGNED", "UNASSIGNED", "CLOSED", "REOPENED", "MARKED_AS_SPAM", "UNMARKED_AS_SPAM"),
    *("BOOKING_CONNECTED", "BOOKING_DISCONNECTED"),
)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _reference(column: str, table: str) -> sa.ForeignKeyConstraint:
    """A foreign key within the account."""
    return sa.ForeignKeyConstraint(
        ["account_id", column],
        [f"{table}.account_id", f"{table}.id"],
        name=op.f(f"fk_activities_account_id_{column}"),
    )


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "activities",
        _number("created_by_id", null=True),
        _number("created_by_user_id", null=True),
        _number("created_by_application_id", null=True),
        sa.Column(
            "created_by_type",
            sa.Enum("USER", "APPLICATION", name="creatortype", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        _number("account_id"),
        sa.Column("id", sa.BigInteger(), server_default=sa.text("nextval('row_ids')"), nullable=False),
        _number("conversation_id"),
        sa.Column(
            "type",
            sa.Enum(*_TYPES, name="activitytype", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("created_at", TIMESTAMP(timezone=True, precision=3), nullable=False),
        _number("assignee_id", null=True),
        _number("booking_id", null=True),
        _number("message_id", null=True),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_activities")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_activities_account_id")),
        _reference("created_by_user_id", "users"),
        _reference("conversation_id", "conversations"),
        _reference("assignee_id", "hosts"),
        _reference("message_id", "messages"),
        sa.ForeignKeyConstraint(
            ["created_by_application_id"],
            ["applications.id"],
            name=op.f("fk_activities_created_by_application_id"),
        ),
        sa.CheckConstraint("(created_by_type IS NULL) = (created_by_id IS NULL)", name=op.f("ck_activities_creator")),
        sa.CheckConstraint(
            "created_by_user_id IS NULL OR (created_by_type = 'USER' AND created_by_user_id = created_by_id)",
            name=op.f("ck_activities_creator_user"),
        ),
        sa.CheckConstraint(
            "created_by_application_id IS NULL"
            " OR (created_by_type = 'APPLICATION' AND created_by_application_id = created_by_id)",
            name=op.f("ck_activities_creator_application"),
        ),
    )
    op.create_index(
        op.f("ix_activities_account_id_conversation_id_id"),
        "activities",
        ["account_id", "conversation_id", "id"],
        unique=False,
    )


def downgrade() -> None:
    """Drop it. Nothing else has what it says."""
    op.drop_table("activities")
