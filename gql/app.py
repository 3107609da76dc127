"""The application: routes, middleware, lifespan, and the health of the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.engine import Database, UnavailableError
from db.migrations.apply import applied, head
from db.queries.actor import exists
from db.scope import Viewer
from gql.errors import mask
from gql.execution.admission import Admission
from gql.execution.document import Documents
from gql.execution.persisted import PersistedDocuments
from gql.log import configure_log
from gql.schema import build_schema
from gql.security.auth import Authenticator
from gql.security.rate import RateLimiter
from gql.settings import Settings
from gql.web.endpoint import GraphQLEndpoint, HttpError, error_response
from gql.web.graphiql import graphiql_page, graphiql_routes
from gql.web.server import starting, tune_collector

_PATH = "/graphql"
_READY_WITHIN = 2.0
# What every answer has that does not say otherwise: it is what its type says, stands in no frame and on no other site's
# page, brings nothing along, and is kept by nobody. Whether there is only HTTPS is told by whoever offers HTTPS.
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# What a browser app may send and read besides what any may: the page of another origin has no use for more.
_SENT_BY_APPS = ("Authorization", "Content-Type", "If-None-Match", "X-Request-Cost")
_READ_BY_APPS = ("ETag", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "WWW-Authenticate")


def create_app(settings: Settings, *, token: str | None = None) -> Starlette:
    """The ASGI application. `settings.database_url` must be given.

    A `token` is put into GraphiQL's headers; as whoever gets the page has it then, only this machine's addresses are
    answered. Raises `ConfigurationError` where no key to verify tokens is configured, or where the manifest of
    trusted documents is not as it should be. Connects when something is asked for.
    """
    if settings.database_url is None:
        raise ValueError("database_url must be given: the command line starts the embedded server")
    database = Database(settings.database_url, pool_size=settings.pool_size)
    rates = RateLimiter(settings) if settings.rate_limit else None
    endpoint = GraphQLEndpoint(
        PersistedDocuments(Documents(build_schema(), settings), settings),
        database,
        Authenticator(settings, exists=partial(_is_there, database, settings.operation_timeout)),
        Admission(settings.max_running, settings.max_waiting),
        rates,
        max_body=settings.max_body,
        page=(lambda: graphiql_page(token)) if settings.graphiql else None,
    )

    routes: list[BaseRoute] = [
        Route(_PATH, endpoint),
        Route("/healthz", _healthy),
        Route("/readyz", partial(_readiness, database)),
    ]
    if settings.graphiql:
        routes += [Route("/", _to_graphiql), *graphiql_routes(settings)]
    return Starlette(
        routes=routes,
        middleware=_middleware(settings, endpoint, demo=token is not None),
        exception_handlers={HTTPException: _show_http_exception, Exception: _show_failure},
        lifespan=partial(_lifespan, database, rates),
    )


def create_configured_app() -> Starlette:
    """The application of the environment's settings: what `uvicorn --factory` and its workers call."""
    configure_log()
    with starting():
        app = create_app(Settings())
        tune_collector()
    return app


async def _is_there(database: Database, within: float, viewer: Viewer) -> bool:
    """Whether the token's actor exists. Raises `UnavailableError` where that is not known within so many seconds."""
    try:
        async with asyncio.timeout(within):
            return await exists(database, viewer)
    except TimeoutError as error:
        raise UnavailableError from error


@asynccontextmanager
async def _lifespan(database: Database, rates: RateLimiter | None, _app: Starlette) -> AsyncIterator[None]:
    # A worker that takes another's place while the database is away must not give up, and all others with it.
    await database.start(connect=False)
    try:
        yield
    finally:
        await database.stop()
        if rates is not None:
            await rates.stop()


class _Security:
    """Gives every answer those of the security headers that it does not have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_marked)


class _Straight:
    """Leads to the one endpoint that most requests are for, past the router, which looks at each for everything."""

    def __init__(self, app: ASGIApp, path: str, endpoint: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        straight = scope["type"] == "http" and scope["path"] == self._path
        await (self._endpoint if straight else self._app)(scope, receive, send)


class _ThisMachine:
    """Answers only requests for an address or for localhost: a web page could point a name of its own at us."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_address(Headers(scope=scope).get("host", "")):
            refusal = error_response(HttpError(421, "The demo is to be asked for as localhost, or by its address"))
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_address(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ip_address(name))
    except ValueError:
        return False


def _middleware(settings: Settings, endpoint: ASGIApp, *, demo: bool) -> list[Middleware]:
    """From the outside to the inside."""
    middleware = [Middleware(_Security)]
    if demo:
        middleware.append(Middleware(_ThisMachine))
    if settings.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=_SENT_BY_APPS,
                expose_headers=_READ_BY_APPS,
                max_age=3_600,
            )
        )
    return [*middleware, Middleware(_Straight, path=_PATH, endpoint=endpoint)]


async def _show_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # Starlette calls this for no other
    return error_response(HttpError(error.status_code, error.detail, headers=error.headers))


async def _show_failure(_request: Request, error: Exception) -> Response:
    return Response(orjson.dumps({"errors": [mask(error)]}), 500, _SECURITY, "application/json")


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _to_graphiql(_request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _readiness(database: Database, _request: Request) -> Response:
    """Whether the database answers and has the newest migration. Says no more than that."""
    try:
        async with asyncio.timeout(_READY_WITHIN), database.pool.acquire(timeout=_READY_WITHIN) as connection:
            revision = await applied(connection)
    except Exception:  # noqa: BLE001  # a database can fail in every way, and all of them mean the same here
        return JSONResponse({"status": "unavailable", "database": "unreachable"}, 503)
    if revision != head():
        return JSONResponse({"status": "unavailable", "database": "migrations pending"}, 503)
    return JSONResponse({"status": "ok"})
