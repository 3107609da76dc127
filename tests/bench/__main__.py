"""`uv run python -m tests.bench` compares this server with alternatives.

All servers answer the same documents from the same rows, in turns. Each is one process:

server        this server with the settings of production: rate limiter, log, no compression
empty         a Starlette endpoint on the same uvicorn that does nothing, for `{__typename}` (`empty`)
handwritten   without GraphQL: a route for each document, SQL and dicts by hand (`handwritten`)
strawberry    the same schema as in tutorials, with all optimisations (`tutorial`)
mercurius     Node.js: Mercurius with graphql-jit and its own loaders (`peers/mercurius.mjs`)
postgraphile  Node.js: PostGraphile 5 with plans of its own (`peers/postgraphile.mjs`)
yoga          Node.js: GraphQL Yoga with dataloader (`peers/yoga.mjs`)

If two responses differ, it fails without numbers. Without npm, the last three are reported as not run. `--growth`
measures only this server, with more rows: `--growth --accounts 1 --conversations 200000`. `--heavy` sends the queries
of a large account's inbox to this server, and prints the slowest ones with their plans: `--heavy --accounts 1
--conversations 300000`.

    contender  the servers           node      Node.js and its packages    process  starting them
    database   the rows              workload  the documents and their variables, and comparing answers
    load       the client            measure   rounds and ratios           growth   more rows
    cpu        CPU time and memory   machine   what it ran on              report   tables, JSON and targets
    chart      the picture
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from db.embedded import EmbeddedError
from tests.bench import chart, report
from tests.bench.contender import CONTENDERS, DOCUMENTS, SERVER, assemble
from tests.bench.database import Size, prepared
from tests.bench.growth import measure_growth
from tests.bench.heavy import heavy_as_json, heavy_text, measure_heavy
from tests.bench.load import LoadError
from tests.bench.machine import describe
from tests.bench.measure import ALONE, MANY, Plan, compare, measure
from tests.bench.node import NodePackages, install
from tests.bench.process import ServerProcessError
from tests.bench.workload import DifferenceError, read_cases

NAMES = [contender.name for contender in CONTENDERS]

_EXPECTED = (DifferenceError, EmbeddedError, LoadError, ServerProcessError)


def main(  # noqa: PLR0913  # each is an option of the command
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each server.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a turn.")] = 2.0,
    documents: Annotated[str, typer.Option(help="Which ones, separated by commas.")] = ",".join(DOCUMENTS),
    servers: Annotated[str, typer.Option(help="Which ones, separated by commas.")] = ",".join(NAMES),
    clients: Annotated[int, typer.Option(min=2, help="At once; then one alone.")] = MANY,
    conversations: Annotated[int, typer.Option(min=1_000, help="In each account.")] = 20_000,
    accounts: Annotated[int, typer.Option(min=1, help="`wide` reads the second.")] = 2,
    equal: Annotated[bool, typer.Option("--equal", help="Only compare the answers of all servers.")] = False,
    growth: Annotated[bool, typer.Option("--growth", help="Measure this server with more and more rows.")] = False,
    heavy: Annotated[bool, typer.Option("--heavy", help="Measure what is asked of a large account.")] = False,
    only: Annotated[str | None, typer.Option(help="With --heavy: the filter of this name alone.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this file.")] = None,
    chart_file: Annotated[Path | None, typer.Option("--chart", help="Write an SVG to this file.")] = None,
    data: Annotated[Path, typer.Option(help="Folder of the embedded server, kept for the next run.")] = Path(
        ".data/bench"
    ),
    peers: Annotated[Path, typer.Option(help="Folder of Node.js and its packages.")] = Path(".cache/peers"),
    database: Annotated[str | None, typer.Option(help="A PostgreSQL to fill and use instead, as a DSN.")] = None,
) -> None:
    """Compare this server with others."""
    names = _chosen(documents, DOCUMENTS)
    chosen = _chosen(servers, NAMES)
    if "wide" in names and accounts == 1 and not growth and not heavy:
        raise typer.BadParameter("`wide` reads the second account")
    # In a file, the output is as wide as the tables.
    console = Console(width=None if sys.stdout.isatty() else 160)
    plan = Plan(rounds, seconds, clients=(clients, ALONE))
    status = Console(stderr=True).status("Preparing the database")
    with status, prepared(data, database, Size(accounts, conversations)) as dsn:
        if heavy:
            answered = measure_heavy(dsn, plan.rounds, status.update, only=only)
            shown = heavy_as_json(answered, conversations, describe(dsn, {}))
            tables: list[Any] = [heavy_text(answered, conversations)]
        elif growth:
            found = measure_growth(dsn, conversations, plan, status.update)
            shown = report.growth_as_json(found, describe(dsn, {}))
            tables = [report.growth_table(found)]
        else:
            status.update("Installing Node.js and its packages")
            node = install(peers)
            entered = assemble({SERVER, *chosen}, node)
            cases = asyncio.run(read_cases(dsn, names))
            if equal:
                compare(dsn, cases, entered, status.update)
                console.print(report.equality(names, entered.runnable, entered.not_run))
                return
            results = measure(dsn, cases, entered, plan, status.update)
            versions = node.versions if isinstance(node, NodePackages) else {}
            shown = report.as_json(results, entered.not_run, describe(dsn, versions))
            tables = [report.results_table(results, entered.not_run, count) for count in plan.clients]
            tables.append(report.targets_table(report.targets(results)))
            if chart_file is not None:
                chart_file.write_text(chart.draw(shown), encoding="utf-8")
    for table in tables:
        console.print(table)
    if json is not None:
        json.write_bytes(orjson.dumps(shown, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def _chosen(given: str, known: Sequence[str]) -> list[str]:
    """The names in `given`, in the order of `known`. Raises BadParameter for one that is not known."""
    names = {name.strip() for name in given.split(",")}
    if unknown := names - set(known):
        raise typer.BadParameter(f"there are {', '.join(known)}, not {', '.join(sorted(unknown))}")
    return [name for name in known if name in names]


if __name__ == "__main__":
    try:
        typer.run(main)
    except _EXPECTED as error:
        sys.exit(str(error))
