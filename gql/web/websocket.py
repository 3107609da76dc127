"""GraphQL over WebSocket: accepts the sockets of one path that speak the protocol `graphql-transport-ws`."""

from __future__ import annotations

from contextlib import ExitStack
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from gql.errors import Code, RequestError
from gql.settings import variable
from gql.web.response import HttpError, error_response
from gql.web.session import Close, Closing, SocketServices, SocketSession

SUBPROTOCOL = "graphql-transport-ws"


class SocketEndpoint:
    """Serves each socket in a session of its own."""

    def __init__(self, services: SocketServices) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a socket until it is closed."""
        headers = Headers(scope=scope)
        with ExitStack() as stack:
            try:
                self._check_origin(headers)
                stack.enter_context(self._services.places.of_process())
            except RequestError as error:
                await error_response(error)(scope, receive, send)
                return
            await receive()
            if SUBPROTOCOL in scope["subprotocols"]:
                await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
                await SocketSession(self._services, headers.getlist("authorization"), receive, send).run()
            else:
                await send({"type": "websocket.accept"})
                await send(Closing(Close.SUBPROTOCOL).message)

    def _check_origin(self, headers: Headers) -> None:
        """Reject a browser's page whose origin is neither configured nor the host that the browser was sent to."""
        origin, allowed = headers.get("origin"), self._services.limits.origins
        if origin is None or origin in allowed or "*" in allowed:
            return
        if urlsplit(origin).netloc != headers.get("host", "").lower():
            message = f"{variable('cors_origins')} does not allow WebSockets from this origin"
            raise HttpError(403, message, Code.FORBIDDEN)
