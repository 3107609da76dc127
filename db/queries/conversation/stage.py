"""Where guests stand in their journey, as SQL: the stage of a conversation on the day that it is in the account.

Stages are listed in the order of urgency, each with what it requires of a booking; a conversation is at the first one
that any of its bookings meets. This one list makes the stage to select and the conditions to filter by.

A stage changes at midnight in the account's time zone, when nobody writes, so that it is never stored. What is stored
beside a conversation (`db.queries.conversation.derived`) is the last moment of its booked stays and the statuses of its
bookings. They decide every stage but those of stays that are not over: only for these are bookings read, of which there
are few. Pure: nothing here talks to a database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, case, false, func, literal_column, not_, or_, true

from db import tables as t
from db.criterion import Clause, Term
from db.relations import Expression
from db.scope import visible
from db.tables import STATUS_BITS, BookingStatus, JourneyStage

_A: Any = t.Account
_B: Any = t.Booking
_C: Any = t.Conversation
_LINK: Any = t.ConversationBooking


def _today() -> CTE:
    """The day that it is in the account, from `begins` to `ends`. One row, computed once a statement."""
    midnight = func.date_trunc(_word("day"), func.timezone(_A.time_zone, func.now()))
    clock = visible(t.Account, _A.time_zone, midnight.label("midnight")).subquery("clock")
    begins = _first_moment(clock.c.time_zone, clock.c.midnight).label("begins")
    ends = _first_moment(clock.c.time_zone, clock.c.midnight + literal_column("interval '1 day'")).label("ends")
    return clock.select().with_only_columns(begins, ends).cte("today").prefix_with("MATERIALIZED")


def _first_moment(time_zone: Any, midnight: Any) -> ColumnElement[Any]:
    """When clocks first show `midnight`. Of two times, where they are set back to it, PostgreSQL takes the second."""
    hour: Any = literal_column("interval '1 hour'")
    return func.least(func.timezone(time_zone, midnight), func.timezone(time_zone, midnight - hour) + hour)


def _word(text: str) -> ColumnElement[str]:
    # A literal rather than a parameter: it comes from this module, and PostgreSQL estimates by it.
    return literal_column(f"'{text}'")


def _is_today(moment: Any) -> ColumnElement[bool]:
    return and_(moment >= _BEGINS, moment < _ENDS, moment > func.now() - _AROUND, moment < func.now() + _AROUND)


def words(stages: Collection[JourneyStage]) -> list[ColumnElement[str]]:
    """The stages as literals, in the order of their declaration, so that each set makes one statement."""
    return [_word(stage) for stage in JourneyStage if stage in stages]


_AROUND: Any = literal_column("interval '2 days'")
_TODAY = _today()
_BEGINS, _ENDS = _TODAY.c.begins, _TODAY.c.ends
_BOOKED: ColumnElement[bool] = _B.status == _word(BookingStatus.BOOKED)

# What a stage requires of a booking of a conversation with a stay that is not over, in the order of urgency. The
# comparisons with now() follow from the others, because no day lasts two. They are there for PostgreSQL, which knows
# now() when it plans, and so how few bookings are left.
_MET: dict[JourneyStage, ColumnElement[bool]] = {
    JourneyStage.CHECK_IN_TODAY: and_(_BOOKED, _is_today(_B.start_at)),
    JourneyStage.CHECK_OUT_TODAY: and_(_BOOKED, _is_today(_B.end_at)),
    JourneyStage.AT_PROPERTY: and_(_BOOKED, _B.start_at < _BEGINS, _B.end_at >= _ENDS, _B.end_at > func.now()),
}
_TODAYS = tuple(_MET)
# The stages of stays that are not over.
_AHEAD = (*_TODAYS, JourneyStage.RESERVED)

_begins = _TODAY.select().with_only_columns(_BEGINS).scalar_subquery()
_IS_AHEAD = and_(_C.stays_until.is_not(None), _C.stays_until >= _begins, _C.stays_until > func.now() - _AROUND)
# LOCKED bookings are held by another user or application: they are no certain stay and do not count.
_CANCELED, _LOCKED = STATUS_BITS[BookingStatus.CANCELED], STATUS_BITS[BookingStatus.LOCKED]
_ONLY_CANCELED: ColumnElement[bool] = _C.booking_statuses.in_(
    [literal_column(str(_CANCELED)), literal_column(str(_CANCELED | _LOCKED))]
)
# The conditions of the other stages, on the conversation's own columns.
_BEHIND: dict[JourneyStage, ColumnElement[bool]] = {
    JourneyStage.POST_STAY: and_(_C.stays_until.is_not(None), _C.stays_until < _begins),
    JourneyStage.INQUIRY: and_(_C.stays_until.is_(None), not_(_ONLY_CANCELED)),
    JourneyStage.CANCELED: and_(_C.stays_until.is_(None), _ONLY_CANCELED),
}


def _bookings(*columns: Any) -> Select[Any]:
    """`columns` of links to bookings, beside today."""
    links = visible(t.ConversationBooking, *columns)
    bookings = links.join(t.Booking, and_(_B.account_id == _LINK.account_id, _B.id == _LINK.booking_id))
    return bookings.join(_TODAY, true())


def _first_met(stages: Iterable[JourneyStage]) -> ColumnElement[str]:
    """The first of today's `stages` that any of several bookings meets, else RESERVED."""
    met = ((func.bool_or(_MET[stage]), _word(stage)) for stage in stages)
    return case(*met, else_=_word(JourneyStage.RESERVED))


