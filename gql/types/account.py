"""The account in the API."""

from __future__ import annotations

from datetime import datetime

from db import tables as t
from gql.node import Node, node


@node(t.Account, scopes=["inbox_read"])
class Account(Node):
    """A property manager's company."""

    business_name: str
    email: str | None
    time_zone: str
    created_at: datetime
    updated_at: datetime
