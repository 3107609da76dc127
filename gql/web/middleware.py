"""ASGI middleware: security headers, the route of the endpoint past the router, and the demo's check of the host."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gql.web.response import HttpError, add_security, error_response

# What begins an answer, and the refusal of a WebSocket.
_STARTS = {"http.response.start", "websocket.http.response.start"}
# Headers that a browser app of another origin may read.
READ_BY_APPS = ("ETag", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "WWW-Authenticate")


class Security:
    """Adds the missing security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with a `send` that adds the headers."""

        async def send_marked(message: Message) -> None:
            if message["type"] in _STARTS:
                add_security(message["headers"])
            await send(message)

        await self._app(scope, receive, send_marked)


class Straight:
    """Calls the endpoints of one path directly: the router would compare each request with all routes.

    Outside of all other middleware, it also lets the endpoint write with the server's own `send`. For a WebSocket it
    saves 2 KiB of memory, of calls that last as long as the socket.
    """

    def __init__(self, app: ASGIApp, path: str, endpoint: ASGIApp, sockets: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._endpoints = {"http": endpoint, "websocket": sockets}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint of the type for its path, and the application for any other."""
        straight = scope["type"] != "lifespan" and scope["path"] == self._path
        await (self._endpoints[scope["type"]] if straight else self._app)(scope, receive, send)


class ThisMachine:
    """Answers only requests for an IP address or localhost, as a web page could make its own host name lead here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, or respond with 421 if the Host header has another name."""
        if scope["type"] != "lifespan" and not _is_address(Headers(scope=scope).get("host", "")):
            refusal = error_response(
                HttpError(421, "The demo answers requests for localhost or for an IP address only")
            )
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_address(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ip_address(name))
    except ValueError:
        return False
