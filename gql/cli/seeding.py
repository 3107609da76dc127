"""How `inbox seed` and `inbox demo` fill a database, with a progress bar on the terminal."""

from __future__ import annotations

import asyncio
from datetime import datetime

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from db.seed import seed


def fill(
    dsn: str, *, accounts: int, conversations: int, number: int = 1, now: datetime | None = None
) -> dict[str, int]:
    """Seed a database with a progress bar on standard error; `number` picks the dice. As `db.seed.seed` otherwise."""

    async def run() -> dict[str, int]:
        connection = await asyncpg.connect(dsn)
        try:
            moment = {} if now is None else {"now": now}
            return await seed(
                connection,
                accounts=accounts,
                conversations=conversations,
                seed=number,
                progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True),
                **moment,
            )
        finally:
            await connection.close()

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Conversations", visible=False)
        return asyncio.run(run())
