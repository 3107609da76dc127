"""Fields for a list of objects that their source already has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from graphql import get_named_type

from gql.fields.field import Builder, Field, Level, SelectedField


class ObjectsField(Field):
    """Resolves to the objects in the attribute of the field's name."""

    @property
    def is_basic_field(self) -> bool:
        """True: Strawberry reads the attribute itself."""
        return True

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Complete the objects of all parents of a level together."""
        plan = builder.planner.plan(get_named_type(selected.definition.type), selected.details)
        builder.add_step(selected.key, ObjectsStep(selected.key, self.python_name, plan))


@dataclass(frozen=True, slots=True)
class ObjectsStep:
    """Puts the objects as a list into each parent."""

    key: str
    name: str
    plan: Any

    async def run(self, level: Level) -> None:
        """One level for the objects of all parents."""
        lists = level.values(self.name)
        shown = await level.below(self.plan, [item for items in lists for item in items])
        bounds = pairwise(accumulate(map(len, lists), initial=0))
        for target, (start, end) in zip(level.objects, bounds, strict=True):
            target[self.key] = shown[start:end]


def objects(description: str) -> Any:
    """A field for the list of objects in the attribute of its name. It takes no statement by itself."""
    return ObjectsField(python_name=None, description=description)
