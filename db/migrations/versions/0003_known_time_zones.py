"""Every account has a time zone that PostgreSQL knows. Imports did not check that before this revision."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
# Only data change.
oldest_code = "0002"


def upgrade() -> None:
    """Set UTC for accounts whose zone is not known, as an import does."""
    op.execute("""
        UPDATE accounts SET time_zone = 'UTC' WHERE lower(time_zone) NOT IN (
            SELECT lower(name) FROM pg_timezone_names UNION ALL SELECT lower(abbrev) FROM pg_timezone_abbrevs
        )
    """)


def downgrade() -> None:
    """Nothing to undo: the former zones could not be used."""
