"""Conditions on rows: a fixed clause, and the value it is given. Pure.

The clauses of a filter are the shape of its statement, and the values its parameters, so that a statement is compiled
once per shape. A condition never evaluates to null: `NOT` of it is always its opposite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, func, not_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine


@dataclass(frozen=True, slots=True, eq=False)
class Clause:
    """A condition's SQL, made from the parameter that holds its value. Without `type` it takes no value."""

    build: Callable[[Any], ColumnElement[bool]]
    type: TypeEngine[Any] | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """A clause with its value. Hashable, so that equal filters share a loader."""

    clause: Clause
    value: Any = None


Criterion: TypeAlias = Callable[[Any], Term]


def flag(condition: ColumnElement[bool]) -> Criterion:
    """True asks for `condition`, false for its opposite."""
    yes, no = Clause(lambda _: condition), Clause(lambda _: not_(condition))
    return lambda value: Term(yes if value else no)


def any_of(column: Any) -> Criterion:
    """The column is one of the values; of none where the list is empty."""
    return any_where(column.type, lambda values: column == values)


def any_where(type_: TypeEngine[Any], build: Callable[[Any], ColumnElement[bool]]) -> Criterion:
    """`build` is given `ANY(values)`, to compare a column of `type_` with: one statement for lists of every length."""
    clause = Clause(lambda bound: build(func.any(bound)), ARRAY(type_))
    return lambda values: Term(clause, tuple(values))


def compared(column: Any, compare: Callable[[Any, Any], ColumnElement[bool]]) -> Criterion:
    """The column compared with a value, such as `operator.ge`. The column must not be nullable."""
    clause = Clause(lambda bound: compare(column, bound), column.type)
    return lambda value: Term(clause, value)


def conditions(clauses: Sequence[Clause], bind: Callable[[int, TypeEngine[Any]], Any]) -> list[ColumnElement[bool]]:
    """The SQL of `clauses`, each given the parameter that `bind` makes for its place in the list."""
    return [
        clause.build(None if clause.type is None else bind(place, clause.type)) for place, clause in enumerate(clauses)
    ]
