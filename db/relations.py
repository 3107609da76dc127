"""Relations between rows. Each is loaded for many parents at once, in one statement.

A relation is declared by columns, where the API exposes it; tables and keys follow from the foreign keys. Pages are
limited per parent in SQL (`LATERAL … LIMIT`), so that a parent with a million children costs no more than its page.
Rows are neither serialised nor cached here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.types import TypeEngine

from db import tables as t
from db.compiled import kept
from db.criterion import Clause, Shape, Term, alternatives, conditions, values
from db.engine import Snapshot
from db.page import BY_ID, FIRST_PAGE, MOST_RANKED, Order, Page
from db.scope import ACCOUNT, visible
from db.seek import Sought
from db.selection import ALL, Columns, chosen, join_referred, refers
from db.statement import Statement
from db.texts import limited
from db.times import selected

_KEYS = "keys"
_KEY = "key"


class Window(NamedTuple):
    """The requested children of each parent: a page of an order, of the rows that meet all terms. Hashable."""

    page: Page = FIRST_PAGE
    order: Order = BY_ID
    where: tuple[Term, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """The values of the page, of the order and of the terms."""
        return self.page.parameters() | self.order.parameters() | filter_parameters(self.where)


class Slice(NamedTuple):
    """A page of one parent's children, in the requested order, and whether there are rows before and after it.

    A request may make hundreds: a tuple takes a third of the time of a frozen dataclass (0.2 instead of 0.6 µs).
    """

    rows: list[Any]
    has_next: bool
    has_previous: bool


def filter_parameters(where: Sequence[Term]) -> dict[str, Any]:
    """The values of terms, by the names of their parameters."""
    return {_place(place): value for place, value in enumerate(values(where))}


def _place(place: int) -> str:
    return f"term_{place}"


def filter_parameter(place: int, type_: TypeEngine[Any]) -> Any:
    """The parameter for the value with that index."""
    return bindparam(_place(place), type_=type_)


def _keys(*, single: bool) -> Any:
    """The keys as an array: of unknown length, or with a single element.

    PostgreSQL plans a statement on an array of unknown length each time, because it estimates that a generic plan costs
    more. With a single element it uses a generic plan: 22 instead of 87 µs of PostgreSQL's CPU for a row.
    """
    return array([bindparam(_KEY, type_=BigInteger)]) if single else bindparam(_KEYS, type_=ARRAY(BigInteger))


def _key_parameters(keys: Sequence[int]) -> dict[str, Any]:
    return {_KEYS: keys, _KEY: keys[0]} if keys else {_KEYS: keys}


@dataclass(frozen=True, slots=True, eq=False)
class ById:
    """The rows of a table by their ids, within the account. `by_id()` makes one for each table."""

    table: type[t.Table]

    async def load(
        self, snapshot: Snapshot, account_id: int, ids: Sequence[int], columns: Columns = ALL
    ) -> list[Any | None]:
        """A row with at least `columns` for each id, None if the account has no such row."""
        statement = await _by_id_statement.find(snapshot, self.table, columns, single=len(ids) == 1)
        rows = await snapshot.fetch(statement, {ACCOUNT: account_id, **_key_parameters(ids)})
        found = {row["id"]: row for row in rows}
        return [found.get(id_) for id_ in ids]


@cache
def by_id(table: type[t.Table]) -> ById:
    """The relation from ids to the rows of `table`.

    All references to the table share it, so that a row is read once.
    """
    return ById(table)


@kept
def _by_id_statement(table: type[t.Table], columns: Columns, *, single: bool) -> Statement:
    column: Any = table.id  # type: ignore[attr-defined]
    own = chosen(table, columns)
    rows = visible(table, *own).where(column == func.any(_keys(single=single)))
    if not refers(columns):
        return Statement.of(rows.with_only_columns(*limited(selected(own, columns))), table)
    # OFFSET keeps the planner from merging this into the outer query, where an expression would run twice: for its
    # value, and for the row whose id it is.
    row = rows.offset(literal_column("0")).subquery("row")
    source, shown = join_referred(row, row, columns)
    return Statement.of(select(*limited(shown)).select_from(source), table)


@dataclass(frozen=True, slots=True, eq=False)
class One:
    """A row has at most one related row: its column `key` holds that row's id."""

    key: str
    target: type[t.Table]

    @classmethod
    def along(cls, column: Any) -> One:
        """The relation that the foreign key `column` makes."""
        return cls(column.key, _referred(column))


