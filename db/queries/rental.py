"""Rentals: their orders and filters."""

from __future__ import annotations

from typing import Any

from db import tables as t
from db.criterion import Criterion, any_of, since
from db.page import orders
from db.queries.search import worded

_R: Any = t.Rental

ORDERS = orders(_R.created_at, _R.updated_at)
FILTERS: dict[str, Criterion] = {
    "ids": any_of(_R.id),
    "updated_since": since(_R.updated_at),
    "search": worded(t.RENTAL_WORDS),
}
