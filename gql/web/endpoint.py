"""The GraphQL-over-HTTP endpoint: read a request, negotiate, run it, encode the answer.

The profile is the specification's, with 200 for request errors where the client accepts `application/json` only. Each
operation is one line in the log, without variables, contents or tokens. What a document means is not decided here.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from graphql import ExecutionResult, OperationType
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from db.engine import Database, UnavailableError
from db.scope import Viewer
from gql.context import Context
from gql.errors import Code, is_unavailable, mask, show
from gql.execution.admission import Admission, BusyError
from gql.execution.document import RequestError
from gql.execution.persisted import DocumentRefusedError, PersistedDocuments, Reference
from gql.security.auth import Authenticator, Unauthenticated
from gql.security.rate import RateLimiter
from gql.web.etag import revalidated
from gql.web.record import Record

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"

_METHODS = "GET, POST"
_COST_HEADER = "x-request-cost"
# In an address: what makes it one that asks for an operation.
_NAMING_DOCUMENTS = {"query", "documentId", "extensions"}
_JSON_PARAMETERS = {"variables", "extensions"}
_PARAMETERS = {"query", "documentId", "operationName", *_JSON_PARAMETERS}
_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")

# Nobody waits for an answer with this status: nginx writes it into its log for a client that went away.
_GONE = 499
# Seconds for what is away, or too busy, to be there again.
_TRY_AGAIN = {"Retry-After": "1"}
# Seconds after which it is worth knowing whether the client is still there.
_PATIENCE = 0.1
# Digits of a length. Python refuses to read a number of thousands.
_LONGEST_NUMBER = 18


class HttpError(Exception):
    """The request is no GraphQL request. Answered with its status whatever the client accepts."""

    def __init__(
        self, status: int, message: str, code: Code = Code.BAD_USER_INPUT, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    @property
    def shown(self) -> dict[str, Any]:
        """As it goes into a response."""
        return {"message": str(self), "extensions": {"code": self.code}}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a GraphQL request asks for."""

    document: Reference
    operation_name: str | None
    variables: dict[str, Any] | None


class GraphQLEndpoint:
    """Answers the requests of one path: browsers that ask for HTML with `page`, where there is one."""

    def __init__(  # noqa: PLR0913  # each is something that it works with
        self,
        persisted: PersistedDocuments,
        database: Database,
        authenticator: Authenticator,
        admission: Admission,
        rates: RateLimiter | None,
        *,
        max_body: int,
        page: Callable[[], Response] | None = None,
    ) -> None:
        self._persisted = persisted
        self._documents = persisted.documents
        self._database = database
        self._authenticator = authenticator
        self._admission = admission
        self._rates = rates
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
            media = _negotiate(request.headers.get("accept"))
            response = await self._answer(request, media, record)
        except HttpError as error:
            record.count([error.shown])
            response = error_response(error, media)
        except ClientDisconnect:
            response = Response(status_code=_GONE)
        except UnavailableError as error:
            errors = [mask(error)]
            record.count(errors)
            response = _response(media, 503, {"errors": errors}, _TRY_AGAIN)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not reach the client
            errors = [mask(error)]
            record.count(errors)
            response = _response(media, 500, {"errors": errors})
        record.status = response.status_code
        record.write(request.method)
        return response

    async def _answer(self, request: Request, media: str, record: Record) -> Response:
        viewer = record.viewer = await self._authenticate(request, record)
        if request.method == "GET":
            parameters = _from_url(request.query_params)
        elif request.method == "POST":
            parameters = _from_body(await self._body(request))
        else:
            raise HttpError(405, "Use GET or POST", headers={"Allow": _METHODS})
        try:
            record.operation = operation = self._persisted.operation(parameters.document, parameters.operation_name)
            if request.method == "GET" and operation.type is not OperationType.QUERY:
                raise HttpError(405, "A GET cannot change anything: use POST", headers={"Allow": "POST"})
            call = self._documents.call(operation, parameters.variables, viewer)
            record.cost = call.cost
            if self._rates and (budget := await self._rates.charge(viewer, call.cost)):
                headers = budget.headers(self._rates.bounded(call.cost))
                raise HttpError(429, "Too much was asked for in a minute", Code.RATE_LIMITED, headers)
            context = Context(viewer, self._database, call.cost, self._rates, reads_once=operation.reads_once)
            async with _while_connected(request), self._admission:
                result = await self._documents.execute(call, context)
            if operation.type is OperationType.QUERY:
                _refuse_incomplete(result, call.cost)
        except RequestError as error:
            record.count(error.errors)
            record.cost = error.cost
            status = _status(media, error)
            answer = {"errors": error.errors, **self._extensions(request, record)}
            return _response(media, status, answer, _TRY_AGAIN if status == 503 else None)  # noqa: PLR2004
        except BusyError:
            message = "Too many operations are waiting: try again"
            raise HttpError(503, message, Code.SERVICE_UNAVAILABLE, _TRY_AGAIN) from None
        except DocumentRefusedError as error:
            raise _refusal(error) from None
        response = _response(media, 200, {**_payload(result, record), **self._extensions(request, record)})
        if request.method == "GET" and parameters.document.is_persisted and not result.errors:
            return revalidated(request, response)
        return response

    def _extensions(self, request: Request, record: Record) -> dict[str, Any]:
        """What the operation costs, for a client that asks for it."""
        if record.cost is None or request.headers.get(_COST_HEADER) != "1":
            return {}
        return {"extensions": {"cost": {"requested": record.cost, "limit": self._documents.limits.cost}}}

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
    wants_html = _accepted(request.headers.get("accept", "")).get(HTML, 0.0) > 0
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


