"""Conditions on rows: clauses, and their values as parameters. Pure.

The clauses of a filter are the shape of its statement, and the values its parameters, so that a statement is compiled
once per shape. A condition never evaluates to null, so that `NOT` is always its opposite.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine


@dataclass(frozen=True, slots=True, eq=False)
class Clause:
    """A condition's SQL, made from the parameter that holds its value. Without `type` it takes no value.

    `selective`: few rows meet it, whatever the value, and an index finds them. `indirect`: its rows are found through
    rows of other tables. `bunched`: its rows are close together in an order by time, such as open conversations, or
    those of a period. `costly`: to check a row takes longer than to find the rows by an index. `found_first`: so much
    longer that its rows are always found by that index and then sorted. `period`: the column that it bounds, if such
    rows may be at the other end of an order by another column (`db.seek`).

    `excludes`: clauses that no row meets together with this one.

    `rough`: a clause with the same value that more rows meet, and whose rows an index finds without reading them.

    `counted` makes a SELECT on another table, with one row for each row that meets the condition. `found` makes one of
    their ids on another table, in which an id may be several times.
    """

    build: Callable[[Any], ColumnElement[bool]]
    type: TypeEngine[Any] | None = None
    selective: bool = False
    indirect: bool = False
    bunched: bool = False
    costly: bool = False
    found_first: bool = False
    period: str | None = None
    rough: Clause | None = None
    excludes: frozenset[Shape] = frozenset()
    counted: Callable[[Any], Select[Any]] | None = None
    found: Callable[[Any], Select[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """The opposite of a clause."""

    clause: Clause
    selective: ClassVar[bool] = False
    indirect: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Joined:
    """Several shapes joined by `AND` or `OR`. Equal if the parts and the operator are.

    If it is `united`, `join` gets a SELECT of the ids of each part that has one instead of its condition.
    """

    join: Join
    parts: tuple[Shape, ...]
    selective: bool = False
    united: bool = False
    """Whether rows of its parts are found separately and united."""

    @property
    def indirect(self) -> bool:
        """Whether any part is."""
        return any(part.indirect for part in self.parts)


Join: TypeAlias = Callable[..., ColumnElement[bool]]
Shape: TypeAlias = Clause | Denied | Joined


@dataclass(frozen=True, slots=True)
class Term:
    """A clause with its value, or joined clauses with a tuple of their values.

    Hashable: equal filters share a loader.
    """

    clause: Shape
    value: Any = None


Criterion: TypeAlias = Callable[[Any], Term]

# The most conditions of all alternatives together: planning and compiling them must not take longer than reading.
_MOST_REPEATED = 50

# The operators of a range, by their names in the API.
ENDS: Mapping[str, Callable[[Any, Any], Any]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}


def flag(condition: ColumnElement[bool], *, selective: bool = False, excludes: Iterable[Term] = ()) -> Criterion:
    """True matches the rows that meet `condition`, false the others. The condition may exclude other terms."""
    excluded = frozenset(term.clause for term in excludes)
    clause = Clause(lambda _: condition, selective=selective, bunched=True, excludes=excluded)
    return lambda value: Term(clause if value else Denied(clause))


def any_of(column: Any) -> Criterion:
    """The column has one of the values. An empty list and a null match nothing."""
    known = [column.is_not(None)] if column.expression.nullable else []
    return any_where(column.type, lambda values: and_(*known, column == values), selective=column.primary_key)


def any_where(
    type_: TypeEngine[Any],
    build: Callable[[Any], ColumnElement[bool]],
    *,
    selective: bool = False,
    counted: Callable[[Any], Select[Any]] | None = None,
    found: Callable[[Any], Select[Any]] | None = None,
) -> Criterion:
    """`build` gets `ANY(values)` to compare a column of `type_` with: one statement for lists of any length.

    `counted` and `found` get the same, and find the rows through another table.
    """
    clause = Clause(
        lambda bound: build(func.any(bound)),
        ARRAY(type_),
        selective,
        indirect=counted is not None,
        counted=counted and (lambda bound: counted(func.any(bound))),
        found=found and (lambda bound: found(func.any(bound))),
    )
    return lambda values: Term(clause, tuple(values))


def compared(column: Any, compare: Callable[[Any, Any], ColumnElement[bool]]) -> Criterion:
    """The column compared with a value, such as `operator.eq`. The column must not be nullable."""
    clause = Clause(lambda bound: compare(column, bound), column.type)
    return lambda value: Term(clause, value)


def between(column: Any, *sorted_by: Any) -> Criterion:
    """The time in `column` meets all given `ENDS`. A null is in no period with an end; without any, every row matches.

    `sorted_by` are expressions equal to the column where it is not null, each with an index: a page in the order of one
    of them starts reading where the period does.
    """
    known = [column.is_not(None)] if column.expression.nullable else []

    def end(compare: Callable[[Any, Any], Any]) -> Clause:
        return Clause(
            lambda bound: and_(*known, *(compare(expression, bound) for expression in sorted_by)),
            column.type,
            bunched=True,
        )

    ends = {name: end(compare) for name, compare in ENDS.items()}
    return lambda values: every(Term(ends[name], value) for name, value in values.items())


def since(column: Any) -> Criterion:
    """The time in `column` is at a moment or later."""
    return bounded(column, "gte")


def bounded(column: Any, end: str) -> Criterion:
    """The time in `column`, which is not nullable, meets one of `ENDS`. For the lists that are read from the root."""
    clause = Clause(lambda moment: ENDS[end](column, moment), column.type, bunched=True, period=column.key)
    return lambda moment: Term(clause, moment)


def every(terms: Iterable[Term]) -> Term:
    """All terms match; without terms, every row does."""
    parts = tuple(terms)
    return _joined(_all, parts, selective=any(term.clause.selective for term in parts))


def some(terms: Iterable[Term], unite: Join | None = None) -> Term:
    """At least one term matches; without terms, no row does.

    If all terms are selective and one is indirect, `unite` joins them. For direct ones a plain OR can use indexes.
    """
    parts = tuple(terms)
    selective = bool(parts) and all(term.clause.selective for term in parts)
    united = unite is not None and selective and any(term.clause.indirect for term in parts)
    return _joined(unite if unite is not None and united else _any, parts, selective=selective, united=united)


def opposite(term: Term) -> Term:
    """The term does not match. Only single clauses are negated, so that each can use an index."""
    shape = term.clause
    if isinstance(shape, Joined):
        return (some if shape.join is _all else every)(map(opposite, _parts(shape, term.value)))
    return Term(shape.clause if isinstance(shape, Denied) else Denied(shape), term.value)


def _joined(join: Join, parts: tuple[Term, ...], *, selective: bool, united: bool = False) -> Term:
    shape = Joined(join, tuple(term.clause for term in parts), selective, united)
    return Term(shape, tuple(term.value for term in parts))


def _parts(shape: Joined, value: Any) -> Iterator[Term]:
    """The joined terms."""
    return map(Term, shape.parts, value)


def _all(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(true(), *conditions)


def _any(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return or_(false(), *conditions)


def is_found_first(clauses: Iterable[Shape]) -> bool:
    """Whether the rows that meet all of `clauses` are found before they are sorted."""
    return any(isinstance(shape, Clause) and shape.found_first for shape in _required(clauses))


def roughly(clauses: Iterable[Shape]) -> tuple[Shape, ...]:
    """Clauses with the same values that all rows which meet `clauses` meet, and maybe more rows."""
    return tuple(shape.rough if isinstance(shape, Clause) and shape.rough else shape for shape in clauses)


def periods(clauses: Iterable[Shape]) -> frozenset[str]:
    """The columns with a bound that all rows which meet `clauses` are within; none if few rows meet them anyway."""
    required = frozenset(_required(clauses))
    if any(shape.selective for shape in required):
        return frozenset()
    return frozenset(shape.period for shape in required if isinstance(shape, Clause) and shape.period)


def _only(number: int) -> Join:
    return lambda *conditions: conditions[number]


def conditions(
    clauses: Sequence[Shape],
    bind: Callable[[int, TypeEngine[Any]], Any],
    *,
    given: Iterable[Shape] = (),
    ordered: bool = False,
) -> list[ColumnElement[bool]]:
    """The SQL of `clauses`, for rows that are `ordered` by a time or not, and that match all of `given`.

    Conditions that no such row matches are false, at every level of a filter: PostgreSQL would read all rows to find
    that out. `bind` makes the parameter of a value from its index in `values`.
    """
    places = count()

    def build(shape: Shape, known: frozenset[Clause | Denied], *, twice: bool, as_ids: bool = False) -> Any:
        if as_ids and (alone := _alone(shape)) and alone.found and alone.type:
            return alone.found(bind(next(places), alone.type))
        known |= frozenset(_required([shape]))
        # PostgreSQL estimates a repeated condition as rarer than it is. That is intended: it assumes that rows are
        # spread evenly in every order, and would otherwise scan a whole order for rows that are bunched at its end.
        here = twice and _is_bunched(shape)
        if isinstance(shape, Joined):
            condition = shape.join(
                *[build(part, known, twice=twice and not here, as_ids=shape.united) for part in shape.parts]
            )
        else:
            clause = _clause(shape)
            condition = clause.build(None if clause.type is None else bind(next(places), clause.type))
            condition = not_(condition) if isinstance(shape, Denied) else condition
        if _contradict(known):
            # It is built all the same, because the values of its parts have their places.
            return false()
        return and_(condition, condition.is_(true())) if here else condition

    known = frozenset(_required(given))
    # Beside a search, the estimate should be right: if few rows seem to be left, the document of each of them is read.
    # 300,000 conversations, a search and RESERVED: a page takes 30 to 68 ms of PostgreSQL's CPU instead of 440 to 510.
    repeat = ordered and not any(_clause(shape).costly for shape in known)
    return [build(clause, known, twice=repeat) for clause in clauses]


def alternatives(clauses: tuple[Shape, ...]) -> list[tuple[Shape, ...]]:
    """Clauses with the same values. A row meets `clauses` if it meets one of the alternatives; often there is only one.

    Each alternative has another part of a shape whose parts are united. It repeats the other clauses, so there are
    several only for a filter with few conditions.
    """
    for place, shape in enumerate(clauses):
        if isinstance(shape, Joined) and shape.united and len(shape.parts) * sum(map(size, clauses)) <= _MOST_REPEATED:
            return [
                (*clauses[:place], Joined(_only(number), shape.parts), *clauses[place + 1 :])
                for number in range(len(shape.parts))
            ]
    return [clauses]


def _clause(shape: Clause | Denied) -> Clause:
    return shape.clause if isinstance(shape, Denied) else shape


def _alone(shape: Shape) -> Clause | None:
    """The only clause of a shape, if it is not denied."""
    while isinstance(shape, Joined) and len(shape.parts) == 1:
        (shape,) = shape.parts
    return shape if isinstance(shape, Clause) else None


def _required(shapes: Iterable[Shape]) -> Iterator[Clause | Denied]:
    """The clauses that a row matches if it matches all of `shapes`."""
    for shape in shapes:
        if not isinstance(shape, Joined):
            yield shape
        elif shape.join is _all or len(shape.parts) == 1:
            yield from _required(shape.parts)


def _contradict(clauses: frozenset[Clause | Denied]) -> bool:
    """Whether one of `clauses` excludes another, so that no row matches all."""
    return any(
        (shape.clause.type is None and shape.clause in clauses)
        if isinstance(shape, Denied)
        else not shape.excludes.isdisjoint(clauses)
        for shape in clauses
    )


def _is_bunched(shape: Shape) -> bool:
    if isinstance(shape, Joined):
        return bool(shape.parts) and shape.join is _all and all(map(_is_bunched, shape.parts))
    return _clause(shape).bunched


def size(shape: Shape) -> int:
    """The number of conditions in a shape. An empty join counts as one."""
    return max(1, sum(map(size, shape.parts))) if isinstance(shape, Joined) else 1


def values(terms: Iterable[Term]) -> Iterator[Any]:
    """The values of the terms, in the order in which `conditions` binds them."""
    for term in terms:
        shape = term.clause
        if isinstance(shape, Joined):
            yield from values(_parts(shape, term.value))
        elif _clause(shape).type is not None:
            yield term.value
