"""Orders and filters of conversations. Each uses an index.

Conditions on other rows are EXISTS, which PostgreSQL can evaluate from either side: from the few rows that meet it, or
from the conversations in their order if many do. `db.criterion` combines conditions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, exists, func, literal_column, union_all

from db import tables as t
from db.criterion import Clause, Criterion, Term, any_of, any_where, between, flag, opposite, some
from db.page import Order, orders
from db.queries.conversation import search
from db.queries.conversation.stage import stages_criterion
from db.scope import Viewer, visible
from db.tables import STATUS_BITS, BookingStatus, CreatorType

_B: Any = t.Booking
_C: Any = t.Conversation
_HOST: Any = t.Host
_LINK: Any = t.ConversationBooking
_INQUIRY: Any = t.Inquiry
_PARTICIPANT: Any = t.Participant

# By the names that the API gives them.
ORDERS: dict[tuple[str, bool], Order] = (
    orders(_C.created_at, _C.updated_at, _C.last_message_at, _C.deadline_response_at, _C.waiting_since) | search.ORDERS
)


def _sorted(column: Any, *, descending: bool) -> ColumnElement[Any]:
    """The expression that the column is sorted and indexed by."""
    return ORDERS[column.key, descending].keys(_C.id)[0]


def _period(column: Any) -> Criterion:
    """A period in a column of an order. A nullable one has another sort expression in each direction."""
    directions = (False, True) if column.expression.nullable else (False,)
    return between(column, *(_sorted(column, descending=descending) for descending in directions))


def _led_by(key: Any, parent: Any) -> Criterion:
    """The conversation is the `parent` of a row whose `key` is one of the values."""
    rows = visible(parent.class_, parent)
    return _elsewhere(key, rows, parent)


def _about(column: Any) -> Criterion:
    """The conversation is connected to a booking whose `column` is one of the values."""
    links = visible(t.ConversationBooking, _LINK.conversation_id)
    bookings = links.join(t.Booking, and_(_B.account_id == _LINK.account_id, _B.id == _LINK.booking_id))
    return _elsewhere(column, bookings, _LINK.conversation_id)


def _elsewhere(key: Any, rows: Select[Any], parent: Any) -> Criterion:
    """One of `rows` has one of the values in `key`, and the conversation's id in `parent`, which refers to it."""
    matched = rows.where(parent == _C.id)
    # Instead of conversations, the distinct parents of these rows can be counted.
    number = rows.with_only_columns(func.count(func.distinct(parent)).label("total"))
    return any_where(
        key.type,
        lambda values: exists(matched.where(key == values)),
        selective=True,
        counted=lambda values: number.where(key == values),
        found=lambda values: rows.where(key == values, parent.is_not(None)),
    )


_SETS = any_of(_C.booking_statuses)


def _has_booking(statuses: Collection[BookingStatus]) -> Term:
    """The conversation has a booking with one of the statuses: one of them is in its stored set of statuses."""
    wanted = sum({STATUS_BITS[status] for status in statuses})
    return _SETS([bits for bits in range(2 * max(STATUS_BITS.values())) if bits & wanted])


def _assigned_to(user: Any) -> ColumnElement[bool]:
    """The assignee is one of the user's hosts."""
    return and_(_C.assignee_id.is_not(None), _C.assignee_id.in_(visible(t.Host, _HOST.id).where(_HOST.user_id == user)))


def _assigned_to_any(user: Any) -> ColumnElement[bool]:
    """The same, for finding conversations.

    The first condition follows from the others, and is evaluated once: PostgreSQL does not know when it plans how many
    conversations the hosts have, and would read all of an account to find none. All are counted, in the index of
    assignees, because for the first one it might scan the table.
    """
    assigned = _assigned_to(user)
    number = visible(t.Conversation, func.count()).where(assigned).correlate(None).scalar_subquery()
    return and_(number > literal_column("0"), assigned)


_HOSTS_OF_USER = Clause(_assigned_to_any, BigInteger(), bunched=True)
_CHECKED = Clause(_assigned_to, BigInteger())


def _mine(asked: tuple[Viewer, bool]) -> Term:
    """Whether its assignee is one of the user's hosts. An application has no hosts, so no assignee is."""
    viewer, wanted = asked
    term = _of_user(viewer, _HOSTS_OF_USER)
    return term if wanted else opposite(term)


def _of_user(viewer: Viewer, clause: Clause) -> Term:
    return Term(clause, viewer.actor_id) if viewer.actor_type is CreatorType.USER else some([])


def mine_among(viewer: Viewer) -> Term:
    """`mine` for conversations that are read anyway: 425 instead of 455 ms of CPU for all numbers of a million."""
    return _of_user(viewer, _CHECKED)


def one_of(terms: Iterable[Term]) -> Term:
    """At least one term matches; without terms, no row does.

    For one EXISTS, PostgreSQL starts from its rows; for several with OR it would scan the account. Selective terms are
    therefore evaluated as one subquery each, and united: of a page, only as many rows of each as the page has
    (`db.criterion.alternatives`).
    """
    return some(terms, unite=_found)


def _found(*parts: ColumnElement[bool] | Select[Any]) -> ColumnElement[bool]:
    # A SELECT of ids reads no conversations: for 320,000 of a million, they would take more than half of the time.
    found = (
        part.correlate(None) if isinstance(part, Select) else visible(t.Conversation, _C.id).where(part).correlate(None)
        for part in parts
    )
    # An array, because PostgreSQL looks up its ids in one pass of the primary key, and the rows of a join one by one:
    # with 100,000 of 300,000 conversations a page takes 130 to 260 ms of CPU instead of 400 to 550.
    return _C.id == func.any(func.array(union_all(*found).scalar_subquery()))  # type: ignore[no-any-return]


_UPDATED = _period(_C.updated_at)
_WAITING = _C.waiting_since.is_not(None)
_CLOSED = flag(_C.closed_at.is_not(None))
_SPAM = flag(_C.marked_as_spam_at.is_not(None), selective=True)
# Nobody waits in a closed or spam conversation.
_IDLE = [criterion(True) for criterion in (_CLOSED, _SPAM)]  # noqa: FBT003  # the value of a flag

FILTERS: dict[str, Criterion] = {
    "ids": any_of(_C.id),
    "closed": _CLOSED,
    "marked_as_spam": _SPAM,
    "read": flag(_C.read),
    "assigned": flag(_C.assignee_id.is_not(None)),
    "assignee_ids": any_of(_C.assignee_id),
    "mine": _mine,
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
    "delivery_failed": flag(_C.undelivered_count > literal_column("0"), selective=True),
    "search": search.search_criterion,
    # Conversations in which nobody waits keep their deadlines, so those are not overdue.
    "overdue": flag(
        and_(_WAITING, _sorted(_C.deadline_response_at, descending=False) < func.now()), selective=True, excludes=_IDLE
    ),
    "stages": stages_criterion,
}
