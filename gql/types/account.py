"""The account in the API."""

from __future__ import annotations

from datetime import datetime

from db import tables as t
from gql.fields.column import column
from gql.fields.node import Node, node


@node(t.Account, scopes=["inbox_read"])
class Account(Node):
    """The property manager's company. Every token belongs to one account and reads only its records."""

    business_name: str = column("Name of the company, as its guests know it.")
    email: str | None = column("E-mail address of the company.")
    time_zone: str = column("IANA time zone such as `Europe/Lisbon`. It determines today's date for `stage`.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
