"""How many conversations there are of each kind that an inbox shows a number for, all in one statement.

A number counts what a filter finds with one condition more, and the condition is the one that the filter has for it.
Only the numbers that are asked for are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, and_, func

from db import tables as t
from db.compiled import kept
from db.criterion import Clause, Shape, Term, conditions, every, some
from db.engine import Snapshot, Statement
from db.queries.conversation.filters import FILTERS
from db.relations import filter_parameter, filter_parameters
from db.scope import ACCOUNT, Viewer, visible
from db.tables import CreatorType, JourneyStage

_C: Any = t.Conversation
_HOST: Any = t.Host

_HOSTS_OF_USER = Clause(
    lambda user: and_(
        _C.assignee_id.is_not(None), _C.assignee_id.in_(visible(t.Host, _HOST.id).where(_HOST.user_id == user))
    ),
    BigInteger(),
)


def _mine(viewer: Viewer) -> Term:
    """One of the viewer's hosts is responsible for it. An application has none."""
    return Term(_HOSTS_OF_USER, viewer.actor_id) if viewer.actor_type is CreatorType.USER else some([])


def _found(viewer: Viewer, **filter_: Any) -> Term:  # noqa: ARG001  # who asks does not matter here
    """The filter finds it."""
    return every(FILTERS[name](value) for name, value in filter_.items())


_STAGES = {stage.lower(): stage for stage in JourneyStage}

# What is counted, by the names that the API gives it.
COUNTS: Mapping[str, Callable[[Viewer], Term]] = {
    "open": partial(_found, closed=False, marked_as_spam=False),
    "closed": partial(_found, closed=True),
    "spam": partial(_found, marked_as_spam=True),
    "unread": partial(_found, read=False),
    "unassigned": partial(_found, assigned=False),
    "mine": _mine,
    "needs_reply": partial(_found, needs_reply=True),
    "overdue": partial(_found, overdue=True),
    **{name: partial(_found, stages=[stage]) for name, stage in _STAGES.items()},
}


async def load(snapshot: Snapshot, viewer: Viewer, names: Sequence[str], where: Sequence[Term]) -> list[int]:
    """How many of the account's conversations that meet all of `where` are of each kind in `names`, of `COUNTS`."""
    counted = {name: COUNTS[name](viewer) for name in sorted(names)}
    shapes = tuple((name, term.clause) for name, term in counted.items())
    statement = _statement(shapes, tuple(term.clause for term in where))
    parameters = filter_parameters([*where, *counted.values()])
    (row,) = await snapshot.fetch(statement, {ACCOUNT: viewer.account_id, **parameters})
    return [row[name] for name in names]


@kept
def _statement(counted: tuple[tuple[str, Shape], ...], where: tuple[Shape, ...]) -> Statement:
    met = conditions([*where, *(clause for _, clause in counted)], filter_parameter)
    kinds = {name: met[len(where) + place] for place, (name, _) in enumerate(counted)}
    rows = visible(t.Conversation).where(*met[: len(where)])
    numbers: list[Any] = [func.count().filter(condition).label(name) for name, condition in kinds.items()]
    return Statement.of(rows.with_only_columns(*numbers), t.Conversation)
