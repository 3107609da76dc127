"""What is rented out."""

from __future__ import annotations

from db.tables.base import Stamped, TenantTable, row_id


class Rental(TenantTable, Stamped, table=True):
    """A house or flat."""

    __tablename__ = "rentals"

    id: int | None = row_id()
    name: str
    city: str | None = None
    country_code: str | None = None
