"""Fields with the value of a column of their row, or of an attribute of another object."""

from __future__ import annotations

from typing import Any

from graphql import is_non_null_type

from db import tables as t
from db.times import Seconds
from gql.fields.field import Builder, FallbackError, Field, SelectedField
from gql.fields.scalars import show_seconds


class ColumnField(Field):
    """Resolves to the column of the field's name."""

    @property
    def is_basic_field(self) -> bool:
        """True: Strawberry reads the attribute itself."""
        return True

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read it in the generated function that builds the objects."""
        name, type_ = self.python_name, selected.definition.type
        if builder.table is None:
            nullable = not is_non_null_type(type_)
            builder.show(selected.key, builder.serialise(builder.read(name), type_, nullable=nullable))
            return
        column = getattr(builder.table, name, None)
        if column is None:
            raise FallbackError(f"{builder.table.__name__} has no column {name}")
        nullable = column.expression.nullable
        if nullable and is_non_null_type(type_):
            raise FallbackError(f"{builder.table.__name__}.{name} may be null where none may be")
        if isinstance(column.expression.type, t.Timestamp):
            builder.show(selected.key, _show_time(builder, name, nullable=nullable))
        else:
            shown = builder.serialise(builder.read(name), type_, nullable=nullable, verbatim=True)
            builder.show(selected.key, shown)


def _show_time(builder: Builder, name: str, *, nullable: bool) -> str:
    """Python source for a column with a time."""
    seconds, show = builder.read(Seconds(name)), builder.bind("show", show_seconds)
    return f"(None if (value := {seconds}) is None else {show}(value))" if nullable else f"{show}({seconds})"


def column(description: str) -> Any:
    """A field for the row's column, or the object's attribute, of the same name."""
    return ColumnField(python_name=None, description=description)
