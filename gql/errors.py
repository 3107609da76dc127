"""Errors for clients: their codes, the HTTP status of each code, and the masking of unexpected exceptions.

Only errors raised for clients keep their message. Any other exception is logged and replaced: by `SERVICE_UNAVAILABLE`
if the same request may succeed later, otherwise by `INTERNAL_SERVER_ERROR`. The response and the log line have the same
id.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import structlog
from graphql import GraphQLError, ValueNode

from db.failure import CollisionError, LockedError, OutcomeUnknownError, UnavailableError
from gql.log import MASKED, describe

_log = structlog.stdlib.get_logger("inbox")

# The most characters of the message and locations in the document in the error of a request.
_MAX_MESSAGE = 500
_MAX_LOCATIONS = 10


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
    RESYNC_REQUIRED = "RESYNC_REQUIRED"
    TIMEOUT = "TIMEOUT"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


class Answer(NamedTuple):
    """The answer to a request that was not executed."""

    status: int
    """For clients that accept `application/graphql-response+json`."""
    legacy: int
    """For clients that accept only `application/json`: most of them read the body of a 200 only."""
    message: str = ""
    """The default message."""
    retry_after: int | None = None
    """Seconds."""


ANSWERS: Final[Mapping[Code, Answer]] = {
    Code.GRAPHQL_PARSE_FAILED: Answer(400, 200),
    Code.GRAPHQL_VALIDATION_FAILED: Answer(400, 200),
    Code.BAD_USER_INPUT: Answer(400, 200),
    Code.UNAUTHENTICATED: Answer(401, 401, "A valid bearer token is needed"),
    Code.FORBIDDEN: Answer(403, 200),
    Code.OPERATION_TOO_COMPLEX: Answer(400, 200),
    Code.RATE_LIMITED: Answer(429, 429, "The rate limit is exceeded: try again later"),
    Code.SERVICE_UNAVAILABLE: Answer(503, 200, "The database is unavailable: try again", retry_after=1),
    # The message is part of the protocol: Apollo's clients compare it, and then send the whole document.
    Code.PERSISTED_QUERY_NOT_FOUND: Answer(400, 200, "PersistedQueryNotFound"),
    Code.RESYNC_REQUIRED: Answer(400, 200),
    Code.TIMEOUT: Answer(504, 504),
    Code.INTERNAL_SERVER_ERROR: Answer(500, 500, "Internal server error"),
}
# The messages of SERVICE_UNAVAILABLE, by the exception of the database.
_UNAVAILABLE: Final[Mapping[type[UnavailableError], str]] = {
    UnavailableError: ANSWERS[Code.SERVICE_UNAVAILABLE].message,
    CollisionError: "Concurrent changes collided, and nothing was changed: try again",
    LockedError: "Another change of the same record takes too long, and nothing was changed: try again",
    OutcomeUnknownError: "It is unknown whether the change was made: repeat it with the same idempotencyKey, "
    "with which it is made only once",
}


class ClientError(GraphQLError):
    """An error with a message and a code for the client, of a request or of one field."""

    def __init__(self, message: str, code: Code = Code.BAD_USER_INPUT, **extensions: Any) -> None:
        super().__init__(message, extensions={"code": code, **extensions})


class RequestError(Exception):
    """The request was not executed: no `data` was computed. `errors` are as they go into the response."""

    def __init__(
        self,
        errors: Sequence[dict[str, Any]],
        cost: int | None = None,
        *,
        retry_after: int | None = None,
        strict: bool = False,
    ) -> None:
        """Set `strict` if legacy clients get an error status too, as for a request that is not a GraphQL request."""
        super().__init__(errors[0]["message"])
        self.errors = list(errors)
        self.cost = cost
        self.code = Code(errors[0]["extensions"]["code"])
        self.retry_after = ANSWERS[self.code].retry_after if retry_after is None else retry_after
        self._strict = strict

    @classmethod
    def of(cls, code: Code, *errors: GraphQLError | str, **rest: Any) -> RequestError:
        """Make it from errors, which get `code` unless they have one; without errors, from the code's message."""
        return cls([_of_request(error, code) for error in errors or (ANSWERS[code].message,)], **rest)

    @classmethod
    def masking(cls, error: BaseException, *, strict: bool = False) -> RequestError:
        """Make it from an exception that is not meant for clients, which is logged."""
        return cls([mask(error)], strict=strict)

    def status(self, *, legacy: bool) -> int:
        """The HTTP status."""
        answer = ANSWERS[self.code]
        return answer.legacy if legacy and not self._strict else answer.status


def show(error: GraphQLError) -> dict[str, Any]:
    """The `error` of a field for the response. An error that is not meant for clients is logged and masked."""
    if "code" in (error.extensions or {}):
        return dict(error.formatted)
    cause = error.original_error or error
    if _is_clients(cause):
        return {**error.formatted, "extensions": {"code": Code.BAD_USER_INPUT}}
    masked = mask(cause)
    return {**masked, **{key: value for key, value in error.formatted.items() if key in {"locations", "path"}}}


def _is_clients(error: Exception) -> bool:
    """Whether graphql-core rejected a value in the document during execution: a missing or null variable.

    Its errors about returned values are not meant for clients: their nodes are fields, and they quote the value.
    """
    return isinstance(error, GraphQLError) and any(isinstance(node, ValueNode) for node in error.nodes or ())


def is_unavailable(error: GraphQLError) -> bool:
    """Whether a field failed because the database was unavailable."""
    return isinstance(error.original_error, UnavailableError)


def is_cancelled(error: BaseException) -> bool:
    """Whether `error` is the cancellation of this task, and not of one that it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def mask(error: BaseException) -> dict[str, Any]:
    """Log `error`, and return the error of the response that replaces it. Both have the same id."""
    error_id = uuid.uuid4().hex
    MASKED[type(error).__name__] += 1
    if isinstance(error, UnavailableError):
        # One line without frames: while the database is unavailable, every request fails in the same way.
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        _log.warning("unavailable", error_id=error_id, kind=type(error).__name__, cause=type(cause).__name__)
        message = next(_UNAVAILABLE[kind] for kind in type(error).__mro__ if kind in _UNAVAILABLE)
        return {"message": message, "extensions": {"code": Code.SERVICE_UNAVAILABLE, "id": error_id}}
    _log.error("internal error", error_id=error_id, exception=describe(error))
    code = Code.INTERNAL_SERVER_ERROR
    return {"message": ANSWERS[code].message, "extensions": {"code": code, "id": error_id}}


def _of_request(error: GraphQLError | str, code: Code) -> dict[str, Any]:
    """An error for the response, shortened: messages quote the client's text, which can be a whole document."""
    if isinstance(error, str):
        return {"message": error, "extensions": {"code": code}}
    shown: dict[str, Any] = {**error.formatted, "message": _shorten(error.message)}
    if error.locations:
        shown["locations"] = shown["locations"][:_MAX_LOCATIONS]
    return {**shown, "extensions": {"code": code, **(error.extensions or {})}}


def _shorten(message: str) -> str:
    return message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}…"
