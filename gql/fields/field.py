"""The base class of all kinds of fields: a kind defines how it is resolved, its cost, and its plan.

A kind is one class, derived from `Field`, in one file together with the step that its plan runs. Kinds use the planner
and the run through the protocols below, which `gql.execution` implements.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import strawberry
from graphql import FieldNode, GraphQLField, GraphQLNamedType, GraphQLObjectType, GraphQLOutputType
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import VariableValues
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from db import tables as t
from db.selection import Column, Referred, Value
from gql.context import Context
from gql.fields.cost import Cost

# The places in a document that select one field of the response.
Details: TypeAlias = list[FieldDetails]

# Reads a field's arguments from a request's variables, by the names of the resolver's parameters.
Arguments: TypeAlias = Callable[[VariableValues], dict[str, Any]]

# The most sources of a level that nothing limits.
MANY = sys.maxsize

_S = TypeVar("_S", bound="Step")


class FallbackError(Exception):
    """A plan cannot answer the selection, so graphql-core executes it. The message says why, in names of the schema."""


class MeasuredField(NamedTuple):
    """A field as the document selects it, before its directives and variables are known."""

    definition: GraphQLField
    nodes: Sequence[FieldNode]
    max_list: int
    """The most items that a list argument may have."""
    selected: frozenset[str]
    """The names of the fields that are selected on it, including those of fragments."""


class SelectedField(NamedTuple):
    """A field of one object type's selection, to be planned."""

    key: str
    parent: GraphQLObjectType
    definition: GraphQLField
    details: Details

    @property
    def name(self) -> str:
        """The name in the schema; `key` is the name in the response."""
        return self.details[0].node.name.value


class Plan(Protocol):
    """The plan of a selection on the rows of one table, or on other objects if `table` is None."""

    @property
    def table(self) -> type[t.Table] | None:
        """The table of the rows."""

    @property
    def columns(self) -> frozenset[Column]:
        """The columns that the rows must have."""


class Level(Protocol):
    """The objects of one plan while they are built: one for each of `sources`, in the same order."""

    context: Context
    variables: VariableValues
    sources: Sequence[Any]
    objects: list[dict[str, Any]]
    shown: int
    """An upper bound of how often the objects occur in the response: more than their number if parents share them."""
    found: dict[type[t.Table], Mapping[int, Any]]
    """The rows of other tables that this level refers to, by id."""

    def values(self, name: str) -> list[Any]:
        """The column or attribute `name` of each source."""

    def count(self, size: int, number: int) -> None:
        """Count objects that the step builds itself: `number` of them, each with at most `size` bytes of JSON."""

    def add_nodes(self, number: int) -> None:
        """Count nodes that the operation is charged for, and that `below` does not make into objects."""

    async def below(self, plan: Any, sources: Sequence[Any], *, shown: int | None = None) -> list[dict[str, Any]]:
        """An object for each of `sources`, built by the plan of a step.

        If objects of this level share them, `shown` is an upper bound of how often they occur in the response.
        """


class Step(Protocol):
    """Puts the value of a field with a selection of its own into each object of a level.

    If it raises, graphql-core executes the operation instead.
    """

    async def run(self, level: Level) -> None:
        """Put the values into the level's objects."""


class Planner(Protocol):
    """Makes plans of selections."""

    def count_statements(self, number: int) -> None:
        """Count SQL statements that a step runs, at most `number` for a whole level."""

    def plan(self, type_: GraphQLNamedType, details: Details, most: int = MANY, prefix: str = "") -> Any:
        """The plan of the selection `details` on an object type, for levels of at most `most` sources.

        `prefix` begins the names of the columns in the sources, which are rows that refer to the rows of the type.
        """

    def plan_selection(self, selected: SelectedField, table: type[t.Table] | None = None, most: int = MANY) -> Any:
        """The plan of the selection on a field whose type is an object type, or a list of one.

        `table` is that of the rows if the type is no node's.
        """

    def collect(self, type_: GraphQLNamedType, details: Details) -> dict[str, Details]:
        """The fields of the selection `details` on an object type, by response key."""

    def object_type(self, table: type[t.Table]) -> GraphQLObjectType:
        """The type of a table's rows."""

    def read_arguments(self, field: StrawberryField, selected: SelectedField) -> Arguments:
        """The function that reads the arguments of a selected field."""


class Builder(Protocol):
    """The plan of one object type's selection while it is built, field by field."""

    planner: Planner
    most: int
    """The most sources that a level of the plan has. The columns of so few rows may include those of referred rows."""

    @property
    def table(self) -> type[t.Table] | None:
        """The table of the rows; None if the sources are other objects."""

    def read(self, name: Value) -> str:
        """Python source that reads a column or attribute of a source. A column is then selected."""

    def join(self, referred: Referred) -> None:
        """Select columns of a row that the level's rows refer to, together with their own."""

    def global_id(self) -> str:
        """Python source of a row's global id."""

    def bind(self, prefix: str, value: Any) -> str:
        """A name for `value` in Python source."""

    def show(self, key: str, source: str) -> None:
        """Put the value of the Python source into the object as it is."""

    def serialise(self, source: str, type_: GraphQLOutputType, *, nullable: bool, verbatim: bool = False) -> str:
        """Python source that serialises a value as graphql-core would.

        `verbatim` is for a value whose type the database ensures: strings, for instance, then need no check.
        """

    def add_step(self, key: str, step: Step) -> None:
        """Reserve `key`, for `step` to fill."""

    def merged(self, kind: Callable[[], _S]) -> _S:
        """The step of this kind that all fields of the level share. It runs before the steps of single fields."""

    def hold(self, key: str) -> None:
        """Reserve `key`, for a merged step to fill."""


class Field(StrawberryField):
    """A kind of field. Strawberry calls `get_result` if graphql-core executes."""

    @property
    def is_basic_field(self) -> bool:
        """False: resolving needs the context."""
        return False

    @property
    def targets(self) -> tuple[type[t.Table], ...]:
        """The tables of the rows that the field resolves to."""
        return ()

    @property
    def is_personal(self) -> bool:
        """Whether the value depends on the actor: a subscription that selects it is not executed for several actors."""
        return False

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002  # other kinds need it
        """The cost of the field for each parent, if the selection on it costs `below`."""
        return below

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Add the field to the plan of a selection. Raises `FallbackError`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Argument:
    """An optional argument of a field: its type, its description, and its default if it has one."""

    annotation: Any
    description: str
    default: Any = strawberry.UNSET


def optional_arguments(arguments: Mapping[str, Argument]) -> list[StrawberryArgument]:
    """Arguments for a field, by the names of the resolver's parameters."""
    return [
        StrawberryArgument(
            python_name=name,
            graphql_name=None,
            type_annotation=StrawberryAnnotation(argument.annotation),
            description=argument.description,
            default=argument.default,
        )
        for name, argument in arguments.items()
    ]


def required_argument(name: str, annotation: Any, description: str) -> StrawberryArgument:
    """A required argument of a field."""
    return StrawberryArgument(
        python_name=name,
        graphql_name=None,
        type_annotation=StrawberryAnnotation(annotation),
        description=description,
    )
