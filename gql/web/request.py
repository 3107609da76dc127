"""Reads a GraphQL request: its parameters, from the URL or the body, and the media type of the response.

Everything here raises `HttpError` for a request that does not follow HTTP, and `RequestError` for wrong parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from functools import lru_cache, partial
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from db.cache import Cache
from db.nesting import is_nested_deeper
from gql.execution.aside import LONG_BODY
from gql.execution.call import Parameters
from gql.execution.persisted import Reference
from gql.web.heads import FACTS, Facts
from gql.web.response import EVENT_STREAM, GRAPHQL_RESPONSE, HTML, JSON, HttpError

_METHODS = "GET, POST"
_JSON_PARAMETERS = {"variables", "extensions"}
_PARAMETERS = {"query", "documentId", "operationName", *_JSON_PARAMETERS}
# A URL with one of these parameters contains an operation.
_NAMING_DOCUMENTS = {"query", "documentId", "extensions"}
# Names that other servers have for `documentId`.
_OTHER_NAMES = ("doc_id", "docId", "id", "document_id", "queryId")
_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
# The parts between separators. A separator in a quoted string does not separate.
_QUOTED = r'"(?:[^"\\]++|\\.)*+"?'
_BETWEEN_COMMAS = re.compile(rf'(?:[^,"]++|{_QUOTED})++', re.DOTALL)
_BETWEEN_SEMICOLONS = re.compile(rf'(?:[^;"]++|{_QUOTED})++', re.DOTALL)
# The most digits of a length: Python rejects the conversion of thousands of them.
_MAX_DIGITS = 18
# The parameters of repeated bodies: the most that are kept, their bytes of memory, and the bytes of such a body.
_KEPT_BODIES = 1_000
_KEPT_BYTES = 4_194_304
_LONGEST_KEPT = 8_192
# An upper bound of the bytes of memory of a JSON value besides its text, and of what is kept with a body.
_VALUE_BYTES = 100
_ENTRY_BYTES = 1_000
# The most characters of an Accept header whose media type is cached. Browsers send up to 200.
_MAX_KEPT = 500


class HttpRequest:
    """An ASGI request. Names of headers are bytes in lower case.

    Starlette's class searches all headers for each name, which takes 8 µs of 105 µs for `{ __typename }`.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.receive = receive
        self.places: ExitStack | None = None
        """What a stream has taken. It is given back when the request ends, however it ends."""
        self._scope = scope
        self.facts: Facts | None = scope.get(FACTS)
        """What earlier requests with the same head have found out about it."""
        self.headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        """The first line of each header."""

    @property
    def query(self) -> QueryParams:
        """The parameters in the URL."""
        return QueryParams(self._scope["query_string"])

    @property
    def is_query_in_utf_8(self) -> bool:
        """Whether the parameters in the URL are; else `query` has other characters in place of those that are not."""
        try:
            unquote_to_bytes(self._scope["query_string"]).decode()
        except UnicodeDecodeError:
            return False
        return True

    @property
    def query_length(self) -> int:
        """The bytes of the parameters in the URL."""
        return len(self._scope["query_string"])

    def header(self, name: bytes) -> str:
        """The value of a header: its first line, or empty without one."""
        return self.headers.get(name, b"").decode("latin-1")

    def lines(self, name: bytes) -> list[str]:
        """The values of all lines of a header."""
        if len(self.headers) == len(self._scope["headers"]):
            # The common case: each header has one line.
            return [self.headers[name].decode("latin-1")] if name in self.headers else []
        return [value.decode("latin-1") for other, value in self._scope["headers"] if other == name]

    async def body(self, most: int) -> bytes:
        """The body; of a longer one, only a part with more than `most` bytes.

        Raises ClientDisconnect if the client disconnects before the end.
        """
        body, more = bytearray(), True
        while more and len(body) <= most:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)


