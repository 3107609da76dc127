"""What Alembic executes for each of its commands: where the database is and what the tables should be.

`db.migrations.apply` hands over its own connection. For the command line it is `-x dsn=postgresql://…`, or else the
embedded server in `.data`, the one that `inbox migrate` brings up to date where no `DATABASE_URL` is set.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection
from sqlmodel import AutoString

from db.embedded import embedded
from db.migrations.apply import COMPARISON, connected
from db.tables import Table
from db.tables.base import Timestamp


def render(kind: str, item: Any, writer: AutogenContext) -> str | Literal[False]:
    """How a new revision writes the types that are not SQLAlchemy's own, so that it does not depend on later tables."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String({item.length or ''})"
    if kind == "type" and isinstance(item, Timestamp):
        writer.imports.add("from sqlalchemy.dialects.postgresql import TIMESTAMP")
        return "TIMESTAMP(timezone=True, precision=3)"
    return False


def run(connection: Connection) -> None:
    """Execute the command's revisions, a transaction each, so that a failure keeps what was done before it."""
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        transaction_per_migration=True,
        render_item=render,
        **COMPARISON,
    )
    with context.begin_transaction():
        context.run_migrations()


def write() -> None:
    """Print the command's statements (`--sql`) in place of executing them."""
    context.configure(dialect_name="postgresql", target_metadata=Table.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write()
elif given := context.config.attributes.get("connection"):
    run(given)
elif named := context.get_x_argument(as_dictionary=True).get("dsn"):
    connected(named, run)
else:
    with embedded(Path(".data")) as dsn:
        connected(dsn, run)
