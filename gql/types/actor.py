"""Users and applications in the API, and the union of who creates records."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from db import tables as t
from gql.fields.node import Node, node
from gql.fields.relation import column


@node(t.User)
class User(Node):
    """A login of the account."""

    name: str = column("The full name.")
    email: str | None = column("Where the user is written to.")


@node(t.Application)
class Application(Node):
    """A program that acts for accounts, such as a channel's connector."""

    name: str = column("What users know it by.")


Creator: TypeAlias = Annotated[User | Application, strawberry.union("Creator", description="Who created a record.")]
