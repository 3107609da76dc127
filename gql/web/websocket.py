"""GraphQL over WebSocket: accepts the sockets of one path that speak the protocol `graphql-transport-ws`."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from gql.errors import Code, RequestError
from gql.settings import variable
from gql.web.closing import Close, Closing
from gql.web.response import HttpError, add_security, error_response
from gql.web.session import SocketServices, SocketSession
from gql.web.upgraded import WRITING

SUBPROTOCOL = "graphql-transport-ws"


class SocketEndpoint:
    """Serves each socket in a session of its own."""

    def __init__(self, services: SocketServices) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a socket until it is closed."""
        try:
            self._check_origin(Headers(scope=scope))
            with self._services.places.of_process():
                await self._serve(scope, receive, send)
        except RequestError as error:
            # Raised before the socket is accepted.
            response = error_response(error)
            add_security(response.raw_headers)
            await response(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if SUBPROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send(Closing(Close.SUBPROTOCOL).message)
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        authorization = Headers(scope=scope).getlist("authorization")
        # The caller keeps the scope in memory as long as the socket is open: 1.5 KiB.
        scope["headers"] = []
        write_now = scope.pop(WRITING, None)
        await SocketSession(self._services, authorization, receive, send, write_now).run()

    def _check_origin(self, headers: Headers) -> None:
        """Reject a browser's page whose origin is neither configured nor the host that the browser was sent to."""
        origin, allowed = headers.get("origin"), self._services.limits.origins
        if origin is None or origin in allowed or "*" in allowed:
            return
        if _host(origin) != headers.get("host", "").lower():
            message = f"{variable('cors_origins')} does not allow WebSockets from this origin"
            raise HttpError(403, message, Code.FORBIDDEN)


def _host(origin: str) -> str | None:
    """The host and port of an origin; None if it is no URL."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None
