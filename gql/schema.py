"""Builds the schema from the root types, and prints it."""

from __future__ import annotations

from functools import cache

import strawberry
from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_input_object_type,
    is_object_type,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gql.fields.node import require, required_scopes
from gql.fields.scalars import SCALARS
from gql.mutations import Mutation
from gql.queries import Query
from gql.security.token import IMPLIED
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


@cache
def build_schema() -> Schema:
    """The schema of this process, whose applications share it: building it takes 36 ms, and nothing changes it."""
    link()
    schema = Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=NODES,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    core = schema._schema  # noqa: SLF001  # graphql-core's schema, which introspection reads
    core.description = DESCRIPTION
    _name_scopes(core)
    _remove_null_defaults(core)
    return schema


def _remove_null_defaults(schema: GraphQLSchema) -> None:
    """Remove the default null, which Strawberry takes from Python's: an optional field of an input has no default."""
    for type_ in schema.type_map.values():
        if is_input_object_type(type_):
            for field in type_.fields.values():
                if field.default_value is None:
                    field.default_value = Undefined


def _name_scopes(schema: GraphQLSchema) -> None:
    """Add to the description of each field the scopes that its type requires, and its parent does not."""
    granted: dict[str, frozenset[str]] = {}
    for mutation in schema.mutation_type.fields.values() if schema.mutation_type else ():
        # A token that allows a mutation allows to read its payload.
        scopes = _scopes(mutation)
        granted[get_named_type(mutation.type).name] = scopes.union(*(IMPLIED.get(scope, ()) for scope in scopes))
    for type_ in schema.type_map.values():
        if not is_object_type(type_):
            continue
        known = granted.get(type_.name, frozenset()) | _scopes(type_)
        for field in type_.fields.values():
            needed = _scopes(get_named_type(field.type)) - known - _scopes(field)
            if needed:
                field.description = f"{field.description} {require(sorted(needed))}"


def _scopes(element: GraphQLNamedType | GraphQLField) -> frozenset[str]:
    definition = element.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return frozenset() if definition is None else required_scopes(definition)
