"""New ids begin where those of imported records end, so that no import brings a record under the id of another one."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
# Only the sequence moves. What older code writes gets the new ids too.
oldest_code = "0009"


def upgrade() -> None:
    """Raise the sequence. Rows keep their ids."""
    op.execute("SELECT setval('row_ids', 1000000000000, false) FROM row_ids WHERE last_value < 1000000000000")


def downgrade() -> None:
    """The sequence stays: the ids that it has given are in use."""
