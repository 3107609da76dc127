"""Fields for a connection: the rows that refer to their parent, filtered, ordered and paged by arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode, get_named_type
from strawberry.utils.str_converters import to_camel_case

from db import tables as t
from db.criterion import Criterion, Term
from db.page import BY_ID, MAX_SIZE, Order
from db.relations import Many, Window
from db.scope import ACCOUNT, Viewer
from gql.context import Context
from gql.fields.connection import ConnectionPlan, PendingConnection, plan_connection, read_page
from gql.fields.cost import NOTHING, Cost, Weights, input_cost, page_size, times, total
from gql.fields.field import (
    Argument,
    Arguments,
    Builder,
    Field,
    Level,
    MeasuredField,
    SelectedField,
    optional_arguments,
)
from gql.fields.filters import filter_weights, read_filter, read_text
from gql.fields.orders import Sorting

# The field of a connection that needs no page.
_TOTAL = "totalCount"
# The cost in nodes of counting rows of the whole account. Counting the rows of another parent costs one.
_COUNTING_ACCOUNT = 20

# A placeholder for the parents of a level, because only the arguments of the field matter.
_ANY_PARENT = 0

_PAGING = {
    "first": Argument(int | None, "Returns the first n nodes, 1 to 100; 20 if neither `first` nor `last` is given."),
    "after": Argument(str | None, "Returns nodes after this cursor."),
    "last": Argument(int | None, "Returns the last n nodes, 1 to 100."),
    "before": Argument(str | None, "Returns nodes before this cursor."),
}


@dataclass(frozen=True, slots=True)
class Narrowing:
    """An argument that filters or orders a connection, and the function that reads its value."""

    argument: Argument
    terms: Callable[[Any, Viewer], tuple[Term, ...]] | None = None
    order: Callable[[Any, Any], Order] | None = None
    weights: Weights = field(default_factory=dict)
    """The cost of parts of its value in each statement that uses it."""


def narrowing_terms(narrowings: Mapping[str, Narrowing], values: Mapping[str, Any], viewer: Viewer) -> tuple[Term, ...]:
    """The terms of the arguments' `values`."""
    return tuple(
        term
        for name, narrowing in narrowings.items()
        if narrowing.terms is not None
        for term in narrowing.terms(values.get(name), viewer)
    )


def narrowed(annotation: Any, criterion: Criterion, description: str) -> Narrowing:
    """An argument for the rows that meet `criterion`."""
    return Narrowing(
        Argument(annotation | None, description),
        terms=lambda value, _viewer: () if value is None else (criterion(read_text(value)),),
    )


def filtered(annotation: Any) -> Narrowing:
    """An argument `filter` of a filter input's type."""
    weights = filter_weights(annotation)
    return Narrowing(Argument(annotation | None, "Returns only nodes that match."), terms=read_filter, weights=weights)


def ordered(sorting: Sorting) -> Narrowing:
    """An argument `orderBy` of an order input's type, which is read together with the argument `filter`."""
    argument = Argument(sorting.input | None, "Order of the nodes.")
    return Narrowing(argument, order=sorting.read, weights=sorting.weights)


