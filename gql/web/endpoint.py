"""The GraphQL-over-HTTP endpoint: read a request, negotiate, run it, encode the answer.

The profile is the specification's, with 200 for request errors where the client accepts `application/json` only. Each
operation is one line in the log, without variables, contents or tokens. What a document means is not decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from graphql import ExecutionResult
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from db.failure import UnavailableError
from db.scope import Viewer
from gql.errors import Code, mask, show
from gql.execution.admission import BusyError
from gql.execution.document import RequestError
from gql.execution.operation import Pipeline, RateLimitedError, ReadOnlyError
from gql.execution.persisted import DocumentRefusedError
from gql.execution.record import Record
from gql.security.auth import Authenticator, Unauthenticated
from gql.web.etag import revalidated
from gql.web.request import accepted, from_body, from_url, negotiate
from gql.web.response import HTML, JSON, HttpError, error_response, refusal, write

_METHODS = "GET, POST"
_COST_HEADER = "x-request-cost"
# In an address: what makes it one that asks for an operation.
_NAMING_DOCUMENTS = {"query", "documentId", "extensions"}

# Nobody waits for an answer with this status: nginx writes it into its log for a client that went away.
_GONE = 499
# Seconds for what is away, or too busy, to be there again.
_TRY_AGAIN = {"Retry-After": "1"}
# Seconds after which it is worth knowing whether the client is still there.
_PATIENCE = 0.1
# Digits of a length. Python refuses to read a number of thousands.
_LONGEST_NUMBER = 18


class GraphQLEndpoint:
    """Answers the requests of one path: browsers that ask for HTML with `page`, where there is one."""

    def __init__(
        self,
        pipeline: Pipeline,
        authenticator: Authenticator,
        *,
        max_body: int,
        page: Callable[[], Response] | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._max_body = max_body
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer any request, of any method."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if self._page is not None and request.method in {"GET", "HEAD"} and _wants_page(request):
            return self._page()
        record = Record()
        media = JSON
        try:
            media = negotiate(request.headers.get("accept"))
            response = await self._answer(request, media, record)
        except HttpError as error:
            record.count([error.shown])
            response = error_response(error, media)
        except ClientDisconnect:
            response = Response(status_code=_GONE)
        except UnavailableError as error:
            errors = [mask(error)]
            record.count(errors)
            response = write(media, 503, {"errors": errors}, _TRY_AGAIN)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not reach the client
            errors = [mask(error)]
            record.count(errors)
            response = write(media, 500, {"errors": errors})
        record.status = response.status_code
        record.write(request.method)
        return response

    async def _answer(self, request: Request, media: str, record: Record) -> Response:
        viewer = record.viewer = await self._authenticate(request, record)
        if request.method == "GET":
            parameters = from_url(request.query_params)
        elif request.method == "POST":
            parameters = from_body(await self._body(request))
        else:
            raise HttpError(405, "Use GET or POST", headers={"Allow": _METHODS})
        try:
            async with _while_connected(request):
                result = await self._pipeline.answer(parameters, viewer, record)
        except RequestError as error:
            record.count(error.errors)
            record.cost = error.cost
            status = _status(media, error)
            answer = {"errors": error.errors, **self._extensions(request, record)}
            return write(media, status, answer, _TRY_AGAIN if status == 503 else None)  # noqa: PLR2004
        except ReadOnlyError:
            raise HttpError(405, "A GET cannot change anything: use POST", headers={"Allow": "POST"}) from None
        except RateLimitedError as error:
            raise HttpError(429, str(error), Code.RATE_LIMITED, error.headers) from None
        except BusyError:
            message = "Too many operations are waiting: try again"
            raise HttpError(503, message, Code.SERVICE_UNAVAILABLE, _TRY_AGAIN) from None
        except DocumentRefusedError as error:
            raise refusal(error) from None
        response = write(media, 200, {**_payload(result, record), **self._extensions(request, record)})
        if request.method == "GET" and parameters.document.is_persisted and not result.errors:
            return revalidated(request, response)
        return response

    def _extensions(self, request: Request, record: Record) -> dict[str, Any]:
        """What the operation costs, for a client that asks for it."""
        if record.cost is None or request.headers.get(_COST_HEADER) != "1":
            return {}
        return {"extensions": {"cost": {"requested": record.cost, "limit": self._pipeline.limits.cost}}}

    async def _authenticate(self, request: Request, record: Record) -> Viewer:
        headers = request.headers.getlist("authorization")
        if len(headers) > 1:
            # Whatever stands before this server may have looked at another one of them.
            raise HttpError(400, "Send one Authorization header")
        try:
            return await self._authenticator.authenticate(headers[0] if headers else None)
        except Unauthenticated as error:
            record.refused = error.reason
            challenge = {"WWW-Authenticate": error.challenge}
            raise HttpError(401, "A valid bearer token is needed", Code.UNAUTHENTICATED, challenge) from None

    async def _body(self, request: Request) -> bytes:
        media, _, rest = request.headers.get("content-type", "").partition(";")
        if media.strip().lower() != JSON:
            raise HttpError(415, f"Send {JSON}")
        charset = rest.lower().replace(" ", "").replace('"', "").partition("charset=")[2].partition(";")[0]
        if charset not in {"", "utf-8", "utf8"}:
            raise HttpError(415, "Send UTF-8")
        too_long = HttpError(413, f"A request has at most {self._max_body} bytes")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and (len(length) > _LONGEST_NUMBER or int(length) > self._max_body):
            raise too_long
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_body:
                raise too_long
        return bytes(body)


def _wants_page(request: Request) -> bool:
    """Whether it is a browser that looks at the address: it asks for HTML by name, and for no operation."""
    wants_html = accepted(request.headers.get("accept", "")).get(HTML, 0.0) > 0
    return wants_html and _NAMING_DOCUMENTS.isdisjoint(request.query_params)


@asynccontextmanager
async def _while_connected(request: Request) -> AsyncIterator[None]:
    """Cancel the block when the client goes away, and raise `ClientDisconnect`. The body must have been read.

    Most blocks are over before it is worth asking.
    """
    loop = asyncio.get_running_loop()
    watching: list[asyncio.Task[None]] = []

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        limit.reschedule(loop.time())

    try:
        async with asyncio.timeout(None) as limit:
            start = loop.call_later(_PATIENCE, lambda: watching.append(loop.create_task(watch())))
            try:
                yield
            finally:
                start.cancel()
                for task in watching:
                    task.cancel()
    except TimeoutError:
        if limit.expired():
            raise ClientDisconnect from None
        raise


def _payload(result: ExecutionResult, record: Record) -> dict[str, Any]:
    if not result.errors:
        return {"data": result.data}
    errors = [show(error) for error in result.errors]
    record.count(errors)
    return {"errors": errors, "data": result.data}


def _status(media: str, error: RequestError) -> int:
    """Request errors are 200 for clients from before the specification, except when time ran out."""
    code = error.errors[0]["extensions"]["code"]
    if code == Code.TIMEOUT:
        return 504
    if media == JSON:
        return 200
    return 503 if code == Code.SERVICE_UNAVAILABLE else 400
