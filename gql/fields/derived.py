"""Fields for at most one row whose id PostgreSQL derives from other rows, selected together with the parent."""

from __future__ import annotations

from typing import Any

from db import tables as t
from db.relations import One
from db.selection import Expression
from gql.fields.field import Builder
from gql.fields.one import OneField
from gql.loaders import load_part, load_row


class DerivedField(OneField):
    """Resolves to the row whose id is the value of `expression`, or to null."""

    expression: Expression

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The row, from the loader of its table. Rows that are read completely have columns only."""
        (one,) = self.ones
        parent = await load_part(info.context, source.table, self.expression, source.id)
        id_ = parent[self.expression.name]
        return None if id_ is None else await load_row(info.context, one.target, id_)

    def read_key(self, builder: Builder, way: One) -> None:  # noqa: ARG002
        """Select the derived id like a column."""
        builder.read(self.expression)


def derived(expression: Expression, target: type[t.Table], description: str) -> Any:
    """A field for the row of `target` whose id is the value of `expression`; null where it has no value."""
    field = DerivedField(python_name=None, description=description)
    field.expression = expression
    field.ones = (One(expression.name, target),)
    return field
