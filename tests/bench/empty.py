"""A Starlette endpoint that does nothing, to measure the cost of uvicorn and Starlette."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gql.web.server import tune_collector

_ANSWER = b'{"data":{"__typename":"Query"}}'


def create_app() -> Starlette:
    """The application. It responds to every POST with the result of `{__typename}`, without reading the body."""
    tune_collector()
    return Starlette(routes=[Route("/graphql", _answer, methods=["POST"])])


async def _answer(_request: Request) -> Response:
    return Response(_ANSWER, media_type="application/json")
