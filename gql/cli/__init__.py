"""The command `inbox`: what a person or a deployment starts, each command a few lines over the modules that do it.

What can be expected to go wrong is one line on standard error: exit code 2 for a command that cannot be understood, 1
for one that cannot be done. A traceback is a defect. Without `DATABASE_URL`, the database is the embedded one. Nothing
but `migrate`, and `demo` in its own database, migrates.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from difflib import unified_diff
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, TypeVar

import asyncpg
import structlog
import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from db.bookingsync.importing import UnfinishedError
from db.embedded import EmbeddedError, embedded
from db.migrations import apply
from db.migrations.apply import UnknownRevisionError
from db.seed import SeedError
from gql.cli.demo import read_key, run_demo
from gql.cli.importing import import_files
from gql.cli.seeding import fill
from gql.execution.document import Documents
from gql.execution.persisted import PersistedDocuments
from gql.log import configure_log
from gql.schema import build_schema
from gql.security.auth import Authenticator
from gql.security.rate import RateLimiter
from gql.security.token import MAX_ID, SCOPES, granted, mint, parse_duration
from gql.settings import ConfigurationError, Settings, explain, variable
from gql.web.server import ServerError, listen, serve, url_of

MIN_POSTGRESQL = 14
# Seconds for a database to answer.
PATIENCE = 10

_EXPECTED = (ConfigurationError, EmbeddedError, SeedError, ServerError, UnfinishedError, UnknownRevisionError)

# What the demo sets where nobody does: everything may be looked at, as often as one likes.
_OF_DEMO = {"introspection": True, "rate_limit": 0}

_T = TypeVar("_T")

app = typer.Typer(
    help=f"A GraphQL API server for a vacation-rental inbox. {variable('database_url')} selects its PostgreSQL; "
    f"without it, there is an embedded one in the folder {variable('data')} (.data).",
    add_completion=False,
    pretty_exceptions_enable=False,
)

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")]


class RefusedError(Exception):
    """The command cannot be done. The message is one line."""


def main() -> None:
    """Run the command line and exit with its code. SIGTERM is taken as Ctrl-C, so that it cleans up just so."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line in this process; return the exit code."""
    try:
        return app(list(arguments) or ["--help"], prog_name="inbox", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _fail(error.format_message(), code=error.exit_code)
    except ValidationError as error:
        return _fail(*explain(error))
    except (RefusedError, *_EXPECTED) as error:
        return _fail(str(error))
    except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return _fail(_reason(error))


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


@app.command()
def demo(
    host: Host = "127.0.0.1",
    port: Port = 8_000,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the database and the key.", show_default="INBOX_DATA or .data")
    ] = None,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="First delete what an earlier demo kept there.")] = False,
) -> None:
    """Serve two invented accounts with GraphiQL. Always in an embedded PostgreSQL: DATABASE_URL is left alone."""
    settings = Settings()
    unset = {name: value for name, value in _OF_DEMO.items() if name not in settings.model_fields_set}
    update = {"data": data or settings.data} | unset
    run_demo(settings.model_copy(update=update), host=host, port=port, reset=reset)


@app.command("serve")
def serve_command(
    host: Host = "127.0.0.1",
    port: Port = 8_000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
) -> None:
    """Serve in production: refuses to start without a key, or without a migrated database."""
    settings = Settings()
    asyncio.run(Authenticator(settings).start())
    # Each worker makes these for itself. What is wrong with them is told here, once.
    PersistedDocuments(Documents(build_schema(), settings), settings)
    RateLimiter(settings)
    with listen(host, port) as listener, _database(settings, migrated=True) as dsn:
        # Each worker makes its own settings. Here they learn of an embedded server.
        os.environ[variable("database_url")] = dsn
        configure_log()
        log = structlog.stdlib.get_logger("inbox")
        log.info("serving", url=f"{url_of(listener)}/graphql", workers=workers)
        serve("gql.app:create_configured_app", listener, workers=workers)
        log.info("stopped")


@app.command()
def migrate() -> None:
    """Bring the database to the newest migration. Safe to run twice, and from two machines at once."""
    with _database(Settings()) as dsn:
        applied = apply.migrate(dsn)
    typer.echo("\n".join(f"Applied {revision}" for revision in applied) or "Up to date")


