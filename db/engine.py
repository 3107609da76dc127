"""Connections: a snapshot to read an operation from, and a transaction to write in.

Both run compiled statements on asyncpg connections. A snapshot is one connection in one read-only transaction, so that
all rows of a response are from one moment.

Failures that are not defects are raised as errors of `db.failure`. Nothing is retried here: only the caller knows what
may be repeated.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakValueDictionary

import asyncpg

from db.commit import PREPARE, Journal, commit
from db.failure import DRIVER_ERRORS, TranslatedErrors, translate, unheard
from db.pool import Pool, roll_back
from db.session import DIRECT, READING, WRITING, Session
from db.statement import Row, Statement
from db.texts import LEFT, READ, TooLargeError
from db.thread import ComputingThread

if TYPE_CHECKING:
    from db.scope import Viewer

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Begins the transaction that reads after a write, with the settings of the read pool.
_READ_ON = f"{_BEGIN}; SET LOCAL plan_cache_mode = auto"

# Seconds for a server to accept a connection, and to see its connections closed.
_CONNECT_WITHIN = 5.0
_STOP_WITHIN = 1.5
# The parts of the read and the write pool (where writers wait for locks). An actor can use one part of each.
_SHARES = 4
_WRITE_SHARES = 2
_KEPT_SHARES = 1_000


Charge: TypeAlias = Callable[[float], Awaitable[None]]
Compute: TypeAlias = Callable[[Callable[[], Statement], Charge], Awaitable[Statement]]


class SnapshotClosedError(RuntimeError):
    """A statement was asked for after its operation had ended."""


class Snapshot:
    """The database at one moment. Takes a connection with its first statement and keeps it until it is closed.

    An operation of a single statement needs no transaction. Statements run one after the other, because a connection
    runs one at a time. Closing cancels a running statement, so that no connection returns to the pool in the middle of
    one. `share` returns the semaphore that is acquired before a connection; `compute` runs a function in the thread.
    """

    def __init__(  # noqa: PLR0913  # what a snapshot of an actor is limited by
        self,
        pool: Pool,
        session: Session = DIRECT,
        *,
        in_transaction: bool = True,
        share: Callable[[], asyncio.Semaphore] | None = None,
        max_text: int = sys.maxsize,
        compute: Compute | None = None,
    ) -> None:
        self.seconds = 0.0
        """The run time of statements, without waiting for a connection."""
        self.cpu_seconds = 0.0
        """The CPU time of compiling statements."""
        self._pool = pool
        self._session = session
        self._in_transaction = in_transaction or session.pooled
        self._find_share = share
        self._compute = compute
        self._share: asyncio.Semaphore | None = None
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._text_left = max_text
        self._closed = False

    async def compile(self, compile_: Callable[[], Statement], *, is_long: bool) -> Statement:
        """A statement of a new shape. One that takes long is compiled in the thread, if the snapshot is an actor's."""
        if is_long and self._compute is not None:
            return await self._compute(compile_, self._charge)
        started = time.perf_counter()
        statement = compile_()
        await self._charge(time.perf_counter() - started)
        return statement

    async def _charge(self, seconds: float) -> None:
        self.cpu_seconds += seconds

    async def fetch(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Any]:
        """The rows of `statement`.

        Raises `UnavailableError`, otherwise what asyncpg raises, `SnapshotClosedError` after the end, and
        `TooLargeError` where all free texts that were read so far have more than `max_text` bytes.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # asyncpg runs in tasks only
        self._running.add(task)
        try:
            async with self._turn:
                return await self._fetch(statement, parameters)
        except DRIVER_ERRORS as error:
            if (translated := translate(error, lost=self._has_lost())) is not None:
                raise translated from error
            raise
        finally:
            self._running.discard(task)

    async def _fetch(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Any]:
        if self._closed:
            raise SnapshotClosedError("the operation has ended")
        if self._connection is None:
            await self._open()
        elif not self._in_transaction:
            raise RuntimeError("a second statement needs a transaction, to read the same moment")
        if statement.counts_text:
            parameters = {**parameters, LEFT: self._text_left}
        started = time.perf_counter()
        try:
            rows = await _fetch(self._connection, statement, parameters)
        finally:
            self.seconds += time.perf_counter() - started
        if statement.counts_text and rows:
            self._text_left -= rows[-1][READ]
            if self._text_left < 0:
                raise TooLargeError
        return rows

    def read_on(self, pool: Pool, connection: Any, share: asyncio.Semaphore) -> bool:
        """Read on `connection`, whose transaction has begun; closing also releases `share`. False if it is closed."""
        if not self._closed:
            self._pool, self._connection, self._share = pool, connection, share
        return not self._closed

    async def _open(self) -> None:
        self._connection = await self._acquire()
        if self._in_transaction:
            await self._connection.execute(self._session.begin(_BEGIN))

    async def _acquire(self) -> Any:
        if self._find_share is None:
            return await self._pool.acquire()
        share = self._share = self._find_share()
        await share.acquire()
        try:
            return await self._pool.acquire()
        except BaseException:
            share.release()
            raise

    async def _release(self, connection: Any) -> None:
        if self._share is not None:
            self._share.release()
        await self._pool.release(connection)

    def _has_lost(self) -> bool:
        return self._connection is not None and self._connection.is_closed()

    async def close(self) -> None:
        """End the transaction and release the connection, even if the caller is cancelled. Safe to call twice."""
        self._closed = True
        if self._running:
            await asyncio.shield(self._end())
            return
        try:
            await self._end()
        except asyncio.CancelledError:
            # ROLLBACK was cancelled. To shield it from the start would take a task for each operation: 6 µs.
            await asyncio.shield(self._end())
            raise

    async def _end(self) -> None:
        interrupted = self._running.copy()
        for task in interrupted:
            task.cancel()
        if interrupted:
            await asyncio.wait(interrupted)
        if self._connection is not None and (self._in_transaction or interrupted):
            await roll_back(self._connection)
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._release(connection)


class Transaction:
    """A transaction to write in, on one connection. Made by `Database.write()`, which also ends it."""

    def __init__(self, connection: Any) -> None:
        self.seconds = 0.0
        """The run time of statements, including waits for locks and COMMIT."""
        self._connection = connection
        self.journal = Journal()
        """What it did. It is stored with the COMMIT."""

    async def fetch(self, statement: Statement, parameters: Mapping[str, Any]) -> list[Any]:
        """Run `statement` and return its rows."""
        self._check_order()
        with self.timed():
            return await _fetch(self._connection, statement, parameters)

    async def run_many(self, statement: Statement, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run `statement` once for the parameters of each row, in one round trip."""
        self._check_order()
        with self.timed():
            await self._connection.executemany(statement.sql, [statement.arguments(row) for row in rows])

    def _check_order(self) -> None:
        if self.journal.state is not None:
            raise RuntimeError("a statement would run before a change that was made before it")

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time of the block to `seconds`, also if it raises."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started


