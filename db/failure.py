"""Failures that are not defects: the database is unavailable, or other transactions write the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

import asyncpg

# SQLSTATEs, see PostgreSQL's appendix A. The server is away: a connection is lost (class 08) or ended by an
# administrator; or the server is starting, stopping, recovering from a crash, or out of connections.
_CONNECTION_EXCEPTION = "08"
_AWAY = {"53300", "57P01", "57P02", "57P03", "57P05"}
# The server answers, but cannot run this now: it is a standby after a failover, its disk is full, or the statement took
# longer than the server's settings allow.
_UNABLE = {"25006", "53100", "57014"}
# Serialisation failure and deadlock: PostgreSQL rolled the transaction back because of another one.
_COLLISION = {"40001", "40P01"}
_LOCK_NOT_AVAILABLE = "55P03"

# What asyncpg raises.
DRIVER_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class UnavailableError(Exception):
    """The database is unavailable. Nothing was changed, and a later attempt may succeed."""


class CollisionError(UnavailableError):
    """PostgreSQL rolled the transaction back because of a concurrent one. It may succeed at once if run again."""


class LockedError(UnavailableError):
    """Another transaction has locked a row for too long. Nothing was changed."""


class OutcomeUnknownError(UnavailableError):
    """The connection was lost during COMMIT: the transaction may have taken effect or not."""


def translate(error: BaseException, *, lost: bool) -> type[UnavailableError] | None:
    """The error of this module that an exception of the driver means, if any; `lost` if its connection is closed."""
    translated = next(filter(None, map(_kind, _causes(error))), None)
    # Whatever the error was, the statement cannot succeed without its connection.
    return UnavailableError if translated is None and lost else translated


class TranslatedErrors:
    """Translates the driver's exceptions in the block into the errors of this module, if one applies."""

    def __init__(self, is_lost: Callable[[], bool] = lambda: False) -> None:
        self._is_lost = is_lost

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, DRIVER_ERRORS) and (translated := translate(error, lost=self._is_lost())) is not None:
            raise translated from error


@contextmanager
def unheard() -> Iterator[None]:
    """Raise `OutcomeUnknownError` if the wait for the COMMIT in the block ends, unless PostgreSQL refused the COMMIT.

    The caller is cancelled after its time limit, or if its client has disconnected. It reports this error.
    """
    try:
        yield
    except (CollisionError, LockedError):
        raise
    except (UnavailableError, asyncio.CancelledError) as error:
        raise OutcomeUnknownError from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes: after a lost connection, ending the transaction fails too."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _kind(error: BaseException) -> type[UnavailableError] | None:
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate)
        # ALTER TABLE makes a prepared statement invalid. asyncpg has dropped it, and the next attempt prepares it
        # again.
        if state in _COLLISION or isinstance(error, asyncpg.InvalidCachedStatementError):
            return CollisionError
        if state == _LOCK_NOT_AVAILABLE:
            return LockedError
        away = state in _AWAY or state in _UNABLE or state.startswith(_CONNECTION_EXCEPTION)
        return UnavailableError if away else None
    return UnavailableError if isinstance(error, OSError) else None
