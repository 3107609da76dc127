"""Alembic's entry point: selects the database of a command, and the tables to compare it with.

`db.migrations.apply` passes its own connection. On the command line, `-x dsn=postgresql://…` selects the database;
without it, it is the embedded one in `.data`, which `inbox migrate` uses too if `DATABASE_URL` is not set.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import Connection
from sqlmodel import AutoString

from db.embedded import embedded
from db.migrations.apply import COMPARISON, comment, connected
from db.migrations.revision import head
from db.tables import Table
from db.tables.base import Timestamp


def render(kind: str, item: Any, writer: AutogenContext) -> str | Literal[False]:
    """Write our own column types as SQLAlchemy's, so that a revision does not depend on the tables of later ones."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String({item.length or ''})"
    if kind == "type" and isinstance(item, Timestamp):
        writer.imports.add("from sqlalchemy.dialects.postgresql import TIMESTAMP")
        return "TIMESTAMP(timezone=True, precision=3)"
    return False


def number(_context: MigrationContext, _revision: Any, scripts: list[MigrationScript]) -> None:
    """Give a new revision the next number as its name, such as `0004`."""
    for script in scripts:
        script.rev_id = f"{int(head()) + 1:04}"


def record(
    ctx: MigrationContext,
    step: MigrationInfo,  # noqa: ARG001  # Alembic passes all four by name
    heads: Collection[str],
    run_args: Mapping[str, Any],  # noqa: ARG001
) -> None:
    """Store which code can serve the database after a revision was applied or undone, in the same transaction."""
    for revision in heads:
        ctx.execute(comment(revision))


def run(connection: Connection) -> None:
    """Execute the command's revisions, each in its own transaction, so that a failure keeps the revisions before it."""
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        transaction_per_migration=True,
        render_item=render,
        process_revision_directives=number,
        on_version_apply=record,
        **COMPARISON,
    )
    with context.begin_transaction():
        context.run_migrations()


def write() -> None:
    """Print the statements of the command (`--sql`) instead of executing them."""
    context.configure(
        dialect_name="postgresql", target_metadata=Table.metadata, literal_binds=True, on_version_apply=record
    )
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
