"""Webhooks: endpoints, their deliveries and attempts, and how far each account's change log was distributed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

revision = "0011"
down_revision = "0010"
# Older code uses neither the new tables nor changes of the new type, which it skips.
oldest_code = "0009"

_EVENTS = (
    *("MESSAGE_OUTGOING", "MESSAGE_CREATED", "MESSAGE_UPDATED"),
    *("CONVERSATION_CREATED", "CONVERSATION_UPDATED", "BOOKINGS_CHANGED", "DELIVERY_FAILED", "TEST"),
)
_STATES = ("PENDING", "DELIVERED", "FAILED")
_CHANGES = (
    *("ACCOUNT", "BOOKING", "CLIENT", "CONVERSATION", "HOST", "INQUIRY", "MESSAGE", "PARTICIPANT", "RENTAL", "SOURCE"),
    "WEBHOOK_ENDPOINT",
)


def upgrade() -> None:
    """Create the tables, and let the change log have changes of endpoints."""
    _allow(_CHANGES)
    _create_endpoints()
    _create_deliveries()
    op.create_table(
        "webhook_attempts",
        *_keys("webhook_attempts"),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", _time(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("error", sa.String(500), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id", "delivery_id"],
            ["webhook_deliveries.account_id", "webhook_deliveries.id"],
            name=op.f("fk_webhook_attempts_account_id_delivery_id"),
        ),
    )
    op.create_index(
        op.f("ix_webhook_attempts_account_id_delivery_id_id"),
        "webhook_attempts",
        ["account_id", "delivery_id", "id"],
    )
    op.create_table(
        "webhook_positions",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_webhook_positions_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_webhook_positions")),
    )


def _allow(types: tuple[str, ...]) -> None:
    """Restrict the change log to these types."""
    op.drop_constraint(op.f("ck_changes_changetype"), "changes")
    listed = ", ".join(f"'{type_}'" for type_ in types)
    op.create_check_constraint(op.f("ck_changes_changetype"), "changes", f"type IN ({listed})")


def _create_endpoints() -> None:
    events = ", ".join(f"'{event}'" for event in _EVENTS)
    op.create_table(
        "webhook_endpoints",
        *_keys("webhook_endpoints"),
        sa.Column("url", sa.String(2_048), nullable=False),
        sa.Column("events", ARRAY(sa.String(32)), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.String(500), nullable=True),
        sa.Column("document_id", sa.String(255), nullable=True),
        sa.Column("scopes", ARRAY(sa.String(64)), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("secret_id", sa.BigInteger(), nullable=True),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret_until", _time(), nullable=True),
        sa.Column("failing_since", _time(), nullable=True),
        sa.Column("after_number", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("updated_at", _time(), nullable=False),
        sa.Column("created_by_type", _enum("creatortype", ("USER", "APPLICATION")), nullable=True),
        sa.Column("created_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_by_user_id", sa.BigInteger(), nullable=True),
        sa.Column("created_by_application_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            f"events <@ ARRAY[{events}]::character varying[]", name=op.f("ck_webhook_endpoints_webhookevent")
        ),
        sa.CheckConstraint(
            "(created_by_type IS NULL) = (created_by_id IS NULL)", name=op.f("ck_webhook_endpoints_creator")
        ),
        sa.CheckConstraint(
            "created_by_user_id IS NULL OR (created_by_type = 'USER' AND created_by_user_id = created_by_id)",
            name=op.f("ck_webhook_endpoints_creator_user"),
        ),
        sa.CheckConstraint(
            "created_by_application_id IS NULL"
            " OR (created_by_type = 'APPLICATION' AND created_by_application_id = created_by_id)",
            name=op.f("ck_webhook_endpoints_creator_application"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "created_by_user_id"],
            ["users.account_id", "users.id"],
            name=op.f("fk_webhook_endpoints_account_id_created_by_user_id"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by_application_id"],
            ["applications.id"],
            name=op.f("fk_webhook_endpoints_created_by_application_id"),
        ),
    )


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        *_keys("webhook_deliveries"),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("event", _enum("webhookevent", _EVENTS), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=True),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("change_number", sa.BigInteger(), nullable=True),
        sa.Column("state", _enum("webhookstate", _STATES), nullable=False),
        sa.Column("attempt_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", _time(), nullable=True),
        sa.Column("leased_until", _time(), nullable=True),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("finished_at", _time(), nullable=True),
    )
    endpoint = ["account_id", "endpoint_id"]
    op.create_index(op.f("ix_webhook_deliveries_account_id_endpoint_id_id"), "webhook_deliveries", [*endpoint, "id"])
    for name, condition, columns in (
        ("pending", "state = 'PENDING'", ["id"]),
        ("failed", "state = 'FAILED'", ["id"]),
        ("due", "due_at IS NOT NULL", ["due_at"]),
        ("leased", "leased_until IS NOT NULL", []),
        ("order", "state = 'PENDING'", ["conversation_id", "change_number", "id"]),
    ):
        op.create_index(
            f"ix_webhook_deliveries_{name}",
            "webhook_deliveries",
            [*endpoint, *columns],
            postgresql_where=sa.text(condition),
        )


def _keys(table: str) -> list[sa.Column[int] | sa.Constraint]:
    """The key of a tenant table's rows."""
    return [
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "id",
            sa.BigInteger(),
            server_default=sa.text("nextval('row_ids')"),
            autoincrement=False,
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f(f"fk_{table}_account_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f(f"pk_{table}")),
    ]


def _time() -> TIMESTAMP:
    return TIMESTAMP(timezone=True, precision=3)


def _enum(name: str, values: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def downgrade() -> None:
    """Drop the tables, and with them every endpoint."""
    for table in ("webhook_positions", "webhook_attempts", "webhook_deliveries", "webhook_endpoints"):
        op.drop_table(table)
    op.execute("DELETE FROM changes WHERE type = 'WEBHOOK_ENDPOINT'")
    _allow(_CHANGES[:-1])
