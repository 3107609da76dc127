"""Fields for an object whose fields are columns of its parent's row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import is_non_null_type

from gql.fields.field import Builder, Field, Level, SelectedField


class EmbeddedField(Field):
    """Resolves to its parent's own row; to null if the column `present` is null."""

    present: str

    @property
    def is_basic_field(self) -> bool:
        """True: resolving needs only the row."""
        return True

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The row."""
        return None if getattr(source, self.present) is None else source

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Select the columns together with those of the parent."""
        plan = builder.planner.plan_selection(selected, builder.table)
        for column in (self.present, *sorted(plan.columns)):
            builder.read(column)
        builder.add_step(selected.key, EmbeddedStep(selected.key, self.present, plan))


@dataclass(frozen=True, slots=True)
class EmbeddedStep:
    """Puts the object, or null, into each parent's."""

    key: str
    present: str
    plan: Any

    async def run(self, level: Level) -> None:
        """Only Python: the rows are there."""
        present = [value is not None for value in level.values(self.present)]
        rows = [row for row, is_present in zip(level.sources, present, strict=True) if is_present]
        shown = iter(await level.below(self.plan, rows))
        for target, is_present in zip(level.objects, present, strict=True):
            target[self.key] = next(shown) if is_present else None


class EmbeddedColumnField(Field):
    """Resolves to `column` of the row. Only the object's condition decides whether a nullable column is null."""

    column: str

    @property
    def is_basic_field(self) -> bool:
        """True: resolving needs only the row."""
        return True

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The column."""
        return getattr(source, self.column)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read it in the generated function that builds the objects."""
        type_ = selected.definition.type
        nullable = not is_non_null_type(type_)
        builder.show(
            selected.key, builder.serialise(builder.read(self.column), type_, nullable=nullable, verbatim=True)
        )


def embedded(present: Any, *, description: str) -> Any:
    """A field for an object with columns of the same row, which is null if the column `present` is. It costs nothing.

    The fields of its type are `embedded_column`s.
    """
    field = EmbeddedField(python_name=None, description=description)
    field.present = present.key
    return field


def embedded_column(column: Any, *, description: str) -> Any:
    """A field for a column of the row that the object is embedded in."""
    field = EmbeddedColumnField(python_name=None, description=description)
    field.column = column.key
    return field
