"""The pipeline from a request's parameters to its result, for all transports.

In order: find the document, check scopes, variables, limits and cost, charge, admit, run within the time limit. The
time that this took in this process and in the database is charged afterwards; a principal without remaining time is
rejected. Nothing here depends on HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import orjson
import strawberry
from graphql import ExecutionResult, GraphQLError, OperationType
from graphql.execution.values import VariableValues

from db.engine import Database
from db.scope import Viewer
from gql.context import Context
from gql.errors import ClientError, Code, RequestError, is_cancelled, is_unavailable, show
from gql.execution.admission import Admission
from gql.execution.aside import LONG, Aside
from gql.execution.cache import Cache
from gql.execution.document import MAX_VALIDATION_ERRORS, Operation
from gql.execution.input import check_input
from gql.execution.measure import Limits, longest_list, too_complex
from gql.execution.persisted import PersistedDocuments, Reference
from gql.execution.plan import root_arguments
from gql.execution.record import Record, Recording
from gql.execution.run import Execution
from gql.execution.size import READ_AND_SHOWN
from gql.security.rate import CPU_WEIGHT, Budget, RateLimiter
from gql.security.webhook import WebhookRules
from gql.settings import Settings

# CPU seconds for reading an operation that are not charged. A cached one takes less than a tenth of them.
_FREE = 0.001
# CPU seconds that are charged for receiving and answering a rejected request.
_REJECTION = 0.000_2

# The most cached introspection results, and their total bytes. One has about 200 kB.
_MAX_KEPT = 64
_MAX_KEPT_BYTES = 8_388_608


# The error for a subscription over a transport with a single result.
_STREAMS_ONLY = (
    "A subscription has many results: send it over a WebSocket with the subprotocol graphql-transport-ws, or with the "
    "header Accept: text/event-stream"
)


class ReadOnlyError(RequestError):
    """The request allows only queries, and its operation is a mutation."""


class Parameters(NamedTuple):
    """The parameters of a GraphQL request."""

    document: Reference
    operation_name: str | None
    variables: dict[str, Any] | None
    read_only: bool = False
    is_long: bool = False
    """Whether checking the variables takes long."""


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


class Call(NamedTuple):
    """An operation that can be executed, with its variables: they have their types, and are within the limits."""

    operation: Operation
    given: dict[str, Any]
    variables: VariableValues
    cost: int
    is_heavy: bool = False
    """Whether its viewer gets only one connection at a time."""

    @property
    def is_planned(self) -> bool:
        """Whether it was executed, or planned, with the same conditions before."""
        return self.operation.plans.are_known(self.variables.coerced)


class Executor:
    """Checks and runs the operations of one schema."""

    def __init__(self, schema: strawberry.Schema, settings: Settings) -> None:
        self._schema = schema._schema  # noqa: SLF001  # the graphql-core schema; Strawberry has no public attribute for it
        self._timeout = settings.operation_timeout
        self._max_response = settings.max_response
        self.max_text = READ_AND_SHOWN * settings.max_response
        """Bytes of text that an operation may read."""
        self._hide_suggestions = not settings.introspection
        self.limits = Limits.of(settings)
        # Data as JSON, by document and name, because graphql-core takes 33 ms for each introspection query.
        self._introspected: Cache[tuple[str, str | None], orjson.Fragment] = Cache(_MAX_KEPT, _MAX_KEPT_BYTES)

    def call(self, operation: Operation, variables: Mapping[str, Any] | None, viewer: Viewer) -> Call:
        """The operation with these variables. Raises `RequestError` for missing scopes and for wrong or large input."""
        _check_scopes(operation, viewer)
        given = dict(variables or {})
        try:
            check_input(operation.node, operation.measure.objects, given)
        except ClientError as error:
            raise RequestError.of(Code.OPERATION_TOO_COMPLEX, error) from None
        values = operation.variables.read(given, MAX_VALIDATION_ERRORS - 1, hide_suggestions=self._hide_suggestions)
        if isinstance(values, list):
            raise RequestError.of(Code.BAD_USER_INPUT, *values)
        # A mutation reports a list that is too long as a user error of its field, so that an app can display it.
        items = max(operation.measure.list_items, longest_list(values.coerced))
        if items > self.limits.list_items and operation.type is not OperationType.MUTATION:
            message = f"A list has at most {self.limits.list_items} items, not {items}"
            raise RequestError.of(Code.BAD_USER_INPUT, ClientError(message))
        cost = operation.measure.cost.of(values.coerced)
        if cost > self.limits.cost:
            refusal = too_complex("cost", cost, self.limits.cost)
            raise RequestError.of(Code.OPERATION_TOO_COMPLEX, refusal, cost=cost)
        return Call(operation, given, values, cost)

    async def execute(self, call: Call, context: Context, aside: Aside) -> ExecutionResult:
        """Run the operation. Raises RequestError if it takes too long."""
        try:
            if call.operation.asks_schema_only:
                return await self._introspect(call, context, aside)
            return await self.execution(call).run(context, self._timeout)
        except TimeoutError:
            message = f"The operation took longer than {self._timeout:g} seconds"
            raise RequestError.of(Code.TIMEOUT, message) from None
        finally:
            await context.close()

    async def _introspect(self, call: Call, context: Context, aside: Aside) -> ExecutionResult:
        """Execute a query for the schema only, or return its cached data."""
        key = call.operation.text, call.operation.name
        known = self._introspected.find(key)
        if known is not None:
            return ExecutionResult(known)  # type: ignore[arg-type]  # orjson writes the fragment unchanged
        # It reads no database, and so can run in the event loop of another thread.
        result = await aside.run(context.viewer, lambda: asyncio.run(self.execution(call).run(context, self._timeout)))
        if not result.errors:
            text = orjson.dumps(result.data)
            self._introspected.keep(key, orjson.Fragment(text), len(text) + 2 * len(key[0]))
        return result

    def root_arguments(self, call: Call) -> dict[str, Any]:
        """The arguments of a subscription's root field, by the names of its resolver. Raises `RequestError`."""
        operation = call.operation
        try:
            return root_arguments(self._schema, operation.document, operation.node, call.variables)
        except GraphQLError as error:
            raise RequestError.of(Code.BAD_USER_INPUT, error) from None

    def execution(self, call: Call) -> Execution:
        """What `execute` runs."""
        operation = call.operation
        return Execution(
            self._schema,
            operation.document,
            operation.node,
            operation.plans,
            call.given,
            call.variables,
            self._hide_suggestions,
            call.cost,
            self._max_response,
        )


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
            _reject_incomplete(result)
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
            reads_once=operation.reads_once,
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
            _reject_incomplete(result)
            await self._refund(call, viewer, context.returned)
        errors = [show(error) for error in result.errors or ()]
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
            check = partial(self._executor.call, operation, parameters.variables, viewer)
            call = None if parameters.is_long else check()
        except RequestError:
            await self._charge_cpu(viewer, _REJECTION + time.perf_counter() - started)
            raise
        if (seconds := time.perf_counter() - started) > _FREE:
            await self._charge_cpu(viewer, seconds)
        return await self.aside.run(viewer, check) if call is None else call

    async def _refund(self, call: Call, viewer: Viewer, returned: int | None) -> None:
        """Refund the nodes that were charged and not returned, mostly because of short pages.

        At least one stays charged.
        """
        if self._rates and returned is not None:
            await self._rates.refund(viewer, self._rates.bounded(call.cost) - max(1, returned))

    async def _charge_cpu(self, viewer: Viewer, seconds: float) -> None:
        if self._rates:
            await self._rates.spend(viewer, CPU_WEIGHT * seconds)


def _reject_incomplete(result: ExecutionResult) -> None:
    """Raise RequestError for a query during which the database was unavailable: a query has a complete result or none.

    A mutation keeps its partial result, because other fields may have been executed.
    """
    for error in result.errors or ():
        if is_unavailable(error) and error.original_error is not None:
            raise RequestError.masking(error.original_error)


def _check_scopes(operation: Operation, viewer: Viewer) -> None:
    if not operation.measure.scopes <= viewer.scopes:
        missing = sorted(operation.measure.scopes - viewer.scopes)
        message = f"This document needs scopes that the token does not have: {', '.join(missing)}"
        raise RequestError.of(Code.FORBIDDEN, ClientError(message, Code.FORBIDDEN, requiredScopes=missing))
