"""Fields of the root for rows by their ids."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import get_named_type, is_abstract_type

from db import tables as t
from db.scope import Viewer
from gql.context import Context
from gql.errors import ClientError, Code
from gql.fields.cost import Cost, list_size, times, total
from gql.fields.field import (
    MANY,
    Argument,
    Arguments,
    Builder,
    Field,
    Level,
    MeasuredField,
    SelectedField,
    optional_arguments,
    required_argument,
)
from gql.fields.node import NODE_SCOPES, GlobalId, decode_id
from gql.fields.scalars import BigInt
from gql.loaders import load_row, load_rows

_IDS = {
    "id": Argument(strawberry.ID | None, "Global id."),
    "database_id": Argument(BigInt | None, "Integer id, as in the REST API."),
}


class LookupField(Field):
    """Resolves to the row of `table` with the id in its arguments, or to null."""

    table: type[t.Table]

    @property
    def targets(self) -> tuple[type[t.Table], ...]:
        """The tables whose rows the field leads to."""
        return (self.table,)

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Awaitable[Any | None]:  # noqa: ARG002
        """The row, from the loader of its table."""
        context: Context = info.context
        return load_row(context, self.table, self.find(context.viewer, kwargs))

    def find(self, viewer: Viewer, values: Mapping[str, Any]) -> int:
        """The id to look up. Raises `ClientError` unless exactly one is given, and for one of another table."""
        id_, database_id = (values.get(name) for name in _IDS)
        if (id_ is None) == (database_id is None):
            raise ClientError("Give exactly one of id and databaseId")
        if id_ is not None:
            return decode_id(id_, self.table).seen_by(viewer)
        assert database_id is not None  # noqa: S101  # one of the two is given
        return int(database_id)

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """One node."""
        return total([below], 1)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read the row with the selected columns."""
        plan = builder.planner.plan(builder.planner.object_type(self.table), selected.details, most=1)
        read = builder.planner.read_arguments(self, selected)
        builder.planner.count_statements(1)
        builder.add_step(selected.key, LookupStep(selected.key, self, read, plan))


@dataclass(frozen=True, slots=True)
class LookupStep:
    """Puts the row into the root."""

    key: str
    field: LookupField
    read: Arguments
    plan: Any

    async def run(self, level: Level) -> None:
        """One row, or null."""
        id_ = self.field.find(level.context.viewer, self.read(level.variables))
        (row,) = await load_rows(level.context, self.field.table, [id_], self.plan.columns)
        shown = [None] if row is None else await level.below(self.plan, [row])
        for target in level.objects:
            target[self.key] = shown[0]


def lookup(table: type[t.Table], *, description: str | None = None) -> Any:
    """A field of the root for one row of `table`, by exactly one of its ids."""
    field = LookupField(python_name=None, description=description)
    field.table = table
    field.arguments = optional_arguments(_IDS)
    return field


class NodeField(Field):
    """Resolves to the row with a global id, of any type; to null if the viewer's account has no such row."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Awaitable[Any | None]:  # noqa: ARG002
        """The row, from the loader of its table."""
        return _load_node(info.context, kwargs["id"])

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """One node."""
        return total([below], 1)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the selection for each type that the row may have."""
        read = builder.planner.read_arguments(self, selected)
        builder.planner.count_statements(1)
        plans = _plans(builder, selected, most=1)
        builder.add_step(selected.key, NodeStep(selected.key, read, plans))


@dataclass(frozen=True, slots=True)
class NodeStep:
    """Puts the row of the argument `id` into the root."""

    key: str
    read: Arguments
    plans: Mapping[type[t.Table], Any]

    async def run(self, level: Level) -> None:
        """One row, or null."""
        (shown,) = await _nodes(level, self.plans, [self.read(level.variables)["id"]])
        for target in level.objects:
            target[self.key] = shown


class NodesField(Field):
    """Resolves to the rows with global ids, in the order of the ids, with null for each that does not exist."""

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> list[Any]:  # noqa: ARG002
        """The rows. graphql-core reports an exception in the list at its index."""
        loads = (_load_any(info.context, id_) for id_ in kwargs["ids"])
        found: list[Any] = await asyncio.gather(*loads, return_exceptions=True)
        return found

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:
        """One node for each id."""
        return times(list_size(measured.nodes[0], "ids", measured.max_list), total([below], 1))

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the selection for each type that a row may have."""
        read = builder.planner.read_arguments(self, selected)
        plans = _plans(builder, selected, most=MANY)
        builder.planner.count_statements(len(plans))
        builder.add_step(selected.key, NodesStep(selected.key, read, plans))


@dataclass(frozen=True, slots=True)
class NodesStep:
    """Puts the rows of the argument `ids` into the root."""

    key: str
    read: Arguments
    plans: Mapping[type[t.Table], Any]

    async def run(self, level: Level) -> None:
        """One statement for each type among them."""
        shown = await _nodes(level, self.plans, self.read(level.variables)["ids"])
        for target in level.objects:
            target[self.key] = shown


def _plans(builder: Builder, selected: SelectedField, most: int) -> dict[type[t.Table], Any]:
    """A plan for each type that implements the field's interface, for levels of at most `most` rows."""
    planner = builder.planner
    assert is_abstract_type(get_named_type(selected.definition.type))  # noqa: S101  # its type is the interface
    return {table: planner.plan(planner.object_type(table), selected.details, most) for table in NODE_SCOPES}


async def _nodes(level: Level, plans: Mapping[type[t.Table], Any], ids: Sequence[str]) -> list[Any]:
    """An object for each id.

    Raises `ClientError` for a malformed id, and for one whose type the token does not allow.
    """
    wanted = [_allowed(level.context, decode_id(id_)) for id_ in ids]
    by_table: dict[type[t.Table], list[int]] = {}
    for id_ in wanted:
        by_table.setdefault(id_.table, []).append(id_.seen_by(level.context.viewer))
    shown: dict[tuple[type[t.Table], int], Any] = {}
    for table, numbers in by_table.items():
        distinct = list(dict.fromkeys(numbers))
        rows = await load_rows(level.context, table, distinct, plans[table].columns)
        found = {(table, row["id"]): row for row in rows if row is not None}
        shown.update(zip(found, await level.below(plans[table], list(found.values())), strict=True))
    return [shown.get((id_.table, id_.seen_by(level.context.viewer))) for id_ in wanted]


async def _load_any(context: Context, id_: str) -> Any | None:
    return await _load_node(context, id_)


def _load_node(context: Context, id_: str) -> Awaitable[Any | None]:
    node = _allowed(context, decode_id(id_))
    return load_row(context, node.table, node.seen_by(context.viewer))


def _allowed(context: Context, id_: GlobalId) -> GlobalId:
    """The id, if the token allows its type. The id contains the type, so a rejection discloses nothing."""
    missing = sorted(NODE_SCOPES[id_.table] - context.viewer.scopes)
    if missing:
        raise ClientError(f"This needs the scope {', '.join(missing)}", Code.FORBIDDEN, requiredScopes=missing)
    return id_


def any_node(description: str) -> Any:
    """A field of the root for a row of any type, by its global id."""
    field = NodeField(python_name=None, description=description)
    field.arguments = [required_argument("id", strawberry.ID, "Global id of a node of any type.")]
    return field


def any_nodes(description: str) -> Any:
    """A field of the root for rows of any types, by their global ids."""
    field = NodesField(python_name=None, description=description)
    field.arguments = [required_argument("ids", list[strawberry.ID], "Global ids of nodes of any types.")]
    return field
