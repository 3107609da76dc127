"""Builds the schema from the root types, and prints it."""

from __future__ import annotations

import strawberry
from strawberry.schema.config import StrawberryConfig

from gql.fields.scalars import SCALARS
from gql.mutations import Mutation
from gql.queries import Query
from gql.subscriptions import Subscription
from gql.types import NODES, link

DESCRIPTION = """\
The inbox of a property manager: conversations with guests, their messages and participants, and the bookings and
inquiries that they are about. A bearer token selects the account; operations read and write only its records. Lists are
connections with cursors, every object has a global `id`, and times are in UTC."""


class Schema(strawberry.Schema):
    """Strawberry's schema with a description of the schema itself, which Strawberry does not support."""

    def as_str(self) -> str:
        """The schema in SDL, its description first."""
        return f"{_definition()}\n\n{super().as_str()}"


def _definition() -> str:
    return f'"""\n{DESCRIPTION}\n"""\nschema {{\n  query: Query\n  mutation: Mutation\n  subscription: Subscription\n}}'


def build_schema() -> Schema:
    """Build the schema. It takes tens of milliseconds: do it once per process."""
    link()
    schema = Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=NODES,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    schema._schema.description = DESCRIPTION  # noqa: SLF001  # graphql-core's schema, which introspection reads
    return schema
