"""How an answer is written: its media type, its errors as JSON, its headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from gql.errors import Code
from gql.execution.persisted import DocumentRefusedError

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"


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


def refusal(error: DocumentRefusedError) -> HttpError:
    """The HTTP error of a document that is not executed here."""
    return HttpError(403 if error.code is Code.FORBIDDEN else 400, str(error), error.code)


def error_response(error: HttpError, media: str = JSON) -> Response:
    """The answer to what is no GraphQL request."""
    return write(media, error.status, {"errors": [error.shown]}, error.headers)


def write(media: str, status: int, payload: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response, which no cache keeps unless `headers` say otherwise."""
    return Response(
        orjson.dumps(payload),
        status,
        {"Content-Type": f"{media}; charset=utf-8", "Cache-Control": "no-store", **(headers or {})},
    )
