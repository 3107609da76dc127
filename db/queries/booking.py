"""Bookings: their orders and filters."""

from __future__ import annotations

import operator
from typing import Any

from sqlalchemy import ColumnElement, and_

from db import tables as t
from db.criterion import Criterion, any_of, bounded, compared, since
from db.page import orders
from db.queries.search import is_found_by, matches, searched
from db.scope import visible

_B: Any = t.Booking
_C: Any = t.Client


def _found(search: ColumnElement[str]) -> ColumnElement[bool]:
    """The booking's references match, or its client does."""
    referred = visible(t.Booking, _B.id).where(matches(t.BOOKING_WORDS, search))
    booked = visible(t.Client, _B.id).join(t.Booking, and_(_B.account_id == _C.account_id, _B.client_id == _C.id))
    return is_found_by(_B.id, referred, booked.where(matches(t.CLIENT_WORDS, search)))


ORDERS = orders(_B.created_at, _B.updated_at, _B.start_at)
FILTERS: dict[str, Criterion] = {
    "ids": any_of(_B.id),
    "statuses": any_of(_B.status),
    "reference": compared(_B.reference, operator.eq),
    "starts_before": bounded(_B.start_at, "lt"),
    "ends_after": bounded(_B.end_at, "gt"),
    "rental_ids": any_of(_B.rental_id),
    "updated_since": since(_B.updated_at),
    "search": searched(_found),
}
