"""Hosts and clients in the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from db import tables as t
from gql.fields.node import Node, node
from gql.fields.relation import column, one

if TYPE_CHECKING:
    from gql.types.actor import User
    from gql.types.source import Source


@node(t.Host, scopes=["inbox_read"])
class Host(Node):
    """A person of the account, as the inbox knows them."""

    firstname: str = column("The given name.")
    lastname: str = column("The family name.")
    email: str | None = column("Where the host is written to.")
    user: User | None = one(t.Host.user_id, description="The host's login, where there is one.")
    source: Source | None = one(t.Host.source_id, description="Where the host comes from.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")


@node(t.Client, scopes=["clients_read"])
class Client(Node):
    """A traveller."""

    fullname: str = column("Given and family name.")
    email: str | None = column("Where the client is written to.")
    phone: str | None = column("Where the client is called.")
    preferred_locale: str | None = column("The language to write in, such as `de`.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
