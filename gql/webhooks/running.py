"""Runs a worker for the duration of a block, with everything that it needs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db.engine import Database
from gql.execution.operation import Pipeline
from gql.security.address import AddressRules
from gql.security.resolver import Resolve, SystemResolver
from gql.security.secret import Secrets
from gql.settings import ConfigurationError, Settings, read_ports, variable
from gql.webhooks.connection import open_session
from gql.webhooks.retention import keep_removing
from gql.webhooks.schedule import Schedule
from gql.webhooks.sender import Sender
from gql.webhooks.worker import Worker

_DEFAULT = Schedule()


def check_key(settings: Settings) -> None:
    """Raise `ConfigurationError` without a key for the secrets of webhooks."""
    if not Secrets(settings).available:
        raise ConfigurationError(f"{variable('secret_key')} is not set: without it, no webhook can be signed")


@asynccontextmanager
async def working(  # noqa: PLR0913  # what tests replace
    settings: Settings,
    database: Database,
    pipeline: Pipeline,
    listen_dsn: str | None,
    *,
    schedule: Schedule = _DEFAULT,
    resolve: Resolve | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Worker]:
    """Run a worker. Raises `ConfigurationError` for a malformed key."""
    secrets = Secrets(settings)
    rules = AddressRules(read_ports(settings.webhook_ports), settings.webhook_loopback)
    async with open_session(rules, resolve or SystemResolver(), schedule.timeout, context) as session:
        sender = Sender(session, rules, secrets, pipeline, schedule)
        worker = Worker(database, sender, schedule, listen_dsn, settings.webhook_at_once)
        worker.start()
        days = settings.webhook_days
        removing = [asyncio.create_task(keep_removing(database, days))] if days else []
        try:
            yield worker
        finally:
            await worker.stop()
            for task in removing:
                task.cancel()
                await asyncio.wait([task])
