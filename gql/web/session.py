"""A session of `graphql-transport-ws`: from the acceptance of a WebSocket to its close.

It begins with `connection_init`, whose payload has the token, and ends when the token expires. Operations go through
the same pipeline as those over HTTP, each with a line in the log; the session has one when it ends. Why it is closed:
`gql/web/closing.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import structlog
from starlette.types import Message, Receive, Send

from db.failure import UnavailableError
from db.scope import Viewer
from gql.errors import Code, RequestError, is_cancelled
from gql.execution.aside import LONG_BODY
from gql.execution.call import Parameters
from gql.execution.operation import Result
from gql.execution.record import Record
from gql.live.places import Places
from gql.live.stream import Event, Stream
from gql.live.subscriptions import Subscriptions
from gql.security.auth import Admitted, Authenticator, UnauthenticatedError
from gql.settings import Settings
from gql.web.closing import CLOSED, Close, Closing
from gql.web.request import RequestReader, parameters_of
from gql.web.response import HttpError

# What a log line has as the method of an operation.
METHOD = "WS"
# The status in the log of an operation that the client ended.
_ENDED_BY_CLIENT = 499
# Characters of an operation's id, which every event repeats.
_MAX_ID = 256
# Seconds after which a session ends at the latest: timers cannot wait for any expiry that a token may have.
_MAX_SESSION = 30 * 86_400.0

_log = structlog.stdlib.get_logger("inbox")


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What one socket may do; see the settings."""

    operations: int
    init_seconds: float
    origins: frozenset[str]
    """Origins of browser apps, beside the server's own."""

    @classmethod
    def of(cls, settings: Settings) -> SocketLimits:
        """The limits that `settings` configure."""
        return cls(settings.max_operations_per_socket, settings.socket_init_seconds, frozenset(settings.cors_origins))


@dataclass(frozen=True, slots=True)
class SocketServices:
    """What all sessions of an application share."""

    subscriptions: Subscriptions
    authenticator: Authenticator
    reader: RequestReader
    places: Places
    limits: SocketLimits


