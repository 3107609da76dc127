"""Hosts and clients in the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from db import tables as t
from gql.fields import one
from gql.node import Node, node

if TYPE_CHECKING:
    from gql.types.actor import User
    from gql.types.source import Source


@node(t.Host, scopes=["inbox_read"])
class Host(Node):
    """A person of the account, as the inbox knows them."""

    firstname: str
    lastname: str
    email: str | None
    user: User | None = one(t.Host.user_id, description="The host's login, where there is one.")
    source: Source | None = one(t.Host.source_id)
    created_at: datetime
    updated_at: datetime


@node(t.Client, scopes=["clients_read"])
class Client(Node):
    """A traveller."""

    fullname: str
    email: str | None
    phone: str | None
    preferred_locale: str | None
    created_at: datetime
    updated_at: datetime
