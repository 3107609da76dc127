"""The GraphQL-over-HTTP endpoint: reads a request, passes it to the pipeline, and writes the response.

It follows the GraphQL-over-HTTP specification, with 200 for request errors if the client accepts only
`application/json`. Each request has one line in the log, without variables, contents or tokens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gql.errors import ANSWERS, Code, RequestError, is_cancelled
from gql.execution.operation import Pipeline, ReadOnlyError
from gql.execution.record import Record
from gql.security.auth import Admitted, Authenticator, UnauthenticatedError, digest_of
from gql.web.etag import revalidated
from gql.web.protocol import write_whole
from gql.web.request import Acceptable, HttpRequest, RequestReader, negotiate, wants_page
from gql.web.response import (
    JSON,
    HttpError,
    JsonResponse,
    add_security,
    compressed,
    error_response,
    rate_headers,
    write,
)
from gql.web.sse import EventSource, EventStreamResponse

_COST_HEADER = b"x-request-cost"
# How a request is answered whose Accept header cannot be read.
_ANY = Acceptable(JSON, is_single=True, is_streamed=False)
# The status in the log for a client that disconnected, as in nginx.
_GONE = 499
# Seconds after which the client's connection is watched.
_PATIENCE = 0.1


class GraphQLEndpoint:
    """Answers the requests of one path. Browsers that request HTML get `page`, if there is one."""

    def __init__(  # noqa: PLR0913  # what a request goes through
        self,
        pipeline: Pipeline,
        authenticator: Authenticator,
        reader: RequestReader,
        events: EventSource,
        page: Callable[[], Response] | None = None,
        *,
        compress: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._reader = reader
        self._events = events
        self._page = page
        self._compress = compress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of any method."""
        request = HttpRequest(scope, receive)
        try:
            try:
                response = await self._prepare(request)
            except Exception as error:  # noqa: BLE001  # a defect outside of what `_respond` covers
                response = error_response(RequestError.masking(error, strict=True))
            sent = compressed(response, request.headers.get(b"accept-encoding", b"")) if self._compress else response
            if not (type(sent) is JsonResponse and write_whole(send, sent)):
                add_security(response.raw_headers)
                await sent(scope, receive, send)
        finally:
            if request.places is not None:
                request.places.close()

    async def _prepare(self, request: HttpRequest) -> Response:
        if self._page is not None and wants_page(request):
            return self._page()
        with Record(request.method) as record:
            response = await self._respond(request, record)
            record.status = response.status_code
        return response

    async def _respond(self, request: HttpRequest, record: Record) -> Response:
        """The response to a request, also after an unexpected exception."""
        acceptable = _ANY
        try:
            acceptable = negotiate(request)
            response = await self._answer(request, acceptable, record)
        except ClientDisconnect:
            return Response(status_code=_GONE)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled(error):
                raise
            response = self._fail(error, acceptable.media, request, record)
        if record.viewer is not None and (budget := await self._pipeline.budget(record.viewer)):
            response.raw_headers.extend(rate_headers(budget))
        return response

    def _fail(self, error: BaseException, media: str, request: HttpRequest, record: Record) -> Response:
        """The response to a request that raised `error`.

        It has a function of its own because a variable that held the error would make a cycle: its traceback holds the
        frames that it passed. Python's collector would free those of a flood of rejected requests in pauses of 60 ms.
        """
        failure = error if isinstance(error, RequestError) else RequestError.masking(error, strict=True)
        record.count(failure.errors)
        return error_response(failure, media, self._extensions(request, record))

    async def _answer(self, request: HttpRequest, acceptable: Acceptable, record: Record) -> Response:
        admitted = await self._authenticate(request, record)
        viewer = record.viewer = admitted.viewer
        parameters = await self._reader.read(request, partial(self._pipeline.aside.run, viewer))
        try:
            with _Connection(request):
                if acceptable.is_streamed:
                    result = await self._events.open(request, parameters, admitted, record)
                else:
                    result = await self._pipeline.answer(parameters, viewer, record)
        except ReadOnlyError:
            raise HttpError(405, "A GET cannot change anything: use POST", headers={"Allow": "POST"}) from None
        if isinstance(result, EventStreamResponse):
            return result
        if not acceptable.is_single:
            return EventStreamResponse(result)
        extensions = self._extensions(request, record)
        response = write(acceptable.media, 200, result.payload | ({"extensions": extensions} if extensions else {}))
        if request.method == "GET" and parameters.document.is_persisted and not result.errors:
            return revalidated(request, response)
        return response

    def _extensions(self, request: HttpRequest, record: Record) -> dict[str, Any] | None:
        """The cost of the operation, for a client that requests it."""
        if record.cost is None or request.headers.get(_COST_HEADER) != b"1":
            return None
        return {"cost": {"requested": record.cost, "limit": self._pipeline.limits.cost}}

    async def _authenticate(self, request: HttpRequest, record: Record) -> Admitted:
        facts = request.facts
        if facts is not None and facts.token is not None and (admitted := self._authenticator.find(facts.token)):
            return admitted
        headers = request.lines(b"authorization")
        if len(headers) > 1:
            # With several, a proxy may have checked another one.
            raise HttpError(400, "Send one Authorization header")
        try:
            admitted = await self._authenticator.authenticate(headers[0] if headers else None)
        except UnauthenticatedError as error:
            record.refused = error.reason
            challenge = {"WWW-Authenticate": error.challenge}
            rejected = ANSWERS[Code.UNAUTHENTICATED]
            raise HttpError(rejected.status, rejected.message, Code.UNAUTHENTICATED, challenge) from None
        if facts is not None:
            facts.token = digest_of(headers[0])
        return admitted


class _Connection:
    """Cancels the block when the client disconnects, and raises `ClientDisconnect`. The body must have been read.

    Most blocks end before the watch begins. asyncio.timeout and an async generator instead of this class take 4 µs
    more, of 110 µs for `{ __typename }`.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._watching: asyncio.Task[None] | None = None
        self._is_gone = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # requests are answered in tasks
        self._task = task
        self._timer = task.get_loop().call_later(_PATIENCE, self._start)

    def _start(self) -> None:
        self._watching = self._task.get_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
        if self._is_gone and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientDisconnect from None
