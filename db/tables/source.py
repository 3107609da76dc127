"""Where business comes from."""

from __future__ import annotations

from db.tables.base import Stamped, TenantTable, row_id


class Source(TenantTable, Stamped, table=True):
    """A source of bookings. API clients cannot use `internal` ones in mutations."""

    __tablename__ = "sources"

    id: int | None = row_id()
    name: str
    internal: bool = False
