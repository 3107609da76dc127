"""Plans: a selection on rows of one type, told once per document.

A plan says which columns the selection needs, how they are shown, and which relations lead on. It holds for every
request with the same document and the same outcome of its `@skip` and `@include`. It knows no rows and no values of
arguments; those are bound when it runs. A selection that it cannot promise to answer exactly as graphql-core would is
refused with `UnplannableError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    VariableNode,
    Visitor,
    get_named_type,
    is_input_object_type,
    is_non_null_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from db import tables as t
from db.relations import Expression, Many, Window
from gql.execution.build import Builder, UnplannableError
from gql.fields.node import NODE_TABLES
from gql.fields.relation import LastField, LookupField, ManyField, OneField

Details: TypeAlias = list[FieldDetails]
# The response's keys with the fields behind them, for one object type.
Collect: TypeAlias = Callable[[GraphQLObjectType, Details], dict[str, Details]]

# A field's arguments, by the names of its resolver, told from a request's variables.
Arguments: TypeAlias = Callable[[VariableValues], dict[str, Any]]

_TYPENAME = "__typename"
# A document of many conditions is planned anew when so many of their outcomes were seen.
_MAX_OUTCOMES = 64


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """A selection on the rows of one table."""

    table: type[t.Table]
    columns: frozenset[str | Expression]
    build: Callable[[Sequence[Any], Callable[[int], str]], list[dict[str, Any]]]
    targets: tuple[Target, ...]
    ones: tuple[OnePlan, ...]
    manys: tuple[ManyPlan, ...]
    lasts: tuple[LastPlan, ...]

    @property
    def needs_expressions(self) -> bool:
        """Whether rows that were read whole do not have all that it shows."""
        return any(isinstance(column, Expression) for column in self.columns)


@dataclass(frozen=True, slots=True)
class Target:
    """A table that a level refers to: by which of its own columns, and which of the other's are needed in all."""

    table: type[t.Table]
    keys: tuple[str, ...]
    columns: frozenset[str | Expression]


@dataclass(frozen=True, slots=True)
class OnePlan:
    """A field that leads to at most one row, by the first of `ways` whose column is set."""

    key: str
    ways: tuple[tuple[str, ObjectPlan], ...]
    required: bool


@dataclass(frozen=True, slots=True)
class ManyPlan:
    """A field that leads to a connection. Its arguments are read when it runs."""

    key: str
    place: str
    field: ManyField
    read: Arguments
    connection: ConnectionPlan


@dataclass(frozen=True, slots=True)
class LookupPlan:
    """A root field that leads to at most one row, which its arguments name."""

    key: str
    field: LookupField
    read: Arguments
    plan: ObjectPlan


@dataclass(frozen=True, slots=True)
class RootPlan:
    """A whole query. `keys` are all keys in order, with the constant of those that have one."""

    keys: tuple[tuple[str, str | None], ...]
    lookups: tuple[LookupPlan, ...]
    manys: tuple[ManyPlan, ...]


@dataclass(frozen=True, slots=True)
class LastPlan:
    """A field that leads to the last row of a relation's window, or to none."""

    key: str
    many: Many
    window: Window
    target: ObjectPlan


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """A selection on the edges of a connection: keys with what they show, in order."""

    type_name: str
    keys: tuple[tuple[str, str], ...]
    nodes: tuple[tuple[str, ObjectPlan], ...]


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """A selection on a connection. `keys` are all keys in order, with the constant of those that have one."""

    keys: tuple[tuple[str, str | None], ...]
    totals: tuple[str, ...]
    page_infos: tuple[tuple[str, tuple[tuple[str, str | None, Any], ...]], ...]
    edges: tuple[tuple[str, EdgePlan], ...]
    nodes: tuple[tuple[str, ObjectPlan], ...]

    @property
    def reads_page(self) -> bool:
        """Whether rows are needed, and not only their number."""
        return bool(self.page_infos or self.edges or self.nodes)

    @property
    def columns(self) -> frozenset[str | Expression]:
        """What the rows must have, beyond what cursors need."""
        plans = [plan for _, plan in self.nodes] + [plan for _, edge in self.edges for _, plan in edge.nodes]
        return frozenset[str | Expression]({"id"}).union(*(plan.columns for plan in plans))


