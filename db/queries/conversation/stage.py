"""Where guests stand in their journey, as SQL: the stage of a conversation, told from the bookings that it is about.

Stages stand in the order of what presses most, each with what it asks of a booking; a conversation is at the first one
that a booking of it meets. This one list makes the stage to select and the condition to find by. Nothing is stored: at
midnight in the account's time zone a stage changes without anybody writing. Pure: nothing here talks to a database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, case, exists, false, func, literal_column, not_, or_, true

from db import tables as t
from db.criterion import Clause, Term
from db.relations import Expression
from db.scope import visible
from db.tables import BookingStatus, JourneyStage

_A: Any = t.Account
_B: Any = t.Booking
_C: Any = t.Conversation
_LINK: Any = t.ConversationBooking


def _today() -> CTE:
    """The day that it is in the account, from `begins` to `ends`. One row, made once a statement."""
    midnight = func.date_trunc(_word("day"), func.timezone(_A.time_zone, func.now()))
    clock = visible(t.Account, _A.time_zone, midnight.label("midnight")).subquery("clock")
    begins = _first_moment(clock.c.time_zone, clock.c.midnight).label("begins")
    ends = _first_moment(clock.c.time_zone, clock.c.midnight + literal_column("interval '1 day'")).label("ends")
    return clock.select().with_only_columns(begins, ends).cte("today").prefix_with("MATERIALIZED")


def _first_moment(time_zone: Any, midnight: Any) -> ColumnElement[Any]:
    """When clocks first show `midnight`. Of two times, where they are set back to it, PostgreSQL takes the second."""
    hour: Any = literal_column("interval '1 hour'")
    return func.least(func.timezone(time_zone, midnight), func.timezone(time_zone, midnight - hour) + hour)


def _is(status: BookingStatus) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = _B.status == _word(status)
    return condition


def _word(text: str) -> ColumnElement[str]:
    # A part of the statement: nothing in it comes from outside, and PostgreSQL estimates by it.
    return literal_column(f"'{text}'")


def _is_today(moment: Any) -> ColumnElement[bool]:
    around: Any = literal_column("interval '2 days'")
    return and_(moment >= _BEGINS, moment < _ENDS, moment > func.now() - around, moment < func.now() + around)


def words(stages: Collection[JourneyStage]) -> list[ColumnElement[str]]:
    """As they stand in a statement, in an order of their own, so that a set makes one statement."""
    return [_word(stage) for stage in JourneyStage if stage in stages]


_TODAY = _today()
_BEGINS, _ENDS = _TODAY.c.begins, _TODAY.c.ends
_BOOKED = _is(BookingStatus.BOOKED)

# What a stage asks of a booking, whatever earlier ones ask: what concerns today, what is to come, what is over, what
# never was. The comparisons with now() follow from the others, as no day lasts two. They are there for PostgreSQL: it
# knows now() when it plans, and so how few bookings are left.
_STAGES: dict[JourneyStage, ColumnElement[bool]] = {
    JourneyStage.CHECK_IN_TODAY: and_(_BOOKED, _is_today(_B.start_at)),
    JourneyStage.CHECK_OUT_TODAY: and_(_BOOKED, _is_today(_B.end_at)),
    JourneyStage.AT_PROPERTY: and_(_BOOKED, _B.start_at < _BEGINS, _B.end_at >= _ENDS, _B.end_at > func.now()),
    JourneyStage.RESERVED: and_(_BOOKED, _B.start_at >= _ENDS, _B.start_at > func.now()),
    JourneyStage.POST_STAY: _BOOKED,
    JourneyStage.INQUIRY: not_(_is(BookingStatus.CANCELED)),
    JourneyStage.CANCELED: _is(BookingStatus.CANCELED),
}
# Those that few conversations are at.
AHEAD = tuple(_STAGES)[:4]


def _bookings(*columns: Any) -> Select[Any]:
    """`columns` of links to bookings, beside today."""
    links = visible(t.ConversationBooking, *columns)
    bookings = links.join(t.Booking, and_(_B.account_id == _LINK.account_id, _B.id == _LINK.booking_id))
    return bookings.join(_TODAY, true())


def _of_conversation(links: Select[Any]) -> Select[Any]:
    """Those of the conversation that the statement around is about."""
    return links.where(_LINK.conversation_id == _C.id).correlate(_C)


def _first_met(stages: Iterable[JourneyStage]) -> ColumnElement[str]:
    """The first of `stages` that some of several bookings meets."""
    met = ((func.bool_or(_STAGES[stage]), _word(stage)) for stage in stages)
    return case(*met, else_=_word(JourneyStage.INQUIRY))


_STAGE: ColumnElement[str] = _of_conversation(_bookings(_first_met(_STAGES))).scalar_subquery()

# The stage of the conversation that a statement selects.
STAGE = Expression("stage", _STAGE)


def _has(*stages: JourneyStage) -> ColumnElement[bool]:
    """The conversation has a booking that meets one of `stages`."""
    met = or_(*(_STAGES[stage] for stage in stages))
    return exists(_of_conversation(_bookings(_LINK.booking_id).where(met)))


def _is_ahead_at(stages: Collection[JourneyStage]) -> ColumnElement[bool]:
    """The conversation is at one of `stages`, which are of `AHEAD`.

    Its bookings are looked up by their dates before anything else, and PostgreSQL is not to know how many there are:
    they lie close together in the orders of conversations, and who goes through such an order as if they were spread
    evenly may go through all of it.
    """
    telling = AHEAD[: 1 + max(map(AHEAD.index, stages))]
    met = or_(*(_STAGES[stage] for stage in telling))
    bookings = _bookings(_LINK.conversation_id).where(met).group_by(_LINK.conversation_id)
    found = bookings.having(_first_met(telling).in_(words(stages))).scalar_subquery()
    ids = func.unnest(func.array(found)).table_valued("id").render_derived(name="found")
    condition: ColumnElement[bool] = _C.id.in_(ids.select())
    return condition


# These are found, and above all counted, in half the time by what their bookings meet and what they do not.
_BEHIND: dict[frozenset[JourneyStage], ColumnElement[bool]] = {
    frozenset({JourneyStage.POST_STAY}): and_(_has(JourneyStage.POST_STAY), not_(_has(*AHEAD))),
    frozenset({JourneyStage.CANCELED}): and_(_has(JourneyStage.CANCELED), not_(_has(JourneyStage.INQUIRY))),
}


def stages_criterion(stages: Collection[JourneyStage]) -> Term:
    """The conversation is at one of `stages`; at none where there are none."""
    return Term(_clause(frozenset(stages)))


@cache
def _clause(stages: frozenset[JourneyStage]) -> Clause:
    """One a set, of which there are few: how its conversations are found is of a statement's shape."""
    if not stages:
        return Clause(lambda _: false())
    if stages <= set(AHEAD):
        ahead = _is_ahead_at(stages)
        return Clause(lambda _: ahead, selective=True)
    # Of any other stages there are conversations everywhere, so that a page is soon full.
    condition = _BEHIND.get(stages, _STAGE.in_(words(stages)))
    return Clause(lambda _: condition)