class RequestReader:
    """Reads parameters within limits: `max_body` bytes, and `max_depth` levels of nested JSON.

    Apps send the same bodies again and again. Such a one is read once, and its parameters are shared by the requests.
    """

    def __init__(self, max_body: int, max_depth: int) -> None:
        self._max_body = max_body
        self._max_depth = max_depth
        self._kept: Cache[bytes, Parameters] = Cache(_KEPT_BODIES, _KEPT_BYTES)

    async def read(
        self, request: HttpRequest, aside: Callable[[Callable[[], Parameters]], Awaitable[Parameters]]
    ) -> Parameters:
        """The parameters of a request. `aside` runs a function that takes long, for a long request."""
        if request.method == "GET":
            length, parse = request.query_length, partial(self._from_url, request)
        elif request.method == "POST":
            body = await self._body(request)
            length, parse = len(body), partial(self._from_body, body)
        else:
            raise HttpError(405, "Use GET or POST", headers={"Allow": _METHODS})
        return parse() if length < LONG_BODY else await aside(parse)

    async def _body(self, request: HttpRequest) -> bytes:
        if request.headers.get(b"content-type") != b"application/json" or b"content-encoding" in request.headers:
            _check_content_type(request)
        length = request.headers.get(b"content-length", b"")
        if length.isdigit() and (len(length) > _MAX_DIGITS or int(length) > self._max_body):
            raise self._too_long()
        body = await request.body(self._max_body)
        if len(body) > self._max_body:
            raise self._too_long()
        return body

    def _too_long(self) -> HttpError:
        return HttpError(413, f"A request has at most {self._max_body} bytes")

    def _from_url(self, request: HttpRequest) -> Parameters:
        if not request.is_query_in_utf_8:
            raise HttpError(400, "The parameters in the URL are not in UTF-8")
        query = request.query
        names = [name for name, _ in query.multi_items() if name in _PARAMETERS]
        if len(set(names)) < len(names):
            raise HttpError(400, "Give each parameter once")
        values: dict[str, Any] = dict(query)
        for name in _JSON_PARAMETERS & values.keys():
            values[name] = self.from_json(values[name].encode(), name) if values[name] else None
        return parameters_of(values, read_only=True, is_long=request.query_length >= LONG_BODY)

    def _from_body(self, body: bytes) -> Parameters:
        """The parameters of a body. To find a repeated one takes 1 µs, to read it 7 or more."""
        if len(body) > _LONGEST_KEPT:
            return self._read_body(body)
        parameters = self._kept.find(body)
        if parameters is None:
            parameters = self._read_body(body)
            self._kept.keep(body, parameters, _size_of(body))
        return parameters

    def _read_body(self, body: bytes) -> Parameters:
        values = self.from_json(body, "The body")
        if isinstance(values, list):
            raise HttpError(400, "The body is a JSON array: batches are not supported, send each operation by itself")
        if not isinstance(values, dict):
            raise HttpError(400, "The body is not a JSON object")
        return parameters_of(values, is_long=len(body) >= LONG_BODY)

    def from_json(self, text: bytes, what: str) -> Any:
        """The value of JSON in UTF-8.

        A name may occur only once in an object: parsers disagree on which value to use, so a proxy could have checked
        another value than the one that is executed.
        """
        if is_nested_deeper(text, self._max_depth):
            raise HttpError(400, f"{what} has more than {self._max_depth} JSON arrays and objects in each other")
        try:
            value = orjson.loads(text)
        except ValueError:
            raise HttpError(400, f"{what} is not JSON in UTF-8") from None
        # If serialising the value gives the same text, no name was lost: most clients write JSON as orjson does. Lone
        # surrogates cannot be serialised.
        with suppress(orjson.JSONEncodeError):
            if orjson.dumps(value) == text:
                return value
        try:
            _NAMES.decode(text.decode())
        except ValueError:
            raise HttpError(400, f"{what} has a name twice in one object") from None
        return value


def _size_of(body: bytes) -> int:
    """An upper bound of the bytes of memory of a body and its parameters."""
    # Each value follows one of these characters. A character takes up to four bytes, and Python keeps a string's UTF-8.
    values = sum(map(body.count, (b"[", b"{", b",", b":")))
    return _ENTRY_BYTES + 6 * len(body) + _VALUE_BYTES * values


class Acceptable(NamedTuple):
    """In which forms a client accepts an answer."""

    media: str
    """The type of JSON for a single result, and for what is wrong before the first one."""
    is_single: bool
    """Whether a single result may be sent as JSON."""
    is_streamed: bool
    """Whether results may be sent as an event stream."""


