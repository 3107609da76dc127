"""The roots assembled into one schema, and its text."""

from __future__ import annotations

import strawberry
from strawberry.schema.config import StrawberryConfig

from gql.execution.run import LevelExecutor
from gql.fields.scalars import SCALARS
from gql.mutations import Mutation
from gql.queries import Query
from gql.types import NODES, link


def build_schema() -> strawberry.Schema:
    """The schema. Takes some tens of milliseconds; build it once per process."""
    link()
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        types=NODES,
        execution_context_class=LevelExecutor,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
