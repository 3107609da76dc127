"""Connections: pages of nodes, with cursors that contain a position in an order.

A cursor belongs to one connection field and one order, and is rejected by others, because a position in one order means
nothing in another. The parts of a connection are loaded when they are selected, so that `totalCount` alone reads no
page.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

import orjson
import strawberry
from graphql import GraphQLNamedType, get_named_type
from strawberry.schema.schema_converter import GraphQLCoreConverter

from db.criterion import Term
from db.page import DEFAULT_SIZE, MAX_SIZE, Order, Page, Position
from db.relations import Many, Slice, Window
from db.selection import Column
from gql.context import Context
from gql.errors import ClientError
from gql.fields.column import column
from gql.fields.cost import Cost, total
from gql.fields.field import MANY, Details, FallbackError, Field, Level, MeasuredField, Planner
from gql.loaders import load_count, load_counts, load_slice, load_slices

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The most bytes of JSON, for the size of a response.
_LONGEST_CURSOR = 200
_LONGEST_NUMBER = 30
_MILLISECOND = timedelta(milliseconds=1)


@strawberry.type(description="Position of a page within its connection, and the cursors of the pages around it.")
class PageInfo:
    """As in the Relay connection specification, but always exact."""

    has_next_page: bool = column("Whether there are nodes after this page.")
    has_previous_page: bool = column("Whether there are nodes before this page.")
    start_cursor: str | None = column("Cursor of the first node, for `before`; null on an empty page.")
    end_cursor: str | None = column("Cursor of the last node, for `after`; null on an empty page.")


class PageNodesField(Field):
    """The nodes of a page, or the node of an edge."""

    @property
    def is_basic_field(self) -> bool:
        """True: `PendingConnection` loads."""
        return True

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """One node for each row of the page; the connection multiplies by the size of the page."""
        return total([below], 1)


class EdgeField(Field):
    """A field of an edge beside its cursor and its node: an object that is loaded for all rows of a page, or null."""

    weight: int
    """The nodes that each row costs."""
    size: int
    """The most bytes of JSON of the object, in addition to those of its selection."""
    statements: int
    """The most SQL statements that it takes for all rows."""

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """What loading costs for each row, and the selection on the object."""
        return total([below], self.weight)

    async def load(self, context: Context, where: Sequence[Term], ids: Sequence[int]) -> list[Any]:
        """The objects for the rows of distinct `ids`, which meet `where`; None for a row without one."""
        raise NotImplementedError


class TotalCountField(Field):
    """The number of a connection's nodes, which needs no page."""

    @property
    def is_basic_field(self) -> bool:
        """True: `PendingConnection` counts."""
        return True


@strawberry.type(description="A node and its cursor.")
class Edge(Generic[T]):
    """One node of a page."""

    cursor: str = column("Cursor of the node, for `after` or `before`.")
    node: T = PageNodesField(python_name=None, description="The node.")  # type: ignore[assignment]


@strawberry.type(description="A page of nodes.")
class Connection(Generic[T]):
    """One page, and the total number of nodes."""

    edges: list[Edge[T]] = column("The nodes of this page with their cursors.")
    nodes: list[T] = PageNodesField(  # type: ignore[assignment]
        python_name=None, description="The nodes of this page."
    )
    page_info: PageInfo = column("Whether there are more pages, and the cursors of this one.")
    total_count: int = TotalCountField(  # type: ignore[assignment]
        python_name=None, description="Number of nodes on all pages."
    )


class PendingConnection(NamedTuple):
    """The source of a connection: one parent's children, not yet loaded. Its attributes are the fields."""

    context: Context
    many: Many
    window: Window
    parent: int
    field: str

    @property
    async def nodes(self) -> list[Any]:
        """The rows."""
        return (await self._slice()).rows

    @property
    async def edges(self) -> list[PendingEdge]:
        """The rows with their cursors."""
        return [PendingEdge(self, row) for row in (await self._slice()).rows]

    @property
    async def page_info(self) -> PageInfo:
        """The cursors around the page."""
        return page_info(self.field, self.window.order, await self._slice())

    @property
    def total_count(self) -> Awaitable[int]:
        """The number, without a page."""
        return load_count(self.context, self.many, self.window.where, self.parent)

    def _slice(self) -> Awaitable[Slice]:
        return load_slice(self.context, self.many, self.window, self.parent)


class PendingEdge(NamedTuple):
    """The source of an edge."""

    connection: PendingConnection
    node: Any

    @property
    def cursor(self) -> str:
        """The position of the row."""
        return encode_cursor(self.connection.field, self.connection.window.order, self.node)


def page_info(field: str, order: Order, page: Slice, *, has_cursors: bool = True) -> PageInfo:
    """The cursors around `page` of the connection `field`, if it `has_cursors`, and whether there are more pages."""
    ends = [encode_cursor(field, order, row) for row in (*page.rows[:1], *page.rows[-1:])] if has_cursors else []
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=ends[0] if ends else None,
        end_cursor=ends[-1] if ends else None,
    )


