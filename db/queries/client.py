"""Clients: their orders and filters."""

from __future__ import annotations

from typing import Any

from db import tables as t
from db.criterion import Criterion, any_of, since
from db.page import orders
from db.queries.search import worded

_C: Any = t.Client

ORDERS = orders(_C.created_at, _C.updated_at)
FILTERS: dict[str, Criterion] = {
    "ids": any_of(_C.id),
    "updated_since": since(_C.updated_at),
    "search": worded(t.CLIENT_WORDS),
}
