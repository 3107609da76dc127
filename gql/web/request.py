"""How a GraphQL request is read: its parameters, from an address or a body, and the media type of its answer."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import lru_cache
from typing import Any

import orjson
from starlette.datastructures import QueryParams

from gql.execution.operation import Parameters
from gql.execution.persisted import DocumentRefusedError, Reference
from gql.web.response import GRAPHQL_RESPONSE, JSON, HttpError, refusal

_JSON_PARAMETERS = {"variables", "extensions"}
_PARAMETERS = {"query", "documentId", "operationName", *_JSON_PARAMETERS}
_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


def accepted(header: str) -> dict[str, float]:
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
def negotiate(header: str | None) -> str:
    """The media type to answer with. Raises `HttpError` where none is acceptable.

    A type that is named wins over one that a wildcard covers. Who names both knows the newer one; who names neither is
    likely to know neither, and gets plain JSON.
    """
    ranges = accepted(header) if header and header.strip() else {"*/*": 1.0}
    offers = []
    for media in (JSON, GRAPHQL_RESPONSE):
        covering = next((range_ for range_ in (media, "application/*", "*/*") if range_ in ranges), None)
        if covering and ranges[covering]:
            named = covering == media
            offers.append((ranges[covering], named, named == (media == GRAPHQL_RESPONSE), media))
    if not offers:
        raise HttpError(406, f"Accept {GRAPHQL_RESPONSE} or {JSON}")
    return max(offers)[-1]


def from_url(query: QueryParams) -> Parameters:
    """The parameters of a GET, which may only read. Raises `HttpError`."""
    names = [name for name, _ in query.multi_items() if name in _PARAMETERS]
    if len(set(names)) < len(names):
        raise HttpError(400, "Give each parameter once")
    values: dict[str, Any] = {name: query[name] for name in names}
    for name in _JSON_PARAMETERS & values.keys():
        values[name] = _from_json(values[name].encode(), name) if values[name] else None
    return _parameters(values, read_only=True)


def from_body(body: bytes) -> Parameters:
    """The parameters of a POST. Raises `HttpError`."""
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


def _parameters(values: dict[str, Any], *, read_only: bool = False) -> Parameters:
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
        raise refusal(error) from None
    return Parameters(document, name or None, variables, read_only)
