"""The pipeline from a request's parameters to its result, for all transports.

In order: find the document, check scopes, variables, limits and cost, charge, admit, run within the time limit. The
time that this took in this process and in the database is charged afterwards; a principal without remaining time is
rejected. Nothing here depends on HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from graphql import GraphQLError, OperationType

from db.engine import Database
from db.scope import Viewer
from gql.context import Context
from gql.errors import Code, RequestError, is_cancelled, is_unavailable, show
from gql.execution.admission import Admission
from gql.execution.aside import LONG, Aside
from gql.execution.call import Call, Parameters
from gql.execution.executor import Executor
from gql.execution.persisted import PersistedDocuments
from gql.execution.record import Record, Recording
from gql.security.rate import CPU_WEIGHT, Budget, RateLimiter
from gql.security.webhook import WebhookRules

# CPU seconds for reading an operation that are not charged. A cached one takes less than a tenth of them.
_FREE = 0.001
# CPU seconds that are charged for receiving and answering a rejected request.
_REJECTION = 0.000_2

# The error for a subscription over a transport with a single result.
_STREAMS_ONLY = (
    "A subscription has many results: send it over a WebSocket with the subprotocol graphql-transport-ws, or with the "
    "header Accept: text/event-stream"
)


class ReadOnlyError(RequestError):
    """The request allows only queries, and its operation is a mutation."""


class Result(NamedTuple):
    """The result of an executed operation. `errors` have the form of the response."""

    data: Any
    errors: list[dict[str, Any]]

    @property
    def payload(self) -> dict[str, Any]:
        """The response; `errors` come first, as the specification recommends."""
        return {"errors": self.errors, "data": self.data} if self.errors else {"data": self.data}


@dataclass(frozen=True, slots=True)
class EventResult:
    """The result of a subscription's operation for one event, and its cost."""

    result: Result
    nodes: int
    seconds: float
    """Time in the database."""


