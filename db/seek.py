"""Pages whose rows PostgreSQL should find by their conditions, and then sort. Pure: nothing here uses a database.

PostgreSQL assumes that the rows which meet a condition are spread evenly in every order. So it reads the index of an
order until a page is full, also if all such rows are at its other end: of 2,600,000 messages in the order of `sentAt`,
it read 2,400,000 to find those that were updated on the last day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, Subquery, func, literal_column

from db.criterion import is_found_first, periods, roughly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from db.criterion import Shape
    from db.page import Order

# How many of the first rows of an order are read before all rows that meet the conditions are found and sorted.
_PROBED = 500
# So few rows are found and sorted at once.
_FEW = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """A page: its order, with the ids of its rows in `id_column`, the conditions of its cursors, and its size."""

    order: Order
    id_column: Any
    beyond: Sequence[ColumnElement[bool]]
    most: Any
    backward: bool

    def first(self, rows: Select[Any]) -> Select[Any]:
        """The page of `rows`."""
        return self.sort(rows.where(*self.beyond))

    def sort(self, rows: Select[Any]) -> Select[Any]:
        """The first of `rows` in the order."""
        return rows.order_by(*self.order.sort(self.id_column, backward=self.backward)).limit(self.most)

    def ids(
        self, select: Callable[[Sequence[Shape]], Select[Any]], clauses: Sequence[Shape]
    ) -> ColumnElement[Any] | None:
        """An array of the ids of the page if its rows are found before they are sorted; None if an index has the order.

        `select` makes a SELECT of the rows that meet clauses.
        """
        found_by = periods(clauses)
        is_first = is_found_first(clauses)
        is_elsewhere = found_by and (self.order.column is None or self.order.column.key not in found_by)
        if self.order.expressions or not (is_first or is_elsewhere):
            return None
        # Not as rows that are sorted, because the estimates should be right.
        matches = select(clauses)
        if is_first:
            rough = roughly(clauses)
            return self._found(matches) if rough == tuple(clauses) else self._found(select(rough), matches)
        return func.coalesce(self._near(matches, select(())), self._found(matches))

    def _found(self, matches: Select[Any], exact: Select[Any] | None = None) -> ColumnElement[Any]:
        """An array of the page's ids, of the rows of `matches` that are also in `exact`.

        The planner expects that the subquery is read to its end, and chooses the plan with the least total cost,
        because its rows are sorted again. They have that order already, so that only the page is read or sorted.
        """
        rows = self._sorted(matches).offset(literal_column("0")).subquery("found")
        found = rows.select()
        if exact is not None:
            # Evaluated for one row after the other, until the page is full.
            row: Any = exact.with_only_columns(literal_column("1")).where(self.id_column == rows.c.id)
            found = found.where(row.correlate(rows).scalar_subquery().is_not(None))
        return func.array(self._ids(found, rows).scalar_subquery())

    def _near(self, matches: Select[Any], every: Select[Any]) -> ColumnElement[Any]:
        """The same if the first rows of the order fill the page, otherwise null.

        `every` selects the rows without the conditions of `matches`. If only few rows match, none are read.
        """
        one: Any = literal_column("1")
        is_worth_it = matches.with_only_columns(one).offset(literal_column(str(_FEW))).limit(one).scalar_subquery()
        first = self._sorted(every).limit(literal_column(str(_PROBED))).subquery("first")
        found = matches.join(first, first.c.id == self.id_column).where(is_worth_it.is_not(None))
        near = self._ids(found, first).subquery("near")
        ids = near.select().with_only_columns(func.array_agg(near.c.id)).having(func.count() == self.most)
        return ids.scalar_subquery()

    def _sorted(self, rows: Select[Any]) -> Select[Any]:
        """`rows` in the order, with its keys."""
        *values, id_ = self.order.keys(self.id_column)
        keyed = rows.with_only_columns(*(value.label("value") for value in values), id_.label("id"))
        return keyed.where(*self.beyond).order_by(*self.order.sort(self.id_column, backward=self.backward))

    def _ids(self, rows: Select[Any], keyed: Subquery) -> Select[Any]:
        """The ids of the first `rows` in the order of the keys that were selected."""
        sort = self.order.sort_by(keyed.c, backward=self.backward)
        return rows.with_only_columns(keyed.c.id).order_by(*sort).limit(self.most)