async def _fetch(connection: Any, statement: Statement, parameters: Mapping[str, Any]) -> list[Any]:
    arguments = statement.arguments(parameters)
    return await connection.fetch(statement.sql, *arguments, record_class=statement.record_class)  # type: ignore[no-any-return]


async def _discard(connection: Any) -> None:
    """Close a connection, and cancel what it runs: preparing waits for tables that are locked."""
    try:
        await connection.close(timeout=_STOP_WITHIN)
    except Exception:  # noqa: BLE001  # the error that made it useless is raised
        connection.terminate()


class Database:
    """The pools of a process. Made without connecting; `start()` connects."""

    def __init__(self, dsn: str, *, pool_size: int = 10, pooled: bool = False) -> None:
        self._dsn = dsn
        self._reading_session = Session(READING, pooled)
        self._writing_session = Session(WRITING, pooled, prepare=PREPARE)
        self._size = pool_size
        self._pool: Pool | None = None
        self._control: Pool | None = None
        self._writing: Pool | None = None
        self.thread = ComputingThread()
        # Snapshots and writes refer to their actor's share. Those made last stay, as making one takes 5 µs of 90.
        self._shares: WeakValueDictionary[Any, asyncio.Semaphore] = WeakValueDictionary()
        self._last_shares: deque[asyncio.Semaphore] = deque(maxlen=_KEPT_SHARES)
        self.committed: Callable[[int], None] = lambda _account_id: None
        """Called after each commit that changed something that clients of an account can see."""

    @property
    def pool(self) -> Pool:
        """The pool for reading. Raises RuntimeError before `start()`."""
        if self._pool is None:
            raise RuntimeError("the database was not started")
        return self._pool

    @property
    def control(self) -> Pool:
        """One connection that operations do not use, for readiness and for the actors of tokens."""
        if self._control is None:
            raise RuntimeError("the database was not started")
        return self._control

    def snapshot_for(
        self, viewer: Viewer, *, in_transaction: bool = True, max_text: int = sys.maxsize, is_heavy: bool = False
    ) -> Snapshot:
        """A snapshot for an operation of `viewer`.

        Each actor has at most a quarter of the pool at a time, and one connection if it `is_heavy`.
        """
        share = partial(self._share, "heavy" if is_heavy else "read", viewer, self._size if is_heavy else _SHARES)
        return Snapshot(
            self.pool,
            self._reading_session,
            in_transaction=in_transaction,
            share=share,
            max_text=max_text,
            compute=partial(self.thread.run, viewer.key),
        )

    def control_snapshot(self) -> Snapshot:
        """A snapshot for a single statement, on the connection that operations do not use."""
        return Snapshot(self.control, self._reading_session, in_transaction=False)

    def _share(self, pool: str, viewer: Viewer, shares: int) -> asyncio.Semaphore:
        """The actor's part of a pool, shared by all of its operations: the size divided by `shares`, rounded up."""
        key = pool, viewer.key
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = asyncio.Semaphore(-(-self._size // shares))
            self._last_shares.append(share)
        return share

    async def start(self, *, connect: bool = True) -> None:
        """Open the pools. The read pool connects now, if `connect` is set; the write pool with its first use.

        Raises OSError if the server cannot be reached, asyncpg.PostgresError if it refuses the connection, and
        asyncpg.InterfaceError for an invalid DSN.
        """
        read, write = partial(self._connect, self._reading_session), partial(self._connect, self._writing_session)
        self._pool, self._control, self._writing = Pool(read, self._size), Pool(read, 1), Pool(write, self._size)
        if connect:
            await self._pool.release(await self._pool.acquire())

    async def _connect(self, session: Session) -> Any:
        connection = await asyncpg.connect(self._dsn, timeout=_CONNECT_WITHIN, record_class=Row, **session.options())
        try:
            await session.set_up(connection)
        except BaseException:
            await asyncio.shield(_discard(connection))
            raise
        return connection

    async def stop(self) -> None:
        """Close the pools, after running operations have released their connections; end the thread."""
        self.thread.stop()
        pools = [pool for pool in (self._pool, self._control, self._writing) if pool is not None]
        self._pool = self._control = self._writing = None
        # After the time limit, a pool terminates the remaining connections.
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN):
                await asyncio.gather(*(pool.close() for pool in pools))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """A snapshot that is closed after the block."""
        snapshot = Snapshot(self.pool, self._reading_session)
        try:
            yield snapshot
        finally:
            await snapshot.close()

    @asynccontextmanager
    async def maintenance(self) -> AsyncIterator[Any]:
        """A connection of the write pool, for work outside of requests. Raises asyncpg's errors."""
        if self._writing is None:
            raise RuntimeError("the database was not started")
        async with self._writing.connection(_CONNECT_WITHIN) as connection:
            yield connection

    @asynccontextmanager
    async def write(self, viewer: Viewer, then: Snapshot | None = None) -> AsyncIterator[Transaction]:
        """A transaction: committed when the block ends, rolled back when it raises. Its changes are logged last.

        `then` is a snapshot that was not read. It begins after the COMMIT, on the same connection.
        Each actor has at most half of the pool at a time.

        Raises `UnavailableError`. After `CollisionError` the caller can run the whole block again; after
        `OutcomeUnknownError` it may have been committed. After any other error it was not.
        """
        pool = self._writing
        if pool is None:
            raise RuntimeError("the database was not started")
        share = self._share("write", viewer, _WRITE_SHARES)
        lost = False
        await share.acquire()
        with ExitStack() as held, TranslatedErrors(lambda: lost):
            held.callback(share.release)
            connection = await pool.acquire()
            try:
                await connection.execute(self._writing_session.begin())
                transaction = Transaction(connection)
                yield transaction
                with transaction.timed(), unheard(), TranslatedErrors(connection.is_closed):
                    await connection.execute(self._ending(viewer, transaction, read_on=then is not None))
            except BaseException:
                lost = connection.is_closed()
                await asyncio.shield(pool.abandon(connection))
                raise
            if then is None:
                await pool.release(connection)
            elif then.read_on(pool, connection, share):
                held.pop_all()
            else:
                await asyncio.shield(pool.abandon(connection))
        if transaction.journal.changes:
            self.committed(viewer.account_id)

    def _ending(self, viewer: Viewer, transaction: Transaction, *, read_on: bool) -> str:
        """The statements that end a write and, with `read_on`, begin the transaction that reads."""
        pooled = self._writing_session.pooled
        ending = commit(viewer, transaction.journal, prepared=not pooled)
        if not read_on:
            return ending
        return f"{ending}; {self._reading_session.begin(_BEGIN) if pooled else _READ_ON}"
