"""The stays of today are found in indexes alone, and messages by their visibility.

All is built while rows are written, and therefore in no transaction; what an interrupted attempt leaves is dropped by
the next one. Building takes 2 s for a million conversations and bookings, and 2 s for 2,600,000 messages. A new booking
takes 129 µs of PostgreSQL's CPU instead of 128, a new message 64 as before.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

revision = "0018"
down_revision = "0017"
# Only indexes.
oldest_code = "0009"

# The columns of each index after the account, and the value that is now beside them.
_COVERING = (
    ("bookings", ("start_at", "id"), "status"),
    ("bookings", ("end_at", "start_at", "id"), "status"),
    ("conversations", ("stays_until",), "id"),
)


def upgrade() -> None:
    """Make the indexes of stays anew with one value more, and create that of visibility."""
    for table, columns, included in _COVERING:
        _replace(table, columns, f" INCLUDE ({included})")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX IF EXISTS ix_messages_account_id_visibility")
        op.execute("CREATE INDEX CONCURRENTLY ix_messages_account_id_visibility ON messages (account_id, visibility)")


def downgrade() -> None:
    """Make them without it, and drop that of visibility."""
    op.drop_index("ix_messages_account_id_visibility", table_name="messages")
    for table, columns, _ in _COVERING:
        _replace(table, columns, "")


def _replace(table: str, columns: Sequence[str], included: str) -> None:
    """Make an index anew under its name, without a moment in which there is none."""
    keys = ("account_id", *columns)
    name = "_".join(("ix", table, *keys))
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX IF EXISTS {name}_new")
        op.execute(f"CREATE INDEX CONCURRENTLY {name}_new ON {table} ({', '.join(keys)}){included}")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"ALTER INDEX {name}_new RENAME TO {name}")
