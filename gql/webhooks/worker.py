"""The worker: makes deliveries from the change log, takes those that are due, attempts them, and records the results.

One loop makes and takes; each attempt is a task; one task records the results that have come together meanwhile. The
loop runs when a change was announced, when results were recorded, and once a second. Several workers share the work.

Each delivery arrives at least once: it is recorded as delivered only after the answer. A worker that is killed in
between leaves a lease that ends, and then another attempt is made, with the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import structlog

from db.engine import Database
from db.failure import TranslatedErrors, UnavailableError
from db.listen import Signals
from db.queries.webhook.disabling import disable
from db.queries.webhook.fan_out import fan_out
from db.queries.webhook.lease import Attempt, record, take
from db.statement import Row
from gql.live.feed import anonymous
from gql.log import TASK_FAILURES, WEBHOOKS, describe
from gql.webhooks.places import AttemptPlaces
from gql.webhooks.schedule import Schedule
from gql.webhooks.sender import GONE, Sender, failed, stopped

# Deliveries of one statement, taken or recorded.
_BATCH = 100
# Seconds until recording is tried again.
_PAUSE = 0.5
_GONE = "The endpoint answered with the status 410"
_HOPELESS = "The endpoint has not accepted anything for {:g} days"

_log = structlog.stdlib.get_logger("inbox")


class Worker:
    """`start()` and `stop()` it on one event loop. `AttemptPlaces` has the limits of attempts at the same time."""

    def __init__(
        self, database: Database, sender: Sender, schedule: Schedule, listen_dsn: str | None, at_once: int
    ) -> None:
        self._database = database
        self._sender = sender
        self._schedule = schedule
        self._places = AttemptPlaces(at_once)
        self._signals = Signals(listen_dsn, lambda _account: self._woken.set(), _count_listening)
        self._woken = asyncio.Event()
        self._attempts: set[asyncio.Task[None]] = set()
        self._results: asyncio.Queue[Attempt] = asyncio.Queue()
        self._working: asyncio.Task[None] | None = None
        self._others: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        """Begin to work."""
        self._signals.need()
        self._working = asyncio.create_task(self._work_on())
        self._others = [asyncio.create_task(self._record_on()), asyncio.create_task(self._signals.run())]
        _log.info("delivering webhooks")

    async def stop(self) -> None:
        """Take nothing more, wait a limited time for the running attempts, and record them all."""
        self._stopping = True
        self._woken.set()
        if self._working is not None:
            # Not cancelled at once: what was taken and is forgotten would wait for the end of its lease.
            await _end([self._working], self._schedule.grace)
        await _end(self._attempts, self._schedule.grace)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._schedule.grace):
                await self._results.join()
        await _end(self._others, 0)

    async def _work_on(self) -> None:
        """Make and take everything that is due, and wait, until the worker stops. A failure is retried after a wait."""
        while not self._stopping:
            self._woken.clear()
            try:
                with TranslatedErrors():
                    await self._fan_out()
                    await self._take()
            except (UnavailableError, TimeoutError) as error:
                TASK_FAILURES["webhooks"] += 1
                _log.warning("webhooks wait for the database", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001  # the next time may succeed
                TASK_FAILURES["webhooks"] += 1
                _log.error("webhooks were not taken", exception=describe(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._schedule.poll):
                    await self._woken.wait()

    async def _fan_out(self) -> None:
        accounts = 1
        while accounts and not self._stopping:
            async with self._database.maintenance() as connection:
                accounts, deliveries = await fan_out(connection)
            WEBHOOKS["made"] += deliveries

    async def _take(self) -> None:
        """Take as many as can be attempted now."""
        has_more = True
        while has_more and not self._stopping and self._places.free > 0:
            async with self._database.maintenance() as connection:
                taken = await take(
                    connection,
                    min(self._places.free, _BATCH),
                    self._schedule.lease,
                    each=self._places.each,
                    failing=self._places.free_for_failing,
                )
            for delivery in taken.deliveries:
                self._begin(delivery)
            has_more = taken.has_more

    def _begin(self, delivery: Row) -> None:
        self._places.open += 1
        self._places.failing += delivery.failing_since is not None
        task = asyncio.create_task(self._attempt(delivery))
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)

    async def _attempt(self, delivery: Row) -> None:
        try:
            result = await self._sender.send(delivery, self._requesting)
        except asyncio.CancelledError:
            result = stopped()
        except Exception as error:  # noqa: BLE001  # one defect must not stop other deliveries
            TASK_FAILURES["webhook attempt"] += 1
            _log.error("a webhook was not attempted", exception=describe(error))
            result = failed()
        self._places.failing -= delivery.failing_since is not None
        attempt = result.attempt(delivery, self._schedule)
        self._results.put_nowait(attempt)
        _log_attempt(attempt)

    @contextmanager
    def _requesting(self) -> Iterator[None]:
        """Around a request: let another attempt begin if the receiver does not answer soon."""
        waits = False

        def wait() -> None:
            nonlocal waits
            waits = True
            self._places.waiting += 1
            self._woken.set()

        timer = asyncio.get_running_loop().call_later(self._schedule.prompt, wait)
        try:
            yield
        finally:
            timer.cancel()
            self._places.waiting -= waits

    async def _record_on(self) -> None:
        """Record the results that have come together, and free their places, until cancelled."""
        while True:
            batch = [await self._results.get()]
            while len(batch) < _BATCH and not self._results.empty():
                batch.append(self._results.get_nowait())
            await self._record(batch)
            self._places.open -= len(batch)
            for _ in batch:
                self._results.task_done()
            self._woken.set()

    async def _record(self, batch: list[Attempt]) -> None:
        """Record results, and retry while the database is away: what was sent must not be forgotten."""
        gone = {(each.account_id, each.endpoint_id) for each in batch if each.status == GONE}
        while True:
            try:
                with TranslatedErrors():
                    for endpoint in sorted(gone):
                        # Before the result is recorded, after which the next one of the conversation would be sent.
                        await self._disable(*endpoint, _GONE)
                        gone.discard(endpoint)
                    async with self._database.maintenance() as connection:
                        recorded = await record(connection, batch, self._schedule.hopeless_after)
            except (UnavailableError, TimeoutError) as error:
                TASK_FAILURES["webhook recording"] += 1
                _log.warning("webhook results wait for the database", error=type(error).__name__, attempts=len(batch))
                await asyncio.sleep(_PAUSE)
            except Exception as error:  # noqa: BLE001  # a defect; these are attempted again when their leases end
                TASK_FAILURES["webhook recording"] += 1
                _log.error("webhook results were not recorded", exception=describe(error), attempts=len(batch))
                return
            else:
                break
        WEBHOOKS["late"] += len(batch) - recorded.attempts
        for endpoint in recorded.hopeless:
            try:
                await self._disable(*endpoint, _HOPELESS.format(self._schedule.hopeless_after / 86_400))
            except Exception as error:  # noqa: BLE001  # the next failure of the endpoint leads here again
                TASK_FAILURES["webhook disabling"] += 1
                if not isinstance(error, UnavailableError):
                    _log.error("a webhook was not disabled", exception=describe(error))

    async def _disable(self, account_id: int, endpoint_id: int, reason: str) -> None:
        """Disable an endpoint. Raises `UnavailableError`."""
        async with self._database.write(anonymous(account_id)) as transaction:
            await disable(transaction, account_id, endpoint_id, reason)
        WEBHOOKS["disabled"] += 1
        _log.warning("a webhook was disabled", account=account_id, endpoint=endpoint_id, reason=reason)


async def _end(tasks: Collection[asyncio.Task[None]], within: float) -> None:
    """Wait for tasks, and cancel those that run longer."""
    if tasks:
        _, running = await asyncio.wait(list(tasks), timeout=within)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


def _log_attempt(attempt: Attempt) -> None:
    """One line for each attempt, without the URL, whose path can be a secret, and without any text of the receiver."""
    outcome = "delivered" if attempt.state == "DELIVERED" else "failed" if attempt.is_failure else "postponed"
    WEBHOOKS[outcome] += 1
    _log.info(
        "webhook",
        outcome=outcome,
        account=attempt.account_id,
        endpoint=attempt.endpoint_id,
        delivery=attempt.delivery_id,
        attempt=attempt.number,
        status=attempt.status,
        ms=attempt.duration_ms,
        error=attempt.error,
    )


def _count_listening(error: Exception) -> None:
    TASK_FAILURES["listening"] += 1
    _log.warning("changes are not listened to", error=type(error).__name__)
