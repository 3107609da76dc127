"""The plan of one object type's selection while it is made: a function that shows the leaves, and steps for the rest.

The function is generated from the leaves, as one comprehension over the sources: a call and a lookup for each value
would cost more than showing it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from graphql import (
    GraphQLEnumType,
    GraphQLOutputType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from db import tables as t
from db.relations import Expression
from gql.fields.field import FallbackError, Planner, Step

_S = TypeVar("_S", bound=Step)

# Bytes of JSON at most: of a character, as in `\u0001`; of a number, an id, a moment or an enum's value; and of what
# other objects than rows have, such as a cursor.
ESCAPED = 6
_VALUE = 64
_ATTRIBUTE = 200

# Scalars whose values the database holds to what graphql-core would check.
_VERBATIM = {"String", "Boolean", "Int"}


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """A selection on the rows of `table`, or on other objects where that is None."""

    table: type[t.Table] | None
    columns: frozenset[str | Expression]
    build: Callable[[Sequence[Any], Callable[[int], str] | None], list[dict[str, Any]]]
    steps: tuple[Step, ...]
    size: int
    """Bytes of JSON that an object has at most, without its texts of any length and what steps put into it."""
    texts: tuple[tuple[str, int], ...]
    """The columns that hold texts of any length, and how often an object shows each."""


class ObjectBuilder:
    """Implements `gql.fields.field.Builder`."""

    def __init__(self, planner: Planner, table: type[t.Table] | None) -> None:
        self.planner = planner
        self._table = table
        self._columns: set[str | Expression] = set()
        self._items: list[str] = []
        self._names: dict[str, Any] = {}
        self._merged: dict[Any, Any] = {}
        self._steps: list[Step] = []
        self._size = 2
        self._texts: Counter[str] = Counter()

    @property
    def table(self) -> type[t.Table] | None:
        """The table of the rows."""
        return self._table

    def read(self, name: str | Expression) -> str:
        """Python source that reads a column or attribute of `row`."""
        self._count(name)
        if self._table is None:
            return f"row.{name}"
        self._columns.add(name)
        return f"row[{(name.name if isinstance(name, Expression) else name)!r}]"

    def bind(self, prefix: str, value: Any) -> str:
        """A name for `value` in the generated function."""
        name = f"{prefix}_{len(self._names)}"
        self._names[name] = value
        return name

    def show(self, key: str, source: str) -> None:
        """Show what the Python source gives."""
        self._size += len(key) + 8
        self._items.append(f"{key!r}: {source}")

    def hold(self, key: str) -> None:
        """Keep a place, as the order of keys is the order of the selection."""
        self.show(key, "None")

    def add_step(self, key: str, step: Step) -> None:
        """Keep a place that `step` fills."""
        self.hold(key)
        self._steps.append(step)

    def merged(self, kind: Callable[[], _S]) -> _S:
        """The one step of this kind."""
        if kind not in self._merged:
            self._merged[kind] = kind()
        step: _S = self._merged[kind]
        return step

    def serialise(self, source: str, type_: GraphQLOutputType, *, nullable: bool, verbatim: bool = False) -> str:
        """Python source that serialises a value as graphql-core's leaf type would."""
        leaf, plain = get_named_type(type_), get_nullable_type(type_)
        if not is_leaf_type(leaf):
            raise FallbackError(f"{leaf.name} is no leaf")
        if is_list_type(plain):
            item = self.serialise("item", plain.of_type, nullable=not is_non_null_type(plain.of_type))
            if nullable:
                return f"(None if (items := {source}) is None else [{item} for item in items])"
            return f"[{item} for item in {source}]"
        if verbatim and (leaf.name in _VERBATIM or (isinstance(leaf, GraphQLEnumType) and _is_verbatim(leaf))):
            return source
        show = self.bind("show", leaf.coerce_output_value)
        return f"(None if (value := {source}) is None else {show}(value))" if nullable else f"{show}({source})"

    def make(self) -> ObjectPlan:
        """The plan."""
        text = f"lambda rows, encode_id: [{{{', '.join(self._items)}}} for row in rows]"
        # The text holds names of GraphQL, columns and attributes, all checked to be identifiers where they were
        # declared. `eval` gives it Python's builtins, which a warning that is raised inside needs.
        build = eval(text, self._names)  # noqa: S307
        return ObjectPlan(
            self._table,
            frozenset(self._columns),
            build,
            (*self._merged.values(), *self._steps),
            self._size,
            tuple(self._texts.items()),
        )

    def _count(self, name: str | Expression) -> None:
        """Add what is read to the size of an object."""
        if self._table is None:
            self._size += _ATTRIBUTE
            return
        column = getattr(self._table, name, None) if isinstance(name, str) else None
        type_ = None if column is None else column.expression.type
        # Types of texts have a length, which is None where a text may have any. Those of enums have one, too.
        length = 0 if hasattr(type_, "enums") else getattr(type_, "length", 0)
        if length is None:
            self._texts[str(name)] += 1
        else:
            self._size += max(_VALUE, ESCAPED * length)


def _is_verbatim(enum: GraphQLEnumType) -> bool:
    """Whether columns hold the very names that the API shows, which their CHECK then guarantees."""
    return all(name == str(value.value) for name, value in enum.values.items())