class SocketSession:
    """One socket, from its acceptance to its close. `authorization` are the headers of this name of the upgrade.

    `write_now` writes a text message at once and returns True, or returns False; see `gql/web/upgraded.py`.
    """

    def __init__(
        self,
        services: SocketServices,
        authorization: list[str],
        receive: Receive,
        send: Send,
        write_now: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._services = services
        self._authorization = authorization
        self._receive = receive
        self._send = send
        self._write_now = write_now
        self._began = time.monotonic()
        self._initialised = False
        self._viewer: Viewer | None = None
        self._place: AbstractContextManager[None] = nullcontext()
        self._refused: str | None = None
        # What the socket is closed with at the deadline.
        self._late = Close.NO_INIT
        self._operations: dict[str, asyncio.Task[None]] = {}
        # The ids of those that have no end of their own.
        self._streaming: set[str] = set()
        self._count = 0

    async def run(self) -> None:
        """Answer messages until either side closes, and then end what is still under way."""
        closing = Closing(Close.GONE)
        try:
            closing = await self._serve()
            await self._end(finishing=closing.code is Close.RESTART)
            if closing.code not in CLOSED:
                with suppress(OSError):
                    await self._send(closing.message)
        finally:
            for task in self._operations.values():
                task.cancel()
            self._place.__exit__(None, None, None)
            self._log_end(closing.code)

    async def _serve(self) -> Closing:
        """Read messages. Returns how to close."""
        try:
            # First until `connection_init` has to come, then until the token expires.
            async with asyncio.timeout(self._services.limits.init_seconds) as self._deadline:
                return await self._read()
        except TimeoutError:
            return Closing(self._late)
        except OSError:
            return Closing(Close.GONE)
        except Exception as error:  # noqa: BLE001  # whatever it is, the client is to know that it is not its fault
            RequestError.masking(error)
            return Closing(Close.INTERNAL_ERROR)

    async def _read(self) -> Closing:
        # No variable keeps a message until the next one comes, which may be for hours.
        while (closing := await self._take(await self._receive())) is None:
            pass
        return closing

    async def _take(self, received: Message) -> Closing | None:
        """Do what is received. Returns how to close, if it is to be closed."""
        if received["type"] == "websocket.disconnect":
            code = received.get("code")
            return Closing(Close(code) if code in {*CLOSED, Close.RESTART} else Close.GONE)
        text = received.get("text")
        if text is None:
            return Closing(Close.BAD_REQUEST, "A message is text, not binary")
        data = text.encode()
        is_long = len(data) >= LONG_BODY
        parse = partial(self._services.reader.from_json, data, "The message")
        try:
            if not is_long:
                message = parse()
            elif self._viewer is not None:
                message = await self._services.subscriptions.aside.run(self._viewer, parse)
            else:
                return Closing(Close.BAD_REQUEST, f"Before connection_ack, a message has less than {LONG_BODY} bytes")
        except HttpError as error:
            return Closing(Close.BAD_REQUEST, str(error))
        except RequestError as error:
            return Closing(Close.TRY_AGAIN_LATER, str(error))
        return await self._handle(message, is_long=is_long)

    async def _handle(self, message: Any, *, is_long: bool) -> Closing | None:
        """Do what a message asks for. Returns how to close, if it is to be closed."""
        match message:
            case {"type": "connection_init"} if _has_payload(message):
                return await self._initialise(message.get("payload") or {})
            case {"type": "ping"} if _has_payload(message):
                payload = {"payload": message["payload"]} if message.get("payload") else {}
                await self._write_message({"type": "pong", **payload})
            case {"type": "pong"} if _has_payload(message):
                pass
            case {"type": "subscribe", "id": str(id_), "payload": dict(payload)} if 0 < len(id_) <= _MAX_ID:
                return await self._subscribe(id_, partial(parameters_of, payload, is_long=is_long))
            case {"type": "complete", "id": str(id_)}:
                if (task := self._operations.pop(id_, None)) is not None:
                    task.cancel()
            case _:
                return Closing(Close.BAD_REQUEST)
        return None

    # ---- The token ----

    async def _initialise(self, payload: dict[str, Any]) -> Closing | None:
        if self._initialised:
            return Closing(Close.SECOND_INIT)
        self._initialised = True
        self._authorization += _authorization_in(payload)
        if len(set(self._authorization)) > 1:
            # A proxy before this server may have checked another one of them.
            return Closing(Close.BAD_REQUEST, "Send one token")
        try:
            admitted = await self._admit()
            place = self._services.places.of_actor(admitted.viewer)
            place.__enter__()
        except UnauthenticatedError as error:
            self._refused = error.reason
            return Closing(Close.FORBIDDEN)
        except RequestError as error:
            return Closing(Close.TRY_AGAIN_LATER, str(error))
        except UnavailableError:
            return Closing(Close.TRY_AGAIN_LATER)
        self._place = place
        self._viewer = admitted.viewer
        self._late = Close.FORBIDDEN
        left = min(admitted.expires - time.time(), _MAX_SESSION)
        self._deadline.reschedule(asyncio.get_running_loop().time() + left)
        await self._write_message({"type": "connection_ack"})
        return None

    async def _admit(self) -> Admitted:
        return await self._services.authenticator.authenticate(self._authorization[0] if self._authorization else None)

    # ---- Operations ----

    async def _subscribe(self, id_: str, read: Callable[[], Parameters]) -> Closing | None:
        if self._viewer is None:
            return Closing(Close.UNAUTHORIZED)
        if id_ in self._operations:
            return Closing(Close.DUPLICATE_ID, f"Subscriber for {id_} already exists")
        if len(self._operations) >= (most := self._services.limits.operations):
            error = RequestError.of(Code.RATE_LIMITED, f"A socket has at most {most} operations at once")
            await self._write_error(id_, error)
        else:
            self._count += 1
            self._operations[id_] = asyncio.create_task(self._operate(id_, read))
        return None

    async def _operate(self, id_: str, read: Callable[[], Parameters]) -> None:
        """Answer one operation, and then forget it."""
        try:
            # Where the client is gone, the session ends as well.
            with suppress(OSError):
                await self._answer(id_, read)
        finally:
            self._streaming.discard(id_)
            if self._operations.get(id_) is asyncio.current_task():
                del self._operations[id_]

    async def _answer(self, id_: str, read: Callable[[], Parameters]) -> None:
        try:
            # A stream logs its end itself.
            with Record(METHOD, status=_ENDED_BY_CLIENT) as record:
                opened = await self._open(read, record)
        except RequestError as error:
            await self._write_error(id_, error)
            return
        if isinstance(opened, Stream):
            self._streaming.add(id_)
            opened.send_now = self._sender(id_)
            async with aclosing(opened):
                async for event in opened:
                    await self._write_result(id_, event.body)
            if opened.is_stopped:
                self._close_soon(Close.RESTART)
                return
        else:
            await self._write_result(id_, orjson.dumps(opened.payload))
        await self._write_message({"id": id_, "type": "complete"})

    async def _open(self, read: Callable[[], Parameters], record: Record) -> Result | Stream:
        """Begin an operation. Raises RequestError, and nothing else."""
        try:
            # A principal who may no longer use the API over HTTP cannot begin an operation here either.
            record.viewer = (await self._admit()).viewer
            opened = await self._services.subscriptions.open(read(), record.viewer, record)
        except UnauthenticatedError as error:
            record.refused = error.reason
            self._close_soon(Close.FORBIDDEN)
            failure = RequestError.of(Code.UNAUTHENTICATED)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled(error):
                raise
            failure = error if isinstance(error, RequestError) else RequestError.masking(error)
        else:
            record.status = 200
            return opened
        record.count(failure.errors)
        record.status = failure.status(legacy=False)
        raise failure

    def _close_soon(self, code: Close) -> None:
        """Have the socket closed by the task that reads it."""
        if not self._deadline.expired():
            self._late = code
            self._deadline.reschedule(asyncio.get_running_loop().time())

    async def _end(self, *, finishing: bool) -> None:
        """End all operations; with `finishing`, wait for the answers to queries and mutations."""
        for id_, task in self._operations.items():
            if not finishing or id_ in self._streaming:
                task.cancel()
        if self._operations:
            await asyncio.wait(self._operations.values())

    # ---- Writing ----

    async def _write_result(self, id_: str, body: bytes) -> None:
        await self._send_text((_beginning(id_) + body + b"}").decode())

    def _sender(self, id_: str) -> Callable[[Event], bool] | None:
        """A function that sends an event of an operation at once, if that is possible."""
        if (write_now := self._write_now) is None:
            return None
        beginning = _beginning(id_)
        return lambda event: write_now(beginning + event.body + b"}")

    async def _write_error(self, id_: str, error: RequestError) -> None:
        await self._write_message({"id": id_, "type": "error", "payload": error.errors})

    async def _write_message(self, message: Mapping[str, Any]) -> None:
        await self._send_text(_json(message))

    async def _send_text(self, text: str) -> None:
        # Waits while the client does not read.
        await self._send({"type": "websocket.send", "text": text})

    def _log_end(self, code: Close) -> None:
        """Write the session's line into the log."""
        viewer = self._viewer
        _log.info(
            "socket closed",
            code=int(code) or None,
            seconds=round(time.monotonic() - self._began, 1),
            operations=self._count,
            account=viewer and viewer.account_id,
            actor=viewer and f"{viewer.actor_type.lower()}:{viewer.actor_id}",
            refused=self._refused,
        )


def _beginning(id_: str) -> bytes:
    """A message `next` up to its payload, which is followed by a brace."""
    return f'{{"id":{_json(id_)},"type":"next","payload":'.encode()


def _has_payload(message: dict[str, Any]) -> bool:
    """Whether the payload is an object or none."""
    return isinstance(message.get("payload"), dict | None)


def _authorization_in(payload: dict[str, Any]) -> list[str]:
    """The tokens in the payload of `connection_init`, each as an `Authorization` header has it."""
    named = {name.lower(): value for name, value in payload.items() if value}
    given = [(prefix, named[name]) for name, prefix in (("authorization", ""), ("token", "Bearer ")) if name in named]
    # What is no string is no token, and is rejected as such.
    return [f"{prefix}{value}" for prefix, value in given]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
