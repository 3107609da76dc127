"""Rentals in the API."""

from __future__ import annotations

from datetime import datetime

from db import tables as t
from gql.fields.node import Node, node
from gql.fields.relation import column


@node(t.Rental, scopes=["bookings_read"])
class Rental(Node):
    """A house or flat that is rented out."""

    name: str = column("What the account calls it.")
    city: str | None = column("Where it is.")
    country_code: str | None = column("In ISO 3166-1 such as `PT`.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