def encode_cursor(field: str, order: Order, row: Any) -> str:
    """The cursor of `row` in the connection `field`, named `Type.field`."""
    return _write_cursor(field, order, order.position(row))


def _write_cursor(field: str, order: Order, position: Position) -> str:
    value: Any = position.value
    if isinstance(value, datetime):
        value = (value - _EPOCH) // _MILLISECOND
    return urlsafe_b64encode(orjson.dumps([field, order.full_name, value, position.id])).decode().rstrip("=")


def decode_cursor(field: str, order: Order, text: str) -> Position:
    """The position of a cursor. Raises `ClientError` for anything but a cursor of this field and order."""
    try:
        its_field, its_order, value, id_ = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        position = Position(_read_value(value), _whole(id_))
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise ClientError("This is not a cursor") from None
    if (its_field, its_order) != (field, order.full_name):
        raise ClientError(f"This cursor is not one of {field} in this order")
    # Only the exact form that the server issues is accepted, with a value if the order has values.
    if not order.holds(position) or _write_cursor(field, order, position) != text:
        raise ClientError("This is not a cursor")
    return position


def _read_value(value: Any) -> datetime | float | None:
    """A time from milliseconds; null and a number with a fraction stay as they are."""
    return value if value is None or type(value) is float else _EPOCH + _MILLISECOND * _whole(value)


def _whole(value: Any) -> int:
    if type(value) is not int or not -(1 << 63) <= value < 1 << 63:
        raise ValueError(value)
    return value


def read_page(  # noqa: PLR0913, PLR0917  # the four arguments of every connection
    field: str, order: Order, first: int | None, after: str | None, last: int | None, before: str | None
) -> Page:
    """The requested page. Raises `ClientError` for sizes out of range, both directions at once, and bad cursors."""
    if first is not None and last is not None:
        raise ClientError("Give first or last, not both")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 1 <= size <= MAX_SIZE:
            raise ClientError(f"{name} must be from 1 to {MAX_SIZE}, not {size}")
    return Page(
        size=first or last or DEFAULT_SIZE,
        backward=last is not None,
        after=None if after is None else decode_cursor(field, order, after),
        before=None if before is None else decode_cursor(field, order, before),
    )


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """A selection on the edges of a connection: response keys with their fields, in order."""

    type_name: str
    keys: tuple[tuple[str, str], ...]
    nodes: tuple[tuple[str, Any], ...]
    parts: tuple[tuple[str, EdgeField, Any], ...]

    async def run(
        self, level: Level, field: str, order: Order, rows: Sequence[Any], where: Sequence[Term] = ()
    ) -> list[dict[str, Any]]:
        """An edge for each row, with its cursor in the connection `field`. The rows meet `where`."""
        edges: list[dict[str, Any]] = [{} for _ in rows]
        level.count(sum(len(key) + _LONGEST_CURSOR for key, _ in self.keys), len(rows))
        objects: dict[str, list[Any]] = {key: await level.below(plan, rows) for key, plan in self.nodes}
        for key, part, plan in self.parts:
            objects[key] = await self._load(level, where, rows, part, plan)
        for key, name in self.keys:
            if key in objects:
                _put(edges, key, objects[key])
            elif name == "cursor":
                _put(edges, key, [encode_cursor(field, order, row) for row in rows])
            else:
                _put(edges, key, [self.type_name] * len(rows))
        return edges

    @staticmethod
    async def _load(level: Level, where: Sequence[Term], rows: Sequence[Any], part: EdgeField, plan: Any) -> list[Any]:
        """The objects of a part: one, or null, for each row."""
        level.add_nodes(part.weight * len(rows))
        ids = list(dict.fromkeys(row["id"] for row in rows))
        found = dict(zip(ids, await part.load(level.context, where, ids), strict=True))
        sources = [source for row in rows if (source := found[row["id"]]) is not None]
        level.count(part.size, len(sources))
        shown = iter(await level.below(plan, sources))
        return [None if found[row["id"]] is None else next(shown) for row in rows]


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """A selection on a connection. `keys` are all response keys in order, with the constants of those that have one."""

    keys: tuple[tuple[str, str | None], ...]
    totals: tuple[str, ...]
    page_infos: tuple[tuple[str, Any], ...]
    edges: tuple[tuple[str, EdgePlan], ...]
    nodes: tuple[tuple[str, Any], ...]
    columns: frozenset[Column]
    """The columns that rows must have, in addition to those of cursors."""
    has_cursors: bool
    """Whether cursors are selected: of edges, or of the page."""

    @property
    def reads_page(self) -> bool:
        """Whether anything but the number of nodes is selected."""
        return bool(self.page_infos or self.edges or self.nodes)

    async def run(self, level: Level, pending: PendingConnection, parents: Sequence[int]) -> list[dict[str, Any]]:
        """A connection like `pending` for each of the distinct parents."""
        connections: list[dict[str, Any]] = [dict(self.keys) for _ in parents]
        level.count(sum(len(key) + _LONGEST_NUMBER for key, _ in self.keys), len(parents))
        many, window = pending.many, pending.window
        if self.totals:
            totals = await load_counts(level.context, many, window.where, parents)
            for key in self.totals:
                _put(connections, key, totals)
        if self.reads_page:
            # The columns of an order are mostly times, which take longer to read than what is shown (`db.times`).
            columns = self.columns | window.order.columns if self.has_cursors else self.columns
            slices = await load_slices(level.context, many, window, parents, columns)
            await self._add_pages(level, pending, slices, connections)
        return connections

    async def _add_pages(
        self, level: Level, pending: PendingConnection, slices: list[Slice], connections: list[dict[str, Any]]
    ) -> None:
        rows = [row for page in slices for row in page.rows]
        if not self.nodes and not any(edges.nodes for _, edges in self.edges):
            level.add_nodes(len(rows))
        sizes = [len(page.rows) for page in slices]
        for key, plan in self.nodes:
            _put(connections, key, _cut(await level.below(plan, rows), sizes))
        for key, edges in self.edges:
            shown = await edges.run(level, pending.field, pending.window.order, rows, pending.window.where)
            _put(connections, key, _cut(shown, sizes))
        for key, plan in self.page_infos:
            infos = [
                page_info(pending.field, pending.window.order, page, has_cursors=self.has_cursors) for page in slices
            ]
            _put(connections, key, await level.below(plan, infos))


