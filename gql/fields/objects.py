"""Fields for a list of objects that their source already has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from gql.fields.cost import Cost, times, total
from gql.fields.field import Builder, Field, Level, MeasuredField, SelectedField


class ObjectsField(Field):
    """Resolves to the objects in the attribute of the field's name."""

    most: int | None
    """The most objects, each of which is charged as a node; None if they are not charged."""

    @property
    def is_basic_field(self) -> bool:
        """True: Strawberry reads the attribute itself."""
        return True

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """The selection on the objects, and the objects if they are charged."""
        return below if self.most is None else times(self.most, total([below], 1))

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Complete the objects of all parents of a level together."""
        plan = builder.planner.plan_selection(selected)
        builder.add_step(selected.key, ObjectsStep(selected.key, self, plan))


@dataclass(frozen=True, slots=True)
class ObjectsStep:
    """Puts the objects as a list into each parent."""

    key: str
    field: ObjectsField
    plan: Any

    async def run(self, level: Level) -> None:
        """One level for the objects of all parents."""
        lists = level.values(self.field.python_name)
        items = [item for items in lists for item in items]
        if self.field.most is not None:
            level.add_nodes(len(items))
        shown = await level.below(self.plan, items)
        bounds = pairwise(accumulate(map(len, lists), initial=0))
        for target, (start, end) in zip(level.objects, bounds, strict=True):
            target[self.key] = shown[start:end]


def objects(description: str, most: int | None = None) -> Any:
    """A field for the list of objects in the attribute of its name. It takes no statement by itself.

    With `most`, each object is charged as a node.
    """
    field = ObjectsField(python_name=None, description=description)
    field.most = most
    return field
