"""Rentals in the API."""

from __future__ import annotations

from datetime import datetime

from db import tables as t
from gql.node import Node, node


@node(t.Rental, scopes=["bookings_read"])
class Rental(Node):
    """A house or flat that is rented out."""

    name: str
    city: str | None
    country_code: str | None
    created_at: datetime
    updated_at: datetime
