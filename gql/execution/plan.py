"""Plans of operations: made once per document, and executed for every request.

A plan is valid for every request with the same document and the same values of its `@skip` and `@include`. It has
neither rows nor values of arguments; those are bound when it runs. Each kind of field plans itself
(`gql.fields.field`). A field without a kind, such as one with its own resolver, makes its operation unplannable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import (
    DirectiveNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from db import tables as t
from gql.execution.arguments import read_arguments
from gql.execution.build import ObjectBuilder, ObjectPlan
from gql.fields.field import MANY, Arguments, Details, FallbackError, Field, SelectedField
from gql.fields.node import NODE_TABLES

_TYPENAME = "__typename"
# Reasons why there is no plan. They are labels of counters, so they must not contain a client's text.
_NO_CONDITION = "@skip or @include without a value"
_INTROSPECTION = "introspection"
# The plans of a document with many conditions are dropped after this many combinations of their values.
_MAX_OUTCOMES = 64


@dataclass(frozen=True, slots=True)
class Part:
    """Root fields that are executed together: all of a query, one of a mutation.

    `operation` selects only these fields, for graphql-core. `key` is the response key of a mutation's field.
    """

    key: str | None
    operation: OperationDefinitionNode
    plan: ObjectPlan | FallbackError
    reads_once: bool = False
    """Whether the plan runs at most one SQL statement, which needs no transaction for a consistent result."""


Parts: TypeAlias = tuple[Part, ...]


@dataclass(slots=True)
class Plans:
    """The plans of one operation, by the values of `conditions`: the variables in its document's directives."""

    conditions: tuple[str, ...]
    reported: set[str] = field(default_factory=set)
    """The reasons for fallbacks that were logged already."""
    _by_outcome: dict[tuple[Any, ...], Parts] = field(default_factory=dict)

    @property
    def most(self) -> int:
        """The most combinations of values with a plan."""
        return min(1 << len(self.conditions), _MAX_OUTCOMES)

    def are_known(self, variables: Mapping[str, Any]) -> bool:
        """Whether the plans for these variables were made."""
        return self.find(variables) is not None

    def find(self, variables: Mapping[str, Any]) -> Parts | None:
        """The plans for an operation with these variables, if they were made."""
        return self._by_outcome.get(tuple(map(variables.get, self.conditions)))

    def keep(self, variables: Mapping[str, Any], parts: Parts) -> Parts:
        """Keep the plans for these variables, and return them."""
        if len(self._by_outcome) >= _MAX_OUTCOMES:
            self._by_outcome.clear()
        self._by_outcome[tuple(map(variables.get, self.conditions))] = parts
        return parts