@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """A row has related rows of `target`: their `parent` column holds its id, or a link table joins them.

    With a link table, `parent` and `child` are its two columns; without, `child` is the target's id.
    """

    target: type[t.Table]
    parent: Any
    child: Any

    @classmethod
    def along(cls, column: Any) -> Many:
        """The reverse of the foreign key `column`."""
        return cls(column.class_, column, column.class_.id)

    @classmethod
    def through(cls, parent: Any, child: Any) -> Many:
        """Along two foreign keys of one link table."""
        return cls(_referred(child), parent, child)

    @property
    def linked(self) -> bool:
        """Whether it uses a link table."""
        return self.child.class_ is not self.target

    async def load(
        self, snapshot: Snapshot, account_id: int, parents: Sequence[int], window: Window, columns: Columns = ALL
    ) -> list[Slice]:
        """A slice for each parent, its rows with at least `columns`. `parents` are distinct.

        A row has a position in the order only if the order's `columns` are among them.
        """
        page = window.page
        clauses = tuple(term.clause for term in window.where)
        # Without a filter, PostgreSQL can plan a page once for all values, if the size of the page is a constant. With
        # one, the best plan depends on the values, so that the statement is planned each time.
        limit = None if clauses else page.size + 1
        single = len(parents) == 1 and not clauses
        statement = await _page_statement.find(
            snapshot, self, window.order.shape, page.shape, clauses, columns, limit, single=single
        )
        rows = await snapshot.fetch(statement, {ACCOUNT: account_id, **_key_parameters(parents), **window.parameters()})
        return list(_slices(rows, len(parents), page))

    async def count(
        self, snapshot: Snapshot, account_id: int, parents: Sequence[int], where: tuple[Term, ...]
    ) -> list[int]:
        """For each parent, the number of children that meet all of `where`."""
        clauses = tuple(term.clause for term in where)
        statement = await _count_statement.find(snapshot, self, clauses, single=len(parents) == 1 and not where)
        rows = await snapshot.fetch(
            statement, {ACCOUNT: account_id, **_key_parameters(parents), **filter_parameters(where)}
        )
        counts: Mapping[int, int] = {row.parent: row.total for row in rows}
        return [counts.get(parent, 0) for parent in parents]

    def select(self, clauses: Sequence[Shape], *columns: Any, ordered: bool = False) -> Select[Any]:
        """The children in the account that meet `clauses`, of every parent. `ordered` if the caller sorts them."""
        statement = visible(self.target, *columns)
        if self.linked:
            link = self.child.class_
            statement = statement.join(
                link,
                and_(link.account_id == self.target.account_id, self.child == self.target.id),  # type: ignore[attr-defined]
            )
        return statement.where(*conditions(clauses, filter_parameter, given=clauses, ordered=ordered))


