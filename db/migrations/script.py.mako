"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
# If this revision only expands the tables (see .github/decisions/0014-rolling-deployment.md), name the oldest revision
# whose code can serve beside it, so that it can be applied while that code runs.
oldest_code = ${repr(up_revision)}


def upgrade() -> None:
    """Say what it adds."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Say what is lost."""
    ${downgrades if downgrades else "pass"}
