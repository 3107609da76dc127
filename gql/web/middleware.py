"""ASGI middleware: security headers, the route of the endpoint past the router, and the demo's check of the host."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gql.web.response import HttpError, error_response

# What every answer has that does not say otherwise: it is what its type says, stands in no frame and on no other site's
# page, brings nothing along, and is kept by nobody. Whether there is only HTTPS is told by whoever offers HTTPS.
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# What a browser app may send and read besides what any may: the page of another origin has no use for more.
SENT_BY_APPS = ("Authorization", "Content-Type", "If-None-Match", "X-Request-Cost")
READ_BY_APPS = ("ETag", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "WWW-Authenticate")


class Security:
    """Gives every answer those of the security headers that it does not have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with a `send` that adds the headers."""

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_marked)


class Straight:
    """Leads to the one endpoint that most requests are for, past the router, which looks at each for everything."""

    def __init__(self, app: ASGIApp, path: str, endpoint: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint for its path, and the application for any other."""
        straight = scope["type"] == "http" and scope["path"] == self._path
        await (self._endpoint if straight else self._app)(scope, receive, send)


class ThisMachine:
    """Answers only requests for an address or for localhost: a web page could point a name of its own at us."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, or answer 421 where the Host header has another name."""
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
