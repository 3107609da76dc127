"""Fields of subscriptions: the event that is published, and the root of reading beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import get_named_type

from gql.fields.change import PAGE_SIZE, SELECTING
from gql.fields.cost import Cost, times, total
from gql.fields.field import Argument, Builder, Field, Level, MeasuredField, SelectedField, optional_arguments


class EventField(Field):
    """Leads from the root of subscriptions to the event that the operation is executed for."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The event."""
        return info.context.event

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan what is selected on the event."""
        plan = builder.planner.plan(get_named_type(selected.definition.type), selected.details)
        builder.add_step(selected.key, EventStep(selected.key, plan))


@dataclass(frozen=True, slots=True)
class EventStep:
    """Shows the event."""

    key: str
    plan: Any

    async def run(self, level: Level) -> None:
        """The root of an operation is one object."""
        for target in level.objects:
            (target[self.key],) = await level.below(self.plan, [level.context.event])


class EventChangesField(Field):
    """Leads to the changes of an event."""

    @property
    def is_basic_field(self) -> bool:
        """True: Strawberry reads the attribute itself."""
        return True

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """As many nodes as an event has changes at most, and what is selected on each."""
        return times(PAGE_SIZE, total([below], 1))

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan what is selected on the changes."""
        plan = builder.planner.plan(get_named_type(selected.definition.type), selected.details)
        builder.add_step(selected.key, EventChangesStep(selected.key, plan))


@dataclass(frozen=True, slots=True)
class EventChangesStep:
    """Shows the changes."""

    key: str
    plan: Any

    async def run(self, level: Level) -> None:
        """One level for the changes of the one event."""
        for source, target in zip(level.sources, level.objects, strict=True):
            level.add_nodes(len(source.changes))
            target[self.key] = await level.below(self.plan, source.changes)


class RootField(Field):
    """Leads to the root of reading."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The root: its fields read nothing from it."""
        return self

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the root fields that are selected."""
        plan = builder.planner.plan(get_named_type(selected.definition.type), selected.details)
        builder.add_step(selected.key, RootStep(selected.key, plan))


@dataclass(frozen=True, slots=True)
class RootStep:
    """Shows the root."""

    key: str
    plan: Any

    async def run(self, level: Level) -> None:
        """One root for each parent, of which there is one."""
        for target in level.objects:
            (target[self.key],) = await level.below(self.plan, [None])


def changes_event(description: str) -> Any:
    """From the root of subscriptions to the changes as they are committed."""
    field = EventField(python_name=None, description=description)
    after = Argument(str | None, "Begins with the changes after this cursor; without it, with those that follow.")
    field.arguments = optional_arguments({"after": after, **SELECTING})
    return field


def event_changes(description: str) -> Any:
    """From an event to its changes."""
    return EventChangesField(python_name=None, description=description)


def root(description: str) -> Any:
    """From an event to the root of reading."""
    return RootField(python_name=None, description=description)
