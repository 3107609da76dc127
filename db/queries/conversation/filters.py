"""Finding conversations: the orders and the conditions that the API names, each served by an index.

Conditions on other rows are EXISTS, which PostgreSQL may begin at either end: at the few rows that meet it, or at the
conversations in their order where many do. Nothing here knows how conditions are put together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, union_all

from db import tables as t
from db.criterion import Criterion, Term, any_of, any_where, between, flag, some
from db.page import Order
from db.queries.conversation import search
from db.queries.conversation.stage import stages_criterion
from db.scope import visible
from db.tables import STATUS_BITS, BookingStatus

_B: Any = t.Booking
_C: Any = t.Conversation
_LINK: Any = t.ConversationBooking
_INQUIRY: Any = t.Inquiry
_PARTICIPANT: Any = t.Participant

# By the names that the API gives them.
ORDERS: dict[tuple[str, bool], Order] = {
    (column.key, descending): Order(f"{column.key}:{'desc' if descending else 'asc'}", column, descending)
    for column in (_C.created_at, _C.updated_at, _C.last_message_at, _C.deadline_response_at, _C.waiting_since)
    for descending in (False, True)
} | search.ORDERS


def _sorted(column: Any, *, descending: bool) -> ColumnElement[Any]:
    """What the column is sorted by, and indexed."""
    return ORDERS[column.key, descending].keys(_C.id)[0]


def _period(column: Any) -> Criterion:
    """A period of an order's column. One that can be null is sorted by something else in each direction."""
    directions = (False, True) if column.expression.nullable else (False,)
    return between(column, *(_sorted(column, descending=descending) for descending in directions))


def _led_by(key: Any, parent: Any) -> Criterion:
    """A row whose `key` is one of the values has the conversation's id in its column `parent`."""
    rows = visible(parent.class_, parent)
    return _elsewhere(key, rows, parent)


def _about(column: Any) -> Criterion:
    """The conversation is about a booking whose `column` is one of the values."""
    links = visible(t.ConversationBooking, _LINK.conversation_id)
    bookings = links.join(t.Booking, and_(_B.account_id == _LINK.account_id, _B.id == _LINK.booking_id))
    return _elsewhere(column, bookings, _LINK.conversation_id)


def _elsewhere(key: Any, rows: Select[Any], parent: Any) -> Criterion:
    """One of `rows` has one of the values in `key`, and the conversation's id in `parent`, which refers to it."""
    found = rows.where(parent == _C.id)
    # Whatever refers to a conversation can be counted in its place.
    number = rows.with_only_columns(func.count(func.distinct(parent)).label("total"))
    return any_where(
        key.type,
        lambda values: exists(found.where(key == values)),
        selective=True,
        counted=lambda values: number.where(key == values),
    )


_SETS = any_of(_C.booking_statuses)


def _has_booking(statuses: Collection[BookingStatus]) -> Term:
    """The conversation has a booking of one of the statuses: its set of statuses is one of those that hold one."""
    wanted = sum({STATUS_BITS[status] for status in statuses})
    return _SETS([bits for bits in range(2 * max(STATUS_BITS.values())) if bits & wanted])


def one_of(terms: Iterable[Term]) -> Term:
    """One of the terms holds, as none does where there is none.

    PostgreSQL finds the rows of each EXISTS by itself, but not of several with OR between: it would look through the
    account. What few conversations meet is therefore found one after the other.
    """
    return some(terms, unite=_found)


def _found(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    # The conversations looked for are not those that the statement around is about.
    found = (visible(t.Conversation, _C.id).where(condition).correlate(None) for condition in conditions)
    return _C.id.in_(union_all(*found))  # type: ignore[no-any-return]


_UPDATED = _period(_C.updated_at)
_WAITING = _C.waiting_since.is_not(None)
_CLOSED = flag(_C.closed_at.is_not(None))
_SPAM = flag(_C.marked_as_spam_at.is_not(None), selective=True)
# Nobody waits in what is closed or spam.
_IDLE = [criterion(True) for criterion in (_CLOSED, _SPAM)]  # noqa: FBT003  # the value of a flag

FILTERS: dict[str, Criterion] = {
    "ids": any_of(_C.id),
    "closed": _CLOSED,
    "marked_as_spam": _SPAM,
    "read": flag(_C.read),
    "assigned": flag(_C.assignee_id.is_not(None)),
    "assignee_ids": any_of(_C.assignee_id),
    "source_ids": any_of(_C.source_id),
    "channels": any_of(_C.default_channel),
    "booking_ids": _led_by(_LINK.booking_id, _LINK.conversation_id),
    "booking_statuses": _has_booking,
    "rental_ids": _about(_B.rental_id),
    "inquiry_ids": _led_by(_INQUIRY.id, _INQUIRY.conversation_id),
    "client_ids": _led_by(_PARTICIPANT.client_id, _PARTICIPANT.conversation_id),
    "host_ids": _led_by(_PARTICIPANT.host_id, _PARTICIPANT.conversation_id),
    "external_ids": any_of(_C.external_id),
    "created_at": _period(_C.created_at),
    "updated_at": _UPDATED,
    "last_message_at": _period(_C.last_message_at),
    "deadline_response_at": _period(_C.deadline_response_at),
    "updated_since": lambda moment: _UPDATED({"gte": moment}),
    "needs_reply": flag(_WAITING, selective=True, excludes=_IDLE),
    "search": search.search_criterion,
    # The deadlines of those that nobody waits in stay where they were, and pass.
    "overdue": flag(
        and_(_WAITING, _sorted(_C.deadline_response_at, descending=False) < func.now()), selective=True, excludes=_IDLE
    ),
    "stages": stages_criterion,
}