@app.command()
def seed(
    accounts: Annotated[int, typer.Option(min=1, help="Accounts to invent.")] = 2,
    conversations: Annotated[int, typer.Option(min=0, help="Conversations of each account.")] = 1_000,
    number: Annotated[int, typer.Option("--seed", help="The same number invents the same.")] = 1,
) -> None:
    """Fill an empty, migrated database with invented accounts."""
    with _database(Settings(), migrated=True) as dsn:
        counts = fill(dsn, accounts=accounts, conversations=conversations, number=number)
    typer.echo(", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in counts.items()))


@app.command()
def token(
    account: Annotated[int, typer.Option(min=1, max=MAX_ID, metavar="ID", help="The account it is for.")] = 1,
    user: Annotated[
        int | None, typer.Option(min=1, max=MAX_ID, metavar="ID", help="The user who acts.", show_default="1")
    ] = None,
    application: Annotated[
        int | None, typer.Option(min=1, max=MAX_ID, metavar="ID", help="Or the application that acts.")
    ] = None,
    scopes: Annotated[str, typer.Option(help="What it allows, separated by spaces.")] = " ".join(sorted(SCOPES)),
    expires_in: Annotated[str, typer.Option(help="How long: 90s, 30m, 1h, 7d.")] = "1h",
) -> None:
    """Print a token, signed with INBOX_JWT_SECRET or, without it, with the demo's key."""
    if user is not None and application is not None:
        raise typer.BadParameter("a token is for one of both", param_hint="--user and --application")
    subject = f"user:{user or 1}" if application is None else f"application:{application}"
    granted_scopes = _checked("--scopes", scopes, granted)
    lifetime = _checked("--expires-in", expires_in, parse_duration)
    typer.echo(_mint(Settings(), account, subject, granted_scopes, lifetime))


@app.command("import")
def import_command(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="Files, or folders of *.json files.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all, and undo it.")] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Leave out the rest of an interrupted import of other files.")
    ] = False,
) -> int:
    """Import responses of the BookingSync API v3. Exits with 1 where anything is left over, 2 where nothing came in.

    An import that was interrupted is gone on with by the same command.
    """
    with _database(Settings(), migrated=True) as dsn:
        return asyncio.run(import_files(dsn, paths, dry_run=dry_run, abandon=abandon))


@app.command()
def schema(
    path: Annotated[Path, typer.Argument(help="The file.")] = Path("schema.graphql"),
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where it differs.")] = False,
) -> int:
    """Write the schema to a file, or compare it."""
    text = build_schema().as_str().rstrip() + "\n"
    if not check:
        path.write_text(text, encoding="utf-8", newline="\n")
        return 0
    written = path.read_text(encoding="utf-8")
    lines = unified_diff(written.splitlines(), text.splitlines(), str(path), "the schema now", lineterm="")
    for line in lines:
        typer.echo(line)
    return 0 if written == text else _fail(f"{path} is not the schema: write it with `inbox schema`")


@contextmanager
def _database(settings: Settings, *, migrated: bool = False) -> Iterator[str]:
    """Yield the DSN of a database that answers; with `migrated`, of one that has the newest migration."""
    with nullcontext(settings.database_url) if settings.database_url else embedded(settings.data) as dsn:
        asyncio.run(_greet(dsn))
        if migrated and apply.pending(dsn):
            raise RefusedError("The database has pending migrations: run `inbox migrate` first")
        yield dsn


async def _greet(dsn: str) -> None:
    """Refuse a database that cannot be reached, or is too old. Never repeats the DSN, which has a password."""
    try:
        connection = await asyncpg.connect(dsn, timeout=PATIENCE)
    except TimeoutError:
        raise RefusedError(f"The database cannot be reached: no answer within {PATIENCE} seconds") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise RefusedError(f"The database cannot be reached: {_reason(error)}") from error
    except (ValueError, OverflowError):
        form = "postgresql://user:password@host:port/database, with the password URL-encoded"
        raise RefusedError(f"{variable('database_url')} is not understood: it has the form {form}") from None
    major = connection.get_server_version().major
    await connection.close()
    if major < MIN_POSTGRESQL:
        raise RefusedError(f"The database is PostgreSQL {major}: {MIN_POSTGRESQL} or newer is needed")


def _mint(settings: Settings, account: int, subject: str, scopes: frozenset[str], lifetime: timedelta) -> str:
    if settings.jwt_secret is None:
        key = read_key(settings.data)
        if key is None:
            raise RefusedError(
                f"There is no key to sign with: set {variable('jwt_secret')}, or start `inbox demo`, which makes one"
            )
        settings = settings.model_copy(update={"jwt_secret": key})
    return mint(settings, account=account, subject=subject, scopes=sorted(scopes), expires_in=lifetime)


def _checked(option: str, text: str, parse: Callable[[str], _T]) -> _T:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _reason(error: BaseException) -> str:
    """Why, in one line: what PostgreSQL adds in further lines can quote rows, and SQLAlchemy quotes statements."""
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error.__context__, asyncpg.PostgresError | OSError):
        # What ended a connection says more than what then could not be done without it.
        error = error.__context__
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    text = error.strerror if isinstance(error, OSError) and not error.filename else None
    return ((text or str(error)).splitlines() or [type(error).__name__])[0]


def _fail(*lines: str, code: int = 1) -> int:
    for line in lines:
        typer.echo(f"inbox: {' '.join(line.split())}", err=True)
    return code
