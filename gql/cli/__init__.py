"""The command `inbox`. Each subcommand has its own module, which is imported when it is called.

An expected failure is one line on standard error. The exit code is 2 for wrong usage, 1 for a failure and 130 for an
interruption. A traceback is a defect. Without `DATABASE_URL`, the embedded database is used. Only `migrate`, and `demo`
in its own database, apply migrations.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from db.refusal import OperatorError

# The module and the summary of each command. The module has a Typer application `app` with that one command.
COMMANDS = {
    "demo": ("gql.cli.demo", "Serve invented data with GraphiQL, from an embedded PostgreSQL."),
    "serve": ("gql.cli.serving", "Serve in production."),
    "work": ("gql.cli.working", "Deliver webhooks."),
    "migrate": ("gql.cli.migrating", "Bring the database to the newest migration."),
    "seed": ("gql.cli.seeding", "Fill an empty, migrated database with invented accounts."),
    "token": ("gql.cli.token", "Print a signed token."),
    "import": ("gql.cli.importing", "Import responses of the BookingSync API v3."),
    "epoch": ("gql.cli.epoch", "Show the change log's epoch, or start a new one after a restore."),
    "schema": ("gql.cli.schema", "Write the schema to a file, or compare it."),
}


class Commands(TyperGroup):
    """The commands, listed from `COMMANDS` and loaded by name.

    Importing all of them takes 2.5 s of CPU, and `inbox --help` and the shell's completion do not need them.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=summary) for name, (_, summary) in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the name, the loaded command and the rest of `args`."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and listed else None, rest


app = typer.Typer(
    cls=Commands,
    help="A GraphQL API server for a vacation-rental inbox. DATABASE_URL selects its PostgreSQL; without it, an "
    "embedded one runs in the folder INBOX_DATA (.data). `inbox serve --help` lists all settings.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def load(name: str) -> Any:
    """Import the module of the command `name` and return the command."""
    module, _ = COMMANDS[name]
    command = get_command(import_module(module).app)
    command.name = name
    if not gc.isenabled():
        # Imported modules stay in memory, so the collector never has to examine them again.
        gc.freeze()
        gc.enable()
    return command


def main() -> None:
    """Run the command line and exit with its code. SIGTERM has the effect of Ctrl-C, so that both clean up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Collecting garbage among 220,000 new objects takes 0.2 s of the 1.2 s for importing the server.
    gc.disable()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line in this process; return the exit code."""
    try:
        return app(list(arguments) or ["--help"], prog_name="inbox", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _fail(error.format_message(), code=error.exit_code)
    except OperatorError as error:
        return _fail(str(error), code=error.code)
    except Exception as error:
        # The module imports the drivers of the database, which take CPU time that other commands do not need.
        lines = import_module("gql.cli.failure").describe(error)
        if not lines:
            raise
        return _fail(*lines)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("inbox-graphql"))
        raise typer.Exit


@app.callback()
def _inbox(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _fail(*lines: str, code: int = 1) -> int:
    for line in lines:
        typer.echo(f"inbox: {' '.join(line.split())}", err=True)
    return code
