"""Builds the plan of one object type's selection: a function for the leaves, and steps for the other fields.

The function is generated as one comprehension over the sources, because a call and a lookup for each value would take
longer than copying it.
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
from db.selection import Column, Referred, Value, are_short
from gql.fields.field import FallbackError, Planner, Step

_S = TypeVar("_S", bound=Step)

# The most bytes of JSON: of a character, as in `\u0001`; of a number, an id, a time or an enum value; and of the values
# of other objects than rows, such as a cursor.
ESCAPED = 6
_VALUE = 64
_ATTRIBUTE = 200

# Scalars for which the database ensures what graphql-core would check.
_VERBATIM = {"String", "Boolean", "Int"}


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """A selection on the rows of `table`, or on other objects if it is None."""

    table: type[t.Table] | None
    columns: frozenset[Column]
    build: Callable[[Sequence[Any], Callable[[Sequence[int]], list[str]] | None], list[dict[str, Any]]]
    steps: tuple[Step, ...]
    size: int
    """The most bytes of JSON of an object, without its unlimited texts and the values of steps."""
    texts: tuple[tuple[str, int], ...]
    """The columns with texts of unlimited length, and how often an object contains each."""

    @property
    def is_short(self) -> bool:
        """Whether an object needs only short columns of its row, and no other row."""
        return not self.steps and self.table is not None and are_short(self.table, self.columns)


class ObjectBuilder:
    """Implements `gql.fields.field.Builder`."""

    def __init__(self, planner: Planner, table: type[t.Table] | None, most: int, prefix: str) -> None:
        self.planner = planner
        self.most = most
        self._prefix = prefix
        self._table = table
        self._columns: set[Column] = set()
        self._items: list[str] = []
        self._names: dict[str, Any] = {}
        self._merged: dict[Any, Any] = {}
        self._steps: list[Step] = []
        self._has_global_id = False
        self._size = 2
        self._texts: Counter[str] = Counter()

    @property
    def table(self) -> type[t.Table] | None:
        """The table of the rows."""
        return self._table

    def read(self, name: Value) -> str:
        """Python source that reads a column or attribute of `row`."""
        self._count(name)
        if self._table is None:
            return f"row.{name}"
        self._columns.add(name)
        return f"row[{self._prefix + (name if isinstance(name, str) else name.name)!r}]"

    def join(self, referred: Referred) -> None:
        """Select columns of a row that the level's rows refer to, together with their own."""
        self._columns.add(referred)

    def global_id(self) -> str:
        """Python source of the row's global id."""
        self.read("id")
        self._has_global_id = True
        return "global_id"

    def bind(self, prefix: str, value: Any) -> str:
        """A name for `value` in the generated function."""
        name = f"{prefix}_{len(self._names)}"
        self._names[name] = value
        return name

    def show(self, key: str, source: str) -> None:
        """Put the value of the Python source into the object."""
        self._size += len(key) + 8
        self._items.append(f"{key!r}: {source}")

    def hold(self, key: str) -> None:
        """Reserve the key: keys are in the order of the selection."""
        self.show(key, "None")

    def add_step(self, key: str, step: Step) -> None:
        """Reserve the key, for `step` to fill."""
        self.hold(key)
        self._steps.append(step)

    def merged(self, kind: Callable[[], _S]) -> _S:
        """The shared step of this kind."""
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
        sources = "row in rows"
        if self._has_global_id:
            sources = f"row, global_id in zip(rows, encode_ids([row[{self._prefix + 'id'!r}] for row in rows]))"
        text = f"lambda rows, encode_ids: [{{{', '.join(self._items)}}} for {sources}]"
        # The text contains names of GraphQL, columns and attributes, which were all checked to be identifiers when they
        # were declared. `eval` provides Python's builtins, which are needed for warnings.
        build = eval(text, self._names)  # noqa: S307
        return ObjectPlan(
            self._table,
            frozenset(self._columns),
            build,
            (*self._merged.values(), *self._steps),
            self._size,
            tuple(self._texts.items()),
        )

    def _count(self, name: Value) -> None:
        """Add a value to the size of an object."""
        if self._table is None:
            self._size += _ATTRIBUTE
            return
        column = getattr(self._table, name, None) if isinstance(name, str) else None
        type_ = None if column is None else column.expression.type
        # Types of texts and enums have a length, which is None if it is unlimited.
        length = 0 if hasattr(type_, "enums") else getattr(type_, "length", 0)
        if length is None:
            self._texts[f"{self._prefix}{name}"] += 1
        else:
            self._size += max(_VALUE, ESCAPED * length)


def _is_verbatim(enum: GraphQLEnumType) -> bool:
    """Whether columns contain the names that the API returns, as a CHECK guarantees."""
    return all(name == str(value.value) for name, value in enum.values.items())
