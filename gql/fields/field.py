"""What every kind of field answers for itself: how it is resolved, what it costs, and how it is planned.

A kind is one class, derived from `Field`, in one file, with the step that its plan runs beside it. Kinds know the
planner and the run only by the protocols below, which `gql.execution` implements.
"""

from __future__ import annotations

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
from db.relations import Expression
from gql.context import Context
from gql.fields.cost import Cost

# The places in a document where one field of a response is selected.
Details: TypeAlias = list[FieldDetails]

# Reads a field's arguments from a request's variables, by the names that its resolver has for them.
Arguments: TypeAlias = Callable[[VariableValues], dict[str, Any]]

_S = TypeVar("_S", bound="Step")


class FallbackError(Exception):
    """A plan cannot answer the selection, so graphql-core executes it. The message says why, in names of the schema."""


class MeasuredField(NamedTuple):
    """A field as a document asks for it, before its directives and variables are known."""

    definition: GraphQLField
    nodes: Sequence[FieldNode]
    max_list: int
    """The most items that a list argument may have."""
    selected: frozenset[str]
    """The names of the fields that are selected on it, those of fragments included."""


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
    """The plan of a selection on the rows of one table, or on objects of another kind where `table` is None."""

    @property
    def table(self) -> type[t.Table] | None:
        """The table of the rows."""

    @property
    def columns(self) -> frozenset[str | Expression]:
        """What the rows must have."""


class Level(Protocol):
    """The objects of one plan while they are made: one for each of `sources`, in the same order."""

    context: Context
    variables: VariableValues
    sources: Sequence[Any]
    objects: list[dict[str, Any]]
    shown: int
    """How often the objects are shown together, at most: more often than there are objects if parents share them."""
    found: dict[type[t.Table], Mapping[int, Any]]
    """The rows of other tables that this level refers to, by id."""

    def values(self, name: str) -> list[Any]:
        """The column or attribute `name` of each source."""

    def count(self, size: int, number: int) -> None:
        """Count objects that the step makes itself: so many, of at most `size` bytes of JSON each."""

    def add_nodes(self, number: int) -> None:
        """Count nodes that the operation is charged for, and that become no objects by `below`."""

    async def below(self, plan: Any, sources: Sequence[Any], *, shown: int | None = None) -> list[dict[str, Any]]:
        """An object for each of `sources`, by a plan that a step has.

        If objects of this level share them, `shown` says how often they are shown together, at most.
        """


class Step(Protocol):
    """What a plan does for a field that leads on: it puts a value into each object of a level.

    Whatever it raises makes graphql-core execute the operation again.
    """

    async def run(self, level: Level) -> None:
        """Put the values into the level's objects."""


class Planner(Protocol):
    """Makes plans of selections."""

    def plan(self, type_: GraphQLNamedType, details: Details) -> Any:
        """The plan of what `details` select on an object type."""

    def collect(self, type_: GraphQLNamedType, details: Details) -> dict[str, Details]:
        """The fields that `details` select on an object type, by response key."""

    def object_type(self, table: type[t.Table]) -> GraphQLObjectType:
        """The type of a table's rows."""

    def read_arguments(self, field: StrawberryField, selected: SelectedField) -> Arguments:
        """The function that reads the arguments of a selected field."""


class Builder(Protocol):
    """The plan of one object type's selection while it is made, field by field."""

    planner: Planner

    @property
    def table(self) -> type[t.Table] | None:
        """The table of the rows; None where the sources are other objects."""

    def read(self, name: str | Expression) -> str:
        """Python source that reads a column or attribute of a source. A column is then selected."""

    def bind(self, prefix: str, value: Any) -> str:
        """A name for `value` in Python source."""

    def show(self, key: str, source: str) -> None:
        """Show what the Python source gives, as it is."""

    def serialise(self, source: str, type_: GraphQLOutputType, *, nullable: bool, verbatim: bool = False) -> str:
        """Python source that serialises a value as graphql-core would.

        `verbatim` is for a value that the database holds to its type: strings and the like are then shown as they are.
        """

    def add_step(self, key: str, step: Step) -> None:
        """Keep a place for `key`, and have `step` fill it."""

    def merged(self, kind: Callable[[], _S]) -> _S:
        """The one step of this kind that all fields of the level share. It runs before the steps of single fields."""

    def hold(self, key: str) -> None:
        """Keep a place for `key`, which a merged step fills."""


class Field(StrawberryField):
    """A kind of field. Strawberry calls `get_result` where graphql-core executes."""

    @property
    def is_basic_field(self) -> bool:
        """False: resolving needs the context."""
        return False

    @property
    def targets(self) -> tuple[type[t.Table], ...]:
        """The tables whose rows the field leads to."""
        return ()

    @property
    def is_personal(self) -> bool:
        """Whether the value depends on the actor: a subscription that selects it is not executed for several actors."""
        return False

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002  # other kinds need it
        """What the field costs for each parent, where what is selected on it costs `below`."""
        return below

    def statements(self, measured: MeasuredField) -> int:  # noqa: ARG002
        """How many SQL statements the field itself takes for a whole level, at most."""
        return 0

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Add the field to the plan of a selection. Raises `FallbackError`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Argument:
    """An optional argument of a field: its type and its description."""

    annotation: Any
    description: str


def optional_arguments(arguments: Mapping[str, Argument]) -> list[StrawberryArgument]:
    """Arguments for a field, by the names of its resolver."""
    return [
        StrawberryArgument(
            python_name=name,
            graphql_name=None,
            type_annotation=StrawberryAnnotation(argument.annotation),
            description=argument.description,
            default=strawberry.UNSET,
        )
        for name, argument in arguments.items()
    ]


def required_argument(name: str, annotation: Any, description: str) -> StrawberryArgument:
    """An argument that a field must be given."""
    return StrawberryArgument(
        python_name=name,
        graphql_name=None,
        type_annotation=StrawberryAnnotation(annotation),
        description=description,
    )
