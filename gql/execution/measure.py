"""Measures a document, without its variables or the viewer: its depth, its cost, and the scopes that it requires.

One walk measures everything before the document is validated, because validating a hostile one takes long. It follows
the structure of the response: fields with the same key are merged, as in execution, and a selection is visited once
even if it is used several times, so that a fragment can be used any number of times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_interface_type,
    is_list_type,
    is_union_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from gql.errors import ClientError, Code
from gql.execution.input import count_literal
from gql.fields.cost import NOTHING, Cost, input_cost, times, total
from gql.fields.field import Field, MeasuredField
from gql.fields.filters import PERSONAL
from gql.fields.node import required_scopes
from gql.settings import Settings

_NONE: frozenset[str] = frozenset()
# The walk stops at these numbers. They are far above every limit, and reached quickly.
_DEEPEST = 100
_LONGEST = 20_000
_MOST_ALIASES = 1_000
_MOST_UNKNOWN = 250
# Validation compares all pairs of fields with one response key, and all pairs of fragments in one selection.
_MAX_REPETITION = 10_000
_FRAGMENTS = 5
# Averages in a schema: the fields of a type, the arguments of a field.
_PARTS = 5
_INTROSPECTION = {"__schema", "__type"}


@dataclass(frozen=True, slots=True)
class Measure:
    """The measure of a selection."""

    depth: int = 0
    aliases: int = 0
    roots: int = 0
    """The most fields that are selected on a root: that of the operation, or `query` in an event or a payload."""
    directives: int = 0
    list_items: int = 0
    """The items of the longest list literal."""
    cost: Cost = NOTHING
    objects: Cost = NOTHING
    """The number of input objects, which depends on variables."""
    scopes: frozenset[str] = _NONE
    personal: Cost = NOTHING
    """Not zero if the answer depends on the actor, and not only on the account and the scopes."""
    selected: frozenset[str] = _NONE
    """The names of the selected fields, without nested ones."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an operation."""

    depth: int
    aliases: int
    root_fields: int
    directives: int
    cost: int
    list_items: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The configured limits."""
        return cls(
            settings.max_depth,
            settings.max_aliases,
            settings.max_root_fields,
            settings.max_directives,
            settings.max_cost,
            settings.max_list,
        )


def too_complex(what: str, value: int | str, limit: int) -> ClientError:
    """The error for an operation that exceeds the limit of `what`."""
    message = f"This operation is too complex: {what} {value}, where {limit} is the limit"
    return ClientError(message, Code.OPERATION_TOO_COMPLEX, limit=what, value=value, maximum=limit)


@dataclass(slots=True)
class _Collected:
    """The fields of merged selections, by response key, with the aliases, directives and fragments around them."""

    fields: dict[str, list[tuple[GraphQLNamedType | None, FieldNode]]] = field(default_factory=dict)
    spread: set[str] = field(default_factory=set)
    directives: int = 0
    scopes: frozenset[str] = _NONE


class DocumentWalk:
    """Measures the operations of one document, which has been parsed but not validated."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, limits: Limits) -> None:
        self._schema = schema
        self._document = document
        self._limits = limits
        self._roots = {schema.query_type, schema.mutation_type, schema.subscription_type} - {None}
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[tuple[str | None, frozenset[int]], Measure] = {}
        self._length = 0
        self._aliases = 0
        self._unknown = 0
        self._repetition = 0
        self._pairs: set[tuple[Any, Any]] = set()

    def measure(self, operation: OperationDefinitionNode) -> Measure:
        """The measure of an operation. Raises `ClientError` if it exceeds a limit that does not depend on variables."""
        limits = self._limits
        self._aliases = 0
        root = self._schema.get_root_type(operation.operation)
        found = self._merged(root, (operation.selection_set,), 1)
        directives = found.directives + len(operation.directives or ())
        directives += sum(len(variable.directives or ()) for variable in operation.variable_definitions or ())
        for what, value, limit in (
            ("depth", found.depth, limits.depth),
            ("aliases", found.aliases, limits.aliases),
            ("root fields", found.roots, limits.root_fields),
            ("directives", directives, limits.directives),
        ):
            if value > limit:
                raise too_complex(what, value, limit)
        return found

    def measure_all(self) -> None:
        """Measure all operations and all fragments, because validation includes unused fragments."""
        for definition in self._document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                self.measure(definition)
            elif isinstance(definition, FragmentDefinitionNode):
                self._aliases = 0
                self._merged(
                    self._schema.get_type(definition.type_condition.name.value), (definition.selection_set,), 1
                )

    def _merged(self, parent: GraphQLNamedType | None, selections: tuple[SelectionSetNode, ...], level: int) -> Measure:
        """The measure of selections on the same object."""
        if level > _DEEPEST:
            raise too_complex("depth", f"over {_DEEPEST}", self._limits.depth)
        key = (None if parent is None else parent.name, frozenset(map(id, selections)))
        if key not in self._known:
            # A fragment that contains itself adds nothing here; validation rejects it.
            self._known[key] = Measure()
            self._known[key] = self._sum(parent, self._collect(parent, selections), level)
        return self._known[key]

    def _sum(self, parent: GraphQLNamedType | None, collected: _Collected, level: int) -> Measure:
        scopes, measures, aliases = collected.scopes, [], 0
        self._repeat(_FRAGMENTS, sorted(collected.spread))
        for key, fields in collected.fields.items():
            self._repeat(1, [id(node) for _, node in fields])
            for definition, nodes in self._alike(fields):
                scopes |= _required(definition)
                if key != nodes[0].name.value:
                    aliases += 1
                    self._count_alias()
                measures.append(self._field(definition, nodes, level))
        return Measure(
            depth=max((measure.depth for measure in measures), default=0),
            aliases=aliases + sum(measure.aliases for measure in measures),
            roots=max(
                len(collected.fields) if parent in self._roots else 0, *(measure.roots for measure in measures), 0
            ),
            directives=collected.directives + sum(measure.directives for measure in measures),
            list_items=max((measure.list_items for measure in measures), default=0),
            cost=total(measure.cost for measure in measures),
            objects=total(measure.objects for measure in measures),
            scopes=scopes.union(*(measure.scopes for measure in measures)),
            personal=total(measure.personal for measure in measures),
            selected=frozenset(node.name.value for fields in collected.fields.values() for _, node in fields),
        )

    def _field(self, definition: GraphQLField | None, nodes: Sequence[FieldNode], level: int) -> Measure:
        """The measure of one field with its selection."""
        self._count_unknown(definition, nodes[0])
        selections = tuple(node.selection_set for node in nodes if node.selection_set)
        below = Measure()
        if selections:
            type_ = None if definition is None else get_named_type(definition.type)
            below = self._merged(type_, selections, level + 1)
        measured = None
        if definition is not None:
            measured = MeasuredField(definition, nodes, self._limits.list_items, below.selected)
        literals = (_longest_literal(argument.value) for node in nodes for argument in node.arguments or ())
        return replace(
            below,
            # Not for introspection: tools select types of types of types, and validation limits their depth.
            depth=1 if nodes[0].name.value in _INTROSPECTION else 1 + below.depth,
            list_items=max(below.list_items, *literals, 0),
            personal=total([below.personal, *_personal_inputs(nodes[0])], int(_is_personal(definition))),
            cost=self._cost(measured, below.cost),
            # Fields with one key have equal arguments and are resolved once.
            objects=total([below.objects, *(count_literal(argument.value) for argument in nodes[0].arguments or ())]),
        )

    def _count_alias(self) -> None:
        """Count an alias of this operation, which has at least as many as the walk visits."""
        self._aliases += 1
        most = max(_MOST_ALIASES, self._limits.aliases)
        if self._aliases > most:
            raise too_complex("aliases", f"over {most}", self._limits.aliases)

    def _count_unknown(self, definition: GraphQLField | None, node: FieldNode) -> None:
        """Count a field that does not exist, or the arguments that are too many. Validating 5,000 takes 0.2 s."""
        if definition is None:
            self._unknown += 1
        elif node.arguments:
            self._unknown += max(0, len(node.arguments) - len(definition.args))
        if self._unknown > _MOST_UNKNOWN:
            raise too_complex("unknown fields and arguments", f"over {_MOST_UNKNOWN}", _MOST_UNKNOWN)

    def _repeat(self, weight: int, things: Iterable[Any]) -> None:
        """Count the pairs of `things` that were not compared yet."""
        for pair in combinations(things, 2):
            if pair not in self._pairs:
                self._pairs.add(pair)
                self._repetition += weight
                if self._repetition > _MAX_REPETITION:
                    raise too_complex("repetition", f"over {_MAX_REPETITION}", _MAX_REPETITION)

    def _alike(
        self, fields: Iterable[tuple[GraphQLNamedType | None, FieldNode]]
    ) -> Iterable[tuple[GraphQLField | None, list[FieldNode]]]:
        """The fields with one key by their definition: they may differ for the types of a union."""
        found: dict[tuple[str | None, str], tuple[GraphQLField | None, list[FieldNode]]] = {}
        for parent, node in fields:
            name = node.name.value
            definition = self._schema.get_field(parent, name) if is_composite_type(parent) else None
            found.setdefault((None if parent is None else parent.name, name), (definition, []))[1].append(node)
        return found.values()

    def _cost(self, measured: MeasuredField | None, below: Cost) -> Cost:
        """The cost of one field for each parent; `below` is the cost of its selection."""
        if measured is None:
            return below
        definition, nodes = measured.definition, measured.nodes
        kind = declared(definition)
        if isinstance(kind, Field):
            return kind.cost(measured, below)
        is_list = is_list_type(get_nullable_type(definition.type))
        if kind is None and is_list:
            # Introspection takes time too, and could be selected under many aliases.
            number = len(self._schema.type_map) if nodes[0].name.value == "types" else _PARTS
            return times(number, total([below], 1))
        if kind is None or not is_composite_type(get_named_type(definition.type)):
            return below
        return times(self._limits.list_items if is_list else 1, total([below], 1))

    def _collect(self, parent: GraphQLNamedType | None, selections: Iterable[SelectionSetNode]) -> _Collected:
        collected = _Collected(scopes=_required(parent))
        for selection_set in selections:
            self._add(selection_set, parent, collected)
        return collected

    def _add(self, selection_set: SelectionSetNode, parent: GraphQLNamedType | None, collected: _Collected) -> None:
        for selection in selection_set.selections:
            self._length += 1
            if self._length > _LONGEST:
                raise too_complex("length", f"over {_LONGEST}", _LONGEST)
            collected.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                name = (selection.alias or selection.name).value
                collected.fields.setdefault(name, []).append((parent, selection))
            elif isinstance(selection, InlineFragmentNode):
                self._add_fragment(selection, parent, collected)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in collected.spread:
                collected.spread.add(selection.name.value)
                if fragment := self._fragments.get(selection.name.value):
                    self._add_fragment(fragment, parent, collected)

    def _add_fragment(
        self,
        fragment: InlineFragmentNode | FragmentDefinitionNode,
        parent: GraphQLNamedType | None,
        collected: _Collected,
    ) -> None:
        condition = fragment.type_condition
        type_ = self._schema.get_type(condition.name.value) if condition else parent
        collected.directives += len(fragment.directives or ()) if isinstance(fragment, FragmentDefinitionNode) else 0
        collected.scopes |= _required(type_) | _required_of_all(parent, type_)
        self._add(fragment.selection_set, type_, collected)


