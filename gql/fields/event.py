"""Fields of subscriptions: the event, and the root of queries in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import get_named_type

from gql.fields.change import PAGE_SIZE, SELECTING
from gql.fields.cost import Cost, times, total
from gql.fields.field import Argument, Builder, Field, Level, MeasuredField, SelectedField, optional_arguments


class EventField(Field):
    """Resolves to the event for which the operation is executed."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The event."""
        return info.context.event

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the selection on the event."""
        plan = builder.planner.plan(get_named_type(selected.definition.type), selected.details)
        builder.add_step(selected.key, EventStep(selected.key, plan))


@dataclass(frozen=True, slots=True)
class EventStep:
    """Puts the event into the root."""

    key: str
    plan: Any

    async def run(self, level: Level) -> None:
        """The root of an operation is one object."""
        for target in level.objects:
            (target[self.key],) = await level.below(self.plan, [level.context.event])


class EventChangesField(Field):
    """Resolves to the changes of an event."""

    @property
    def is_basic_field(self) -> bool:
        """True: Strawberry reads the attribute itself."""
        return True

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """The most changes of an event, each with its selection."""
        return times(PAGE_SIZE, total([below], 1))

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the selection on the changes."""
        plan = builder.planner.plan(get_named_type(selected.definition.type), selected.details)
        builder.add_step(selected.key, EventChangesStep(selected.key, plan))


@dataclass(frozen=True, slots=True)
class EventChangesStep:
    """Puts the changes into the event."""

    key: str
    plan: Any

    async def run(self, level: Level) -> None:
        """One level for the changes of the one event."""
        for source, target in zip(level.sources, level.objects, strict=True):
            level.add_nodes(len(source.changes))
            target[self.key] = await level.below(self.plan, source.changes)


class RootField(Field):
    """Resolves to the root of queries."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The root: its fields read nothing from it."""
        return self

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the selected root fields."""
        plan = builder.planner.plan(get_named_type(selected.definition.type), selected.details)
        builder.add_step(selected.key, RootStep(selected.key, plan))


@dataclass(frozen=True, slots=True)
class RootStep:
    """Puts the root into the event."""

    key: str
    plan: Any

    async def run(self, level: Level) -> None:
        """One root for each parent, of which there is one."""
        for target in level.objects:
            (target[self.key],) = await level.below(self.plan, [None])


def changes_event(description: str) -> Any:
    """A field of the subscription's root for changes after their commits."""
    field = EventField(python_name=None, description=description)
    after = Argument(str | None, "Begins with the changes after this cursor; without it, with new changes.")
    field.arguments = optional_arguments({"after": after, **SELECTING})
    return field


def event_changes(description: str) -> Any:
    """A field for the changes of an event."""
    return EventChangesField(python_name=None, description=description)


def root(description: str) -> Any:
    """A field for the root of queries in an event."""
    return RootField(python_name=None, description=description)
