"""What a document needs and how much it asks for, told from the document alone.

One walk, memoised by fragment, so that its time is linear in the document however often fragments are shared. It knows
nothing of who asks.
"""

from __future__ import annotations

from typing import cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_interface_type,
    is_list_type,
    is_union_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gql.fields import ExpressionField, LastField, LookupField, ManyField, OneField
from gql.node import required_scopes

_NONE: frozenset[str] = frozenset()
_MANY = 1_000


def reads_once(schema: GraphQLSchema, operation: OperationDefinitionNode) -> bool:
    """Whether one statement answers a query, so that it needs no transaction to see one moment."""
    if operation.operation is not OperationType.QUERY or schema.query_type is None:
        return False
    return _reads(schema, operation.selection_set, schema.query_type) <= 1


def _reads(schema: GraphQLSchema, selections: SelectionSetNode, parent: GraphQLCompositeType) -> int:
    """How many statements a selection takes, or more. Fragments count for many: nothing is walked twice."""
    number = 0
    for selection in selections.selections:
        if not isinstance(selection, FieldNode):
            return _MANY
        definition = schema.get_field(parent, selection.name.value)
        if definition is None:
            return _MANY
        inner = selection.selection_set
        number += _own_reads(selection.name.value, definition)
        if inner is not None and number < _MANY:
            number += _reads(schema, inner, cast("GraphQLCompositeType", get_named_type(definition.type)))
    return number


def _own_reads(name: str, definition: GraphQLField) -> int:
    """How many statements a field itself takes. What is inside of a page was read with the page."""
    field = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if isinstance(field, OneField):
        return len(field.ones)
    if isinstance(field, LookupField | ManyField | LastField | ExpressionField) or name == "totalCount":
        return 1
    if getattr(field, "base_resolver", None) is None:
        return 0
    return _MANY if is_list_type(get_nullable_type(definition.type)) else 1


class ScopeWalk:
    """The scopes that operations of one valid document need."""

    def __init__(self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments
        self._of_fragment: dict[str, frozenset[str]] = {}

    def of(self, operation: OperationDefinitionNode) -> frozenset[str]:
        """Every scope that some selected field or type requires, even one that `@skip` leaves out."""
        root = self._schema.get_root_type(operation.operation)
        return _NONE if root is None else self._of_selections(operation.selection_set, root)

    def _of_selections(self, selections: SelectionSetNode | None, parent: GraphQLCompositeType) -> frozenset[str]:
        needed = _required(parent)
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                needed |= self._of_field(selection, parent)
            elif isinstance(selection, FragmentSpreadNode):
                fragment = self._fragments[selection.name.value]
                needed |= self._of_spread(fragment) | self._of_union(parent, self._type(fragment.type_condition))
            elif isinstance(selection, InlineFragmentNode):
                type_ = self._type(selection.type_condition) if selection.type_condition else parent
                needed |= self._of_selections(selection.selection_set, type_) | self._of_union(parent, type_)
        return needed

    def _of_field(self, field: FieldNode, parent: GraphQLCompositeType) -> frozenset[str]:
        definition = self._schema.get_field(parent, field.name.value)
        if definition is None:
            return _NONE
        needed = _required(definition)
        type_ = get_named_type(definition.type)
        return needed | self._of_selections(field.selection_set, type_) if is_composite_type(type_) else needed

    def _of_spread(self, fragment: FragmentDefinitionNode) -> frozenset[str]:
        name = fragment.name.value
        if name not in self._of_fragment:
            self._of_fragment[name] = self._of_selections(fragment.selection_set, self._type(fragment.type_condition))
        return self._of_fragment[name]

    def _of_union(self, parent: GraphQLCompositeType, condition: GraphQLCompositeType) -> frozenset[str]:
        """What an interface's fields need on a union: what all of its types need, as they are read of any of them."""
        if not (is_union_type(parent) and is_interface_type(condition)):
            return _NONE
        return _NONE.union(*(_required(type_) for type_ in parent.types))

    def _type(self, condition: NamedTypeNode) -> GraphQLCompositeType:
        type_ = self._schema.get_type(condition.name.value)
        assert is_composite_type(type_)  # noqa: S101  # the document is valid
        return type_


def _required(element: object) -> frozenset[str]:
    definition = getattr(element, "extensions", {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return _NONE if definition is None else required_scopes(definition)
