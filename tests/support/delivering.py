"""Receivers of webhooks in this process, and workers that deliver to them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import asyncpg
import orjson
from aiohttp import web

from db.queries.webhook.fan_out import fan_out
from gql.app import build_pipeline, listen_dsn, open_database
from gql.security.rate import RateLimiter
from gql.security.secret import PREFIX, Secrets
from gql.webhooks.running import working
from gql.webhooks.schedule import Schedule
from gql.webhooks.worker import Worker
from tests.support.client import make_settings
from tests.support.factories import store
from tests.support.world import USER

KEYS = [bytes(range(start, start + 32)) for start in (0, 100)]
WHSEC, OLD_WHSEC = (PREFIX + b64encode(key).decode() for key in KEYS)
# Attempts follow each other at once.
FAST = Schedule(waits=(0.02,) * 9, spread=0, unable=0.05, timeout=5, lease=10, poll=0.05, grace=2)


@dataclass(frozen=True)
class Received:
    """A request that a receiver has got."""

    path: str
    headers: dict[str, str]
    body: bytes
    request: web.Request

    @property
    def id(self) -> str:
        """The header `webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def payload(self) -> Any:
        """The body's JSON."""
        return orjson.loads(self.body)


Answer: TypeAlias = Callable[[Received], Awaitable[web.StreamResponse]]


async def accept(_received: Received) -> web.StreamResponse:
    """Accept a request."""
    return web.Response(text="Thanks")


@dataclass
class Receiver:
    """A server on a port of this machine. `answer` can be replaced."""

    answer: Answer = accept
    received: list[Received] = field(default_factory=list)
    port: int = 0
    at_once: int = 0
    most_at_once: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Remember a request, and answer it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.path_qs, headers, await request.read(), request)
        self.received.append(received)
        self._changed.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.answer(received)
        finally:
            self.at_once -= 1

    async def wait(self, number: int, within: float = 20) -> list[Received]:
        """The requests, once there are that many."""
        async with asyncio.timeout(within):
            while len(self.received) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.received


@asynccontextmanager
async def receiving(answer: Answer = accept) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver(answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def store_endpoint(connection: asyncpg.Connection[Any], url: str, *events: str, **columns: Any) -> int:
    """Store an endpoint of an account that sends these events to the URL."""
    secrets = Secrets(make_settings("postgresql://nowhere"))
    values: dict[str, Any] = {
        "account_id": 1,
        "url": url,
        "events": list(events or ("MESSAGE_CREATED",)),
        "secret": secrets.encrypt(WHSEC),
        "created_by_type": "USER",
        "created_by_id": USER,
        "created_by_user_id": USER,
    }
    id_ = await store(connection, "webhook_endpoints", **values | columns)
    assert id_ is not None
    return id_


async def log_events(
    connection: asyncpg.Connection[Any],
    number: int,
    *,
    account: int = 1,
    conversations: int = 1,
    event: str = "MESSAGE_CREATED",
) -> None:
    """Log changes of messages with an event, in turn for each of the conversations."""
    await connection.execute(
        """WITH counter AS (
            INSERT INTO change_counters AS c (account_id, number, removed) VALUES ($1, $2, 0)
            ON CONFLICT (account_id) DO UPDATE SET number = c.number + $2 RETURNING number
        )
        INSERT INTO changes (account_id, number, type, node_id, conversation_id, operation, at, events)
        SELECT $1, counter.number - $2 + n, 'MESSAGE', n, n % $3 + 1, 'UPSERTED', now(), ARRAY[$4]
        FROM counter, generate_series(1, $2::int) n""",
        account,
        number,
        conversations,
        event,
    )


async def make_all(connection: asyncpg.Connection[Any]) -> int:
    """Fan out until nothing is left; return the number of deliveries."""
    total, accounts = 0, 1
    while accounts:
        accounts, deliveries = await fan_out(connection)
        total += deliveries
    return total


@asynccontextmanager
async def delivering(
    dsn: str, schedule: Schedule = FAST, *, resolve: Any = None, context: Any = None, **overrides: Any
) -> AsyncIterator[Worker]:
    """A worker on that database."""
    settings = make_settings(dsn, **{"webhook_loopback": True, "webhook_days": 0} | overrides)
    database = open_database(settings)
    rates = RateLimiter(settings) if settings.rate_limit else None
    pipeline = build_pipeline(settings, database, rates)
    await database.start(connect=False)
    try:
        async with working(
            settings,
            database,
            pipeline,
            listen_dsn(settings),
            schedule=schedule,
            resolve=resolve,
            context=context,
        ) as worker:
            yield worker
    finally:
        await database.stop()


async def until(holds: Callable[[], Awaitable[Any]], within: float = 20) -> Any:
    """The first value of `holds` that is true."""
    async with asyncio.timeout(within):
        while not (value := await holds()):  # noqa: ASYNC110  # the database has no event for it
            await asyncio.sleep(0.01)
    return value


async def settled(connection: asyncpg.Connection[Any], within: float = 20) -> list[asyncpg.Record]:
    """All deliveries, in the order of their ids, once none is pending and the whole log was read."""
    await until(lambda: connection.fetchval(f"SELECT NOT ({_OPEN})"), within)
    return await connection.fetch("SELECT * FROM webhook_deliveries ORDER BY account_id, id")  # type: ignore[no-any-return]


_OPEN = """EXISTS (SELECT FROM webhook_deliveries WHERE state = 'PENDING') OR EXISTS (
    SELECT FROM change_counters c JOIN webhook_endpoints e ON e.account_id = c.account_id AND e.enabled
    LEFT JOIN webhook_positions p ON p.account_id = c.account_id
    WHERE c.number > greatest(e.after_number, p.number)
)"""
