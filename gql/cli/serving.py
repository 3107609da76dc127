"""`inbox serve`: checks the settings and the database, and then serves in one or several processes."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import structlog
import typer

from gql.app import create_app
from gql.cli.database import opened
from gql.cli.listening import Host, Port
from gql.cli.variables import ShowsVariables
from gql.log import configure_log
from gql.security.auth import Authenticator
from gql.settings import Settings, variable
from gql.web.server import listen, serve, tune_python, url_of
from gql.webhooks.running import check_key

app = typer.Typer(add_completion=False)


@app.command(cls=ShowsVariables)
def serve_command(
    host: Host = "127.0.0.1",
    port: Port = 8_000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
    *,
    work: Annotated[bool, typer.Option("--work", help="Deliver webhooks too, as `inbox work` does.")] = False,
) -> None:
    """Serve in production. Refuses to start without a key, and without a migrated database."""
    settings = Settings()
    asyncio.run(Authenticator(settings).start())
    if work:
        settings = settings.model_copy(update={"work": True})
    if settings.work:
        check_key(settings)
    with listen(host, port) as listener, opened(settings, migrated=True, through_pooler=True) as dsn:
        # Each worker makes its own application. Making one here reports a mistake once, and not from each worker.
        application = create_app(settings.model_copy(update={"database_url": dsn}))
        # Each worker reads the settings itself. It finds an embedded server and this command's option by variables.
        os.environ[variable("database_url")] = dsn
        if settings.work:
            os.environ[variable("work")] = "true"
        configure_log()
        tune_python()
        log = structlog.stdlib.get_logger("inbox")
        if settings.graphiql and not settings.introspection:
            log.warning("GraphiQL has no documentation and no completion: INBOX_INTROSPECTION is off")
        log.info("serving", url=f"{url_of(listener)}/graphql", workers=workers)
        serve(application if workers == 1 else "gql.app:create_configured_app", listener, settings, workers=workers)
        log.info("stopped")