@kept
def _page_statement(  # noqa: PLR0913, PLR0917  # all that the text depends on
    many: Many,
    order: Order,
    shape: tuple[bool, bool, bool],
    clauses: tuple[Shape, ...],
    columns: Columns,
    limit: int | None,
    *,
    single: bool,
) -> Statement:
    """The rows of all parents' pages: the parent's index, the child's columns, and whether rows are beyond the cursors.

    The order of a parent's rows is that of the LATERAL subquery: with its LIMIT it can only be joined by a nested loop,
    which keeps it. Sorting once more would cost as much again.
    """
    backward, after, before = shape
    keys = _keys(single=single)
    parent = func.unnest(keys).table_valued("key", with_ordinality="position").render_derived(name="parent")
    own = chosen(many.target, columns)
    order, found = _candidates(many, order, clauses, own)

    def of_parent(rows: Select[Any]) -> Select[Any]:
        return rows.where(many.parent == parent.c.key).correlate(parent)

    found = [of_parent(each) for each in found]
    sides = [side for side, given in (("after", after), ("before", before)) if given]
    most: Any = bindparam("limit") if limit is None else literal_column(str(limit))
    page = Sought(order, many.child, [order.beyond(side, many.child) for side in sides], most, backward)
    by_id = _is_of_page(many, clauses, found, page)
    rows = page.first(found[0]) if by_id is None else page.sort(of_parent(many.select((), *own).where(by_id)))
    row = rows.lateral("row")
    # If no rows are beyond, a parent without children needs no row that says so.
    ends = _ends(many, order, found, sides, most if clauses else None) if sides else None
    source: FromClause = parent if ends is None else parent.join(ends, true())
    source, shown = join_referred(source.join(row, true(), isouter=ends is not None), row, columns)
    every = (parent.c.position, *(() if ends is None else ends.c), *limited(shown))
    return Statement.of(select(*every).select_from(source), many.target)


def _candidates(
    many: Many, order: Order, clauses: tuple[Shape, ...], own: Sequence[Any]
) -> tuple[Order, list[Select[Any]]]:
    """Selects of `own`: each child that meets `clauses` is in at least one. And the order, for their columns."""
    if order.within is None:
        return order, [many.select(each, *own, ordered=True) for each in alternatives(clauses)]
    ranked = _ranked(many, order, clauses)
    order = replace(order, column=ranked.c[order.column.key].label(order.column.key))
    return order, [many.select((), *own, *order.expressions).join(ranked, ranked.c.id == many.child)]


def _is_of_page(
    many: Many, clauses: tuple[Shape, ...], found: Sequence[Select[Any]], page: Sought
) -> ColumnElement[bool] | None:
    """The condition of a page's rows by their ids, if it is not simply the first rows of `found`."""
    # Only the lists of an account are so long that it matters how their rows are found.
    if many.parent.key == ACCOUNT and (ids := page.ids(many.select, clauses)) is not None:
        return many.child == func.any(ids)  # type: ignore[no-any-return]
    if len(found) == 1:
        return None
    # The first rows of all are among the first ones of each.
    return many.child.in_(union_all(*(page.first(each.with_only_columns(many.child)) for each in found)))  # type: ignore[no-any-return]


def _ranked(many: Many, order: Order, clauses: Sequence[Shape]) -> CTE:
    """The ids of the rows that are ordered by an expression, with its value: computed once per statement.

    They are selected per account and not per parent, so the connection must be one of the account.
    """
    if order.within is None or many.parent.key != ACCOUNT:
        raise ValueError(f"{order.name} is no order of {many.parent}")
    first = many.select(clauses, many.child.label("id"), ordered=True)
    first = first.order_by(*order.within.sort(many.child, backward=False)).limit(literal_column(str(MOST_RANKED)))
    rows = first.subquery("first")
    ranked = many.select((), many.child.label("id"), *order.expressions).join(rows, rows.c.id == many.child)
    return ranked.cte("ranked").prefix_with("MATERIALIZED")