def plan_connection(planner: Planner, type_: GraphQLNamedType, details: Details, most: int) -> ConnectionPlan:
    """The plan of the selection `details` on a connection type, for levels of at most `most` rows."""
    keys: list[tuple[str, str | None]] = []
    totals, page_infos, edges, nodes = [], [], [], []
    columns = frozenset[Column]({"id"})
    has_cursors = False
    for key, fields in planner.collect(type_, details).items():
        name = fields[0].node.name.value
        keys.append((key, type_.name if name == "__typename" else None))
        if name == "totalCount":
            planner.count_statements(1)
            totals.append(key)
        elif name == "edges":
            edges.append((key, plan_edges(planner, _field_type(type_, name), fields, most)))
            columns = columns.union(*(plan.columns for _, plan in edges[-1][1].nodes))
            has_cursors |= any(part == "cursor" for _, part in edges[-1][1].keys)
        elif name == "nodes":
            nodes.append((key, planner.plan(_field_type(type_, name), fields, most)))
            columns |= nodes[-1][1].columns
        elif name == "pageInfo":
            page_infos.append((key, planner.plan(_field_type(type_, name), fields)))
            parts = planner.collect(_field_type(type_, name), fields).values()
            has_cursors |= any(part[0].node.name.value in {"startCursor", "endCursor"} for part in parts)
        elif name != "__typename":
            raise FallbackError(f"{type_.name}.{name} is no part of a connection")
    plan = ConnectionPlan(
        tuple(keys), tuple(totals), tuple(page_infos), tuple(edges), tuple(nodes), columns, has_cursors
    )
    planner.count_statements(int(plan.reads_page))
    return plan


def plan_edges(planner: Planner, type_: GraphQLNamedType, details: Details, most: int = MANY) -> EdgePlan:
    """The plan of the selection `details` on an edge type, for levels of at most `most` rows."""
    keys, nodes, parts = [], [], []
    for key, fields in planner.collect(type_, details).items():
        name = fields[0].node.name.value
        keys.append((key, name))
        if name in {"cursor", "__typename"}:
            continue
        kind = type_.fields[name].extensions[GraphQLCoreConverter.DEFINITION_BACKREF]  # type: ignore[attr-defined]
        plan = planner.plan(_field_type(type_, name), fields, most if name == "node" else MANY)
        if name == "node":
            nodes.append((key, plan))
        elif isinstance(kind, EdgeField):
            planner.count_statements(kind.statements)
            parts.append((key, kind, plan))
        else:
            raise FallbackError(f"{type_.name}.{name} is no part of an edge")
    return EdgePlan(type_.name, tuple(keys), tuple(nodes), tuple(parts))


def _field_type(type_: Any, name: str) -> GraphQLNamedType:
    named: GraphQLNamedType = get_named_type(type_.fields[name].type)
    return named


def _put(objects: Iterable[dict[str, Any]], key: str, values: Sequence[Any]) -> None:
    for target, value in zip(objects, values, strict=True):
        target[key] = value


def _cut(items: Sequence[Any], sizes: Iterable[int]) -> list[Sequence[Any]]:
    """`items` in pieces of the given sizes."""
    pieces, start = [], 0
    for size in sizes:
        pieces.append(items[start : start + size])
        start += size
    return pieces
