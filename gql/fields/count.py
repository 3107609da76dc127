"""Fields that count conversations of several kinds in one statement."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from graphql import FieldNode

from db.criterion import Term
from gql.fields.cost import Cost, input_cost, total
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
from gql.fields.filters import ConversationFilter, filter_weights, read_filter
from gql.loaders import load_kind_count, load_kind_counts

# The cost of counting, in nodes.
_COUNTING = 100
_WEIGHTS = filter_weights(ConversationFilter)


@dataclass(frozen=True, slots=True)
class PendingCounts:
    """The source of an object of numbers: the conversations to count. Nothing is counted yet."""

    where: tuple[Term, ...]


class CountField(Field):
    """Resolves to the number of the field's name in `db.queries.conversation.counts`."""

    of_actor: bool = False

    @property
    def is_personal(self) -> bool:
        """Whether it counts what belongs to the actor."""
        return self.of_actor

    def get_result(self, source: PendingCounts, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Awaitable[int]:  # noqa: ARG002
        """The number, counted together with the other selected ones."""
        return load_kind_count(info.context, source.where, self.python_name)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Count it together with the others."""
        builder.merged(CountStep).names[selected.key] = self.python_name
        builder.hold(selected.key)


class CountStep:
    """Puts all numbers into an object with one statement. `names` are by response key."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    async def run(self, level: Level) -> None:
        """Count each kind once."""
        kinds = list(dict.fromkeys(self.names.values()))
        for source, target in zip(level.sources, level.objects, strict=True):
            numbers = dict(zip(kinds, await load_kind_counts(level.context, source.where, kinds), strict=True))
            target.update((key, numbers[name]) for key, name in self.names.items())


class CountsField(Field):
    """Resolves to the numbers of the conversations that the argument `filter` selects."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> PendingCounts:  # noqa: ARG002
        """The object with the numbers, which are counted when they are selected."""
        return PendingCounts(read_filter(kwargs.get("filter"), info.context.viewer))

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:
        """One statement that reads all conversations of the account, and its slow conditions."""
        return total([below, _cost(measured.nodes[0])])

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the selected numbers."""
        plan = builder.planner.plan_selection(selected)
        read = builder.planner.read_arguments(self, selected)
        builder.planner.count_statements(1)
        builder.merged(CountsStep).fields.append((selected.key, read, plan, _cost(selected.details[0].node)))
        builder.hold(selected.key)


class CountsStep:
    """Puts the objects with the numbers into the root: one statement for all with the same filter."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, Arguments, Any, Cost]] = []

    async def run(self, level: Level) -> None:
        """Count the kinds of all objects with the same filter together; each object then finds its numbers counted."""
        pending: list[PendingCounts] = []
        kinds: dict[tuple[Term, ...], dict[str, None]] = {}
        for _, read, plan, _ in self.fields:
            where = read_filter(read(level.variables).get("filter"), level.context.viewer)
            pending.append(PendingCounts(where))
            names = (name for step in plan.steps if isinstance(step, CountStep) for name in step.names.values())
            kinds.setdefault(where, {}).update(dict.fromkeys(names))
        for where, wanted in kinds.items():
            if wanted:
                await load_kind_counts(level.context, where, list(wanted))
        for (key, _, plan, cost), counts_ in zip(self.fields, pending, strict=True):
            level.add_nodes(cost.of(level.variables.coerced))
            (shown,) = await level.below(plan, [counts_])
            for target in level.objects:
                target[key] = shown


def _cost(node: FieldNode) -> Cost:
    """The cost of counting; slow conditions add their weight."""
    return total([input_cost(node, "filter", _WEIGHTS)], _COUNTING)


def count(description: str, *, of_actor: bool = False) -> Any:
    """A field for the number of its name in `db.queries.conversation.counts.COUNTS`.

    `of_actor` says that it counts what belongs to the actor of the token.
    """
    field = CountField(python_name=None, description=description)
    field.of_actor = of_actor
    return field


def counts(description: str) -> Any:
    """A field of the root for an object of numbers."""
    field = CountsField(python_name=None, description=description)
    field.arguments = optional_arguments(
        {"filter": Argument(ConversationFilter | None, "Counts only conversations that match.")}
    )
    return field
