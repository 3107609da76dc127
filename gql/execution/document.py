"""Documents: each text is parsed, validated and measured once.

Errors before execution are raised as `RequestError`. Nothing here depends on HTTP.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, TypeAlias

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)

from gql.errors import ClientError, Code, RequestError
from gql.execution.cache import Cache
from gql.execution.measure import DocumentWalk, Limits, Measure
from gql.execution.plan import Plans, condition_variables
from gql.execution.variables import VariableReader
from gql.settings import Settings

# Measured bytes of memory: of a token with its part of the syntax tree, of a token in one plan, of an error.
_TOKEN_BYTES = 700
_PLAN_BYTES = 300
_ERROR_BYTES = 3_000

# The most errors of a document, or of its variables, that are reported; the last one then says that there are more.
MAX_VALIDATION_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document."""

    document: DocumentNode
    node: OperationDefinitionNode
    measure: Measure
    plans: Plans
    variables: VariableReader

    @property
    def name(self) -> str | None:
        """The name, or None."""
        return self.node.name.value if self.node.name else None

    @property
    def reads_once(self) -> bool:
        """Whether one statement is enough, so that no transaction is needed for a consistent result."""
        return self.type is OperationType.QUERY and self.measure.statements <= 1

    @property
    def asks_schema_only(self) -> bool:
        """Whether its result depends only on the schema: introspection at the root, without variables."""
        return not self.node.variable_definitions and all(
            isinstance(selection, FieldNode) and selection.name.value in {"__schema", "__type"}
            for selection in self.node.selection_set.selections
        )

    @property
    def type(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.node.operation


# The operations of a valid document by their names, or the errors of an invalid one.
Operations: TypeAlias = dict[str | None, Operation]
Refusal: TypeAlias = list[dict[str, Any]]


class Documents:
    """The documents of a process, in an LRU cache."""

    def __init__(self, schema: strawberry.Schema, settings: Settings) -> None:
        self._schema = schema._schema  # noqa: SLF001  # the graphql-core schema; Strawberry has no public attribute for it
        self._limits = Limits.of(settings)
        self._max_tokens = settings.max_tokens
        # Suggestions disclose names of the schema, as introspection does.
        self._hide_suggestions = not settings.introspection
        self._rules = specified_rules if settings.introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
        self._kept: Cache[str, Operations | Refusal] = Cache(settings.document_cache, settings.document_bytes)
        self._pinned: dict[str, Operations] = {}

    def pin(self, text: str) -> None:
        """Read a document now, and keep it for ever. Raises `RequestError`."""
        self._pinned[text] = self._read(text)

    def operation(self, text: str, name: str | None) -> Operation:
        """The operation `name` of the document, or its only one. Raises `RequestError`."""
        operations = self._pinned.get(text) or self._find(text)
        if name is None and len(operations) > 1:
            raise RequestError.of(Code.BAD_USER_INPUT, "Give operationName: there are several operations")
        if name is None:
            return next(iter(operations.values()))
        if name not in operations:
            raise RequestError.of(Code.BAD_USER_INPUT, "The document has no operation with this operationName")
        return operations[name]

    def _find(self, text: str) -> Operations:
        found = self._kept.find(text)
        if found is None:
            try:
                found = self._read(text)
            except RequestError as error:
                # Errors are cached too, so that a repeated invalid document is as cheap.
                found = error.errors
            # The token of a comment has a second copy of the text.
            self._kept.keep(text, found, 2 * sys.getsizeof(text) + _size_of(found))
        if isinstance(found, list):
            raise RequestError(found)
        return found

    def _read(self, text: str) -> Operations:
        try:
            document = parse(text, max_tokens=self._max_tokens, allow_empty_selection_sets=False)
            walk = DocumentWalk(self._schema, document, self._limits)
            walk.measure_all()
            errors = validate(
                self._schema, document, self._rules, MAX_VALIDATION_ERRORS - 1, hide_suggestions=self._hide_suggestions
            )
            if errors:
                raise RequestError.of(Code.GRAPHQL_VALIDATION_FAILED, *errors)
            return self._operations(document, walk)
        except ClientError as error:
            raise RequestError.of(Code.OPERATION_TOO_COMPLEX, error) from None
        except GraphQLSyntaxError as error:
            raise RequestError.of(Code.GRAPHQL_PARSE_FAILED, error) from None
        except RecursionError:
            raise RequestError.of(Code.GRAPHQL_PARSE_FAILED, "The document is nested too deeply") from None

    def _operations(self, document: DocumentNode, walk: DocumentWalk) -> Operations:
        conditions = condition_variables(document)
        return {
            node.name.value if node.name else None: Operation(
                document,
                node,
                walk.measure(node),
                Plans(conditions),
                VariableReader(self._schema, node.variable_definitions or ()),
            )
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
        }


def _size_of(found: Operations | Refusal) -> int:
    """An upper bound of its bytes of memory, including plans that are not made yet."""
    if isinstance(found, list):
        return _ERROR_BYTES * len(found)
    operations = list(found.values())
    plans = sum(operation.plans.most for operation in operations)
    return _count_tokens(operations[0].document) * (_TOKEN_BYTES + _PLAN_BYTES * plans)


def _count_tokens(document: DocumentNode) -> int:
    """Including comments: all tokens stay in memory, for the locations of errors."""
    count, token = 0, document.loc.start_token if document.loc else None
    while token is not None:
        count, token = count + 1, token.next
    return count
