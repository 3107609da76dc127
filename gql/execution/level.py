"""Executes a plan a level at a time: its sources become objects, and the rows that they refer to are the next level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphql.execution.values import VariableValues

from db import tables as t
from gql.context import Context
from gql.execution.build import ObjectPlan
from gql.execution.size import ResponseSize
from gql.fields.node import id_encoder


class PlanLevel:
    """The objects of one plan while they are made. Implements `gql.fields.field.PlanLevel`."""

    __slots__ = ("_size", "context", "found", "objects", "shown", "sources", "table", "variables")

    def __init__(  # noqa: PLR0913, PLR0917  # what an operation carries, and what a level has
        self,
        context: Context,
        variables: VariableValues,
        size: ResponseSize,
        plan: ObjectPlan,
        sources: Sequence[Any],
        shown: int,
    ) -> None:
        self.context = context
        self.variables = variables
        self._size = size
        self.shown = shown
        size.add(plan, sources, shown)
        self.sources = sources
        self.table = plan.table
        encode_ids = None if plan.table is None else id_encoder(plan.table, context.viewer.account_id)
        self.objects = plan.build(sources, encode_ids)
        self.found: dict[type[t.Table], Mapping[int, Any]] = {}

    def values(self, name: str) -> list[Any]:
        """The column or attribute `name` of each source."""
        if self.table is None:
            return [getattr(source, name) for source in self.sources]
        return [row[name] for row in self.sources]

    def count(self, size: int, number: int) -> None:
        """Count `number` objects of at most `size` bytes of JSON each."""
        self._size.most += size * (self._size.nodes if self._is_shared else number)

    def add_nodes(self, number: int) -> None:
        """Count nodes that the step reads without making objects of them."""
        self._size.add_nodes(number)

    @property
    def _is_shared(self) -> bool:
        return self.shown > len(self.sources)

    async def below(
        self, plan: ObjectPlan, sources: Sequence[Any], *, shown: int | None = None
    ) -> list[dict[str, Any]]:
        """An object for each of `sources`, which occur at most `shown` times in total.

        Without `shown`, each occurs as often as its parent. If parents occur more than once, only the cost of the
        operation is a bound.
        """
        if shown is None:
            shown = max(self._size.nodes, len(sources)) if self._is_shared else len(sources)
        return await complete(self.context, self.variables, self._size, plan, sources, shown)


async def complete(  # noqa: PLR0913, PLR0917  # the same
    context: Context,
    variables: VariableValues,
    size: ResponseSize,
    plan: ObjectPlan,
    sources: Sequence[Any],
    shown: int,
) -> list[dict[str, Any]]:
    """An object for each source, by its plan. If it raises, graphql-core executes the operation."""
    level = PlanLevel(context, variables, size, plan, sources, shown)
    if sources:
        # One after the other, because all of them use one connection.
        for step in plan.steps:
            await step.run(level)
    return level.objects
