"""Fields that say whether a column of their row has a value."""

from __future__ import annotations

from typing import Any

from db.times import Seconds
from gql.fields.field import Builder, Field, SelectedField


class IsSetField(Field):
    """True if the time in `column` is not null."""

    column: str

    @property
    def is_basic_field(self) -> bool:
        """True: resolving needs only the row."""
        return True

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> bool:  # noqa: ARG002
        """Whether it is."""
        return getattr(source, self.column) is not None

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Compare it in the generated function that builds the objects."""
        builder.show(selected.key, f"{builder.read(Seconds(self.column))} is not None")


def is_set(column: Any, description: str) -> Any:
    """A field that says whether the time in `column` is set."""
    field = IsSetField(python_name=None, description=description)
    field.column = column.key
    return field
