"""How an answer is written: its media type, its errors as JSON, its headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from gql.errors import Code, RequestError
from gql.security.rate import Budget

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
HTML = "text/html"


class HttpError(RequestError):
    """HTTP does not allow the request: `status` is answered whatever the client accepts."""

    def __init__(
        self, status: int, message: str, code: Code = Code.BAD_USER_INPUT, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__([{"message": message, "extensions": {"code": code}}])
        self._status = status
        self.headers = dict(headers or {})

    def status(self, *, legacy: bool) -> int:  # noqa: ARG002  # the same for all
        """The HTTP status."""
        return self._status


def write(media: str, status: int, payload: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(
        orjson.dumps(payload),
        status,
        {"Content-Type": f"{media}; charset=utf-8", **(headers or {})},
    )


def error_response(error: RequestError, media: str = JSON, extensions: Mapping[str, Any] | None = None) -> Response:
    """The answer to a request that was not executed."""
    headers = dict(error.headers) if isinstance(error, HttpError) else {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    payload = {"errors": error.errors} | ({"extensions": extensions} if extensions else {})
    return write(media, error.status(legacy=media == JSON), payload, headers)


def rate_headers(budget: Budget) -> dict[str, str]:
    """The limit of a minute, what is left of it, and the seconds until all of it is available again."""
    return {
        "RateLimit-Limit": str(budget.limit),
        "RateLimit-Remaining": str(budget.remaining),
        "RateLimit-Reset": str(math.ceil(budget.wait(budget.limit))),
    }
