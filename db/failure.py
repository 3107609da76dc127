"""What can fail without being a defect: the database is away, cannot do it now, or others write the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg

# SQLSTATEs, by PostgreSQL's appendix A. Away: a connection is lost (the whole class 08) or ended by who runs the
# server, which starts, stops, recovers from a crash, or has no connection to spare.
_CONNECTION_EXCEPTION = "08"
_AWAY = {"53300", "57P01", "57P02", "57P03", "57P05"}
# The server answers, but cannot do this now: it is a standby after a failover, its disk is full, or the statement took
# longer than the server's settings allow.
_UNABLE = {"25006", "53100", "57014"}
# Serialisation failure and deadlock: PostgreSQL undid the transaction for the sake of another one.
_COLLISION = {"40001", "40P01"}
_LOCK_NOT_AVAILABLE = "55P03"
_RAISED_BY_DRIVER = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class UnavailableError(Exception):
    """The database cannot be asked now. Nothing was changed, and trying again later may well succeed."""


class CollisionError(UnavailableError):
    """PostgreSQL undid the transaction, as it could not go on beside others. It may succeed at once if run again."""


class LockedError(UnavailableError):
    """Another transaction holds a row for too long. Nothing was changed."""


class OutcomeUnknownError(UnavailableError):
    """Nobody heard how a commit ended: the transaction took effect, or it did not."""


@contextmanager
def told_apart(is_lost: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Raise what the driver raises in the block as the error of this module that it is, if it is one."""
    try:
        yield
    except _RAISED_BY_DRIVER as error:
        kind = next(filter(None, map(_kind, _causes(error))), None)
        if kind is None and is_lost():
            # Whatever it complained of, without its connection it could not have succeeded.
            kind = UnavailableError
        if kind is None:
            raise
        raise kind from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it: ending a lost transaction fails in its turn."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _kind(error: BaseException) -> type[UnavailableError] | None:
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate)
        # A prepared statement is invalid after ALTER TABLE: asyncpg has dropped it, and the next attempt prepares it.
        if state in _COLLISION or isinstance(error, asyncpg.InvalidCachedStatementError):
            return CollisionError
        if state == _LOCK_NOT_AVAILABLE:
            return LockedError
        away = state in _AWAY or state in _UNABLE or state.startswith(_CONNECTION_EXCEPTION)
        return UnavailableError if away else None
    return UnavailableError if isinstance(error, OSError) else None
