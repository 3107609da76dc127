"""Inquiries: their orders and filters."""

from __future__ import annotations

from typing import Any

from db import tables as t
from db.criterion import Criterion, any_of, since
from db.page import orders
from db.queries.search import worded

_I: Any = t.Inquiry

ORDERS = orders(_I.created_at, _I.updated_at)
FILTERS: dict[str, Criterion] = {
    "ids": any_of(_I.id),
    "updated_since": since(_I.updated_at),
    "search": worded(t.INQUIRY_WORDS),
}