def _ends(many: Many, order: Order, found: Sequence[Select[Any]], sides: Sequence[str], most: Any) -> FromClause:
    """Whether a parent has rows at or beyond each cursor in any of `found`: a column `beyond_…` for each side."""

    def beyond(side: str) -> ColumnElement[bool]:
        # The nearest row beyond, found like a page of one: for EXISTS the planner might scan for any row.
        rows = [
            each.with_only_columns(many.child).where(order.beyond(side, many.child, inside=False)) for each in found
        ]
        if order.expressions:
            # No index has this order, so any row will do.
            return or_(*(each.limit(literal_column("1")).scalar_subquery().is_not(None) for each in rows))
        rows = [each.order_by(*order.sort(many.child, backward=side == "after")) for each in rows]
        if most is None:
            return or_(*(each.limit(literal_column("1")).scalar_subquery().is_not(None) for each in rows))
        # With conditions, the nearest row may be far away, unless it is the cursor's own row, which nearly always still
        # exists. Otherwise as many rows as the page's are found with the plan that suits the page.
        at = [each.with_only_columns(many.child).where(order.at(side, many.child)) for each in found]
        own = or_(*(each.scalar_subquery().is_not(None) for each in at))
        arrays = [func.array(each.limit(most).scalar_subquery()) for each in rows]
        return case((own, true()), else_=or_(*(func.cardinality(each) > literal_column("0") for each in arrays)))

    # OFFSET keeps the planner from merging this into the outer query, where it would run for every row.
    ends = select(*(beyond(side).label(f"beyond_{side}") for side in sides))
    return ends.offset(literal_column("0")).lateral("ends")


@kept
def _count_statement(many: Many, clauses: tuple[Shape, ...], *, single: bool) -> Statement:
    parent = many.parent.label("parent")
    total = func.count().label("total")
    if many.parent.key == ACCOUNT and len(clauses) == 1:
        (clause,) = clauses
        if isinstance(clause, Clause) and clause.counted is not None:
            # The account is the one parent, and counting rows of another table gives the number.
            number = clause.counted(clause.type and filter_parameter(0, clause.type))
            return Statement.of(number.add_columns(bindparam(ACCOUNT, type_=BigInteger).label("parent")), many.target)
    # Without conditions on the target, the link table is enough.
    rows = many.select(clauses, parent, total) if clauses else visible(many.parent.class_, parent, total)
    return Statement.of(rows.where(many.parent == func.any(_keys(single=single))).group_by(many.parent), many.target)


def _slices(rows: Sequence[Any], parents: int, page: Page) -> Iterator[Slice]:
    """Split the rows of `_page_statement` into one slice for each parent."""
    grouped: list[list[Any]] = [[] for _ in range(parents)]
    beyond_after, beyond_before = [False] * parents, [False] * parents
    if page.after is None and page.before is None:
        # Then each row is a child. Most pages are such, and a test of each row would double the time of this loop.
        for row in rows:
            grouped[row["position"] - 1].append(row)
        rows = ()
    for row in rows:
        place = row["position"] - 1
        if page.after is not None:
            beyond_after[place] = row["beyond_after"]
        if page.before is not None:
            beyond_before[place] = row["beyond_before"]
        # A parent without children has one row, which only says whether rows are beyond the cursors.
        if row["id"] is not None:
            grouped[place].append(row)
    for group, earlier, later in zip(grouped, beyond_after, beyond_before, strict=True):
        more = len(group) > page.size
        shown = group[: page.size] if more else group
        if page.backward:
            shown.reverse()
        yield Slice(
            shown,
            has_next=later or (more and not page.backward),
            has_previous=earlier or (more and page.backward),
        )


@cache
def _classes() -> dict[Any, type[t.Table]]:
    """The class of each table."""
    return {table.__table__: table for name in t.__all__ if hasattr(table := getattr(t, name), "__table__")}


def _referred(column: Any) -> type[t.Table]:
    """The table that the foreign key `column` refers to. Raises ValueError for any other column."""
    for key in column.expression.foreign_keys:
        # A composite key begins with what narrows it, the account first, and ends with the column that refers.
        if key.constraint.column_keys[-1] == column.key:
            return _classes()[key.column.table]
    raise ValueError(f"{column} is not a foreign key")
