"""The stage of a conversation as SQL: the stage of the guest's journey on today's date in the account's time zone.

Stages are listed in the order of urgency, each with a condition on a booking; a conversation is at the first one whose
condition any of its bookings meets. The stage to select and the filters are both made from this list.

Of several bookings that meet the condition, the one that begins first decides, or of past ones the one that ends last:
that booking is the conversation's `booking`.

The stage is not stored, because it changes at midnight in the account's time zone without a write. Stored are the end
of a conversation's last booked stay and the statuses of its bookings (`db.queries.conversation.derived`). They
determine all stages except those of stays that are not over: only for these, which are few, bookings are read. Pure:
nothing here uses a database.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, and_, case, false, func, literal_column, not_, or_, true, union_all

from db import tables as t
from db.criterion import Clause, Term
from db.scope import visible
from db.selection import Expression
from db.tables import STATUS_BITS, BookingStatus, JourneyStage

_A: Any = t.Account
_B: Any = t.Booking
_C: Any = t.Conversation
_LINK: Any = t.ConversationBooking


def _today() -> CTE:
    """Today in the account's time zone, from `begins` to `ends`. One row, computed once per statement."""
    midnight = func.date_trunc(_word("day"), func.timezone(_A.time_zone, func.now()))
    clock = visible(t.Account, _A.time_zone, midnight.label("midnight")).subquery("clock")
    begins = _first_moment(clock.c.time_zone, clock.c.midnight).label("begins")
    ends = _first_moment(clock.c.time_zone, clock.c.midnight + literal_column("interval '1 day'")).label("ends")
    return clock.select().with_only_columns(begins, ends).cte("today").prefix_with("MATERIALIZED")


def _first_moment(time_zone: Any, midnight: Any) -> ColumnElement[Any]:
    """When clocks first show `midnight`. If they are set back to it, PostgreSQL would return the second time."""
    hour: Any = literal_column("interval '1 hour'")
    return func.least(func.timezone(time_zone, midnight), func.timezone(time_zone, midnight - hour) + hour)


def _word(text: str) -> ColumnElement[str]:
    # A literal, so that PostgreSQL can use it for estimates. It never comes from a client.
    return literal_column(f"'{text}'")


def _is_today(moment: Any) -> ColumnElement[bool]:
    return and_(moment >= _BEGINS, moment < _ENDS, moment > func.now() - _AROUND, moment < func.now() + _AROUND)


_AROUND: Any = literal_column("interval '2 days'")
_TODAY = _today()
_BEGINS, _ENDS = _TODAY.c.begins, _TODAY.c.ends
_BOOKED: ColumnElement[bool] = _B.status == _word(BookingStatus.BOOKED)

# The condition of each stage on a booking of a conversation with a stay that is not over, in the order of urgency. The
# comparisons with now() follow from the others. They help PostgreSQL, which knows now() when it plans, to estimate how
# few bookings match.
_MET: dict[JourneyStage, ColumnElement[bool]] = {
    JourneyStage.CHECK_IN_TODAY: and_(_BOOKED, _is_today(_B.start_at)),
    JourneyStage.CHECK_OUT_TODAY: and_(_BOOKED, _is_today(_B.end_at)),
    JourneyStage.AT_PROPERTY: and_(_BOOKED, _B.start_at < _BEGINS, _B.end_at >= _ENDS, _B.end_at > func.now()),
}
TODAYS = tuple(_MET)
# The stages of stays that are not over.
AHEAD = (*TODAYS, JourneyStage.RESERVED)

_begins = _TODAY.select().with_only_columns(_BEGINS).scalar_subquery()
_IS_AHEAD = and_(_C.stays_until.is_not(None), _C.stays_until >= _begins, _C.stays_until > func.now() - _AROUND)
# LOCKED bookings are held by another user or application: the stay is not certain, so they do not count.
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
    """A SELECT of `columns` of links to bookings, joined with today."""
    links = visible(t.ConversationBooking, *columns)
    bookings = links.join(t.Booking, and_(_B.account_id == _LINK.account_id, _B.id == _LINK.booking_id))
    return bookings.join(_TODAY, true())


# The first of today's stages whose condition one of the bookings meets, else RESERVED.
_FIRST_MET = case(
    *((func.bool_or(condition), _word(stage)) for stage, condition in _MET.items()), else_=_word(JourneyStage.RESERVED)
)
_STAGE_AHEAD = _bookings(_FIRST_MET).where(_LINK.conversation_id == _C.id).correlate(_C).scalar_subquery()
_STAGE: ColumnElement[str] = case(
    *((condition, _word(stage)) for stage, condition in _BEHIND.items()), else_=_STAGE_AHEAD
)

# The stage of the conversation that the outer statement selects.
STAGE = Expression("stage", _STAGE)


