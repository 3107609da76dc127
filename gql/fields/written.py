"""Fields of payloads for the rows that a mutation wrote: a list, an edge of a connection, and the row they belong to.

The source has the ids of the rows in an attribute: one id or a list of ids, None if nothing was written.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from graphql import get_named_type

from db import tables as t
from db.page import Order
from db.relations import One
from db.selection import Column
from gql.fields.connection import Edge, EdgePlan, encode_cursor, plan_edges
from gql.fields.cost import Cost, times, total
from gql.fields.field import Builder, Field, Level, MeasuredField, SelectedField
from gql.fields.one import References
from gql.loaders import load_row, load_rows


class WrittenField(Field):
    """Resolves to the rows of `table`, in the order of their ids in the attribute `key`, without deleted ones."""

    table: type[t.Table]
    key: str

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> list[Any]:  # noqa: ARG002
        """The rows, loaded in one batch."""
        ids = getattr(source, self.key) or ()
        rows = await asyncio.gather(*(load_row(info.context, self.table, id_) for id_ in ids))
        return [row for row in rows if row is not None]

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:
        """As many nodes as a list may have."""
        return times(measured.max_list, total([below], 1))

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read the rows with the columns that are selected."""
        plan = builder.planner.plan(builder.planner.object_type(self.table), selected.details)
        builder.planner.count_statements(1)
        builder.add_step(selected.key, WrittenStep(selected.key, self, plan))


@dataclass(frozen=True, slots=True)
class WrittenStep:
    """Puts the rows into the payload."""

    key: str
    field: WrittenField
    plan: Any

    async def run(self, level: Level) -> None:
        """One statement, because a level has one payload."""
        table = self.field.table
        for written, target in zip(level.values(self.field.key), level.objects, strict=True):
            ids = written or []
            rows = await load_rows(level.context, table, ids, self.plan.columns) if ids else []
            target[self.key] = await level.below(self.plan, [row for row in rows if row is not None])


class WrittenEdgeField(Field):
    """Resolves to the edge of the row of `one` in the connection `place`, named `Type.field`, in its default order."""

    one: One
    place: str
    order: Order

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The edge, or None."""
        id_ = getattr(source, self.one.key)
        if id_ is None:
            return None
        row = await load_row(info.context, self.one.target, id_)
        return Edge(cursor=encode_cursor(self.place, self.order, row), node=row)

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """One node, also if only its cursor is selected."""
        return below if below.number else total([below], 1)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read the row together with those of other fields of the payload."""
        edges = plan_edges(builder.planner, get_named_type(selected.definition.type), selected.details)
        own: frozenset[Column] = self.order.columns | {"id"}
        builder.read(self.one.key)
        builder.merged(References).add(self.one, own.union(*(plan.columns for _, plan in edges.nodes)))
        builder.planner.count_statements(1)
        builder.add_step(selected.key, WrittenEdgeStep(selected.key, self, edges))


@dataclass(frozen=True, slots=True)
class WrittenEdgeStep:
    """Puts the edge into the payload."""

    key: str
    field: WrittenEdgeField
    edges: EdgePlan

    async def run(self, level: Level) -> None:
        """One edge, or null."""
        field = self.field
        found = level.found[field.one.target]
        for id_, target in zip(level.values(field.one.key), level.objects, strict=True):
            rows = [found[id_]] if id_ is not None else []
            if not self.edges.nodes:
                level.add_nodes(len(rows))
            edges = await self.edges.run(level, field.place, field.order, rows)
            target[self.key] = edges[0] if edges else None


class WrittenOwnerField(Field):
    """Resolves to the row that the row of `one` belongs to, by its foreign key `owner`."""

    one: One
    owner: One

    @property
    def targets(self) -> tuple[type[t.Table], ...]:
        """The table whose rows the field leads to."""
        return (self.owner.target,)

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The row, or None."""
        id_ = getattr(source, self.one.key)
        if id_ is None:
            return None
        row = await load_row(info.context, self.one.target, id_)
        return await load_row(info.context, self.owner.target, getattr(row, self.owner.key))

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """One node."""
        return total([below], 1)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read the written row together with those of other fields of the payload."""
        plan = builder.planner.plan_selection(selected)
        builder.read(self.one.key)
        builder.merged(References).add(self.one, frozenset({self.owner.key}))
        builder.planner.count_statements(2)
        builder.add_step(selected.key, WrittenOwnerStep(selected.key, self, plan))


@dataclass(frozen=True, slots=True)
class WrittenOwnerStep:
    """Puts the owner into the payload."""

    key: str
    field: WrittenOwnerField
    plan: Any

    async def run(self, level: Level) -> None:
        """One row, or null."""
        one, owner = self.field.one, self.field.owner
        for id_, target in zip(level.values(one.key), level.objects, strict=True):
            shown: list[Any] = [None]
            if id_ is not None:
                owner_id = level.found[one.target][id_][owner.key]
                rows = await load_rows(level.context, owner.target, [owner_id], self.plan.columns)
                shown = await level.below(self.plan, rows)
            target[self.key] = shown[0]


def written_rows(table: type[t.Table], key: str, description: str) -> Any:
    """A field for the rows of `table` whose ids are in the attribute `key`."""
    field = WrittenField(python_name=None, description=description)
    field.table, field.key = table, key
    return field


def written_edge(one: One, place: str, order: Order, description: str) -> Any:
    """A field for the edge of the row of `one` in the connection `place`, whose default order is `order`."""
    field = WrittenEdgeField(python_name=None, description=description)
    field.one, field.place, field.order = one, place, order
    return field


def written_owner(one: One, owner: One, description: str) -> Any:
    """A field for the row that the foreign key `owner` of the row of `one` refers to."""
    field = WrittenOwnerField(python_name=None, description=description)
    field.one, field.owner = one, owner
    return field
