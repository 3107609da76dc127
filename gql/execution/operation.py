"""One way from a request's parameters to its result, whatever transport carries both.

In order: find the document, check scopes, variables, limits and cost, charge, admit, run within the time limit.
Nothing here knows HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import ExecutionResult, OperationType
from graphql.execution.values import VariableValues, get_variable_values

from db.engine import Database
from db.scope import Viewer
from gql.context import Context
from gql.errors import Code, Refused, is_unavailable, mask
from gql.execution.admission import Admission
from gql.execution.document import MAX_VALIDATION_ERRORS, Operation, RequestError
from gql.execution.measure import Limits, longest_list, too_complex
from gql.execution.persisted import PersistedDocuments, Reference
from gql.execution.record import Record
from gql.execution.run import Execution
from gql.security.rate import RateLimiter
from gql.settings import Settings


class ReadOnlyError(Exception):
    """The request may only read, and its operation is a mutation."""


class RateLimitedError(Exception):
    """The viewer has used up what may be asked for in a minute. `headers` say how much that is, and when to return."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("Too much was asked for in a minute")
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a GraphQL request asks for."""

    document: Reference
    operation_name: str | None
    variables: dict[str, Any] | None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """An operation with its variables, which may be executed: they are as declared, and within the limits."""

    operation: Operation
    given: dict[str, Any]
    variables: VariableValues
    cost: int


class Executor:
    """Checks and runs the operations of one schema."""

    def __init__(self, schema: strawberry.Schema, settings: Settings) -> None:
        self._schema = schema._schema  # noqa: SLF001  # the graphql-core schema; Strawberry has no other way to it
        self._timeout = settings.operation_timeout
        self._hide_suggestions = not settings.introspection
        self.limits = Limits.of(settings)

    def call(self, operation: Operation, variables: Mapping[str, Any] | None, viewer: Viewer) -> Call:
        """The operation with these variables. Raises `RequestError` for missing scopes and for wrong or large input."""
        _check_scopes(operation, viewer)
        given = dict(variables or {})
        values = get_variable_values(
            self._schema,
            operation.node.variable_definitions or (),
            given,
            MAX_VALIDATION_ERRORS - 1,
            self._hide_suggestions,
        )
        if isinstance(values, list):
            raise RequestError.of(Code.BAD_USER_INPUT, *values)
        # Mutations tell it of each list by themselves, as something that the person at the keyboard can mend.
        items = max(operation.measure.list_items, longest_list(values.coerced))
        if items > self.limits.list_items and operation.type is OperationType.QUERY:
            message = f"A list has at most {self.limits.list_items} items, not {items}"
            raise RequestError.of(Code.BAD_USER_INPUT, Refused(message))
        cost = operation.measure.cost.of(values.coerced)
        if cost > self.limits.cost:
            refusal = too_complex("cost", cost, self.limits.cost)
            raise RequestError.of(Code.OPERATION_TOO_COMPLEX, refusal, cost=cost)
        return Call(operation, given, values, cost)

    async def execute(self, call: Call, context: Context) -> ExecutionResult:
        """Run the operation. Raises `RequestError` where time runs out."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self.execution(call).run(context)
        except TimeoutError:
            message = f"The operation took longer than {self._timeout:g} seconds"
            raise RequestError.of(Code.TIMEOUT, Refused(message, Code.TIMEOUT), cost=call.cost) from None
        finally:
            await context.close()

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
        )


class Pipeline:
    """Answers requests: everything between a transport that reads them and the transport that writes their results."""

    def __init__(
        self,
        documents: PersistedDocuments,
        executor: Executor,
        database: Database,
        admission: Admission,
        rates: RateLimiter | None,
    ) -> None:
        self._documents = documents
        self._executor = executor
        self._database = database
        self._admission = admission
        self._rates = rates
        self.limits = executor.limits

    async def answer(self, parameters: Parameters, viewer: Viewer, record: Record) -> ExecutionResult:
        """The result of an operation that was executed; all that is known of it is put into `record`.

        Raises DocumentRefusedError, RequestError, ReadOnlyError, RateLimitedError and BusyError where it was not.
        """
        operation = self._documents.operation(parameters.document, parameters.operation_name)
        record.operation = operation
        if parameters.read_only and operation.type is not OperationType.QUERY:
            raise ReadOnlyError
        call = self._executor.call(operation, parameters.variables, viewer)
        record.cost = call.cost
        if self._rates and (budget := await self._rates.charge(viewer, call.cost)):
            raise RateLimitedError(budget.headers(self._rates.bounded(call.cost)))
        context = Context(viewer, self._database, call.cost, self._rates, reads_once=operation.reads_once)
        async with self._admission:
            result = await self._executor.execute(call, context)
        if operation.type is OperationType.QUERY:
            _refuse_incomplete(result, call.cost)
        return result


def _refuse_incomplete(result: ExecutionResult, cost: int) -> None:
    """Raise `RequestError` for a query that missed the database: it is answered whole, or to be asked again.

    A mutation is not: beside a field that failed there may be one that was carried out.
    """
    missed = next(filter(is_unavailable, result.errors or ()), None)
    if missed is not None and missed.original_error is not None:
        raise RequestError([mask(missed.original_error)], cost)


def _check_scopes(operation: Operation, viewer: Viewer) -> None:
    missing = sorted(operation.measure.scopes - viewer.scopes)
    if missing:
        message = f"This document needs scopes that the token does not have: {', '.join(missing)}"
        raise RequestError.of(Code.FORBIDDEN, Refused(message, Code.FORBIDDEN, requiredScopes=missing))
