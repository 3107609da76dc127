"""Executes operations by plans, and by graphql-core if a plan is missing or fails. Both are called only here.

Plans return only results without errors. If there is no plan, or it raises, graphql-core executes the same root fields,
because the errors and their order depend on its way of execution. A write is not executed twice: the context remembers
its outcome, to which graphql-core then resolves the field.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    located_error,
)
from graphql.execution.values import VariableValues
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from db.engine import SnapshotClosedError
from db.texts import TooLargeError
from gql.context import Context
from gql.errors import Code
from gql.execution.build import ObjectPlan
from gql.execution.deadline import Deadline
from gql.execution.fallback import count_fallback
from gql.execution.level import complete
from gql.execution.plan import Part, Parts, Plans, plan_operation
from gql.execution.size import ResponseSize, too_large
from gql.fields.field import FallbackError

# The source of root fields. None of them uses it.
_ROOT = None


class Execution(NamedTuple):
    """An operation with its variables, ready to be executed."""

    schema: GraphQLSchema
    document: DocumentNode
    operation: OperationDefinitionNode
    plans: Plans
    given: dict[str, Any]
    """The variables as the client gave them."""
    variables: VariableValues
    hide_suggestions: bool
    cost: int
    max_response: int
    """Bytes of JSON."""

    def plan(self) -> Parts:
        """The operation's parts with their plans, made once. It may be called in another thread."""
        coerced = self.variables.coerced
        return self.plans.find(coerced) or self.plans.keep(
            coerced, plan_operation(self.schema, self.document, self.operation, self.variables)
        )

    async def run(self, context: Context, timeout: float | None = None) -> ExecutionResult:  # noqa: ASYNC109  # of parts
        """The result. Raises `SnapshotClosedError` if the operation has ended, because nobody waits for it.

        Raises TimeoutError if it takes more than `timeout` seconds and no write was finished. After a write, late
        fields are errors, and the results of the others are returned.
        """
        parts = self.plan()
        size = ResponseSize(self.max_response, self.cost)
        # A query is one part. In a mutation each field is a part, because it reads the state after its own write.
        if self.operation.operation is OperationType.MUTATION:
            result = await self._run_in_turn(parts, context, size, timeout)
        else:
            result = await self._run_query(parts[0], context, size, timeout)
        if result.data is not None:
            context.returned = size.returned
        return result

    async def _run_query(
        self,
        part: Part,
        context: Context,
        size: ResponseSize,
        timeout: float | None,  # noqa: ASYNC109  # of parts
    ) -> ExecutionResult:
        context.reads_once = part.reads_once
        if isinstance(part.plan, ObjectPlan) and not part.plan.steps:
            # It waits for nothing, so it needs no timer.
            return await self._run_part(part, context, size)
        with Deadline(timeout):
            return await self._run_part(part, context, size)

    async def _run_in_turn(
        self,
        parts: Parts,
        context: Context,
        size: ResponseSize,
        timeout: float | None,  # noqa: ASYNC109  # of parts
    ) -> ExecutionResult:
        data: dict[str, Any] = {}
        errors: list[Any] = []
        started = time.monotonic()
        for part in parts:
            try:
                _check_may_write()
                with Deadline(None if timeout is None else timeout - (time.monotonic() - started)):
                    result = await self._run_part(part, context, size)
            except TimeoutError:
                if not context.outcomes:
                    raise
                result = _report_late(part, context, f"The operation took longer than {timeout:g} seconds")
            errors += result.errors or ()
            if result.data is None:
                return ExecutionResult(None, errors)
            data.update(result.data)
        return ExecutionResult(data, errors or None)

    async def _run_part(self, part: Part, context: Context, size: ResponseSize) -> ExecutionResult:
        try:
            result = await self._answer(part, context, size)
            if result.data is not None:
                size.check(result.data)
        except TooLargeError:
            error = too_large(self.max_response)
            if part.key is None:
                return ExecutionResult(None, [error])
            # The field's write is committed already.
            return ExecutionResult({part.key: None}, [located_error(error, None, [part.key])])
        return result

    async def _answer(self, part: Part, context: Context, size: ResponseSize) -> ExecutionResult:
        if isinstance(part.plan, FallbackError):
            count_fallback(part.plan, self.plans, self._name)
            size.lose()
            return await self._run_alone_within_limit(context, part.operation)
        try:
            (data,) = await complete(context, self.variables, size, part.plan, [_ROOT], 1)
        except (SnapshotClosedError, TooLargeError):
            raise
        except Exception as error:  # noqa: BLE001  # graphql-core executes it again and reports the error
            count_fallback(error, self.plans, self._name)
            size.lose()
            # A new snapshot, because a failed statement aborts its transaction.
            await context.renew()
            return await self._run_alone_within_limit(context, part.operation)
        return ExecutionResult(data)

    @property
    def _name(self) -> str | None:
        return self.operation.name.value if self.operation.name else None

    async def _run_alone_within_limit(self, context: Context, operation: OperationDefinitionNode) -> ExecutionResult:
        result = await self.run_alone(context, operation)
        if any(isinstance(error.original_error, TooLargeError) for error in result.errors or ()):
            raise TooLargeError
        return result

    async def run_alone(self, context: Context, operation: OperationDefinitionNode) -> ExecutionResult:
        """The result of graphql-core, for this operation or for one with a part of its fields."""
        document = self.document
        if operation is not self.operation:
            fragments = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
            document = DocumentNode(definitions=(operation, *fragments))
        executor: Any = StrawberryGraphQLCoreExecutionContext.build(
            self.schema,
            document,
            context_value=context,
            raw_variable_values=self.given,
            operation_name=self._name,
            hide_suggestions=self.hide_suggestions,
        )
        result = executor.execute_operation()
        return result if isinstance(result, ExecutionResult) else await result


def _check_may_write() -> None:
    """Raise CancelledError if no other write may follow."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        # The cancellation ended a COMMIT, which reported that its outcome is unknown.
        raise asyncio.CancelledError


def _report_late(part: Part, context: Context, reason: str) -> ExecutionResult:
    """The result of a mutation's field that took too long, or was not begun because an earlier one did."""
    node, key = part.operation.selection_set.selections[0], part.key
    assert key is not None  # noqa: S101  # a query has no outcomes
    effect = "what it changed is saved, but was not read" if key in context.outcomes else "this field changed nothing"
    error = GraphQLError(f"{reason}: {effect}", [node], path=[key], extensions={"code": Code.TIMEOUT})
    return ExecutionResult({key: None}, [error])
