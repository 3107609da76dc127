"""Users and applications in the API, and the union of who creates records."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from db import tables as t
from gql.node import Node, node


@node(t.User)
class User(Node):
    """A login of the account."""

    name: str
    email: str | None


@node(t.Application)
class Application(Node):
    """A program that acts for accounts, such as a channel's connector."""

    name: str


Creator: TypeAlias = Annotated[User | Application, strawberry.union("Creator", description="Who created a record.")]
