"""Full-text search of conversations, and their relevance.

A conversation has one document, written by `derived`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Label, Select, Text, bindparam, cast, exists, func
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION

from db import tables as t
from db.criterion import Clause, Term, every
from db.page import VALUE, Order
from db.queries.search import asked, is_blank, matches
from db.scope import visible

_C: Any = t.Conversation
_TEXT: Any = t.ConversationText


def _matches(search: ColumnElement[str]) -> ColumnElement[bool]:
    document = visible(t.ConversationText, _TEXT.conversation_id)
    return exists(document.where(_TEXT.conversation_id == _C.id, matches(_TEXT.words, search)))


def _counted(search: ColumnElement[str]) -> Select[Any]:
    """The number of matching documents, because each conversation has one."""
    return visible(t.ConversationText, func.count().label("total")).where(matches(_TEXT.words, search))


def _relevance() -> Label[float]:
    # An uncorrelated subquery is evaluated once and not for each row, in generic plans too.
    query = asked(bindparam(VALUE, type_=Text)).select().scalar_subquery()
    document = visible(t.ConversationText, cast(func.ts_rank(_TEXT.words, query), DOUBLE_PRECISION))
    return document.where(_TEXT.conversation_id == _C.id).correlate(_C).scalar_subquery().label("relevance")


_RELEVANCE = _relevance()
_CLAUSE = Clause(_matches, Text(), costly=True, counted=_counted)

_NEWEST_FIRST = Order("last_message_at:desc", _C.last_message_at, descending=True)

# Orders for the matches of one search; `bound()` to its text before use.
ORDERS: dict[tuple[str, bool], Order] = {
    (_RELEVANCE.name, descending): Order(
        f"relevance:{'desc' if descending else 'asc'}", _RELEVANCE, descending, within=_NEWEST_FIRST
    )
    for descending in (False, True)
}


def search_criterion(search: str) -> Term:
    """The conversations that `search` finds: all of them if it is blank, none if it has no word."""
    return every([]) if is_blank(search) else Term(_CLAUSE, search)


def find_search(where: Iterable[Term]) -> str | None:
    """The search among the terms of a filter, if all of them have to match; None if there is none."""
    return next((term.value for term in where if term.clause is _CLAUSE), None)
