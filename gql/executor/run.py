"""Runs plans: takes over where graphql-core would complete rows one by one, and does a level of them at once.

For each relation of a level the keys of all parents go to its loader together; the rows that come back are the next
level. Where a selection cannot be planned, or anything at all goes wrong in a planned one, graphql-core completes the
value instead, and its answer, errors and all, is the one that is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import get_named_type, get_nullable_type, is_list_type, is_non_null_type
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from db.engine import Row
from db.relations import Slice
from gql.connection import PendingConnection, encode_cursor, page_info
from gql.context import Context
from gql.executor.plan import (
    ConnectionPlan,
    Details,
    EdgePlan,
    ManyPlan,
    ObjectPlan,
    OnePlan,
    Planner,
    Plans,
    Target,
    UnplannableError,
)
from gql.loaders import load_counts, load_rows, load_slices
from gql.node import id_encoder

# How often a value was completed by graphql-core instead, and why: for operators and tests.
FALLBACKS: Counter[str] = Counter()


@dataclass(frozen=True, slots=True)
class _Parent:
    """Stands for the rows of a level where only a field's arguments matter."""

    id: int = 0


_ANY_PARENT = _Parent()


class NullError(Exception):
    """There is no row where there must be one: graphql-core knows how far a null spreads."""


class LevelExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, completing rows by plans. `plans` are kept with the document."""

    def __init__(self, *args: Any, plans: Plans | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plans = {} if plans is None else plans.under(self.variable_values.coerced)
        # Root fields whose rows graphql-core completes. All below them is its own too, so that its loads are batched.
        self._reference: set[str | int] = set()

    def complete_value(  # noqa: PLR0913, PLR0917  # graphql-core's signature
        self, return_type: Any, field_details_list: Details, info: Any, path: Path, result: Any, position_context: Any
    ) -> Any:
        """Complete rows and connections by their plans, everything else as graphql-core does."""
        kind = type(result)
        if kind is PendingConnection or issubclass(kind, Row) or (kind is list and _holds_rows(return_type, result)):
            root = _root(path)
            if root not in self._reference:
                return self._complete(root, return_type, field_details_list, info, path, result, position_context)
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    async def _complete(  # noqa: PLR0913, PLR0917
        self,
        root: str | int,
        return_type: Any,
        details: Details,
        info: Any,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        try:
            return await self._run(return_type, details, path, result)
        except UnplannableError as error:
            FALLBACKS[str(error)] += 1
        except Exception as error:  # noqa: BLE001  # graphql-core does it again and tells what it is
            FALLBACKS[type(error).__name__] += 1
        self._reference.add(root)
        completed = super().complete_value(return_type, details, info, path, result, position_context)
        return await completed if self.is_awaitable(completed) else completed

    async def _run(self, return_type: Any, details: Details, path: Path, result: Any) -> Any:
        run = _Run(self)
        if isinstance(result, PendingConnection):
            plan = self._plan(path, return_type, lambda planner, type_: planner.plan_connection(type_, details))
            (connection,) = await run.connections(plan, result, [result.parent])
            return connection
        if isinstance(result, Row):
            return (await self._run_rows(run, details, path, [result]))[0]
        return await self._run_rows(run, details, path, result)

    async def _run_rows(self, run: _Run, details: Details, path: Path, rows: list[Any]) -> list[Any]:
        """Objects for rows of any tables, in order, null for none."""
        shown: list[Any] = [None] * len(rows)
        for table in {row.table for row in rows if row is not None}:
            type_ = self.schema.get_type(table.__name__)
            plan = self._plan(path, type_, lambda planner, found: planner.plan_object(found, details))
            places = [place for place, row in enumerate(rows) if row is not None and row.table is table]
            objects = await run.objects(plan, [rows[place] for place in places])
            for place, shown_object in zip(places, objects, strict=True):
                shown[place] = shown_object
        return shown

    def _plan(self, path: Path, type_: Any, make: Callable[[Planner, Any], Any]) -> Any:
        named = get_named_type(type_)
        key = (named.name, *(part for part in path.as_list() if isinstance(part, str)))
        plan = self._plans.get(key)
        if plan is None:
            planner = Planner(self.schema, lambda object_type, fields: self.collect_subfields(object_type, fields)[0])
            try:
                plan = make(planner, named)
            except UnplannableError as error:
                plan = error
            self._plans[key] = plan
        if isinstance(plan, UnplannableError):
            raise plan
        return plan


class _Run:
    """One value's run through its plan."""

    def __init__(self, executor: LevelExecutor) -> None:
        self._executor = executor
        self._context: Context = executor.context_value

    async def objects(self, plan: ObjectPlan, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """An object for each row."""
        objects = plan.build(rows, id_encoder(plan.table, self._context.viewer.account_id))
        if rows:
            found = {target.table: await self._find(target, rows) for target in plan.targets}
            for one in plan.ones:
                await self._add_one(one, found, rows, objects)
            for many in plan.manys:
                await self._add_many(many, rows, objects)
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
        pending = self._pending(many)
        connections = dict(zip(parents, await self.connections(many.connection, pending, parents), strict=True))
        for row, parent in zip(rows, objects, strict=True):
            parent[many.key] = connections[row["id"]]

    def _pending(self, many: ManyPlan) -> PendingConnection:
        """What the field's own resolver makes of its arguments, for a parent that does not matter."""
        executor = self._executor
        path = Path(None, many.key, many.parent_type.name)
        nodes = [details.node for details in many.details]
        info = executor.build_resolve_info(many.definition, nodes, many.parent_type, path)
        args = get_argument_values(many.definition, nodes[0], executor.variable_values)
        return many.definition.resolve(_ANY_PARENT, info, **args)  # type: ignore[misc,no-any-return]

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


def _holds_rows(return_type: Any, result: list[Any]) -> bool:
    """Whether `result` is a list of rows, or of rows and nulls where nulls may be."""
    if not is_list_type(get_nullable_type(return_type)):
        return False
    nulls = not is_non_null_type(get_nullable_type(return_type).of_type)
    return any(isinstance(item, Row) for item in result) and all(
        isinstance(item, Row) or (item is None and nulls) for item in result
    )


def _root(path: Path) -> str | int:
    while path.prev is not None:
        path = path.prev
    return path.key
