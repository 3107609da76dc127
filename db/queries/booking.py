"""Bookings: their filters."""

from __future__ import annotations

import operator
from typing import Any

from db import tables as t
from db.criterion import Criterion, any_of, compared

_B: Any = t.Booking

FILTERS: dict[str, Criterion] = {
    "ids": any_of(_B.id),
    "statuses": any_of(_B.status),
    "reference": compared(_B.reference, operator.eq),
    "starts_before": compared(_B.start_at, operator.lt),
    "ends_after": compared(_B.end_at, operator.gt),
}
