"""`inbox migrate`."""

from __future__ import annotations

import typer

from db.migrations.apply import migrate
from gql.cli.database import opened
from gql.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def migrate_command() -> None:
    """Bring the database to the newest migration. Safe to run twice, and from two machines at once."""
    with opened(Settings()) as dsn:
        applied = migrate(dsn)
    typer.echo("\n".join(f"Applied {revision}" for revision in applied) or "Up to date")