def declared(definition: GraphQLField | None) -> StrawberryField | None:
    """The kind of field with which it was declared; None for introspection."""
    return None if definition is None else definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)


def _required(element: Any) -> frozenset[str]:
    definition = getattr(element, "extensions", {}).get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return _NONE if definition is None else required_scopes(definition)


def _required_of_all(parent: GraphQLNamedType | None, condition: GraphQLNamedType | None) -> frozenset[str]:
    """The scopes for an interface's fields: those of all types of the union, because any of them may be returned."""
    if not (is_union_type(parent) and is_interface_type(condition)):
        return _NONE
    return _NONE.union(*(_required(type_) for type_ in parent.types))


def _is_personal(definition: GraphQLField | None) -> bool:
    """Whether a field itself depends on the actor. A resolver of its own may."""
    kind = declared(definition)
    return kind is not None and (kind.is_personal if isinstance(kind, Field) else True)


def _personal_inputs(node: FieldNode) -> Iterable[Cost]:
    """Whether the arguments of a field have inputs that depend on the actor, also within variables."""
    return (input_cost(node, argument.name.value, PERSONAL) for argument in node.arguments or ())


def longest_list(value: Any) -> int:
    """The number of items of the longest list within a variable's value."""
    if isinstance(value, list):
        return max(len(value), *map(longest_list, value), 0)
    return max(0, 0, *map(longest_list, value.values())) if isinstance(value, dict) else 0


def _longest_literal(value: ValueNode) -> int:
    """The number of items of the longest list within a literal."""
    if isinstance(value, ListValueNode):
        return max(len(value.values), *map(_longest_literal, value.values), 0)
    if isinstance(value, ObjectValueNode):
        return max(0, 0, *(_longest_literal(item.value) for item in value.fields))
    return 0
