"""Fields whose value a function computes from columns of their row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import is_non_null_type

from gql.fields.field import Builder, Field, SelectedField


class ComputedField(Field):
    """`compute` is called with the values of `columns`."""

    columns: tuple[str, ...] = ()
    compute: Callable[..., Any] = staticmethod(lambda value: value)

    @property
    def is_basic_field(self) -> bool:
        """True: resolving needs only the row."""
        return True

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The value."""
        return self.compute(*(getattr(source, column) for column in self.columns))

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Call the function in the generated one that builds the objects."""
        type_ = selected.definition.type
        arguments = ", ".join(builder.read(column) for column in self.columns)
        value = f"{builder.bind('compute', self.compute)}({arguments})"
        # A function may return anything, so graphql-core's leaf types check the value.
        value = builder.serialise(value, type_, nullable=not is_non_null_type(type_))
        builder.show(selected.key, value)


def computed(compute: Callable[..., Any], *columns: Any, description: str | None = None) -> Any:
    """A field whose value `compute` returns for the values of `columns`, or of attributes that are given by name."""
    field = ComputedField(python_name=None, description=description)
    field.compute = compute
    field.columns = tuple(column if isinstance(column, str) else column.key for column in columns)
    return field