# The conditions of all stages on a single booking, in the order in which a booking decides. A later one holds where the
# earlier ones do not.
_IS_OVER: ColumnElement[bool] = func.greatest(_B.start_at, _B.end_at) < _BEGINS
_DECIDING = (
    *_MET.values(),
    and_(_BOOKED, not_(_IS_OVER)),
    _BOOKED,
    _B.status.in_([_word(BookingStatus.TENTATIVE), _word(BookingStatus.UNAVAILABLE)]),
    _B.status == _word(BookingStatus.CANCELED),
)


def deciding_booking(column: Any) -> ColumnElement[Any]:
    """A column of the booking that decides the stage of the conversation that the outer statement selects."""
    rank = case(*((condition, literal_column(str(place))) for place, condition in enumerate(_DECIDING)))
    # Infinity instead of the date where another column decides.
    forever: Any = literal_column("'infinity'::timestamptz")
    decided = _bookings(column).where(_LINK.conversation_id == _C.id, rank.is_not(None)).correlate(_C)
    return (
        decided.order_by(
            rank,
            _IS_OVER,
            case((_IS_OVER, forever), else_=_B.start_at),
            func.greatest(_B.start_at, _B.end_at).desc(),
            _B.id,
        )
        .limit(literal_column("1"))
        .scalar_subquery()
    )


# The booking that decides the stage; null if no booking counts.
BOOKING_ID = Expression("deciding_booking_id", deciding_booking(_B.id))


@cache
def _todays(number: int) -> CTE:
    """The conversations at one of the first `number` of `TODAYS`, each with the place of its stage in that list.

    For each stage, an index of the bookings' dates and statuses has all that is needed. With the conditions joined by
    OR, PostgreSQL would read the bookings too: 175 instead of 20 ms for 38,000 of 1,100,000. All conditions in a
    statement share this CTE.
    """
    bookings = union_all(
        *(
            visible(t.Booking, _B.id, literal_column(str(place)).label("place")).join(_TODAY, true()).where(_MET[stage])
            for place, stage in enumerate(TODAYS[:number])
        )
    ).subquery("met")
    found = visible(t.ConversationBooking, _LINK.conversation_id.label("id"), func.min(bookings.c.place).label("place"))
    found = found.join(bookings, bookings.c.id == _LINK.booking_id).group_by(_LINK.conversation_id)
    return found.cte(f"todays_{number}").prefix_with("MATERIALIZED")


def _at(stages: Collection[JourneyStage], number: int) -> Select[Any]:
    """The ids of the conversations at one of `stages`, a subset of the first `number` of `TODAYS`."""
    todays = _todays(number)
    places: list[Any] = [literal_column(str(place)) for place, stage in enumerate(TODAYS) if stage in stages]
    return todays.select().with_only_columns(todays.c.id).where(todays.c.place.in_(places))


def _is_today_at(stages: Collection[JourneyStage], number: int) -> ColumnElement[bool]:
    """The conversation is at one of `stages`, a subset of the first `number` of `TODAYS`.

    PostgreSQL must not estimate how many match: they are close together in the orders of conversations, and it would
    scan such an order as if they were spread evenly.
    """
    ids = func.unnest(func.array(_at(stages, number).scalar_subquery())).table_valued("id").render_derived(name="found")
    # Their stays are not over either, which excludes most conversations before the lookup.
    return and_(_C.stays_until.is_not(None), _C.stays_until >= _begins, _C.id.in_(ids.select()))


def stages_criterion(stages: Collection[JourneyStage], beside: Collection[JourneyStage] = ()) -> Term:
    """The conversation is at one of `stages`; an empty list matches nothing.

    `beside` are the stages of other conditions in the same statement. So all of them read the bookings once.
    """
    return Term(_clause(frozenset(stages), max(_needed(stages), _needed(beside))))


def _needed(stages: Collection[JourneyStage]) -> int:
    """How many of `TODAYS`, from the first on, decide whether a conversation is at one of `stages`."""
    if JourneyStage.RESERVED in stages:
        return len(TODAYS)
    return max((1 + TODAYS.index(stage) for stage in stages if stage in TODAYS), default=0)


@cache
def _clause(stages: frozenset[JourneyStage], number: int) -> Clause:
    """One clause for each set of stages, of which there are few, because the SQL depends on the set."""
    ahead = _ahead_condition(stages & frozenset(AHEAD), number)
    behind = [condition for stage, condition in _BEHIND.items() if stage in stages]
    condition = or_(false(), *ahead, *behind)
    return Clause(lambda _: condition, selective=bool(ahead) and not behind, indirect=bool(ahead), bunched=bool(stages))


def _ahead_condition(stages: frozenset[JourneyStage], number: int) -> list[ColumnElement[bool]]:
    """The condition for `stages`, a subset of `AHEAD`; empty if there are none."""
    if JourneyStage.RESERVED not in stages:
        return [_is_today_at(stages, number)] if stages else []
    others = set(TODAYS) - stages
    if not others:
        return [_IS_AHEAD]
    return [and_(_IS_AHEAD, _C.id.not_in(_at(others, len(TODAYS))))]
