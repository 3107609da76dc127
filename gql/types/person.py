"""Hosts and clients in the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from db import tables as t
from gql.fields.column import column
from gql.fields.named import Named, display_name
from gql.fields.node import Node, node
from gql.fields.one import one

if TYPE_CHECKING:
    from gql.types.actor import User
    from gql.types.source import Source


@node(t.Host, scopes=["inbox_read"])
class Host(Node, Named):
    """A person of the account who answers guests. Conversations are assigned to hosts."""

    display_name: str = display_name(t.Host, t.Host.firstname, t.Host.lastname, instead=[t.Host.email])
    firstname: str = column("Given name.")
    lastname: str = column("Family name.")
    email: str | None = column("E-mail address.")
    user: User | None = one(t.Host.user_id, description="The user who acts as this host; null if there is none.")
    source: Source | None = one(t.Host.source_id, description="The source that the host belongs to, if any.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")


@node(t.Client, scopes=["clients_read"])
class Client(Node, Named):
    """A traveller: the guest of a booking or conversation."""

    display_name: str = display_name(t.Client, t.Client.fullname, instead=[t.Client.email, t.Client.phone])
    fullname: str = column("Full name.")
    email: str | None = column("E-mail address.")
    phone: str | None = column("Phone number.")
    preferred_locale: str | None = column("Preferred language, such as `de`.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
