"""Keyset pages: the rows that follow a given row. Pure: nothing here uses a database.

An order is one expression that is never null, then the id, both in one direction. A position in it is therefore a pair,
and the rows after it are those of one row comparison, for which PostgreSQL reads one range of an index, however deep
the page. Null sorts last in either direction: it is replaced by infinity, in the indexes too
(`db.tables.conversation`). Only an order by an expression with a parameter, such as the relevance for a search, has no
index: all its rows are sorted for each page.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Label, and_, bindparam, case, literal_column, tuple_

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

MAX_SIZE = 100
DEFAULT_SIZE = 20

# The most rows that are ordered by an expression.
MOST_RANKED = 2_000

# The parameter for the value that an order is bound to.
VALUE = "order_value"


class Position(NamedTuple):
    """A row's place in an order: the value of the order's column (none where it orders by id alone) and the id."""

    value: datetime | float | None
    id: int


class Page(NamedTuple):
    """The requested part of an order: at most `size` rows from its start, or from its end if `backward`.

    `after` and `before` restrict it to the rows strictly between them.
    """

    size: int = DEFAULT_SIZE
    backward: bool = False
    after: Position | None = None
    before: Position | None = None

    @property
    def shape(self) -> tuple[bool, bool, bool]:
        """The part of the page that the statement depends on, and not only its parameters."""
        return self.backward, self.after is not None, self.before is not None

    def parameters(self) -> dict[str, Any]:
        """The values bound by `beyond()`, and the limit: one row more than requested shows whether there are more."""
        bound: dict[str, Any] = {"limit": self.size + 1}
        for side, position in (("after", self.after), ("before", self.before)):
            if position is not None:
                bound[f"{side}_value"] = position.value
                bound[f"{side}_id"] = position.id
        return bound


FIRST_PAGE = Page()


@dataclass(frozen=True, slots=True)
class Order:
    """A total order over a table's rows, by `column` and then by id. Without a column, by id alone.

    `name` distinguishes it from the other orders of the same connection, and cursors carry it. Null is replaced in
    timestamps only, so a nullable column of another type cannot be an order.

    Instead of a column there may be a labelled expression over the parameter `VALUE` that is never null. Such an order
    is `bound()` to a value before it is used. It has no index, and therefore contains only the first `MOST_RANKED` rows
    of the order `within`.
    """

    name: str
    column: Any = None
    descending: bool = False
    value: str | None = None
    within: Order | None = None

    def bound(self, value: str) -> Order:
        """The order with `value` in its expression. Equal for equal values."""
        return replace(self, value=value)

    @property
    def shape(self) -> Order:
        """The part of the order that a statement depends on, and not only its parameters."""
        return self if self.value is None else replace(self, value=None)

    @property
    def full_name(self) -> str:
        """The name with a digest of the value: a cursor of one search is not valid in another."""
        return (
            self.name
            if self.value is None
            else f"{self.name}:{blake2b(self.value.encode(), digest_size=6).hexdigest()}"
        )

    @property
    def expressions(self) -> tuple[Any, ...]:
        """Expressions of the order to select beside the columns of the table."""
        return (self.column,) if isinstance(self.column, Label) else ()

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the table that `position` needs. Expressions are always selected."""
        return frozenset() if self.column is None or self.expressions else frozenset({self.column.key})

    def parameters(self) -> dict[str, Any]:
        """The value of the expression's parameter."""
        return {} if self.value is None else {VALUE: self.value}

    def keys(self, id_column: Any) -> list[ColumnElement[Any]]:
        """The expressions to compare and sort by, none of which is null."""
        return [id_column] if self.column is None else [self._never_null(self.column), id_column]

    def sort(self, id_column: Any, *, backward: bool) -> list[ColumnElement[Any]]:
        """The ORDER BY, reversed if the page is read from its end."""
        return self.sort_by(self.keys(id_column), backward=backward)

    def sort_by(self, keys: Iterable[Any], *, backward: bool) -> list[ColumnElement[Any]]:
        """The same for `keys` of the order that were selected."""
        down = self.descending != backward
        return [key.desc() if down else key.asc() for key in keys]

    def beyond(self, side: str, id_column: Any, *, inside: bool = True) -> ColumnElement[bool]:
        """Rows on the inner side of the cursor `side` ("after" or "before"), or else the cursor's row and beyond."""
        rows, position = _row(self.keys(id_column)), _row(self._bound(side))
        upward = (side == "after") != self.descending
        if inside:
            return rows > position if upward else rows < position
        return rows <= position if upward else rows >= position

    def at(self, side: str, id_column: Any) -> ColumnElement[bool]:
        """The row of the cursor `side`, if it is still at that position."""
        return and_(*map(operator.eq, self.keys(id_column), self._bound(side)))

    def position(self, row: Any) -> Position:
        """The position of `row`."""
        return Position(None if self.column is None else getattr(row, self.column.key), row.id)

    def holds(self, position: Position) -> bool:
        """Whether a row could be at `position`: the value has the column's type, or is null in a nullable column."""
        if self.column is None:
            return position.value is None
        if position.value is None:
            return self._nullable
        return isinstance(position.value, self.column.type.python_type)

    def _bound(self, side: str) -> list[ColumnElement[Any]]:
        """The values of the cursor `side`, to compare with the keys."""
        bound: list[ColumnElement[Any]] = [bindparam(f"{side}_id", type_=BigInteger)]
        if self.column is not None:
            bound.insert(0, self._never_null(bindparam(f"{side}_value", type_=self.column.type)))
        return bound

    @property
    def _nullable(self) -> bool:
        return getattr(self.column.expression, "nullable", False)

    def _never_null(self, expression: Any) -> ColumnElement[Any]:
        if not self._nullable:
            return expression  # type: ignore[no-any-return]
        # Written exactly as in the indexes (`db.tables.conversation`).
        infinity: Any = literal_column(f"'{'-' if self.descending else ''}infinity'::timestamptz")
        return case((expression.is_(None), infinity), else_=expression)


BY_ID = Order("id")


def orders(*columns: Any) -> dict[tuple[str, bool], Order]:
    """The orders by each of `columns`, by the column's name and whether it is descending. Each needs an index."""
    return {
        (column.key, descending): Order(f"{column.key}:{'desc' if descending else 'asc'}", column, descending)
        for column in columns
        for descending in (False, True)
    }


def _row(keys: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    return keys[0] if len(keys) == 1 else tuple_(*keys)
