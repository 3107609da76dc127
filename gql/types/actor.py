"""Users and applications in the API, and the union of who creates records."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from db import tables as t
from gql.fields.column import column
from gql.fields.named import Named, display_name
from gql.fields.node import Node, node


@node(t.User)
class User(Node, Named):
    """A person who logs in to the account. A user may have a host, as which they take part in conversations."""

    display_name: str = display_name(t.User, t.User.name, instead=[t.User.email])
    name: str = column("Full name.")
    email: str | None = column("E-mail address.")


@node(t.Application)
class Application(Node, Named):
    """A program that acts for accounts, such as the connector of a channel. It belongs to no account."""

    display_name: str = display_name(t.Application, t.Application.name)
    name: str = column("Name shown to users.")


Creator: TypeAlias = Annotated[
    User | Application, strawberry.union("Creator", description="Who created a record: a user or an application.")
]