_STAGE_AHEAD = _bookings(_first_met(_TODAYS)).where(_LINK.conversation_id == _C.id).correlate(_C).scalar_subquery()
_STAGE: ColumnElement[str] = case(
    *((condition, _word(stage)) for stage, condition in _BEHIND.items()), else_=_STAGE_AHEAD
)

# The stage of the conversation that a statement selects.
STAGE = Expression("stage", _STAGE)


@cache
def _todays(number: int) -> CTE:
    """The conversations at one of the first `number` of `_TODAYS`, each with its stage, found by the dates of bookings.

    All conditions of a statement share it.
    """
    met = _first_met(_TODAYS[:number]).label("stage")
    bookings = _bookings(_LINK.conversation_id.label("id"), met).where(or_(*(_MET[s] for s in _TODAYS[:number])))
    found = bookings.group_by(_LINK.conversation_id)
    return found.cte(f"todays_{number}").prefix_with("MATERIALIZED")


def _is_today_at(stages: Collection[JourneyStage]) -> ColumnElement[bool]:
    """The conversation is at one of `stages`, which are of `_TODAYS`.

    PostgreSQL is not to know how many there are: they lie close together in the orders of conversations, and it would
    walk through such an order as if they were spread evenly.
    """
    todays = _todays(1 + max(map(_TODAYS.index, stages)))
    found = todays.select().with_only_columns(todays.c.id).where(todays.c.stage.in_(words(stages)))
    ids = func.unnest(func.array(found.scalar_subquery())).table_valued("id").render_derived(name="found")
    # Their stays are not over either, which rules out most conversations before any is looked up among these.
    return and_(_C.stays_until.is_not(None), _C.stays_until >= _begins, _C.id.in_(ids.select()))


def stages_criterion(stages: Collection[JourneyStage]) -> Term:
    """The conversation is at one of `stages`; at none where there are none."""
    return Term(_clause(frozenset(stages)))


@cache
def _clause(stages: frozenset[JourneyStage]) -> Clause:
    """One a set, of which there are few: how its conversations are found is part of a statement's shape."""
    ahead = _ahead_condition(stages & frozenset(_AHEAD))
    behind = [condition for stage, condition in _BEHIND.items() if stage in stages]
    condition = or_(false(), *ahead, *behind)
    return Clause(lambda _: condition, selective=bool(ahead) and not behind, indirect=bool(ahead), bunched=bool(stages))


def _ahead_condition(stages: frozenset[JourneyStage]) -> list[ColumnElement[bool]]:
    """The condition for `stages`, which are of `_AHEAD`; nothing where there are none."""
    if JourneyStage.RESERVED not in stages:
        return [_is_today_at(stages)] if stages else []
    others = set(_TODAYS) - stages
    if not others:
        return [_IS_AHEAD]
    todays = _todays(len(_TODAYS))
    found = todays.select().with_only_columns(todays.c.id).where(todays.c.stage.in_(words(others)))
    return [and_(_IS_AHEAD, _C.id.not_in(found))]
