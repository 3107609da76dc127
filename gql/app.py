"""The application: routes, lifespan, and the health of the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from db.engine import Database
from db.migration import applied, head
from db.queries.actor import exists
from gql.auth import Authenticator
from gql.document import Documents
from gql.graphiql import graphiql_page, graphiql_routes
from gql.http import GraphQLEndpoint
from gql.log import configure_log
from gql.schema import build_schema
from gql.settings import Settings

_READY_WITHIN = 2.0


def create_app(settings: Settings, *, token: str | None = None) -> Starlette:
    """The ASGI application. `settings.database_url` must be given; `token` is put into GraphiQL's headers.

    Raises `gql.auth.ConfigurationError` where no key to verify tokens is configured. Connects when its lifespan starts.
    """
    if settings.database_url is None:
        raise ValueError("database_url must be given: the command line starts the embedded server")
    database = Database(settings.database_url, pool_size=settings.pool_size)
    endpoint = GraphQLEndpoint(
        Documents(build_schema(), settings),
        database,
        Authenticator(settings, exists=lambda viewer: exists(database, viewer)),
        max_body=settings.max_body,
        page=(lambda: graphiql_page(token)) if settings.graphiql else None,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await database.start()
        try:
            yield
        finally:
            await database.stop()

    async def ready(_request: Request) -> Response:
        return await _readiness(database)

    routes = [
        Route("/graphql", endpoint),
        Route("/healthz", _healthy),
        Route("/readyz", ready),
    ]
    if settings.graphiql:
        routes += [Route("/", _to_graphiql), *graphiql_routes(settings)]
    return Starlette(routes=routes, middleware=_middleware(settings), lifespan=lifespan)


def create_configured_app() -> Starlette:
    """The application of the environment's settings: what `uvicorn --factory` and its workers call."""
    configure_log()
    return create_app(Settings())


def _middleware(settings: Settings) -> list[Middleware]:
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
            max_age=3_600,
        )
    ]


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _to_graphiql(_request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _readiness(database: Database) -> Response:
    """Whether the database answers and has the newest migration. Says no more than that."""
    try:
        async with asyncio.timeout(_READY_WITHIN), database.pool.acquire() as connection:
            revision = await applied(connection)
    except Exception:  # noqa: BLE001  # a database can fail in every way, and all of them mean the same here
        return JSONResponse({"status": "unavailable", "database": "unreachable"}, 503)
    if revision != head():
        return JSONResponse({"status": "unavailable", "database": "migrations pending"}, 503)
    return JSONResponse({"status": "ok"})
