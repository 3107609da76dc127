"""Fields whose value PostgreSQL computes from other rows, selected together with the row."""

from __future__ import annotations

from typing import Any

from db.selection import Expression
from gql.fields.field import Builder, Field, SelectedField
from gql.loaders import load_part


class ExpressionField(Field):
    """Resolves to the value of `expression`."""

    expression: Expression

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The value, from its own loader: rows that are read completely have columns only."""
        row = await load_part(info.context, source.table, self.expression, source.id)
        return row[self.expression.name]

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Select it like a column."""
        read = builder.read(self.expression)
        shown = builder.serialise(read, selected.definition.type, nullable=False, verbatim=True)
        builder.show(selected.key, shown)


def expression(value: Expression, description: str) -> Any:
    """A field for a value that is computed from other rows and selected with the row."""
    field = ExpressionField(python_name=None, description=description)
    field.expression = value
    return field
