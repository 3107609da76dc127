"""Sources in the API."""

from __future__ import annotations

from datetime import datetime

from db import tables as t
from gql.fields.node import Node, node
from gql.fields.relation import column


@node(t.Source, scopes=["inbox_read"])
class Source(Node):
    """Where business comes from. Internal ones are read-only for API clients."""

    name: str = column("What the account calls it.")
    internal: bool = column("Whether it is read-only for API clients.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
