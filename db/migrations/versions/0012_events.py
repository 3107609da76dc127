"""A change in the log names the events for webhooks that the write caused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0012"
down_revision = "0011"
# Older code logs its changes without events, so webhooks miss what it writes until its last process has stopped.
oldest_code = "0009"


def upgrade() -> None:
    """Add the events, none for earlier changes, and an index on the changes that have some."""
    op.add_column("changes", sa.Column("events", ARRAY(sa.String(32)), server_default="{}", nullable=False))
    op.create_index(
        "ix_changes_events", "changes", ["account_id", "number"], postgresql_where=sa.text("events <> '{}'")
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_changes_events", table_name="changes")
    op.drop_column("changes", "events")
