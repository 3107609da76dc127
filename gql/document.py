"""Documents: a text parsed, validated and told what it needs, once; and executed as often as it comes.

What is wrong before execution is raised as `RequestError`. Nothing here knows HTTP.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from db.scope import Viewer
from gql.context import Context
from gql.errors import Code, Refused, show_request_error
from gql.executor.plan import Plans, condition_variables
from gql.executor.run import run_root
from gql.limits import ScopeWalk, reads_once
from gql.settings import Settings

# How many errors of a document, or of its variables, are reported; the last one then says that there are more.
MAX_VALIDATION_ERRORS = 20


class RequestError(Exception):
    """The request was not executed. `errors` are as they go into the response."""

    def __init__(self, errors: Sequence[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"])
        self.errors = list(errors)

    @classmethod
    def of(cls, code: Code, *errors: GraphQLError) -> RequestError:
        """For GraphQL errors that have `code` unless they say otherwise."""
        return cls([show_request_error(error, code) for error in errors])


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document."""

    document: DocumentNode
    node: OperationDefinitionNode
    scopes: frozenset[str]
    plans: Plans
    reads_once: bool

    @property
    def name(self) -> str | None:
        """The name, where it has one."""
        return self.node.name.value if self.node.name else None

    @property
    def type(self) -> OperationType:
        """Query or mutation."""
        return self.node.operation


class Documents:
    """The documents of a process, the last used ones kept."""

    def __init__(self, schema: strawberry.Schema, settings: Settings) -> None:
        self._schema = schema._schema  # noqa: SLF001  # the graphql-core schema; Strawberry has no other way to it
        self._executor: Any = schema.execution_context_class
        self._max_tokens = settings.max_tokens
        self._size = settings.document_cache
        self._timeout = settings.operation_timeout
        self._kept: OrderedDict[str, dict[str | None, Operation]] = OrderedDict()

    def operation(self, text: str, name: str | None) -> Operation:
        """The operation `name` of the document, or its only one. Raises `RequestError`."""
        operations = self._kept.get(text)
        if operations is None:
            operations = self._kept[text] = self._read(text)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(text)
        if name is None and len(operations) > 1:
            raise RequestError.of(Code.BAD_USER_INPUT, GraphQLError("Give operationName: there are several operations"))
        if name is None:
            return next(iter(operations.values()))
        if name not in operations:
            raise RequestError.of(Code.BAD_USER_INPUT, GraphQLError("There is no operation of that operationName"))
        return operations[name]

    def _read(self, text: str) -> dict[str | None, Operation]:
        try:
            document = parse(text, max_tokens=self._max_tokens)
            errors = validate(self._schema, document, max_errors=MAX_VALIDATION_ERRORS - 1)
            if errors:
                raise RequestError.of(Code.GRAPHQL_VALIDATION_FAILED, *errors)
            return self._operations(document)
        except GraphQLSyntaxError as error:
            raise RequestError.of(Code.GRAPHQL_PARSE_FAILED, error) from None
        except RecursionError:
            message = "The document is nested too deeply"
            raise RequestError.of(Code.GRAPHQL_PARSE_FAILED, GraphQLError(message)) from None

    def _operations(self, document: DocumentNode) -> dict[str | None, Operation]:
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        walk = ScopeWalk(self._schema, fragments)
        conditions = condition_variables(document)
        return {
            node.name.value if node.name else None: Operation(
                document, node, walk.of(node), Plans(conditions), reads_once(self._schema, node)
            )
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
        }

    async def execute(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: Context
    ) -> ExecutionResult:
        """Run the operation. Raises `RequestError` where scopes are missing, variables are wrong, or time runs out."""
        _check_scopes(operation, context.viewer)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._execute(operation, dict(variables or {}), context)
        except TimeoutError:
            message = f"The operation took longer than {self._timeout:g} seconds"
            raise RequestError.of(Code.TIMEOUT, Refused(message, Code.TIMEOUT)) from None
        finally:
            await context.close()

    async def _execute(self, operation: Operation, variables: dict[str, Any], context: Context) -> ExecutionResult:
        coerced = get_variable_values(
            self._schema, operation.node.variable_definitions or (), variables, MAX_VALIDATION_ERRORS - 1
        )
        if isinstance(coerced, list):
            raise RequestError.of(Code.BAD_USER_INPUT, *coerced)
        plan = self._executor.plan_of_all(operation.plans, coerced)
        if plan is not None and (data := await run_root(plan, context, coerced)) is not None:
            return ExecutionResult(data)
        executor = self._executor.build(
            self._schema,
            operation.document,
            context_value=context,
            raw_variable_values=variables,
            operation_name=operation.name,
            plans=operation.plans,
            alone=plan is not None,
        )
        result = executor.execute_operation()
        return result if isinstance(result, ExecutionResult) else await result


def _check_scopes(operation: Operation, viewer: Viewer) -> None:
    missing = sorted(operation.scopes - viewer.scopes)
    if missing:
        message = f"This document needs scopes that the token does not have: {', '.join(missing)}"
        raise RequestError.of(Code.FORBIDDEN, Refused(message, Code.FORBIDDEN, requiredScopes=missing))
