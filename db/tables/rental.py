"""What is rented out."""

from __future__ import annotations

from typing import Any

from db.tables.base import Stamped, TenantTable, lookup, row_id
from db.tables.search import searchable


class Rental(TenantTable, Stamped, table=True):
    """A house or flat."""

    __tablename__ = "rentals"
    __table_args__ = (lookup("created_at", "id"), lookup("updated_at", "id"))

    id: int | None = row_id()
    name: str
    city: str | None = None
    country_code: str | None = None


_R: Any = Rental.__table__.columns  # type: ignore[attr-defined]
RENTAL_WORDS = searchable(Rental, _R.name, _R.city)
