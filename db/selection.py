"""What a statement selects of a row: columns, computed values, times, and columns of the rows that it refers to.

A row that refers to others can bring their columns along, so that they need no statement of their own. Such a column is
named by both: `assignee_id.email` is the email of the row whose id is `assignee_id`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, FromClause, literal_column, true

from db import tables as t
from db.scope import visible
from db.times import Seconds, selected


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A value that is computed from other rows and selected with a row under `name`."""

    name: str
    value: ColumnElement[Any]


class Referred(NamedTuple):
    """Columns of the row of `target` whose id is `key`: a column, or an expression, of the row that refers to it."""

    key: str
    target: type[t.Table]
    columns: frozenset[Column]

    @property
    def prefix(self) -> str:
        """The beginning of the columns' names in the row that refers to it."""
        return f"{self.key}."


# A column by its name, or what is selected instead. `None` as `Columns` selects all columns.
Value: TypeAlias = str | Expression | Seconds
Column: TypeAlias = Value | Referred
Columns: TypeAlias = frozenset[Column] | None
ALL: Columns = None


def are_short(table: type[t.Table], columns: Iterable[Column]) -> bool:
    """Whether each of `columns` is a column of `table` with a short value, which may be read several times."""
    every: Any = table.__table__.columns  # type: ignore[attr-defined]
    names = [each.column if isinstance(each, Seconds) else each for each in columns]
    return all(isinstance(name, str) and not isinstance(every[name].type, t.FreeText) for name in names)


def refers(columns: Columns) -> bool:
    """Whether some of `columns` are those of rows that are referred to."""
    return any(isinstance(each, Referred) for each in columns or ())


def chosen(table: type[t.Table], columns: Columns) -> list[Any]:
    """The columns of `table` to select: those requested and the id, in the table's order, expressions last."""
    every: Any = table.__table__.columns  # type: ignore[attr-defined]
    if columns is None:
        return list(every)
    names = {"id", *(each.column if isinstance(each, Seconds) else each for each in columns)}
    own = [column for column in every if column.key in names]
    expressions = sorted((each for each in columns if isinstance(each, Expression)), key=lambda each: each.name)
    return [*own, *(expression.value.label(expression.name) for expression in expressions)]


def join_referred(source: FromClause, row: Any, columns: Columns) -> tuple[FromClause, list[Any]]:
    """`source` joined with the rows that its `row` refers to, and all of `columns`.

    With its LIMIT, each is joined by a nested loop, which keeps the order of `source`.
    """
    shown = selected(row.c, columns)
    for each in _merged(columns):
        rows = visible(each.target, *chosen(each.target, each.columns))
        rows = rows.where(each.target.id == row.c[each.key]).correlate(row)  # type: ignore[attr-defined]
        referred = rows.limit(literal_column("1")).lateral(each.key)
        source = source.join(referred, true(), isouter=True)
        shown += [column.label(each.prefix + column.key) for column in selected(referred.c, each.columns)]
    return source, shown


def _merged(columns: Columns) -> list[Referred]:
    """The rows that are referred to, by key; where several fields use the same, with all of their columns."""
    merged: dict[str, Referred] = {}
    for each in columns or ():
        if isinstance(each, Referred):
            known = merged.get(each.key)
            merged[each.key] = each._replace(columns=each.columns | known.columns) if known else each
    return [merged[key] for key in sorted(merged)]
