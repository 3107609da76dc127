"""`inbox epoch`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import asyncpg
import typer

from db import changes
from gql.cli.database import opened
from gql.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def epoch_command(
    *,
    new: Annotated[bool, typer.Option("--new", help="Start a new one: clients read their lists again.")] = False,
) -> None:
    """Show the change log's epoch, or start a new one after a restore from a backup."""
    with opened(Settings(), migrated=True) as dsn:
        typer.echo(asyncio.run(_epoch(dsn, new=new)))


async def _epoch(dsn: str, *, new: bool) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        if new:
            await changes.start_epoch(connection)
        return await changes.epoch(connection)
    finally:
        await connection.close()
