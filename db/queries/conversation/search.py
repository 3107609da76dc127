"""Full-text search of conversations, and their relevance.

A conversation has one document, written by `derived`. A search has the syntax of `websearch_to_tsquery`, and is parsed
by the database function `search_query()` (`db.tables.search`), which accepts any text.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Label, Select, Text, bindparam, cast, exists, func
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlalchemy.sql.functions import FunctionElement

from db import tables as t
from db.criterion import Clause, Term, every
from db.page import VALUE, Order
from db.scope import ACCOUNT, visible

_C: Any = t.Conversation
_TEXT: Any = t.ConversationText


def _asked(search: ColumnElement[str]) -> FunctionElement[Any]:
    return func.search_query(bindparam(ACCOUNT, type_=BigInteger), search)


def _matches(search: ColumnElement[str]) -> ColumnElement[bool]:
    document = visible(t.ConversationText, _TEXT.conversation_id)
    return exists(document.where(_TEXT.conversation_id == _C.id, _TEXT.words.bool_op("@@")(_asked(search))))


def _counted(search: ColumnElement[str]) -> Select[Any]:
    """The number of matching documents, because each conversation has one."""
    return visible(t.ConversationText, func.count().label("total")).where(_TEXT.words.bool_op("@@")(_asked(search)))


def _relevance() -> Label[float]:
    # An uncorrelated subquery is evaluated once and not for each row, in generic plans too.
    asked = _asked(bindparam(VALUE, type_=Text)).select().scalar_subquery()
    document = visible(t.ConversationText, cast(func.ts_rank(_TEXT.words, asked), DOUBLE_PRECISION))
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


def is_blank(search: str) -> bool:
    """Whether there is no search."""
    return not search.strip()
