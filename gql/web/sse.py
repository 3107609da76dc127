"""GraphQL over server-sent events, in the mode of distinct connections: each operation has its own response.

A response has an SSE event `next` for each result and an event `complete` at the end. An error before the first result
is an ordinary JSON response with an error status. The `id` of an event is the cursor after it: a client that connects
again sends it as `Last-Event-ID`, and the stream continues there. A response that ends without `complete` was
interrupted, by the network or by a server that stops.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gql.execution.call import Parameters
from gql.execution.operation import Result
from gql.execution.record import Record
from gql.live.places import Places
from gql.live.stream import Event, Stream
from gql.live.subscriptions import Subscriptions
from gql.security.auth import Admitted
from gql.web.protocol import STREAMING
from gql.web.request import HttpRequest
from gql.web.response import EVENT_STREAM

# Seconds after which a comment is sent without events, because proxies close idle connections.
IDLE = 15.0
_COMMENT = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"
_LAST_EVENT = b"last-event-id"


class EventSource:
    """Opens operations for clients that accept an event stream."""

    def __init__(self, subscriptions: Subscriptions, places: Places) -> None:
        self._subscriptions = subscriptions
        self._places = places

    async def open(
        self, request: HttpRequest, parameters: Parameters, admitted: Admitted, record: Record
    ) -> Result | EventStreamResponse:
        """The result of a query or mutation, or the response that streams a subscription. Raises RequestError.

        The caller closes `request.places` when the request ends.
        """
        opened = await self._subscriptions.open(
            parameters,
            admitted.viewer,
            record,
            resume=request.header(_LAST_EVENT) or None,
            expires=admitted.expires,
        )
        if isinstance(opened, Result):
            return opened
        with ExitStack() as stack:
            stack.callback(opened.end, "closed")
            stack.enter_context(self._places.of_process())
            stack.enter_context(self._places.of_actor(admitted.viewer))
            request.places = stack.pop_all()
        return EventStreamResponse(opened)


class EventStreamResponse(Response):
    """Streams a subscription until it is complete, or the client has disconnected."""

    def __init__(self, events: Stream | Result) -> None:
        self.body = b""
        self.status_code = 200
        self.background = None
        self.raw_headers = [
            (b"content-type", b"%s; charset=utf-8" % EVENT_STREAM.encode()),
            # Otherwise nginx would buffer events.
            (b"x-accel-buffering", b"no"),
        ]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        ended = _COMPLETE
        if isinstance(self._events, Result):
            await _send(send, _format(Event(orjson.dumps(self._events.payload), None)))
        else:
            if (stay_open := scope.get(STREAMING)) is not None:
                stay_open()
            await self._stream(self._events, receive, send)
            ended = b"" if self._events.is_stopped else _COMPLETE
        await send({"type": "http.response.body", "body": ended, "more_body": False})

    async def _stream(self, events: Stream, receive: Receive, send: Send) -> None:
        watching = asyncio.create_task(_close_with_client(receive, events))
        try:
            # A comment at the beginning, for clients and proxies that wait for the first byte.
            await _send(send, _COMMENT)
            while True:
                try:
                    async with asyncio.timeout(IDLE):
                        event = await anext(events)
                except TimeoutError:
                    await _send(send, _COMMENT)
                except StopAsyncIteration:
                    return
                else:
                    await _send(send, _format(event))
        finally:
            watching.cancel()
            await events.aclose()


async def _close_with_client(receive: Receive, events: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    await events.aclose()


async def _send(send: Any, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _format(event: Event) -> bytes:
    """JSON has no line breaks, and a cursor neither."""
    cursor = b"" if event.cursor is None else b"id: %b\n" % event.cursor.encode()
    return b"event: next\n%bdata: %b\n\n" % (cursor, event.body)
