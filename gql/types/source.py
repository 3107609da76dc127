"""Sources in the API."""

from __future__ import annotations

from datetime import datetime

from db import tables as t
from gql.node import Node, node


@node(t.Source, scopes=["inbox_read"])
class Source(Node):
    """Where business comes from. Internal ones are read-only for API clients."""

    name: str
    internal: bool
    created_at: datetime
    updated_at: datetime
