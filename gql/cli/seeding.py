"""`inbox seed`, and the function that fills a database for it and for `inbox demo`, with a progress bar."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from db.refusal import OperatorError
from db.seed import relay, seed
from gql.cli.database import opened
from gql.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def seed_command(
    accounts: Annotated[int, typer.Option(min=1, help="Accounts to invent.")] = 2,
    conversations: Annotated[int, typer.Option(min=0, help="Conversations of each account.")] = 1_000,
    number: Annotated[int, typer.Option("--seed", help="The same number invents the same.")] = 1,
) -> None:
    """Fill an empty, migrated database with invented accounts."""
    with opened(Settings(), migrated=True) as dsn:
        try:
            counts = fill(dsn, accounts=accounts, conversations=conversations, number=number)
        except KeyboardInterrupt:
            raise OperatorError(
                "Interrupted: nothing was written. Run `inbox seed` again to start over", code=130
            ) from None
    typer.echo(", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in counts.items()))


def fill(  # noqa: PLR0913  # options of the commands
    dsn: str,
    *,
    accounts: int,
    conversations: int,
    number: int = 1,
    now: datetime | None = None,
    relayed: bool = False,
) -> dict[str, int]:
    """Seed a database with a progress bar on standard error; `number` is the seed of `db.seed.seed`.

    With `relayed`, the newest messages to guests have a delivery state.
    """

    async def run() -> dict[str, int]:
        connection = await asyncpg.connect(dsn)
        try:
            moment = {} if now is None else {"now": now}
            counts = await seed(
                connection,
                accounts=accounts,
                conversations=conversations,
                seed=number,
                progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
                **moment,
            )
            if relayed:
                await relay(connection)
            return counts
        finally:
            await connection.close()

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Conversations", visible=False)
        return asyncio.run(run())
