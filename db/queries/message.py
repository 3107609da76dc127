"""Messages: their order and filter."""

from __future__ import annotations

import operator
from typing import Any

from db import tables as t
from db.criterion import Criterion, compared
from db.page import Order

_M: Any = t.Message

OLDEST_FIRST = Order("sent_at:asc", _M.sent_at)

FILTERS: dict[str, Criterion] = {"visibility": compared(_M.visibility, operator.eq)}
