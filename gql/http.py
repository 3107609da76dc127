"""The GraphQL-over-HTTP endpoint: read a request, negotiate, run it, encode the answer.

The profile is the specification's, with 200 for request errors where the client accepts `application/json` only. Each
operation is one line in the log, without variables, contents or tokens. What a document means is not decided here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
import structlog
from graphql import ExecutionResult, GraphQLError, OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from db.engine import Database
from db.scope import Viewer
from gql.auth import Authenticator, Unauthenticated
from gql.context import Context
from gql.document import Documents, Operation, RequestError
from gql.errors import Code, mask, show

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"

_METHODS = "GET, POST"
_log = structlog.stdlib.get_logger("inbox")


class Page(Protocol):
    """Makes the page that browsers get."""

    def __call__(self) -> Response: ...


class HttpError(Exception):
    """The request is no GraphQL request. Answered with its status whatever the client accepts."""

    def __init__(
        self, status: int, message: str, code: Code = Code.BAD_USER_INPUT, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a GraphQL request asks for."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None


@dataclass(slots=True)
class Record:
    """What the log says of a request."""

    status: int = 0
    errors: int = 0
    viewer: Viewer | None = None
    operation: Operation | None = None
    codes: set[str] = field(default_factory=set)
    started: float = field(default_factory=time.perf_counter)

    def count(self, errors: list[dict[str, Any]]) -> None:
        """Remember how many errors are answered, and their codes."""
        self.errors = len(errors)
        self.codes = {str(error["extensions"]["code"]) for error in errors}

    def write(self, method: str) -> None:
        """The one line."""
        _log.info(
            "request",
            method=method,
            status=self.status,
            ms=round((time.perf_counter() - self.started) * 1_000, 1),
            type=self.operation.type.value if self.operation else None,
            operation=self.operation.name if self.operation else None,
            account=self.viewer.account_id if self.viewer else None,
            actor=f"{self.viewer.actor_type.lower()}:{self.viewer.actor_id}" if self.viewer else None,
            errors=self.errors,
            codes=sorted(self.codes),
        )


class GraphQLEndpoint:
    """Answers the requests of one path."""

    def __init__(
        self,
        documents: Documents,
        database: Database,
        authenticator: Authenticator,
        *,
        max_body: int,
        page: Page | None = None,
    ) -> None:
        self._documents = documents
        self._database = database
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
            media = _negotiate(request.headers.get("accept"))
            response = await self._answer(request, media, record)
        except HttpError as error:
            response = _error_response(media, error, record)
        except ClientDisconnect:
            response = Response(status_code=499)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not reach the client
            response = _response(media, 500, {"errors": [mask(error)]})
        record.status = response.status_code
        record.write(request.method)
        return response

    async def _answer(self, request: Request, media: str, record: Record) -> Response:
        if request.method not in {"GET", "POST"}:
            raise HttpError(405, "Use GET or POST", headers={"Allow": _METHODS})
        try:
            record.viewer = await self._authenticator.authenticate(request.headers.get("authorization"))
        except Unauthenticated as error:
            _log.info("refused token", reason=error.reason)
            challenge = {"WWW-Authenticate": error.challenge}
            raise HttpError(401, "A valid bearer token is needed", Code.UNAUTHENTICATED, challenge) from None
        if request.method == "GET":
            parameters = _from_url(request.query_params)
        else:
            parameters = _from_body(await self._body(request))
        try:
            record.operation = operation = self._documents.operation(parameters.query, parameters.operation_name)
            if request.method == "GET" and operation.type is not OperationType.QUERY:
                raise HttpError(405, "A GET cannot change anything: use POST", headers={"Allow": "POST"})
            context = Context(record.viewer, self._database)
            result = await self._documents.execute(operation, parameters.variables, context)
        except RequestError as error:
            record.count(error.errors)
            return _response(media, _status(media, error), {"errors": error.errors})
        return _response(media, 200, _payload(result, record))

    async def _body(self, request: Request) -> bytes:
        media, _, rest = request.headers.get("content-type", "").partition(";")
        if media.strip().lower() != JSON:
            raise HttpError(415, f"Send {JSON}")
        charset = rest.lower().replace(" ", "").replace('"', "").partition("charset=")[2].partition(";")[0]
        if charset not in {"", "utf-8", "utf8"}:
            raise HttpError(415, "Send UTF-8")
        too_long = HttpError(413, f"A request has at most {self._max_body} bytes")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body:
            raise too_long
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_body:
                raise too_long
        return bytes(body)


def _wants_page(request: Request) -> bool:
    """Whether it is a browser that looks at the address: it asks for HTML by name, and for no operation."""
    return "query" not in request.query_params and any(
        media == HTML and quality > 0 for media, quality in _accepted(request.headers.get("accept", ""))
    )


def _accepted(header: str) -> list[tuple[str, float]]:
    """The media ranges of an Accept header with their qualities, the best first."""
    ranges = []
    for part in header.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        charset = next((piece[8:].strip('"') for piece in parameters if piece.startswith("charset=")), "utf-8")
        if media and charset in {"utf-8", "utf8", "*"}:
            try:
                ranges.append((media, float(quality)))
            except ValueError:
                ranges.append((media, 0.0))
    return sorted(ranges, key=lambda item: -item[1])


def _negotiate(header: str | None) -> str:
    """The media type to answer with. Raises `HttpError` where none is acceptable."""
    if header is None or not header.strip():
        return JSON
    for media, quality in _accepted(header):
        if quality > 0:
            if media in {GRAPHQL_RESPONSE, JSON}:
                return media
            if media in {"*/*", "application/*"}:
                return JSON
    raise HttpError(406, f"Accept {GRAPHQL_RESPONSE} or {JSON}")


def _from_url(query: Mapping[str, str]) -> Parameters:
    values: dict[str, Any] = {name: query[name] for name in ("query", "operationName") if name in query}
    for name in ("variables", "extensions"):
        if query.get(name):
            try:
                values[name] = orjson.loads(query[name])
            except ValueError:
                raise HttpError(400, f"{name} is not JSON") from None
    return _parameters(values)


def _from_body(body: bytes) -> Parameters:
    try:
        values = orjson.loads(body)
    except ValueError:
        raise HttpError(400, "The body is not JSON in UTF-8") from None
    if not isinstance(values, dict):
        raise HttpError(400, "The body is not a JSON object")
    return _parameters(values)


def _parameters(values: dict[str, Any]) -> Parameters:
    query, name = values.get("query"), values.get("operationName")
    variables, extensions = values.get("variables"), values.get("extensions")
    if not isinstance(query, str) or not query.strip():
        raise HttpError(400, "query must be a string")
    if not isinstance(name, str | None):
        raise HttpError(400, "operationName must be a string")
    for key, value in (("variables", variables), ("extensions", extensions)):
        if not isinstance(value, dict | None):
            raise HttpError(400, f"{key} must be an object")
    return Parameters(query, name or None, variables)


def _payload(result: ExecutionResult, record: Record) -> dict[str, Any]:
    if not result.errors:
        return {"data": result.data}
    errors = [show(error) for error in result.errors]
    record.count(errors)
    return {"errors": errors, "data": result.data}


def _status(media: str, error: RequestError) -> int:
    """Request errors are 200 for clients from before the specification, except when time ran out."""
    if error.errors[0]["extensions"]["code"] == Code.TIMEOUT:
        return 504
    return 200 if media == JSON else 400


def _error_response(media: str, error: HttpError, record: Record) -> Response:
    errors = [{"message": str(error), "extensions": {"code": error.code}}]
    record.count(errors)
    return _response(media, error.status, {"errors": errors}, error.headers)


def _response(media: str, status: int, payload: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(payload),
        status,
        {"Content-Type": f"{media}; charset=utf-8", "Cache-Control": "no-store", **(headers or {})},
    )
