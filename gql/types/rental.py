"""Rentals in the API."""

from __future__ import annotations

from datetime import datetime

from db import tables as t
from gql.fields.column import column
from gql.fields.node import Node, node


@node(t.Rental, scopes=["bookings_read"])
class Rental(Node):
    """A house or flat that guests rent."""

    name: str = column("Name within the account.")
    city: str | None = column("City.")
    country_code: str | None = column("ISO 3166-1 alpha-2 code, such as `PT`.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
