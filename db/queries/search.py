"""Full-text search: the query of a search, and the rows whose words match it.

A search has the syntax of `websearch_to_tsquery`, and is parsed by the database function `search_query()`
(`db.tables.search`), which accepts any text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.sql.functions import FunctionElement

from db.criterion import Clause, Criterion, Term, every
from db.scope import ACCOUNT


def asked(search: ColumnElement[str]) -> FunctionElement[Any]:
    """The query of a search in the account."""
    return func.search_query(bindparam(ACCOUNT, type_=BigInteger), search)


def matches(words: Any, search: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether `words`, an indexed column or expression, match the search."""
    condition: ColumnElement[bool] = words.bool_op("@@")(asked(search))
    return condition


def is_blank(search: str) -> bool:
    """Whether there is no search."""
    return not search.strip()


def searched(build: Callable[[ColumnElement[str]], ColumnElement[bool]]) -> Criterion:
    """The rows that `build` finds with the parameter of a search: all of them if it is blank."""
    clause = Clause(build, Text(), costly=True)
    return lambda search: every([]) if is_blank(search) else Term(clause, search)


def is_found_by(id_column: Any, *found: Select[Any]) -> ColumnElement[bool]:
    """The row's id is one of those that the statements `found` select, each of which runs once."""
    ids = union_all(*(statement.correlate(None) for statement in found)).cte("found").prefix_with("MATERIALIZED")
    # An array, because PostgreSQL looks up its ids in one pass of the primary key.
    return id_column == func.any(func.array(ids.select().scalar_subquery()))  # type: ignore[no-any-return]


def worded(words: Any) -> Criterion:
    """The rows whose own `words`, which an index derives, match the search.

    In the order of a page, PostgreSQL would derive the words of each row: 0.9 s for 110 matches of 50,000 inquiries.
    Sorting 330,000 matches of 2,600,000 messages takes less.

    The index has no positions, so PostgreSQL derives the words of all rows that have those of a phrase. A page finds
    the rows by the words, and looks for the phrase in one after the other until it is full.
    """

    def found(search: ColumnElement[str]) -> ColumnElement[bool]:
        return matches(words, search)

    def nearly(search: ColumnElement[str]) -> ColumnElement[bool]:
        return words.bool_op("@@")(_without_distances(asked(search)))  # type: ignore[no-any-return]

    plain = Clause(found, Text(), costly=True, found_first=True)
    phrase = replace(plain, rough=replace(plain, build=nearly))

    def criterion(search: str) -> Term:
        return every([]) if is_blank(search) else Term(phrase if '"' in search else plain, search)

    return criterion


def _without_distances(query: Any) -> ColumnElement[Any]:
    """A query that finds the words of phrases anywhere. One that excludes words stays: it must not exclude more."""
    text: Any = cast(query, Text)
    distance, both, everywhere, excluding = (
        literal_column(f"'{each}'", Text) for each in (r"<(-|\d+)>", "&", "g", "!")
    )
    anywhere = cast(func.regexp_replace(text, distance, both, everywhere), TSQUERY)
    return case((text.regexp_match(excluding), query), else_=anywhere)
