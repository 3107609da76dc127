"""`inbox work`: delivers webhooks, in a process of its own, until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys

import structlog
import typer

from gql.app import build_pipeline, listen_dsn, open_database
from gql.cli.database import opened
from gql.cli.variables import ShowsVariables
from gql.log import configure_log
from gql.security.rate import RateLimiter
from gql.settings import Settings
from gql.web.server import allow_files, tune_python
from gql.webhooks.places import files
from gql.webhooks.running import check_key, working
from gql.webhooks.schedule import Schedule

if sys.platform != "win32":
    import uvloop

app = typer.Typer(add_completion=False)
_SCHEDULE = Schedule()


@app.command(cls=ShowsVariables)
def work_command() -> None:
    """Deliver webhooks. Several of these processes share the work."""
    settings = Settings()
    check_key(settings)
    with opened(settings, migrated=True, through_pooler=True) as dsn:
        configure_log()
        run = deliver(settings.model_copy(update={"database_url": dsn}))
        if sys.platform == "win32":
            asyncio.run(run)
        else:
            uvloop.run(run)
        structlog.stdlib.get_logger("inbox").info("stopped")


async def deliver(settings: Settings, schedule: Schedule = _SCHEDULE) -> None:
    """Deliver until a signal arrives, and then finish what runs."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    database = open_database(settings)
    rates = RateLimiter(settings) if settings.rate_limit else None
    pipeline = build_pipeline(settings, database, rates)
    tune_python()
    allow_files(settings, files(settings.webhook_at_once))
    await database.start(connect=False)
    try:
        async with working(settings, database, pipeline, listen_dsn(settings), schedule=schedule):
            await stopping.wait()
    finally:
        await database.stop()
        if rates is not None:
            await rates.stop()
