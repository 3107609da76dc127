"""What goes wrong, as clients see it: codes, refusals, and the mask over everything else.

Only what was raised on purpose keeps its message. Anything else is answered with `INTERNAL_SERVER_ERROR`, or with
`SERVICE_UNAVAILABLE` where it is worth trying again, and with an id that the log has too, so that nothing internal
reaches a client.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Any

import structlog
from graphql import GraphQLError, ValueNode

from db.failure import CollisionError, LockedError, OutcomeUnknownError, UnavailableError
from gql.log import describe

_log = structlog.stdlib.get_logger("inbox")


# Of an error in a request: characters of its message, and places in the document.
_LONGEST_MESSAGE = 500
_MOST_LOCATIONS = 10


# Why it is worth trying again, and whether that is safe.
_UNAVAILABLE = {
    UnavailableError: "The data cannot be reached now: try again",
    CollisionError: "Others are changing the same, and nothing was changed: try again",
    LockedError: "Another change of the same record takes too long, and nothing was changed: try again",
    OutcomeUnknownError: "It is not known whether the change was made: try again with the same idempotencyKey, "
    "under which it is made once however often it is asked for",
}


class Code(StrEnum):
    """`extensions.code` of every error."""

    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    OPERATION_TOO_COMPLEX = "OPERATION_TOO_COMPLEX"
    RATE_LIMITED = "RATE_LIMITED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    TIMEOUT = "TIMEOUT"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


class Refused(GraphQLError):  # noqa: N818
    """A request, or a field of it, that is not carried out, with a message for the client."""

    def __init__(self, message: str, code: Code = Code.BAD_USER_INPUT, **extensions: Any) -> None:
        super().__init__(message, extensions={"code": code, **extensions})


def show(error: GraphQLError) -> dict[str, Any]:
    """`error` as it goes into a response. What was not raised on purpose is logged and masked."""
    if "code" in (error.extensions or {}):
        return dict(error.formatted)
    cause = error.original_error
    if _is_clients(error if cause is None else cause):
        return {**error.formatted, "extensions": {"code": Code.BAD_USER_INPUT}}
    masked = mask(cause or error)
    return {**masked, **{key: value for key, value in error.formatted.items() if key in {"locations", "path"}}}


def _is_clients(error: Exception) -> bool:
    """Whether graphql-core rejected a value in the document while executing: a variable was left out or null.

    Its errors about what a resolver returned have fields as their nodes, and quote what was returned.
    """
    return isinstance(error, GraphQLError) and any(isinstance(node, ValueNode) for node in error.nodes or ())


def show_request_error(error: GraphQLError, code: Code) -> dict[str, Any]:
    """`error` of a request that was not executed, with `code` where it has none of its own.

    What a client wrote is quoted in messages, and may be as long as a document and stand in each of them.
    """
    shown: dict[str, Any] = {**error.formatted, "message": _shorten(error.message)}
    if error.locations:
        shown["locations"] = shown["locations"][:_MOST_LOCATIONS]
    return {**shown, "extensions": {"code": code, **(error.extensions or {})}}


def is_unavailable(error: GraphQLError) -> bool:
    """Whether a field failed only because the database was away."""
    return isinstance(error.original_error, UnavailableError)


def _shorten(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"


def mask(error: BaseException) -> dict[str, Any]:
    """The error of a response in place of `error`, which is logged under the id that the response has."""
    error_id = uuid.uuid4().hex
    if isinstance(error, UnavailableError):
        # A line and no frames: while the database is away, every request fails in the same way.
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        _log.warning("unavailable", error_id=error_id, kind=type(error).__name__, cause=type(cause).__name__)
        extensions = {"code": Code.SERVICE_UNAVAILABLE, "id": error_id}
        return {"message": _UNAVAILABLE[type(error)], "extensions": extensions}
    _log.error("internal error", error_id=error_id, exception=describe(error))
    return {
        "message": "Internal server error",
        "extensions": {"code": Code.INTERNAL_SERVER_ERROR, "id": error_id},
    }
