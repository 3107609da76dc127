"""Connections: pages of nodes, with cursors that say where in which order a page ended.

A cursor belongs to one connection field and one order; any other is refused, as a position in one order means nothing
in another. What a connection holds is loaded when it is selected, so that asking for `totalCount` alone reads no page.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import orjson
import strawberry

from db.page import DEFAULT_SIZE, MAX_SIZE, Order, Page, Position
from db.relations import Many, Slice, Window
from gql.context import Context
from gql.errors import Refused
from gql.loaders import load_count, load_slice

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@strawberry.type(description="Position of a page within its connection, and the cursors of the pages around it.")
class PageInfo:
    """As the Relay connection specification has it, but always exact."""

    has_next_page: bool = strawberry.field(description="Whether there are nodes after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are nodes before this page.")
    start_cursor: str | None = strawberry.field(
        description="Cursor of the first node, for `before`; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="Cursor of the last node, for `after`; null on an empty page."
    )


@strawberry.type(description="A node and its cursor.")
class Edge(Generic[T]):
    """One node of a page."""

    cursor: str = strawberry.field(description="Cursor of the node, for `after` or `before`.")
    node: T = strawberry.field(description="The node.")


@strawberry.type(description="A page of nodes.")
class Connection(Generic[T]):
    """One page, and how many nodes there are in all."""

    edges: list[Edge[T]] = strawberry.field(description="The nodes of this page with their cursors.")
    nodes: list[T] = strawberry.field(description="The nodes of this page.")
    page_info: PageInfo = strawberry.field(description="Whether there are more pages, and the cursors of this one.")
    total_count: int = strawberry.field(description="Number of nodes on all pages.")


@dataclass(frozen=True, slots=True)
class PendingConnection:
    """What a connection field resolves to: one parent's children, not yet loaded. Its attributes are the fields."""

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
    async def edges(self) -> list[dict[str, Any]]:
        """The rows with their cursors."""
        rows = (await self._slice()).rows
        return [Edge(cursor=encode_cursor(self.field, self.window.order, row), node=row) for row in rows]  # type: ignore[misc]

    @property
    async def page_info(self) -> PageInfo:
        """What lies around the page."""
        return page_info(self.field, self.window.order, await self._slice())

    @property
    def total_count(self) -> Awaitable[int]:
        """The number, which needs no page."""
        return load_count(self.context, self.many, self.window.where, self.parent)

    def _slice(self) -> Awaitable[Slice]:
        return load_slice(self.context, self.many, self.window, self.parent)


def page_info(field: str, order: Order, page: Slice) -> PageInfo:
    """What lies around `page` of the connection `field`."""
    ends = [encode_cursor(field, order, row) for row in (*page.rows[:1], *page.rows[-1:])]
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
    """The position that a cursor names. Raises `Refused` for anything but a cursor of this field and order."""
    try:
        its_field, its_order, value, id_ = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        position = Position(_read_value(value), _whole(id_))
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise Refused("This is not a cursor") from None
    if (its_field, its_order) != (field, order.full_name):
        raise Refused(f"This cursor is not one of {field} in this order")
    # Only the very form in which it was given out is one, with a value where the order has values.
    if not order.holds(position) or _write_cursor(field, order, position) != text:
        raise Refused("This is not a cursor")
    return position


def _read_value(value: Any) -> datetime | float | None:
    """A moment from milliseconds; a number with a fraction, and nothing, as they are."""
    return value if value is None or type(value) is float else _EPOCH + _MILLISECOND * _whole(value)


def _whole(value: Any) -> int:
    if type(value) is not int or not -(1 << 63) <= value < 1 << 63:
        raise ValueError(value)
    return value


def read_page(  # noqa: PLR0913, PLR0917  # the four arguments of every connection
    field: str, order: Order, first: int | None, after: str | None, last: int | None, before: str | None
) -> Page:
    """The page asked for. Raises `Refused` for sizes out of range, for both directions at once, and for bad cursors."""
    if first is not None and last is not None:
        raise Refused("Give first or last, not both")
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 1 <= size <= MAX_SIZE:
            raise Refused(f"{name} must be from 1 to {MAX_SIZE}, not {size}")
    return Page(
        size=first or last or DEFAULT_SIZE,
        backward=last is not None,
        after=None if after is None else decode_cursor(field, order, after),
        before=None if before is None else decode_cursor(field, order, before),
    )
