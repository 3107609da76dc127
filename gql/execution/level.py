"""A level at a time: the rows of a plan's selection become objects, and what they lead to is the next level.

For each relation of a level the keys of all parents go to its loader together. What goes wrong is raised, whatever it
is: `run` has graphql-core do it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphql.execution.values import VariableValues

from db.relations import Slice
from gql.context import Context
from gql.execution.plan import (
    ConnectionPlan,
    EdgePlan,
    LastPlan,
    LookupPlan,
    ManyPlan,
    ObjectPlan,
    OnePlan,
    RootPlan,
    Target,
)
from gql.fields.connection import PendingConnection, encode_cursor, page_info
from gql.fields.node import id_encoder
from gql.loaders import load_counts, load_rows, load_slices

# Stands for the parents of a level where only a field's arguments matter.
_ANY_PARENT = 0


class NullError(Exception):
    """There is no row where there must be one: graphql-core knows how far a null spreads."""


class Run:
    """One value's run through its plan."""

    def __init__(self, context: Context, variables: VariableValues) -> None:
        self._context = context
        self._variables = variables

    async def root(self, plan: RootPlan) -> dict[str, Any]:
        """The data of a query, one root field after the other."""
        data: dict[str, Any] = dict(plan.keys)
        for lookup in plan.lookups:
            data[lookup.key] = await self._look_up(lookup)
        for many in plan.manys:
            pending = self._pending(many, self._context.viewer.account_id)
            (data[many.key],) = await self.connections(many.connection, pending, [pending.parent])
        return data

    async def _look_up(self, lookup: LookupPlan) -> dict[str, Any] | None:
        id_ = lookup.field.find(self._context.viewer, lookup.read(self._variables))
        (row,) = await load_rows(self._context, lookup.field.table, [id_], lookup.plan.columns)
        return None if row is None else (await self.objects(lookup.plan, [row]))[0]

    async def whole_objects(self, plan: ObjectPlan, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """An object for each row that was read whole, which has no expressions."""
        if plan.needs_expressions:
            ids = list({row["id"]: None for row in rows})
            found = await load_rows(self._context, plan.table, ids, plan.columns)
            known = dict(zip(ids, found, strict=True))
            rows = [known[row["id"]] for row in rows]
        return await self.objects(plan, rows)

    async def objects(self, plan: ObjectPlan, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """An object for each row."""
        objects = plan.build(rows, id_encoder(plan.table, self._context.viewer.account_id))
        if rows:
            found = {target.table: await self._find(target, rows) for target in plan.targets}
            for one in plan.ones:
                await self._add_one(one, found, rows, objects)
            for many in plan.manys:
                await self._add_many(many, rows, objects)
            for last in plan.lasts:
                await self._add_last(last, rows, objects)
        return objects

    async def _find(self, target: Target, rows: Sequence[Any]) -> dict[int, Any]:
        """The rows of a table that a level refers to, by id."""
        ids = list({id_: None for key in target.keys for row in rows if (id_ := row[key]) is not None})
        if not ids:
            return {}
        found = await load_rows(self._context, target.table, ids, target.columns)
        return {row["id"]: row for row in found if row is not None}

    async def _add_one(
        self, one: OnePlan, found: Mapping[Any, Mapping[int, Any]], rows: Sequence[Any], objects: list[dict[str, Any]]
    ) -> None:
        """Put the rows that a level refers to into its objects. Objects that share one refer to the same."""
        shown: dict[tuple[str, int], dict[str, Any]] = {}
        for column, plan in one.ways:
            known = found[plan.table]
            ids = list({id_: None for row in rows if (id_ := row[column]) in known})
            targets = await self.objects(plan, [known[id_] for id_ in ids])
            shown.update(((column, id_), target) for id_, target in zip(ids, targets, strict=True))
        for row, parent in zip(rows, objects, strict=True):
            for column, _ in one.ways:
                if (id_ := row[column]) is not None:
                    parent[one.key] = shown.get((column, id_))
                    break
            if one.required and parent[one.key] is None:
                raise NullError(one.key)

    async def _add_many(self, many: ManyPlan, rows: Sequence[Any], objects: list[dict[str, Any]]) -> None:
        """Put the connections of a level into its objects."""
        parents = list({row["id"]: None for row in rows})
        pending = self._pending(many, _ANY_PARENT)
        connections = dict(zip(parents, await self.connections(many.connection, pending, parents), strict=True))
        for row, parent in zip(rows, objects, strict=True):
            parent[many.key] = connections[row["id"]]

    async def _add_last(self, last: LastPlan, rows: Sequence[Any], objects: list[dict[str, Any]]) -> None:
        """Put the last row of each parent into its object."""
        parents = list({row["id"]: None for row in rows})
        slices = await load_slices(self._context, last.many, last.window, parents, last.target.columns)
        found = {parent: page.rows[0] for parent, page in zip(parents, slices, strict=True) if page.rows}
        shown = dict(zip(found, await self.objects(last.target, list(found.values())), strict=True))
        for row, parent in zip(rows, objects, strict=True):
            parent[last.key] = shown.get(row["id"])

    def _pending(self, many: ManyPlan, parent: int) -> PendingConnection:
        return many.field.connect(self._context, many.place, parent, many.read(self._variables))

    async def connections(
        self, plan: ConnectionPlan, pending: PendingConnection, parents: Sequence[int]
    ) -> list[dict[str, Any]]:
        """A connection for each parent."""
        window = pending.window
        connections: list[dict[str, Any]] = [dict(plan.keys) for _ in parents]
        if plan.totals:
            totals = await load_counts(self._context, pending.many, window.where, parents)
            _put(connections, plan.totals, totals)
        if plan.reads_page:
            slices = await load_slices(self._context, pending.many, window, parents, plan.columns)
            await self._add_pages(plan, pending, slices, connections)
        return connections

    async def _add_pages(
        self, plan: ConnectionPlan, pending: PendingConnection, slices: list[Slice], connections: list[dict[str, Any]]
    ) -> None:
        rows = [row for page in slices for row in page.rows]
        sizes = [len(page.rows) for page in slices]
        for key, object_plan in plan.nodes:
            _put(connections, [key], _cut(await self.objects(object_plan, rows), sizes))
        for key, edge_plan in plan.edges:
            _put(connections, [key], _cut(await self._edges(edge_plan, pending, rows), sizes))
        for key, attributes in plan.page_infos:
            infos = [page_info(pending.field, pending.window.order, page) for page in slices]
            _put(
                connections,
                [key],
                [
                    {
                        name: constant if attribute is None else getattr(info, attribute)
                        for name, attribute, constant in attributes
                    }
                    for info in infos
                ],
            )

    async def _edges(self, plan: EdgePlan, pending: PendingConnection, rows: Sequence[Any]) -> list[dict[str, Any]]:
        edges: list[dict[str, Any]] = [{} for _ in rows]
        nodes = {key: await self.objects(object_plan, rows) for key, object_plan in plan.nodes}
        for key, name in plan.keys:
            if name == "node":
                _put(edges, [key], nodes[key])
            elif name == "cursor":
                _put(edges, [key], [encode_cursor(pending.field, pending.window.order, row) for row in rows])
            else:
                _put(edges, [key], [plan.type_name] * len(rows))
        return edges


def _put(objects: Iterable[dict[str, Any]], keys: Iterable[str], values: Sequence[Any]) -> None:
    for key in keys:
        for target, value in zip(objects, values, strict=True):
            target[key] = value


def _cut(items: Sequence[Any], sizes: Iterable[int]) -> list[Sequence[Any]]:
    """`items` in pieces of the given sizes."""
    pieces, start = [], 0
    for size in sizes:
        pieces.append(items[start : start + size])
        start += size
    return pieces