class Plans:
    """The plans of one operation, by the values of `conditions`: the variables that its document's directives name."""

    def __init__(self, conditions: tuple[str, ...]) -> None:
        self._conditions = conditions
        self.most = min(1 << len(conditions), _MAX_OUTCOMES)
        """So many outcomes are planned at a time, at most."""
        self._by_outcome: dict[tuple[Any, ...], dict[Any, Any]] = {}

    def under(self, variables: Mapping[str, Any]) -> dict[Any, Any]:
        """The plans made so far for an operation with these variables, to be added to."""
        outcome = tuple(variables.get(name) for name in self._conditions)
        if outcome not in self._by_outcome and len(self._by_outcome) >= _MAX_OUTCOMES:
            self._by_outcome.clear()
        return self._by_outcome.setdefault(outcome, {})


def condition_variables(document: DocumentNode) -> tuple[str, ...]:
    """The variables that decide whether something is selected: for all operations of a document at once."""
    names: set[str] = set()

    class Conditions(Visitor):
        def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
            values = (argument.value for argument in node.arguments or ())
            names.update(value.name.value for value in values if isinstance(value, VariableNode))

    visit(document, Conditions())
    return tuple(sorted(names))


class Planner:
    """Makes the plans of one operation, under the conditions that `collect` was given."""

    def __init__(self, schema: GraphQLSchema, collect: Collect) -> None:
        self._schema = schema
        self._collect = collect

    def plan_object(self, type_: GraphQLObjectType, details: Details) -> ObjectPlan:
        """The selection `details` on rows of `type_`."""
        table = NODE_TABLES.get(type_.name)
        if table is None:
            raise UnplannableError(f"{type_.name} is no node")
        builder = Builder(table)
        ones, manys, lasts = [], [], []
        for key, fields in self._collect(type_, details).items():
            name = fields[0].node.name.value
            if name == _TYPENAME:
                builder.add_constant(key, type_.name)
                continue
            definition = type_.fields[name]
            field = definition.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
            if isinstance(field, OneField):
                builder.add_constant(key, None)
                builder.columns.update(one.key for one in field.ones)
                ones.append(self._plan_one(key, definition, field, fields))
            elif isinstance(field, ManyField):
                builder.add_constant(key, None)
                builder.columns.add("id")
                manys.append(self._plan_many(key, type_, field, fields))
            elif isinstance(field, LastField):
                builder.add_constant(key, None)
                builder.columns.add("id")
                lasts.append(self._plan_last(key, definition, field, fields))
            else:
                builder.add_leaf(key, definition.type, field)
        return ObjectPlan(
            table,
            frozenset(builder.columns),
            builder.make(),
            _targets(ones),
            tuple(ones),
            tuple(manys),
            tuple(lasts),
        )

    def plan_root(self, type_: GraphQLObjectType, selected: Mapping[str, Details]) -> RootPlan:
        """The root fields `selected` of a query."""
        keys: list[tuple[str, str | None]] = []
        lookups, manys = [], []
        for key, fields in selected.items():
            name = fields[0].node.name.value
            keys.append((key, type_.name if name == _TYPENAME else None))
            definition = type_.fields.get(name)
            field = definition and definition.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
            if isinstance(field, LookupField):
                object_plan = self.plan_object(self._object_type(field.table.__name__), fields)
                lookups.append(LookupPlan(key, field, self._reader(definition, field, fields), object_plan))
            elif isinstance(field, ManyField):
                manys.append(self._plan_many(key, type_, field, fields))
            elif name != _TYPENAME:
                raise UnplannableError(f"{type_.name}.{name} leads to no row or connection of its own")
        return RootPlan(tuple(keys), tuple(lookups), tuple(manys))

    def plan_connection(self, type_: GraphQLNamedType, details: Details) -> ConnectionPlan:
        """The selection `details` on a connection type."""
        keys: list[tuple[str, str | None]] = []
        totals, page_infos, edges, nodes = [], [], [], []
        for key, fields in self._collect_object(type_, details).items():
            name = fields[0].node.name.value
            keys.append((key, type_.name if name == _TYPENAME else None))
            inner = None if name == _TYPENAME else get_named_type(type_.fields[name].type)  # type: ignore[attr-defined]
            if name == "totalCount":
                totals.append(key)
            elif name == "pageInfo":
                page_infos.append((key, self._plan_attributes(inner, fields)))
            elif name == "edges":
                edges.append((key, self._plan_edge(inner, fields)))
            elif name == "nodes":
                nodes.append((key, self.plan_object(_object(inner), fields)))
        return ConnectionPlan(tuple(keys), tuple(totals), tuple(page_infos), tuple(edges), tuple(nodes))

    def _plan_one(self, key: str, definition: GraphQLField, field: OneField, details: Details) -> OnePlan:
        ways = tuple((one.key, self.plan_object(self._object_type(one.target.__name__), details)) for one in field.ones)
        return OnePlan(key, ways, is_non_null_type(definition.type))

    def _plan_many(self, key: str, parent: GraphQLObjectType, field: ManyField, details: Details) -> ManyPlan:
        name = details[0].node.name.value
        definition = parent.fields[name]
        connection = self.plan_connection(get_named_type(definition.type), details)
        place = f"{parent.name}.{name}"
        return ManyPlan(key, place, field, self._reader(definition, field, details), connection)

    def _reader(self, definition: GraphQLField, field: StrawberryField, details: Details) -> Arguments:
        node = details[0].node
        given = (definition.args[argument.name.value].type for argument in node.arguments or ())
        if not any(is_input_object_type(get_named_type(type_)) for type_ in given):
            # What graphql-core makes of scalars and enums is what resolvers are given.
            names = {to_camel_case(argument.python_name): argument.python_name for argument in field.arguments}
            return lambda variables: {
                names[name]: value for name, value in get_argument_values(definition, node, variables).items()
            }
        converter = self._schema._strawberry_schema.schema_converter  # type: ignore[attr-defined]  # noqa: SLF001
        return lambda variables: convert_arguments(
            get_argument_values(definition, node, variables),
            field.arguments,
            scalar_registry=converter.scalar_registry,
            config=converter.config,
        )

    def _plan_last(self, key: str, definition: GraphQLField, field: LastField, details: Details) -> LastPlan:
        if is_non_null_type(definition.type):
            raise UnplannableError(f"{field.python_name} may be null where none may be")
        return LastPlan(key, field.many, field.window, self.plan_object(_object(definition.type), details))

    def _plan_edge(self, type_: Any, details: Details) -> EdgePlan:
        keys, nodes = [], []
        for key, fields in self._collect_object(type_, details).items():
            name = fields[0].node.name.value
            keys.append((key, name))
            if name == "node":
                nodes.append((key, self.plan_object(_object(type_.fields[name].type), fields)))
        return EdgePlan(type_.name, tuple(keys), tuple(nodes))

    def _plan_attributes(self, type_: Any, details: Details) -> tuple[tuple[str, str | None, Any], ...]:
        """Keys with the attribute that each shows, or with a constant."""
        return tuple(
            (key, None, type_.name)
            if (name := fields[0].node.name.value) == _TYPENAME
            else (key, type_.fields[name].extensions[GraphQLCoreConverter.DEFINITION_BACKREF].python_name, None)
            for key, fields in self._collect_object(type_, details).items()
        )

    def _collect_object(self, type_: GraphQLNamedType, details: Details) -> dict[str, Details]:
        if not isinstance(type_, GraphQLObjectType):
            raise UnplannableError(f"{type_.name} is no object type")
        return self._collect(type_, details)

    def _object_type(self, name: str) -> GraphQLObjectType:
        type_ = self._schema.get_type(name)
        assert isinstance(type_, GraphQLObjectType)  # noqa: S101  # tables and types share their names
        return type_


def _targets(ones: Sequence[OnePlan]) -> tuple[Target, ...]:
    """The tables that fields lead to, each once, so that a level reads each in one statement."""
    ways: dict[type[t.Table], list[tuple[str, ObjectPlan]]] = {}
    for one in ones:
        for key, plan in one.ways:
            ways.setdefault(plan.table, []).append((key, plan))
    return tuple(
        Target(
            table,
            tuple({key: None for key, _ in found}),
            frozenset[str | Expression]({"id"}).union(*(plan.columns for _, plan in found)),
        )
        for table, found in ways.items()
    )


def _object(type_: Any) -> GraphQLObjectType:
    named = get_named_type(type_)
    assert isinstance(named, GraphQLObjectType)  # noqa: S101  # connections are of object types
    return named