def condition_variables(document: DocumentNode) -> tuple[str, ...]:
    """The variables in `@skip` and `@include`, of all operations of a document."""
    names: set[str] = set()

    class Conditions(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            values = (argument.value for argument in node.arguments or ())
            names.update(value.name.value for value in values if isinstance(value, VariableNode))

    visit(document, Conditions())
    return tuple(sorted(names))


def plan_operation(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: VariableValues
) -> Parts:
    """The plans of an operation for the conditions with these `variables`."""
    planner = OperationPlanner(schema, document, operation, variables)
    try:
        selected = planner.collect_root()
    except GraphQLError:
        return (Part(None, operation, FallbackError(_NO_CONDITION)),)
    if operation.operation is not OperationType.MUTATION:
        plan = planner.try_root(selected)
        reads_once = isinstance(plan, ObjectPlan) and planner.statements <= 1
        return (Part(None, operation, plan, reads_once),)
    return tuple(
        Part(key, _narrow(operation, details), planner.try_root({key: details})) for key, details in selected.items()
    )


def _narrow(operation: OperationDefinitionNode, details: Details) -> OperationDefinitionNode:
    """The operation with only one of its root fields, wherever it was selected."""
    nodes = tuple(detail.node for detail in details)
    return OperationDefinitionNode(
        operation=operation.operation,
        name=operation.name,
        variable_definitions=operation.variable_definitions,
        directives=operation.directives,
        selection_set=SelectionSetNode(selections=nodes),
        loc=operation.loc,
    )


def root_arguments(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: VariableValues
) -> dict[str, Any]:
    """The arguments of a subscription's one root field, by the names of its resolver. Raises `GraphQLError`."""
    planner = OperationPlanner(schema, document, operation, variables)
    ((key, details),) = planner.collect_root().items()
    root = schema.get_root_type(operation.operation)
    assert root is not None  # noqa: S101  # validated
    definition = root.fields[details[0].node.name.value]
    field = definition.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    return planner.read_arguments(field, SelectedField(key, root, definition, details))(variables)


class OperationPlanner:
    """Makes the plans of one operation. Implements `gql.fields.field.Planner`."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._variables = variables
        self.statements = 0
        """The most SQL statements that the plans run."""
        self._fragments = {
            node.name.value: FragmentDetails(node)
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    @property
    def _root(self) -> GraphQLObjectType:
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None  # noqa: S101  # validated
        return root

    def collect_root(self) -> dict[str, Details]:
        """The root fields, by response key. Raises `GraphQLError` if a condition is null."""
        return collect_fields(
            self._schema, self._fragments, self._variables, self._root, self._operation
        ).grouped_field_set

    def count_statements(self, number: int) -> None:
        """Count SQL statements that a step runs, at most `number` for a whole level."""
        self.statements += number

    def try_root(self, selected: dict[str, Details]) -> ObjectPlan | FallbackError:
        """The plan of root fields, or the reason why there is none."""
        try:
            return self._plan_fields(self._root, None, selected, most=1)
        except FallbackError as error:
            return error
        except GraphQLError:
            return FallbackError(_NO_CONDITION)

    def plan(self, type_: GraphQLNamedType, details: Details, most: int = MANY, prefix: str = "") -> ObjectPlan:
        """The plan of the selection `details` on an object type, for levels of at most `most` sources.

        `prefix` begins the names of the columns in the sources, which are rows that refer to the rows of the type.
        """
        return self._plan_fields(type_, NODE_TABLES.get(type_.name), self.collect(type_, details), most, prefix)

    def plan_selection(
        self, selected: SelectedField, table: type[t.Table] | None = None, most: int = MANY
    ) -> ObjectPlan:
        """The plan of the selection on a field whose type is an object type, or a list of one.

        `table` is that of the rows if the type is no node's.
        """
        type_ = get_named_type(selected.definition.type)
        table = table or NODE_TABLES.get(type_.name)
        return self._plan_fields(type_, table, self.collect(type_, selected.details), most)

    def collect(self, type_: GraphQLNamedType, details: Details) -> dict[str, Details]:
        """The fields of the selection `details` on an object type, by response key."""
        if not isinstance(type_, GraphQLObjectType):
            raise FallbackError(f"{type_.name} is no object type")
        return collect_subfields(
            self._schema, self._fragments, self._variables, self._operation, type_, details
        ).grouped_field_set

    def _plan_fields(
        self,
        type_: GraphQLNamedType,
        table: type[t.Table] | None,
        selected: dict[str, Details],
        most: int,
        prefix: str = "",
    ) -> ObjectPlan:
        assert isinstance(type_, GraphQLObjectType)  # noqa: S101  # fields were collected on it
        builder = ObjectBuilder(self, table, most, prefix)
        for key, details in selected.items():
            name = details[0].node.name.value
            if name == _TYPENAME:
                builder.show(key, repr(type_.name))
                continue
            if name.startswith("__"):
                raise FallbackError(_INTROSPECTION)
            definition = type_.fields.get(name)
            kind = definition and definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
            if definition is None or not isinstance(kind, Field) or kind.base_resolver is not None:
                raise FallbackError(f"{type_.name}.{name} has a resolver of its own")
            kind.plan(builder, SelectedField(key, type_, definition, details))
        return builder.make()

    def object_type(self, table: type[t.Table]) -> GraphQLObjectType:
        """The type of a table's rows, which has the table's name."""
        type_ = self._schema.get_type(table.__name__)
        assert isinstance(type_, GraphQLObjectType)  # noqa: S101  # `@node` ensures it
        return type_

    def read_arguments(self, field: StrawberryField, selected: SelectedField) -> Arguments:
        """The function that reads the arguments of a selected field, coerced by graphql-core."""
        schema = self._schema._strawberry_schema  # type: ignore[attr-defined]  # noqa: SLF001  # Strawberry sets it
        return read_arguments(schema.config.name_converter, field, selected)
