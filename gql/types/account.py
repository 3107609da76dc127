"""The account in the API."""

from __future__ import annotations

from datetime import datetime

from db import tables as t
from gql.fields.node import Node, node
from gql.fields.relation import column


@node(t.Account, scopes=["inbox_read"])
class Account(Node):
    """A property manager's company."""

    business_name: str = column("The company, as its guests know it.")
    email: str | None = column("Where the company is written to.")
    time_zone: str = column("An IANA name such as `Europe/Lisbon`; all times of the API are in UTC.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
