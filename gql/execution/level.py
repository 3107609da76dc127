"""A level at a time: the sources of a plan become objects, and what they lead to is the next level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphql.execution.values import VariableValues

from db import tables as t
from gql.context import Context
from gql.execution.build import ObjectPlan
from gql.fields.node import id_encoder


class Level:
    """The objects of one plan while they are made. Implements `gql.fields.field.Level`."""

    __slots__ = ("context", "found", "objects", "sources", "table", "variables")

    def __init__(self, context: Context, variables: VariableValues, plan: ObjectPlan, sources: Sequence[Any]) -> None:
        self.context = context
        self.variables = variables
        self.sources = sources
        self.table = plan.table
        encode_id = None if plan.table is None else id_encoder(plan.table, context.viewer.account_id)
        self.objects = plan.build(sources, encode_id)
        self.found: dict[type[t.Table], Mapping[int, Any]] = {}

    def values(self, name: str) -> list[Any]:
        """The column or attribute `name` of each source."""
        if self.table is None:
            return [getattr(source, name) for source in self.sources]
        return [row[name] for row in self.sources]

    async def below(self, plan: ObjectPlan, sources: Sequence[Any]) -> list[dict[str, Any]]:
        """An object for each of `sources`."""
        return await complete(self.context, self.variables, plan, sources)


async def complete(
    context: Context, variables: VariableValues, plan: ObjectPlan, sources: Sequence[Any]
) -> list[dict[str, Any]]:
    """An object for each source, by its plan. Raises whatever goes wrong: graphql-core then executes the operation."""
    level = Level(context, variables, plan, sources)
    if sources:
        # One after the other: all of them read from one connection.
        for step in plan.steps:
            await step.run(level)
    return level.objects
