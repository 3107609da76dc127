"""`inbox demo`: serves sample data with GraphiQL, from its own database in a folder.

It uses neither `DATABASE_URL` nor `INBOX_JWT_SECRET`: everyone who can reach the demo gets its token, which must not be
valid elsewhere. The demo's own keys are created once and kept in the folder, so that tokens survive a restart.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from db.embedded import discard, embedded
from db.engine import Database
from db.migrations.apply import migrate
from db.queries.actor import exists, first_application
from db.scope import Viewer
from db.seed import SeedError
from db.tables import CreatorType
from gql.app import create_app
from gql.cli.key import ENCRYPTING, SIGNING, key_file, make_key
from gql.cli.listening import Host, Port
from gql.cli.seeding import fill
from gql.demo.api import Api
from gql.demo.connector import ChannelConnector
from gql.demo.guest import WritingGuest
from gql.log import configure_log
from gql.security.token import SCOPES, mint
from gql.settings import ConfigurationError, Settings
from gql.web.server import listen, serve, tune_python, url_of

ACCOUNT = 1
ACCOUNTS = 2
CONVERSATIONS = 1_000
TOKEN_LIFE = timedelta(days=30)

# Settings of the demo, and those that the environment can override.
_ALWAYS = {"jwks": None, "graphiql": True, "work": True}
_UNLESS_SET = {"introspection": True, "rate_limit": 0, "webhook_loopback": True}
# The subject of the seed's first user.
_SEEDED = "user:1"
# The seed's application that delivers messages of guests.
_DELIVERING = "application:1"
_FOLLOW = "subscription { changes(types: [MESSAGE]) { changes { node { ... on Message { sentAt content } } } } }"
_QUERY = "{ conversations(first: 3) { nodes { subject messages(last: 1) { nodes { content } } } } }"


app = typer.Typer(add_completion=False)


@app.command()
def demo_command(
    host: Host = "127.0.0.1",
    port: Port = 8_000,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the database and the key.", show_default="INBOX_DATA or .data")
    ] = None,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="First delete the data of an earlier demo.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No guest writes a message now and then.")] = False,
) -> None:
    """Serve invented data with GraphiQL, from an embedded PostgreSQL. DATABASE_URL is not used."""
    settings = Settings()
    unset = {name: value for name, value in _UNLESS_SET.items() if name not in settings.model_fields_set}
    update = {"data": data or settings.data} | unset
    run_demo(settings.model_copy(update=update), host=host, port=port, reset=reset, quiet=quiet)


def run_demo(settings: Settings, *, host: str, port: int, reset: bool = False, quiet: bool = False) -> None:
    """Serve the demo of the folder `settings.data` until a signal stops it.

    With `reset`, the data of an earlier demo are deleted first. Raises `OperatorError`.
    """
    data = settings.data
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        listener = stack.enter_context(listen(host, port))
        if reset:
            discard(data)
            for key in (SIGNING, ENCRYPTING):
                key_file(data, key).unlink(missing_ok=True)
        with Console(stderr=True).status(f"Starting PostgreSQL in {data}"):
            dsn = stack.enter_context(embedded(data))
            migrate(dsn)
        # If the folder already has data, for instance from an import, those are served.
        with suppress(SeedError):
            fill(dsn, accounts=ACCOUNTS, conversations=CONVERSATIONS, now=datetime.now(UTC), relayed=True)
        keys = {"jwt_secret": make_key(data), "secret_key": make_key(data, ENCRYPTING)}
        served = settings.model_copy(update={"database_url": dsn} | keys | _ALWAYS)
        subject = asyncio.run(_subject(dsn))
        token = _mint(served, subject)
        configure_log()
        application = create_app(served, token=token)
        tune_python()
        url = f"{url_of(listener)}/graphql"
        # Nobody invents messages in data of somebody's own.
        has_guest = subject == _SEEDED and not quiet
        _announce(url, token, has_guest=has_guest)
        if has_guest:
            channel = Api(url, _mint(served, _DELIVERING))
            stack.enter_context(WritingGuest(channel))
            stack.enter_context(ChannelConnector(channel))
        serve(application, listener, served)
    # On a new line, below the `^C` that a terminal shows.
    typer.echo("\nStopped", err=True)


def _mint(settings: Settings, subject: str) -> str:
    return mint(settings, account=ACCOUNT, subject=subject, scopes=sorted(SCOPES), expires_in=TOKEN_LIFE)


async def _subject(dsn: str) -> str:
    """Return the subject of the demo's token: the first user of the seed or, with other data, an application."""
    database = Database(dsn, pool_size=1)
    await database.start()
    try:
        if await exists(database, Viewer(ACCOUNT, CreatorType.USER, 1, SCOPES)):
            return _SEEDED
        application = await first_application(database)
        if application is not None and await exists(
            database, Viewer(ACCOUNT, CreatorType.APPLICATION, application, SCOPES)
        ):
            return f"application:{application}"
    finally:
        await database.stop()
    raise ConfigurationError(
        f"The database has no account {ACCOUNT}, which the demo shows: use `inbox serve`, or another folder with --data"
    )


def _announce(url: str, token: str, *, has_guest: bool) -> None:
    """Print the address, the token and two curl commands, without line breaks, so that they can be copied."""
    ask = _curl(url, token, _QUERY)
    follow = _curl(url, token, _FOLLOW, "-N", "-H", "Accept: text/event-stream")
    others = ", also those of a guest who writes now and then" if has_guest else ""
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        Text.assemble(
            *("\n", ("GraphiQL  ", "bold"), url),
            *("\n", ("Token     ", "bold"), token),
            *("\n\n", ask, "\n"),
            *("\n", (f"Messages as they arrive{others}:", "dim")),
            *("\n", follow, "\n"),
            *("\n", ("Ctrl-C stops it; the data stay.", "dim")),
        )
    )
    sys.stdout.flush()


def _curl(url: str, token: str, document: str, *options: str) -> str:
    """The command that sends a document."""
    headers = ["-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json"]
    return shlex.join(["curl", *options, url, *headers, "-d", json.dumps({"query": document})])
