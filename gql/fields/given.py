"""Fields for an object that the operation itself determines, such as the viewer or the root of queries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gql.context import Context
from gql.fields.field import Builder, Field, Level, SelectedField

# The source of the root of queries, whose fields read nothing from it.
_ROOT = object()


class GivenField(Field):
    """Resolves to the object that `give` returns for the request's context, or to null."""

    give: Callable[[Context], Awaitable[Any]]
    personal: bool

    @property
    def is_personal(self) -> bool:
        """Whether `give` depends on the actor, whom the context carries."""
        return self.personal

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The object."""
        return await self.give(info.context)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the selection on it."""
        plan = builder.planner.plan_selection(selected, most=builder.most)
        builder.add_step(selected.key, GivenStep(selected.key, self, plan))


@dataclass(frozen=True, slots=True)
class GivenStep:
    """Puts the object into the objects of the level."""

    key: str
    field: GivenField
    plan: Any

    async def run(self, level: Level) -> None:
        """One object, or null."""
        given = await self.field.give(level.context)
        shown = [None] if given is None else await level.below(self.plan, [given])
        for target in level.objects:
            target[self.key] = shown[0]


def given(give: Callable[[Context], Awaitable[Any]], description: str, *, personal: bool = True) -> Any:
    """A field for the object that `give` returns for the operation's context. It costs nothing by itself.

    Set `personal` to False if the object is the same for all actors.
    """
    field = GivenField(python_name=None, description=description)
    field.give = give
    field.personal = personal
    return field


async def _root(_context: Context) -> Any:
    return _ROOT


def root(description: str) -> Any:
    """A field for the root of queries, in an event or a payload. What is selected on it costs what a query costs."""
    return given(_root, description, personal=False)
