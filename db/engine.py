"""Connections: a snapshot to read an operation from, and a transaction to write in.

Reads go through asyncpg with statements compiled once; a snapshot is one connection inside one read-only transaction,
so that an answer is of one moment. Writes go through a SQLModel session, one transaction each. Nothing here decides
what is read or written.

What fails because the database is away, or because others write the same, is raised as an error of this module, so that
it can be told from a mistake. Nothing is tried again here: only the caller knows what may be done twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakValueDictionary

import asyncpg
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

if TYPE_CHECKING:
    from sqlalchemy import Select

    from db import tables as t
    from db.scope import Viewer

_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# An index page costs hardly more than the next page of a table, on today's disks and in memory; and a request that took
# several processes would take them from the others. Counting 200,000 rows takes less than half the time so.
_PLANNING = {"random_page_cost": "1.1", "max_parallel_workers_per_gather": "0"}

# Seconds for a server to accept a connection, to end a transaction, and to see its connections closed.
_CONNECT_WITHIN = 5.0
_END_WITHIN = 2.0
_STOP_WITHIN = 1.5
# An actor has at most one of so many parts of the read pool.
_SHARES = 4

# SQLSTATEs, by PostgreSQL's appendix A. Away: a connection is lost (the whole class 08) or ended by who runs the
# server, which starts, stops, recovers from a crash, or has no connection to spare.
_CONNECTION_EXCEPTION = "08"
_AWAY = {"53300", "57P01", "57P02", "57P03", "57P05"}
# Serialisation failure and deadlock: the transaction was undone for the sake of another one.
_COLLISION = {"40001", "40P01"}
_RAISED_BY_DRIVERS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError)


class UnavailableError(Exception):
    """The database cannot be asked now. Nothing was changed, and trying again later may well succeed."""


class CollisionError(UnavailableError):
    """PostgreSQL undid the transaction, as it could not go on beside others. It may succeed at once if run again."""


class OutcomeUnknownError(UnavailableError):
    """The connection was lost while the transaction was being committed: it took effect, or it did not."""


class Row(asyncpg.Record):  # type: ignore[misc]  # asyncpg ships no types
    """A row of a SELECT, its columns as attributes. Rows of a table are of the subclass `row_type(table)`."""

    __slots__ = ()

    table: ClassVar[type[t.Table]]

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@cache
def row_type(table: type[t.Table]) -> type[Row]:
    """The class of `table`'s rows: how a GraphQL union or interface knows what it holds."""
    return type(f"{table.__name__}Row", (Row,), {"table": table, "__slots__": ()})


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A SELECT as asyncpg takes it: the text, the names of its parameters in order, and the class of its rows."""

    sql: str
    names: tuple[str, ...]
    record_class: type[Row]

    @classmethod
    def of(cls, select: Select[Any], table: type[t.Table]) -> Statement:
        """Compile `select`, whose rows become rows of `table`. Costs a millisecond: call it once per statement."""
        compiled = select.compile(dialect=_DIALECT)
        return cls(str(compiled), tuple(compiled.positiontup or ()), row_type(table))


class SnapshotClosedError(RuntimeError):
    """A statement was asked for after its operation had ended."""


class Snapshot:
    """The database at one moment. Takes a connection with its first statement and keeps it until it is closed.

    An operation of a single statement needs no transaction. Statements run one after the other, because a connection
    runs one at a time. Closing cancels the statement that still runs, so that no connection returns to the pool in the
    middle of one. With a `share`, a connection is only taken while the share has room.
    """

    def __init__(
        self, pool: asyncpg.Pool[Row], *, in_transaction: bool = True, share: asyncio.Semaphore | None = None
    ) -> None:
        self.seconds = 0.0
        """How long statements have run, waiting for a connection not included."""
        self._pool = pool
        self._in_transaction = in_transaction
        self._share = share
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def fetch(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Any]:
        """The rows of `statement`.

        Raises `UnavailableError`, otherwise what asyncpg raises, and `SnapshotClosedError` after the end.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # asyncpg runs in tasks only
        self._running.add(task)
        try:
            async with self._turn:
                with _told_apart(self._is_lost):
                    connection = await self._open()
                    values = [parameters[name] for name in statement.names]
                    started = time.perf_counter()
                    try:
                        return await connection.fetch(statement.sql, *values, record_class=statement.record_class)  # type: ignore[no-any-return]
                    finally:
                        self.seconds += time.perf_counter() - started
        finally:
            self._running.discard(task)

    def _is_lost(self) -> bool:
        try:
            return self._connection is not None and bool(self._connection.is_closed())
        except asyncpg.InterfaceError:
            # The pool has taken it away already.
            return True

    async def _open(self) -> Any:
        if self._closed:
            raise SnapshotClosedError("the operation has ended")
        if self._connection is None:
            self._connection = await self._acquire()
            if self._in_transaction:
                await self._connection.execute(_BEGIN)
        return self._connection

    async def _acquire(self) -> Any:
        if self._share is None:
            return await self._pool.acquire()
        await self._share.acquire()
        try:
            return await self._pool.acquire()
        except BaseException:
            self._share.release()
            raise

    async def _release(self, connection: Any) -> None:
        if self._share is not None:
            self._share.release()
        await self._pool.release(connection)

    async def close(self) -> None:
        """End the transaction and release the connection, even if the caller is cancelled. Safe to call twice."""
        self._closed = True
        if self._running or (self._connection is not None and self._in_transaction):
            await asyncio.shield(self._end())
        elif self._connection is not None:
            # There is no transaction to end, and asyncpg shields the release from cancellation by itself.
            connection, self._connection = self._connection, None
            await self._release(connection)

    async def _end(self) -> None:
        interrupted = self._running.copy()
        for task in interrupted:
            task.cancel()
        if interrupted:
            await asyncio.wait(interrupted)
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._in_transaction or interrupted:
            await _roll_back(connection)
        await self._release(connection)


