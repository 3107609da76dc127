"""Documents: each text is parsed, validated and measured once.

Errors before execution are raised as `RequestError`. Nothing here depends on HTTP.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSyntaxError,
    Lexer,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    Source,
    Token,
    specified_rules,
    validate,
)
from graphql.language.parser import Parser

from db.cache import Cache
from gql.errors import ClientError, Code, RequestError
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


@dataclass(frozen=True)
class Operation:
    """One operation of a valid document. Its properties are computed once, as each request needs them."""

    document: DocumentNode
    node: OperationDefinitionNode
    measure: Measure
    plans: Plans
    variables: VariableReader

    @cached_property
    def text(self) -> str:
        """The document as the client sent it."""
        location = self.document.loc
        assert location is not None  # noqa: S101  # documents are parsed with locations
        return location.source.body

    @cached_property
    def name(self) -> str | None:
        """The name, or None."""
        return self.node.name.value if self.node.name else None

    @cached_property
    def asks_schema_only(self) -> bool:
        """Whether its result depends only on the schema: introspection at the root, without variables."""
        return not self.node.variable_definitions and all(
            isinstance(selection, FieldNode) and selection.name.value in {"__schema", "__type"}
            for selection in self.node.selection_set.selections
        )

    @cached_property
    def type(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.node.operation

    @cached_property
    def kind(self) -> str:
        """The keyword of its type."""
        return self.type.value


# The operations of a valid document by their names, or the errors of an invalid one.
Operations: TypeAlias = dict[str | None, Operation]
Refusal: TypeAlias = list[dict[str, Any]]


class Reading(NamedTuple):
    """What a document was found to be, and the bytes of memory that it takes."""

    found: Operations | Refusal
    size: int


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
        found = self.read(text).found
        if isinstance(found, list):
            raise RequestError(found)
        self._pinned[text] = found

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
            reading = self.read(text)
            self.keep(text, reading)
            found = reading.found
        if isinstance(found, list):
            raise RequestError(found)
        return found

    def is_known(self, text: str) -> bool:
        """Whether the document was read already."""
        return text in self._pinned or self._kept.find(text) is not None

    def read(self, text: str) -> Reading:
        """Parse, measure and validate a document. It may be called in another thread, and so keeps nothing."""
        lexer = Lexer(Source(text))
        first = lexer.token
        try:
            found: Operations | Refusal = self._read(lexer)
        except RequestError as error:
            found = error.errors
        # Validation leaves 1,000 to 40,000 objects that refer to each other in circles. If they stay until Python's
        # collector runs by itself, it stops everything for 20 to 100 ms; to free those of one document takes 0.1 to 10.
        gc.collect(0)
        # The token of a comment has a second copy of the text.
        return Reading(found, 2 * sys.getsizeof(text) + _size_of(found, _unlink(first)))

    def keep(self, text: str, reading: Reading) -> None:
        """Keep what `read` returned. Errors are kept too, so that a repeated invalid document is as cheap."""
        self._kept.keep(text, reading.found, reading.size)

    def _read(self, lexer: Lexer) -> Operations:
        try:
            parser = Parser(lexer.source, max_tokens=self._max_tokens, allow_empty_selection_sets=False, lexer=lexer)
            document = parser.parse_document()
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


def _size_of(found: Operations | Refusal, tokens: int) -> int:
    """An upper bound of its bytes of memory, including plans that are not made yet."""
    if isinstance(found, list):
        return _ERROR_BYTES * len(found)
    plans = sum(operation.plans.most for operation in found.values())
    return tokens * (_TOKEN_BYTES + _PLAN_BYTES * plans)


def _unlink(token: Token | None) -> int:
    """Take the tokens of a document apart, and count them.

    Each refers to the next one and to the one before, and nothing here needs that. Such a cycle is freed by Python's
    collector only, which stops everything for 50 to 100 ms to free those of a few long documents.
    """
    count = 0
    while token is not None:
        count += 1
        following, token.next, token.prev = token.next, None, None
        token = following
    return count