def wants_page(request: HttpRequest) -> bool:
    """Whether a browser opens the URL: it accepts HTML explicitly, and sends no operation."""
    if request.method not in {"GET", "HEAD"}:
        return False
    wants_html = _accepted(_accept(request)).get(HTML, 0.0) > 0
    return wants_html and _NAMING_DOCUMENTS.isdisjoint(request.query)


def negotiate(request: HttpRequest) -> Acceptable:
    """The forms of a response that the client accepts. Raises `HttpError` (406) if there is none."""
    facts = request.facts
    if facts is not None and facts.acceptable is not None:
        known: Acceptable = facts.acceptable
        return known
    header = _accept(request)
    acceptable = _negotiate(header) if len(header) <= _MAX_KEPT else _negotiate.__wrapped__(header)
    if facts is not None:
        facts.acceptable = acceptable
    return acceptable


def _accept(request: HttpRequest) -> str:
    """The Accept header. Several lines form one list."""
    return ", ".join(request.lines(b"accept"))


@lru_cache(maxsize=256)
def _negotiate(header: str) -> Acceptable:
    """The forms of a response that an Accept header allows.

    An explicit type has precedence over a wildcard. A client that lists both types knows the newer one; a client that
    lists neither may know neither, and gets plain JSON. An event stream is sent only to clients that list it: for any
    operation if they do not accept JSON, otherwise for subscriptions.
    """
    ranges = _accepted(header) if header.strip() else {"*/*": 1.0}
    offers = []
    for media in (JSON, GRAPHQL_RESPONSE):
        covering = next((range_ for range_ in (media, "application/*", "*/*") if range_ in ranges), None)
        if covering and ranges[covering]:
            named = covering == media
            offers.append((ranges[covering], named, named == (media == GRAPHQL_RESPONSE), media))
    is_streamed = ranges.get(EVENT_STREAM, 0.0) > 0
    if not offers and not is_streamed:
        raise HttpError(406, f"Accept {GRAPHQL_RESPONSE} or {JSON}")
    return Acceptable(max(offers)[-1] if offers else GRAPHQL_RESPONSE, bool(offers), is_streamed)


def _accepted(header: str) -> dict[str, float]:
    """The media ranges of an Accept header with their qualities."""
    ranges = {}
    for part in _BETWEEN_COMMAS.findall(header):
        media, parameters = _media_type(part)
        if media and parameters.get("charset", "utf-8") in {"utf-8", "utf8", "*"}:
            quality = parameters.get("q", "1")
            ranges[media] = float(quality) if _QUALITY.fullmatch(quality) else 0.0
    return ranges


def _media_type(header: str) -> tuple[str, dict[str, str]]:
    """A media type or range with its parameters, in lower case and without quotes."""
    media, _, rest = header.lower().partition(";")
    pairs = (parameter.partition("=")[::2] for parameter in _BETWEEN_SEMICOLONS.findall(rest))
    return media.strip(), {name.strip(): value.strip().strip('"') for name, value in pairs}


def _check_content_type(request: HttpRequest) -> None:
    media, parameters = _media_type(request.header(b"content-type"))
    if media != JSON:
        raise HttpError(415, f"Send {JSON}")
    if parameters.get("charset", "utf-8") not in {"utf-8", "utf8"}:
        raise HttpError(415, "Send UTF-8")
    if request.header(b"content-encoding").strip().lower() not in {"identity", ""}:
        raise HttpError(415, "Send the body without Content-Encoding", headers={"Accept-Encoding": "identity"})


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise ValueError


_NAMES = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str)


def parameters_of(values: dict[str, Any], *, read_only: bool = False, is_long: bool = False) -> Parameters:
    """The parameters in the JSON object of a request. `is_long` says that it is the object of a long one."""
    name, variables, extensions = values.get("operationName"), values.get("variables"), values.get("extensions")
    if not isinstance(name, str | None):
        raise HttpError(400, "operationName must be a string")
    for key, value in (("variables", variables), ("extensions", extensions)):
        if not isinstance(value, dict | None):
            raise HttpError(400, f"{key} must be an object")
    query, document_id = values.get("query"), values.get("documentId")
    automatic = (extensions or {}).get("persistedQuery")
    if query is None and document_id is None and automatic is None:
        for other in _OTHER_NAMES:
            if other in values:
                raise HttpError(400, f"Name the document by documentId, not by {other}")
    return Parameters(Reference.of(query, document_id, automatic), name or None, variables, read_only, is_long)
