"""Claim: `uv run python -m tests.bench` measures this server against what else one would build, fairly.

Three servers answer the same documents from the same rows, each in one process, in turns:

server       this one, as production runs it
strawberry   the same schema as tutorials show it, made as fast as its kind gets (`tutorial`)
handwritten  no GraphQL at all: a route a document, SQL and dicts by hand (`handwritten`)

Where two answers differ, it fails and shows no numbers. With `--growth` it measures this server alone, with
more rows: `--growth --accounts 1 --conversations 200000`.

    database   the rows            workload  the documents and their variables, and comparing answers
    process    the servers         load      the client
    measure    rounds and ratios   growth    more rows
    machine    what it ran on      report    tables, JSON and targets      chart  the picture
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from db.embedded import EmbeddedError
from tests.bench import chart, report
from tests.bench.database import Size, prepared
from tests.bench.growth import measure_growth
from tests.bench.load import LoadError
from tests.bench.machine import describe
from tests.bench.measure import Plan, measure
from tests.bench.process import ServerProcessError
from tests.bench.workload import DOCUMENTS, DifferenceError, read_cases

_EXPECTED = (DifferenceError, EmbeddedError, LoadError, ServerProcessError)


def main(  # noqa: PLR0913  # each is an option of the command
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each server.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a turn.")] = 2.0,
    documents: Annotated[str, typer.Option(help="Which ones, separated by commas.")] = ",".join(DOCUMENTS),
    conversations: Annotated[int, typer.Option(min=1_000, help="In each account.")] = 20_000,
    accounts: Annotated[int, typer.Option(min=1, help="`wide` reads the second.")] = 2,
    growth: Annotated[bool, typer.Option("--growth", help="Measure this server with more and more rows.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
    chart_file: Annotated[Path | None, typer.Option("--chart", help="Write an SVG to this file.")] = None,
    data: Annotated[Path, typer.Option(help="Folder of the embedded server, kept for the next run.")] = Path(
        ".data/bench"
    ),
    database: Annotated[str | None, typer.Option(help="A PostgreSQL to fill and use instead, as a DSN.")] = None,
) -> None:
    """Measure this server against a tutorial's and a hand-written one."""
    names = [name.strip() for name in documents.split(",")]
    if unknown := set(names) - set(DOCUMENTS):
        raise typer.BadParameter(f"there are {', '.join(DOCUMENTS)}, not {', '.join(sorted(unknown))}")
    if "wide" in names and accounts == 1 and not growth:
        raise typer.BadParameter("`wide` reads the second account")
    # A log is as wide as the tables are.
    console = Console(width=None if sys.stdout.isatty() else 120)
    plan = Plan(rounds, seconds)
    status = Console(stderr=True).status("Preparing the database")
    with status, prepared(data, database, Size(accounts, conversations)) as dsn:
        if growth:
            found = measure_growth(dsn, conversations, plan, status.update)
            shown = report.growth_as_json(found, describe(dsn))
            tables = [report.growth_table(found)]
        else:
            results = measure(dsn, asyncio.run(read_cases(dsn, names)), plan, status.update)
            shown = report.as_json(results, describe(dsn))
            tables = [report.results_table(results), report.targets_table(report.targets(results))]
            if chart_file is not None:
                chart_file.write_text(chart.draw(shown), encoding="utf-8")
    for table in tables:
        console.print(table)
    if json is not None:
        json.write_bytes(orjson.dumps(shown, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    try:
        typer.run(main)
    except _EXPECTED as error:
        sys.exit(str(error))
