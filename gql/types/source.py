"""Sources in the API."""

from __future__ import annotations

from datetime import datetime

from db import tables as t
from gql.fields.column import column
from gql.fields.node import Node, node


@node(t.Source, scopes=["inbox_read"])
class Source(Node):
    """Where business comes from, such as a channel or the account's own site."""

    name: str = column("Name within the account.")
    internal: bool = column("Whether API clients may not create conversations with it.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
