"""The application: routes, middleware, lifespan, and the health of the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from db.engine import Database
from db.failure import UnavailableError
from db.migrations.revision import State, is_read_only, state
from db.queries.actor import exists
from db.scope import Viewer
from gql.errors import RequestError
from gql.execution.admission import Admission
from gql.execution.document import Documents
from gql.execution.executor import Executor
from gql.execution.operation import Pipeline
from gql.execution.persisted import PersistedDocuments
from gql.live.hub import Hub
from gql.live.places import Places
from gql.live.retention import keep_removing
from gql.live.subscriptions import Subscriptions
from gql.log import configure_log
from gql.schema import build_schema
from gql.security.auth import Authenticator
from gql.security.rate import RateLimiter
from gql.security.webhook import WebhookRules
from gql.settings import Settings
from gql.web.endpoint import GraphQLEndpoint
from gql.web.graphiql import graphiql_page, graphiql_routes
from gql.web.metrics import show_metrics
from gql.web.middleware import READ_BY_APPS, Security, Straight, ThisMachine
from gql.web.request import RequestReader
from gql.web.response import HttpError, add_security, compressing, error_response
from gql.web.server import starting, tune_python
from gql.web.session import SocketLimits, SocketServices
from gql.web.sse import EventSource
from gql.web.websocket import SocketEndpoint
from gql.webhooks.running import working

_PATH = "/graphql"
_READY_WITHIN = 2.0


def create_app(settings: Settings, *, token: str | None = None) -> Starlette:
    """The ASGI application. `settings.database_url` must be given.

    A `token` is put into GraphiQL's headers. Everyone who loads the page then gets it, so only requests for this
    machine's addresses are answered. Raises `ConfigurationError` without a key to verify tokens, and for an invalid
    manifest of trusted documents. The database is connected with the first request.
    """
    database = open_database(settings)
    rates = RateLimiter(settings) if settings.rate_limit else None
    pipeline = build_pipeline(settings, database, rates)
    is_there = partial(_is_there, database, settings.operation_timeout)
    authenticator = Authenticator(settings, exists=is_there)
    hub = Hub(database, rates, listen_dsn(settings), at_once=max(1, settings.pool_size // 2), exists=is_there)
    reader = RequestReader(settings.max_body, settings.max_json_depth)
    subscriptions, places = Subscriptions(pipeline, database, hub), Places(settings)
    endpoint = GraphQLEndpoint(
        pipeline,
        authenticator,
        reader,
        EventSource(subscriptions, places),
        (lambda: graphiql_page(token, introspection=settings.introspection)) if settings.graphiql else None,
        compress=settings.compress,
    )
    services = SocketServices(subscriptions, authenticator, reader, places, SocketLimits.of(settings))
    app = Starlette(
        routes=[
            Route(_PATH, endpoint),
            Route("/healthz", _healthy),
            Route("/readyz", partial(_readiness, database)),
            *_optional_routes(settings),
        ],
        exception_handlers={HTTPException: _show_http_exception, Exception: _show_failure},
        lifespan=partial(_lifespan, settings, database, rates, hub, pipeline),
    )
    # A redirect would repeat the Host header, which the client chooses, and drop the body of a POST.
    app.router.redirect_slashes = False
    app.router.default = _not_found
    _add_middleware(app, settings, endpoint, SocketEndpoint(services), demo=token is not None)
    return app


def _add_middleware(app: Starlette, settings: Settings, endpoint: ASGIApp, sockets: ASGIApp, *, demo: bool) -> None:
    """Put the middleware around the routes, and the way to the endpoints as far outside as possible."""
    straight = partial(Straight, path=_PATH, endpoint=endpoint, sockets=sockets)
    before = _before_endpoints(settings, demo=demo)
    # Outermost first.
    app.user_middleware = [Middleware(Security), *before, Middleware(straight), *_after_endpoints(settings)]
    if not before:
        # The endpoints' own responses have the security headers, and they compress and mask failures by themselves.
        app.middleware_stack = straight(app.build_middleware_stack())


def _optional_routes(settings: Settings) -> list[BaseRoute]:
    routes: list[BaseRoute] = []
    if settings.metrics:
        routes.append(Route("/metrics", show_metrics))
    if settings.graphiql:
        routes += [Route("/", _to_graphiql), *graphiql_routes(settings)]
    return routes


def create_configured_app() -> Starlette:
    """The application, configured by the environment: for `uvicorn --factory` and its workers."""
    configure_log()
    with starting():
        app = create_app(Settings())
        tune_python()
    return app


def build_pipeline(settings: Settings, database: Database, rates: RateLimiter | None) -> Pipeline:
    """The pipeline that answers the operations of every transport."""
    schema = build_schema()
    documents = PersistedDocuments(Documents(schema, settings), settings)
    return Pipeline(
        documents,
        Executor(schema, settings),
        database,
        Admission(settings.max_running, settings.max_waiting),
        rates,
        WebhookRules(settings, documents.describe),
    )


def open_database(settings: Settings) -> Database:
    """The database of the settings, not connected yet."""
    if settings.database_url is None:
        raise ValueError("database_url must be given: the command line starts the embedded server")
    return Database(settings.database_url, pool_size=settings.pool_size, pooled=settings.pooler is not None)


def listen_dsn(settings: Settings) -> str | None:
    """What to listen for changes on: a pooler in transaction mode passes no notifications on."""
    return settings.listen_url or (None if settings.pooler else settings.database_url)


async def _is_there(database: Database, within: float, viewer: Viewer) -> bool:
    """Whether the token's actor exists. Raises `UnavailableError` without an answer within the time limit."""
    try:
        async with asyncio.timeout(within):
            return await exists(database, viewer)
    except TimeoutError as error:
        raise UnavailableError from error