def _accepted(header: str) -> dict[str, float]:
    """The media ranges of an Accept header with their qualities."""
    ranges = {}
    for part in header.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        values = dict(parameter.partition("=")[::2] for parameter in parameters)
        if media and values.get("charset", "utf-8").strip('"') in {"utf-8", "utf8", "*"}:
            quality = values.get("q", "1")
            ranges[media] = float(quality) if _QUALITY.fullmatch(quality) else 0.0
    return ranges


@lru_cache(maxsize=256)
def _negotiate(header: str | None) -> str:
    """The media type to answer with. Raises `HttpError` where none is acceptable.

    A type that is named wins over one that a wildcard covers. Who names both knows the newer one; who names neither is
    likely to know neither, and gets plain JSON.
    """
    ranges = _accepted(header) if header and header.strip() else {"*/*": 1.0}
    offers = []
    for media in (JSON, GRAPHQL_RESPONSE):
        covering = next((range_ for range_ in (media, "application/*", "*/*") if range_ in ranges), None)
        if covering and ranges[covering]:
            named = covering == media
            offers.append((ranges[covering], named, named == (media == GRAPHQL_RESPONSE), media))
    if not offers:
        raise HttpError(406, f"Accept {GRAPHQL_RESPONSE} or {JSON}")
    return max(offers)[-1]


def _from_url(query: QueryParams) -> Parameters:
    names = [name for name, _ in query.multi_items() if name in _PARAMETERS]
    if len(set(names)) < len(names):
        raise HttpError(400, "Give each parameter once")
    values: dict[str, Any] = {name: query[name] for name in names}
    for name in _JSON_PARAMETERS & values.keys():
        values[name] = _from_json(values[name].encode(), name) if values[name] else None
    return _parameters(values)


def _from_body(body: bytes) -> Parameters:
    values = _from_json(body, "The body")
    if not isinstance(values, dict):
        raise HttpError(400, "The body is not a JSON object")
    return _parameters(values)


def _from_json(text: bytes, what: str) -> Any:
    """The value that JSON in UTF-8 stands for. Raises `HttpError`.

    A name may stand only once in an object: readers take one value or the other, so that what somebody before this
    server looked at need not be what is executed.
    """
    try:
        value = orjson.loads(text)
    except ValueError:
        raise HttpError(400, f"{what} is not JSON in UTF-8") from None
    # What is written back the same has lost no name: most clients write JSON so, and need no second look. What is
    # nested too deeply to be written back is refused below.
    with suppress(orjson.JSONEncodeError):
        if orjson.dumps(value) == text:
            return value
    try:
        _NAMES.decode(text.decode())
    except (ValueError, RecursionError):
        raise HttpError(400, f"{what} has a name twice in one object, or too many values in each other") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise ValueError


_NAMES = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str)


def _parameters(values: dict[str, Any]) -> Parameters:
    name, variables, extensions = values.get("operationName"), values.get("variables"), values.get("extensions")
    if not isinstance(name, str | None):
        raise HttpError(400, "operationName must be a string")
    for key, value in (("variables", variables), ("extensions", extensions)):
        if not isinstance(value, dict | None):
            raise HttpError(400, f"{key} must be an object")
    try:
        automatic = (extensions or {}).get("persistedQuery")
        document = Reference.of(values.get("query"), values.get("documentId"), automatic)
    except DocumentRefusedError as error:
        raise _refusal(error) from None
    return Parameters(document, name or None, variables)


def _payload(result: ExecutionResult, record: Record) -> dict[str, Any]:
    if not result.errors:
        return {"data": result.data}
    errors = [show(error) for error in result.errors]
    record.count(errors)
    return {"errors": errors, "data": result.data}


def _refuse_incomplete(result: ExecutionResult, cost: int) -> None:
    """Raise `RequestError` for a query that missed the database: it is answered whole, or to be asked again.

    A mutation is not: beside a field that failed there may be one that was carried out.
    """
    missed = next(filter(is_unavailable, result.errors or ()), None)
    if missed is not None and missed.original_error is not None:
        raise RequestError([mask(missed.original_error)], cost)


def _status(media: str, error: RequestError) -> int:
    """Request errors are 200 for clients from before the specification, except when time ran out."""
    code = error.errors[0]["extensions"]["code"]
    if code == Code.TIMEOUT:
        return 504
    if media == JSON:
        return 200
    return 503 if code == Code.SERVICE_UNAVAILABLE else 400


def _refusal(error: DocumentRefusedError) -> HttpError:
    return HttpError(403 if error.code is Code.FORBIDDEN else 400, str(error), error.code)


def error_response(error: HttpError, media: str = JSON) -> Response:
    """The answer to what is no GraphQL request."""
    return _response(media, error.status, {"errors": [error.shown]}, error.headers)


def _response(media: str, status: int, payload: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(payload),
        status,
        {"Content-Type": f"{media}; charset=utf-8", "Cache-Control": "no-store", **(headers or {})},
    )
