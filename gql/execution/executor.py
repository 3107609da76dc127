"""Checks the variables of operations, and runs them within the time limit."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import ref

import orjson
import strawberry
from graphql import ExecutionResult, GraphQLError, OperationType

from db.cache import Cache
from db.scope import Viewer
from gql.context import Context
from gql.errors import ClientError, Code, RequestError
from gql.execution.aside import Aside
from gql.execution.call import Call, Checked, Parameters
from gql.execution.document import MAX_VALIDATION_ERRORS, Operation
from gql.execution.input import check_input
from gql.execution.measure import Limits, longest_list, too_complex
from gql.execution.plan import root_arguments
from gql.execution.run import Execution
from gql.execution.size import READ_AND_SHOWN
from gql.settings import Settings

# The most cached introspection results, and their total bytes. One has about 200 kB.
_MAX_KEPT = 64
_MAX_KEPT_BYTES = 8_388_608


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

    def call(self, operation: Operation, parameters: Parameters, viewer: Viewer) -> Call:
        """The operation with its variables. Raises `RequestError` for missing scopes and for wrong or large input."""
        if not operation.measure.scopes <= viewer.scopes:
            missing = sorted(operation.measure.scopes - viewer.scopes)
            message = f"This document needs scopes that the token does not have: {', '.join(missing)}"
            raise RequestError.of(Code.FORBIDDEN, ClientError(message, Code.FORBIDDEN, requiredScopes=missing))
        given, checked = parameters.variables or {}, parameters.checked
        if checked is None or checked.operation() is not operation:
            checked = parameters.checked = self._check(operation, given)
        return Call(operation, given, checked.values, checked.cost)

    def _check(self, operation: Operation, given: dict[str, Any]) -> Checked:
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
        return Checked(ref(operation), values, cost)

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