@asynccontextmanager
async def _lifespan(
    settings: Settings,
    database: Database,
    rates: RateLimiter | None,
    hub: Hub,
    pipeline: Pipeline,
    _app: Starlette,
) -> AsyncIterator[None]:
    # A worker that replaces another one while the database is unavailable must start: if it failed, the supervisor
    # would stop all workers.
    await database.start(connect=False)
    days = settings.changes_days
    removing = {asyncio.create_task(keep_removing(database, days))} if days else set()
    hub.start()
    try:
        async with working(settings, database, pipeline, listen_dsn(settings)) if settings.work else nullcontext():
            yield
    finally:
        await hub.stop()
        for task in removing:
            task.cancel()
            await asyncio.wait([task])
        await database.stop()
        if rates is not None:
            await rates.stop()


def _before_endpoints(settings: Settings, *, demo: bool) -> list[Middleware]:
    """The middleware around all answers, outermost first."""
    before = []
    if demo:
        before.append(Middleware(ThisMachine))
    if settings.cors_origins:
        before.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=settings.cors_headers or ("*",),
                expose_headers=READ_BY_APPS,
                max_age=3_600,
            )
        )
    return before


def _after_endpoints(settings: Settings) -> list[Middleware]:
    return [Middleware(compressing)] if settings.compress else []


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with 404, to the handshake of a WebSocket too. Starlette's own would respond to that with 403."""
    await error_response(HttpError(404, "Not Found"))(scope, receive, send)


async def _show_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # Starlette calls this for HTTPException only
    return error_response(HttpError(error.status_code, error.detail, headers=error.headers))


async def _show_failure(_request: Request, error: Exception) -> Response:
    response = error_response(RequestError.masking(error))
    add_security(response.raw_headers)
    return response


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _to_graphiql(_request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _readiness(database: Database, _request: Request) -> Response:
    """Whether the database answers and has tables that this version can serve. The answer has no details."""
    try:
        async with (
            asyncio.timeout(_READY_WITHIN),
            database.control.connection(_READY_WITHIN) as connection,
            # Through a pooler, the two round trips of a statement need a transaction around them.
            connection.transaction(),
        ):
            read_only = await is_read_only(connection)
            # The last statement: in a database without a migration, it fails and ends the transaction.
            schema = await state(connection)
    except Exception:  # noqa: BLE001  # any failure of the database means not ready
        return JSONResponse({"status": "unavailable", "database": "unreachable"}, 503)
    if schema is not State.SERVABLE:
        return JSONResponse({"status": "unavailable", "database": schema}, 503)
    if read_only:
        return JSONResponse({"status": "unavailable", "database": "read-only"}, 503)
    return JSONResponse({"status": "ok"})
