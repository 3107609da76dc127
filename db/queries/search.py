"""Full-text search: the query of a search, and the rows whose words match it.

A search has the syntax of `websearch_to_tsquery`, and is parsed by the database function `search_query()`
(`db.tables.search`), which accepts any text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, bindparam, func
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


def worded(words: Any) -> Criterion:
    """The rows whose own `words` match the search."""
    return searched(lambda search: matches(words, search))