class ManyField(Field):
    """Resolves to a connection of the rows of `many`. The parent of an account's rows is the viewer's account."""

    many: Many
    order: Order = BY_ID
    narrowings: Mapping[str, Narrowing]

    @property
    def targets(self) -> tuple[type[t.Table], ...]:
        """The tables whose rows the field leads to."""
        return (self.many.target,)

    @property
    def of_account(self) -> bool:
        """Whether the viewer's account is the parent, so that the source is not used."""
        return bool(self.many.parent.key == ACCOUNT)

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> PendingConnection:  # noqa: ARG002
        """The connection, not loaded yet."""
        place = f"{info._raw_info.parent_type.name}.{info.field_name}"  # noqa: SLF001
        context: Context = info.context
        return self.connect(context, place, context.viewer.account_id if self.of_account else source.id, kwargs)

    def connect(self, context: Context, place: str, parent: int, values: Mapping[str, Any]) -> PendingConnection:
        """The connection of `parent` for the arguments' `values`; `place` is its `Type.field`."""
        order = self.order
        for name, narrowing in self.narrowings.items():
            if narrowing.order is not None:
                order = narrowing.order(values.get(name), values.get("filter"))
        where = narrowing_terms(self.narrowings, values, context.viewer)
        page = read_page(place, order, *(values.get(name) for name in _PAGING))
        return PendingConnection(context, self.many, Window(page, order, where), parent, place)

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:
        """The nodes of a page, and the cost of counting. Slow conditions add their weight to both."""
        beside = self.cost_beside(
            measured.nodes[0], reads_page=_reads_page(measured), counts=_TOTAL in measured.selected
        )
        if not _reads_page(measured):
            return beside
        # Rows that are read only for their cursors count too.
        return total([times(page_size(measured.nodes[0]), below if below.number else total([below], 1)), beside])

    def cost_beside(self, node: FieldNode, *, reads_page: bool, counts: bool) -> Cost:
        """The cost of a connection for each parent, without the nodes of its page."""
        costs: list[Cost] = [NOTHING if reads_page or counts else Cost(1)]
        for name, narrowing in self.narrowings.items():
            weight = input_cost(node, to_camel_case(name), narrowing.weights)
            # Counting does not use the order.
            costs += [weight] * (reads_page + (counts and narrowing.terms is not None))
        return total(costs, (_COUNTING_ACCOUNT if self.of_account else 1) if counts else 0)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read the pages of all parents of a level together."""
        if not self.of_account:
            builder.read("id")
        connection = plan_connection(
            builder.planner, get_named_type(selected.definition.type), selected.details, builder.most * MAX_SIZE
        )
        step = ManyStep(
            selected.key,
            f"{selected.parent.name}.{selected.name}",
            self,
            builder.planner.read_arguments(self, selected),
            connection,
            self.cost_beside(
                selected.details[0].node, reads_page=connection.reads_page, counts=bool(connection.totals)
            ),
        )
        builder.add_step(selected.key, step)


@dataclass(frozen=True, slots=True)
class ManyStep:
    """Puts a connection into each object of a level."""

    key: str
    place: str
    field: ManyField
    read: Arguments
    connection: ConnectionPlan
    beside: Cost
    """The charge for each parent without its nodes. It is not refunded."""

    async def run(self, level: Level) -> None:
        """Read the arguments, then the selected parts of the connections."""
        context = level.context
        values = self.read(level.variables)
        ids = [context.viewer.account_id] * len(level.sources) if self.field.of_account else level.values("id")
        parents = list(dict.fromkeys(ids))
        pending = self.field.connect(context, self.place, _ANY_PARENT, values)
        level.add_nodes(len(parents) * self.beside.of(level.variables.coerced))
        connections = await self.connection.run(level, pending, parents)
        found = dict(zip(parents, connections, strict=True))
        for id_, target in zip(ids, level.objects, strict=True):
            target[self.key] = found[id_]


def many(column: Any, *, order: Order = BY_ID, description: str | None = None, **narrowings: Narrowing) -> Any:
    """A field for the rows whose foreign key `column` refers to this one. `narrowings` are additional arguments."""
    return _connection(Many.along(column), order, description, narrowings)


def through(parent: Any, child: Any, *, description: str | None = None) -> Any:
    """A field for the rows that a link table joins to this one: `parent` and `child` are its foreign keys."""
    return _connection(Many.through(parent, child), BY_ID, description, {})


def _connection(relation: Many, order: Order, description: str | None, narrowings: Mapping[str, Narrowing]) -> Any:
    field = ManyField(python_name=None, description=description)
    field.many, field.order, field.narrowings = relation, order, narrowings
    own = {name: narrowing.argument for name, narrowing in narrowings.items()}
    field.arguments = optional_arguments({**_PAGING, **own})
    return field


def _reads_page(measured: MeasuredField) -> bool:
    """Whether anything of a connection but the number of nodes is selected."""
    return not measured.selected <= {_TOTAL, "__typename"}
