"""What a selection shows of its own rows: one function, made of all its leaves, from rows to objects.

It knows no relations. A leaf that it cannot promise to show exactly as graphql-core would is refused with
`UnplannableError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLOutputType,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from db import tables as t
from db.relations import Expression
from gql.fields.node import ComputedField, IdField
from gql.fields.relation import ExpressionField

_PASSED = {"String", "Boolean", "Int"}


class UnplannableError(Exception):
    """This selection is graphql-core's. The message says why, for the counter."""


class Builder:
    """Collects the leaves of a selection and makes the one function that shows them."""

    def __init__(self, table: type[t.Table]) -> None:
        self.columns: set[str | Expression] = set()
        self._table = table
        self._items: list[str] = []
        self._names: dict[str, Any] = {}

    def add_constant(self, key: str, value: str | None) -> None:
        """A key with the same value in all objects; None keeps the place of what a relation will put there."""
        self._items.append(f"{key!r}: {value!r}")

    def add_leaf(self, key: str, type_: GraphQLOutputType, field: Any) -> None:
        """A key that shows columns of the row."""
        if isinstance(field, IdField):
            self.columns.add("id")
            self._items.append(f"{key!r}: encode_id(row['id'])")
            return
        if isinstance(field, ComputedField):
            self.columns.update(field.columns)
            compute = self._name("compute", field.compute)
            value = f"{compute}({', '.join(f'row[{column!r}]' for column in field.columns)})"
            # Unlike a column, a computation may give anything: what it gives is checked, unless types have checked it.
            if not (_answers_yes_or_no(field.compute) and get_named_type(type_).name == "Boolean"):
                value = self._checked(value, type_, nullable=not is_non_null_type(type_))
            self._items.append(f"{key!r}: {value}")
            return
        if isinstance(field, ExpressionField):
            self.columns.add(field.expression)
            self._items.append(f"{key!r}: {self._shown(f'row[{field.expression.name!r}]', type_, nullable=False)}")
            return
        table = self._table
        column = getattr(table, field.python_name, None)
        if field.base_resolver is not None or column is None:
            raise UnplannableError(f"{table.__name__}.{field.python_name} has a resolver of its own")
        nullable = column.expression.nullable
        if nullable and is_non_null_type(type_):
            raise UnplannableError(f"{table.__name__}.{field.python_name} may be null where none may be")
        self.columns.add(field.python_name)
        self._items.append(f"{key!r}: {self._shown(f'row[{field.python_name!r}]', type_, nullable=nullable)}")

    def make(self) -> Callable[[Sequence[Any], Callable[[int], str]], list[dict[str, Any]]]:
        """The function from rows, and from what encodes their ids, to objects."""
        source = f"lambda rows, encode_id: [{{{', '.join(self._items)}}} for row in rows]"
        # The text holds GraphQL names and column names only, both checked to be identifiers where they were declared.
        return eval(source, self._names)  # type: ignore[no-any-return]  # noqa: S307

    def _shown(self, value: str, type_: GraphQLOutputType, *, nullable: bool) -> str:
        """The expression that shows a column's `value` as graphql-core would serialise it."""
        leaf = get_named_type(type_)
        if leaf.name in _PASSED or (isinstance(leaf, GraphQLEnumType) and _is_verbatim(leaf)):
            return value
        return self._checked(value, type_, nullable=nullable)

    def _checked(self, value: str, type_: GraphQLOutputType, *, nullable: bool) -> str:
        """The expression that has graphql-core's leaf type serialise `value`."""
        leaf = get_named_type(type_)
        if not is_leaf_type(leaf) or _holds_list(type_):
            raise UnplannableError(f"{leaf.name} is no leaf")
        show = self._name("show", leaf.coerce_output_value)
        return f"(None if (value := {value}) is None else {show}(value))" if nullable else f"{show}({value})"

    def _name(self, prefix: str, function: Any) -> str:
        name = f"{prefix}_{len(self._names)}"
        self._names[name] = function
        return name


def _answers_yes_or_no(compute: Callable[..., Any]) -> bool:
    return getattr(compute, "__annotations__", {}).get("return") in {bool, "bool"}


def _holds_list(type_: GraphQLOutputType) -> bool:
    return is_list_type(type_.of_type if is_non_null_type(type_) else type_)


def _is_verbatim(enum: GraphQLEnumType) -> bool:
    """Whether columns hold the very names that the API shows, which their CHECK then guarantees."""
    return all(name == str(value.value) for name, value in enum.values.items())