async def _roll_back(connection: Any) -> None:
    """End what a connection is in, or the connection."""
    with suppress(asyncpg.InterfaceError):
        try:
            # A server that does not answer must not keep the place in the pool.
            async with asyncio.timeout(_END_WITHIN):
                await connection.execute("ROLLBACK")
        except Exception:  # noqa: BLE001  # what was read is read: a connection that cannot go on is replaced
            # One that was lost has left the pool already, which asyncpg tells by the error that is passed over.
            connection.terminate()


class Database:
    """The pools of a process. Made without connecting; `start()` connects."""

    def __init__(self, dsn: str, *, pool_size: int = 10) -> None:
        self._dsn = dsn
        self._size = pool_size
        self._pool: asyncpg.Pool[Row] | None = None
        self._control: asyncpg.Pool[Row] | None = None
        # Snapshots hold their principal's share: one that nobody holds is dropped.
        self._shares: WeakValueDictionary[Any, asyncio.Semaphore] = WeakValueDictionary()
        self._engine: AsyncEngine | None = None

    @property
    def pool(self) -> asyncpg.Pool[Row]:
        """The pool for reading. Raises RuntimeError before `start()`."""
        if self._pool is None:
            raise RuntimeError("the database was not started")
        return self._pool

    @property
    def control(self) -> asyncpg.Pool[Row]:
        """One connection that no operation occupies, for the readiness and for the actors of tokens."""
        if self._control is None:
            raise RuntimeError("the database was not started")
        return self._control

    def snapshot_for(self, viewer: Viewer, *, in_transaction: bool = True) -> Snapshot:
        """A snapshot for an operation of `viewer`. Each actor has at most a quarter of the pool at a time."""
        actor = viewer.account_id, viewer.actor_type, viewer.actor_id
        share = self._shares.get(actor)
        if share is None:
            share = self._shares[actor] = asyncio.Semaphore(-(-self._size // _SHARES))
        return Snapshot(self.pool, in_transaction=in_transaction, share=share)

    async def start(self, *, connect: bool = True) -> None:
        """Open the pools; where not to `connect` yet, the first statement does.

        Raises OSError where the server cannot be reached, asyncpg.PostgresError where it refuses the connection, and
        asyncpg.InterfaceError where the DSN is none.
        """
        self._pool = await self._open(self._size, connect=connect)
        self._control = await self._open(1, connect=False)
        # asyncpg parses the DSN in both pools, so that it means the same in both.
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: asyncpg.connect(self._dsn, timeout=_CONNECT_WITHIN),
            pool_size=self._size,
            max_overflow=0,
            hide_parameters=True,
        )
        event.listen(self._engine.sync_engine, "checkout", _replace_if_lost)

    async def _open(self, size: int, *, connect: bool) -> asyncpg.Pool[Row]:
        return await asyncpg.create_pool(
            self._dsn,
            timeout=_CONNECT_WITHIN,
            min_size=int(connect),
            max_size=size,
            init=_learn_arrays,
            reset=_no_reset,
            statement_cache_size=1_000,
            max_cached_statement_lifetime=0,
            record_class=Row,
            server_settings=_PLANNING,
        )

    async def stop(self) -> None:
        """Close the pools, once the operations that still run have given their connections back."""
        pools, engine = [pool for pool in (self._pool, self._control) if pool is not None], self._engine
        self._pool = self._control = self._engine = None
        if engine is not None:
            await engine.dispose()
        # asyncpg terminates the connections that are left when the time is over.
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN):
                await asyncio.gather(*(pool.close() for pool in pools))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """A snapshot that ends with the block."""
        snapshot = Snapshot(self.pool)
        try:
            yield snapshot
        finally:
            await snapshot.close()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed when the block ends, rolled back when it raises.

        Raises `UnavailableError`; of its kinds, `CollisionError` asks for the whole block to be run again, and
        `OutcomeUnknownError` says that it may have been committed. In any other case of an error it was not.
        """
        if self._engine is None:
            raise RuntimeError("the database was not started")
        committing = False
        try:
            with _told_apart():
                async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
                    yield session
                    await session.flush()
                    committing = True
        except CollisionError:
            raise
        except UnavailableError as error:
            if committing:
                raise OutcomeUnknownError from error
            raise


@contextmanager
def _told_apart(is_lost: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Raise what drivers raise in the block as the error of this module that it is, if it is one."""
    try:
        yield
    except _RAISED_BY_DRIVERS as error:
        kind = next(filter(None, map(_kind, _causes(error))), None)
        if kind is None and is_lost():
            # Whatever it complained of, without its connection it could not have succeeded.
            kind = UnavailableError
        if kind is None:
            raise
        raise kind from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what led to it: SQLAlchemy wraps, and ending a lost transaction fails in its turn."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _kind(error: BaseException) -> type[UnavailableError] | None:
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate)
        if state in _COLLISION:
            return CollisionError
        return UnavailableError if state in _AWAY or state.startswith(_CONNECTION_EXCEPTION) else None
    away = isinstance(error, OSError | PoolTimeoutError | DisconnectionError)
    away = away or (isinstance(error, DBAPIError) and error.connection_invalidated)
    return UnavailableError if away else None


def _replace_if_lost(connection: Any, *_: Any) -> None:
    """Have SQLAlchemy's pool replace a connection that was lost: asyncpg knows, and no round trip is needed to ask."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def _learn_arrays(connection: Any) -> None:
    """Let asyncpg look up the array types now, and not in the middle of a connection's first operation."""
    await connection.fetch("SELECT $1::bigint[], $2::varchar[]", [], [])


async def _no_reset(_connection: Any) -> None:
    """Every use of a connection ends its transaction itself, so there is nothing to reset between two."""
