"""`inbox import`: imports files, with its progress and its report on the terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Column, Table

from db.bookingsync.files import find_files
from db.bookingsync.importing import Phase, Progress, importing
from db.bookingsync.report import Report
from db.refusal import OperatorError
from gql.cli.database import opened
from gql.settings import Settings

_STOPPED = {
    False: "Interrupted: what was imported so far is kept. Run the same command again to continue, "
    "or import other files with --abandon to leave out the rest",
    True: "Interrupted: nothing was written, as this was a dry run",
}

app = typer.Typer(add_completion=False)


@app.command()
def import_command(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files, or folders of *.json and *.json.gz files.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all, and undo it.")] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Leave out the rest of an interrupted import of other files.")
    ] = False,
) -> int:
    """Import responses of the BookingSync API v3. Exits with 1 if anything is left over, 2 if no record could be taken.

    The same command continues an import that was interrupted.
    """
    if not find_files(paths):
        folders = ", ".join(map(str, paths))
        raise OperatorError(f"There is no *.json file in {folders}: name the folder or the files of an export", code=2)
    settings = Settings()
    with opened(settings, migrated=True) as dsn:
        try:
            depth = settings.max_json_depth
            return asyncio.run(import_files(dsn, paths, dry_run=dry_run, abandon=abandon, max_depth=depth))
        except KeyboardInterrupt:
            raise OperatorError(_STOPPED[dry_run], code=130) from None


async def import_files(dsn: str, paths: Sequence[Path], *, dry_run: bool, abandon: bool, max_depth: int) -> int:
    """Import with a progress bar on standard error, and show the report; return the exit code."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(_connected(dsn))
        second = await stack.enter_async_context(_connected(dsn))
        with _shown_progress() as progress:
            opened = importing(
                first,
                paths,
                second=second,
                dry_run=dry_run,
                abandon=abandon,
                max_depth=max_depth,
                progress=progress,
            )
            report = await stack.enter_async_context(opened)
        await _show(report)
        if dry_run:
            typer.echo("Nothing was written: this was a dry run.")
        # After this block the report cannot be read again, so it must not be lost in a buffer.
        sys.stdout.flush()
    return report.exit_code


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def _shown_progress() -> Iterator[Progress]:
    """Yield a function that shows the progress of an import on a terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amount]}"), TimeRemainingColumn()
    console = Console(stderr=True)
    with ProgressBar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", visible=False, amount="")

        def show(phase: Phase, done: int, total: int) -> None:
            if bar.tasks[task].description != phase:
                bar.reset(task)
            amounts = map(decimal, (done, total)) if phase is Phase.READING else (f"{done:,}", f"{total:,}")
            bar.update(task, description=phase, completed=done, total=total, amount=" of ".join(amounts), visible=True)

        yield show


async def _show(report: Report) -> None:
    """Print the counts as a table, and each record that was left over on a line."""
    columns = {"new or changed": report.imported, "unchanged": report.unchanged, "linked": report.linked}
    if report.deleted:
        columns["deleted"] = report.deleted
    if kinds := dict.fromkeys(kind for counts in columns.values() for kind in counts):
        table = Table("", *(Column(name, justify="right") for name in columns), box=None, pad_edge=False)
        for kind in kinds:
            table.add_row(kind, *(f"{counts.get(kind, 0):,}" for counts in columns.values()))
        Console().print(table)
    async for left in report.leftovers:
        typer.echo(f"{left.what}: {left.where}: {left.text}")