class Pipeline:
    """Answers requests: everything between reading a request and writing its result."""

    def __init__(  # noqa: PLR0913, PLR0917  # the parts of a server, assembled in one place
        self,
        documents: PersistedDocuments,
        executor: Executor,
        database: Database,
        admission: Admission,
        rates: RateLimiter | None,
        webhooks: WebhookRules | None = None,
    ) -> None:
        self._webhooks = webhooks
        self._documents = documents
        self.aside = Aside(database.thread, self._reject_late, self._charge_cpu)
        self._executor = executor
        self._database = database
        self._admission = admission
        self._rates = rates
        self.limits = executor.limits

    async def answer(self, parameters: Parameters, viewer: Viewer, record: Record) -> Result:
        """The result of a query or mutation. Facts about it are put into `record`, also if it fails.

        Raises RequestError, and nothing else, if it was not executed. Cancelling ends the operation, in PostgreSQL too.
        """
        with Recording(record):
            call = await self._prepare(parameters, viewer, record, streams=False)
            return await self._run(call, viewer, record)

    async def prepare(self, parameters: Parameters, viewer: Viewer, record: Record) -> Call:
        """An operation of any type, checked and charged, to be run by `run`, or event by event. Raises RequestError."""
        with Recording(record):
            return await self._prepare(parameters, viewer, record, streams=True)

    async def run(self, call: Call, viewer: Viewer, record: Record) -> Result:
        """The result of a query or mutation that `prepare` returned. Raises RequestError."""
        with Recording(record):
            return await self._run(call, viewer, record)

    async def run_event(self, call: Call, viewer: Viewer, event: Any) -> EventResult:
        """The result of a subscription's operation for `event`. Charges nobody. Raises RequestError.

        Where the database could not be asked, that is a RequestError with the code `SERVICE_UNAVAILABLE`: the event can
        be executed again.
        """
        context = Context(
            viewer,
            self._database,
            call.cost,
            self._rates,
            is_charged=False,
            event=event,
            max_text=self._executor.max_text,
        )
        try:
            result = await self._executor.execute(call, context, self.aside)
            _reject_incomplete(result.errors or ())
        except RequestError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled(error):
                raise
            raise RequestError.masking(error) from error
        errors = [show(error) for error in result.errors or ()]
        nodes = call.cost if context.returned is None else context.returned
        return EventResult(Result(result.data, errors), max(1, nodes), context.seconds)

    def root_arguments(self, call: Call) -> dict[str, Any]:
        """The arguments of a subscription's root field, by the names of its resolver. Raises RequestError."""
        return self._executor.root_arguments(call)

    async def budget(self, viewer: Viewer) -> Budget | None:
        """The viewer's budget; None without a limit."""
        return await self._rates.budget(viewer) if self._rates else None

    async def _prepare(self, parameters: Parameters, viewer: Viewer, record: Record, *, streams: bool) -> Call:
        is_heavy = await self._reject_late(viewer)
        if (text := self._documents.find_new(parameters.document, LONG)) is not None:
            self._documents.keep(text, await self.aside.run(viewer, partial(self._documents.read, text)))
        call = await self._call(parameters, viewer, record)
        if call.operation.type is OperationType.SUBSCRIPTION and not streams:
            raise RequestError.of(Code.BAD_USER_INPUT, _STREAMS_ONLY)
        record.cost = call.cost
        if self._rates and (budget := await self._rates.charge(viewer, call.cost)):
            wait = budget.retry_after(self._rates.bounded(call.cost))
            raise RequestError.of(Code.RATE_LIMITED, retry_after=wait)
        if len(call.operation.text) >= LONG and not call.is_planned and not call.operation.asks_schema_only:
            try:
                await self.aside.run(viewer, self._executor.execution(call).plan)
            except BaseException:
                await self._refund(call, viewer, 1)
                raise
        if call.operation.type is OperationType.SUBSCRIPTION:
            # Each event is charged when it is executed.
            await self._refund(call, viewer, 1)
        return call._replace(is_heavy=True) if is_heavy else call

    async def _reject_late(self, viewer: Viewer) -> bool:
        """Raise RequestError for a viewer who has used its time; return whether it has used a large part of it."""
        if self._rates is None:
            return False
        used = await self._rates.time(viewer)
        if used.wait:
            raise RequestError.of(Code.RATE_LIMITED, retry_after=used.wait)
        return used.is_heavy

    async def _run(self, call: Call, viewer: Viewer, record: Record) -> Result:
        operation = call.operation
        context = Context(
            viewer,
            self._database,
            call.cost,
            self._rates,
            self._webhooks,
            is_heavy=call.is_heavy,
            max_text=self._executor.max_text,
        )
        is_admitted = False
        try:
            async with self._admission:
                is_admitted = True
                result = await self._executor.execute(call, context, self.aside)
        except BaseException:
            if not is_admitted:
                await self._refund(call, viewer, 1)
            raise
        if operation.type is OperationType.QUERY:
            _reject_incomplete(result.errors or ())
            if context.returned is not None:
                await self._refund(call, viewer, context.returned)
        if not result.errors:
            return Result(result.data, [])
        errors = [show(error) for error in result.errors]
        record.count(errors)
        return Result(result.data, errors)

    async def _call(self, parameters: Parameters, viewer: Viewer, record: Record) -> Call:
        """The operation with its variables. Charges the time that finding and checking them took.

        So a principal who only sends new documents, or ones that are expensive to reject, has to wait. Nothing else is
        done meanwhile, so this is CPU time; to read it from the system takes 6 % of the time of `{ __typename }`.
        """
        started = time.perf_counter()
        try:
            operation = self._documents.operation(parameters.document, parameters.operation_name)
            record.operation = operation
            if parameters.read_only and operation.type is OperationType.MUTATION:
                raise ReadOnlyError.of(Code.BAD_USER_INPUT, "Only queries can be executed here, not mutations")
            check = partial(self._executor.call, operation, parameters, viewer)
            call = None if parameters.is_long else check()
        except RequestError:
            await self._charge_cpu(viewer, _REJECTION + time.perf_counter() - started)
            raise
        if (seconds := time.perf_counter() - started) > _FREE:
            await self._charge_cpu(viewer, seconds)
        return await self.aside.run(viewer, check) if call is None else call

    async def _refund(self, call: Call, viewer: Viewer, returned: int) -> None:
        """Refund the nodes that were charged and not returned, mostly because of short pages.

        At least one stays charged.
        """
        if self._rates and returned < call.cost:
            await self._rates.refund(viewer, self._rates.bounded(call.cost) - max(1, returned))

    async def _charge_cpu(self, viewer: Viewer, seconds: float) -> None:
        if self._rates:
            await self._rates.spend(viewer, CPU_WEIGHT * seconds)


def _reject_incomplete(errors: Sequence[GraphQLError]) -> None:
    """Raise RequestError for a query during which the database was unavailable: a query has a complete result or none.

    A mutation keeps its partial result, because other fields may have been executed.
    """
    for error in errors:
        if is_unavailable(error) and error.original_error is not None:
            raise RequestError.masking(error.original_error)
