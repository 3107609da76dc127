"""The root of reading."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import strawberry

from db import tables as t
from db.page import Page
from db.relations import Many, Window
from gql.connection import Connection
from gql.context import Context
from gql.errors import Code, Refused
from gql.fields import filtered, many, one, ordered
from gql.filters import BookingFilter, ConversationFilter, ConversationOrder, read_order
from gql.loaders import load_row, load_slice
from gql.node import GlobalId, Node, decode_id
from gql.scalars import BigInt
from gql.types import NODE_SCOPES, Account, Booking, Conversation, Creator, Host, Source
from gql.enums import CreatorType

_HOSTS_OF_USER = Many.along(t.Host.user_id)
_ACTORS: dict[CreatorType, type[t.Table]] = {CreatorType.USER: t.User, CreatorType.APPLICATION: t.Application}


@strawberry.type(description="Who is asking, and what the token allows.")
class Viewer:
    """Resolved from `db.scope.Viewer`."""

    account: Account = one(t.Conversation.account_id)

    @strawberry.field(description="What the token allows.")
    def scopes(self, info: strawberry.Info[Context, None]) -> list[str]:
        return sorted(info.context.viewer.scopes)

    @strawberry.field(description="The user or application that the token was made for.")
    def actor(self, info: strawberry.Info[Context, None]) -> Creator | None:
        viewer = info.context.viewer
        return load_row(info.context, _ACTORS[viewer.actor_type], viewer.actor_id)  # type: ignore[return-value]

    @strawberry.field(description="The host that the user writes as.")
    async def host(self, info: strawberry.Info[Context, None]) -> Host | None:
        viewer = info.context.viewer
        if viewer.actor_type is not CreatorType.USER:
            return None
        page = await load_slice(info.context, _HOSTS_OF_USER, Window(Page(size=1)), viewer.actor_id)
        return page.rows[0] if page.rows else None


@strawberry.type(description="Reading.")
class Query:
    """Every field answers for the account of the token only."""

    conversations: Connection[Conversation] = many(
        t.Conversation.account_id,
        filter=filtered(ConversationFilter),
        order_by=ordered(ConversationOrder, read_order),
        description="The account's conversations, the newest message first.",
    )
    bookings: Connection[Booking] = many(t.Booking.account_id, filter=filtered(BookingFilter))
    hosts: Connection[Host] = many(t.Host.account_id)
    sources: Connection[Source] = many(t.Source.account_id)

    @strawberry.field(description="Who is asking.")
    def viewer(self, info: strawberry.Info[Context, None]) -> Viewer:
        return info.context.viewer  # type: ignore[return-value]

    @strawberry.field(description="Any node by its id.")
    def node(self, info: strawberry.Info[Context, None], id: strawberry.ID) -> Node | None:
        return _load_node(info.context, decode_id(id))  # type: ignore[return-value]

    @strawberry.field(description="Nodes by their ids, in that order; null for each that is not there or not yours.")
    async def nodes(self, info: strawberry.Info[Context, None], ids: list[strawberry.ID]) -> list[Node | None]:
        # Each id stands for itself: what is wrong with one is reported in its place. An exception in a list is that.
        return await asyncio.gather(*(_load_any(info.context, id_) for id_ in ids), return_exceptions=True)  # type: ignore[return-value]

    @strawberry.field(description="One conversation, by exactly one of its ids.")
    def conversation(
        self, info: strawberry.Info[Context, None], id: strawberry.ID | None = None, database_id: BigInt | None = None
    ) -> Conversation | None:
        return _load_one(info.context, t.Conversation, id, database_id)  # type: ignore[return-value]

    @strawberry.field(description="One booking, by exactly one of its ids.")
    def booking(
        self, info: strawberry.Info[Context, None], id: strawberry.ID | None = None, database_id: BigInt | None = None
    ) -> Booking | None:
        return _load_one(info.context, t.Booking, id, database_id)  # type: ignore[return-value]


def _load_one(
    context: Context, table: type[t.Table], id_: str | None, database_id: int | None
) -> Awaitable[Any | None]:
    if (id_ is None) == (database_id is None):
        raise Refused("Give exactly one of id and databaseId")
    if id_ is not None:
        return load_row(context, table, decode_id(id_, table).seen_by(context.viewer))
    assert database_id is not None  # noqa: S101  # one of the two is given
    return load_row(context, table, database_id)


async def _load_any(context: Context, id_: str) -> Any | None:
    return await _load_node(context, decode_id(id_))


def _load_node(context: Context, id_: GlobalId) -> Awaitable[Any | None]:
    """The row, if the token allows its type. The id alone tells the type, so that refusing tells nothing of the row."""
    missing = NODE_SCOPES[id_.table] - context.viewer.scopes
    if missing:
        raise Refused(f"This needs the scope {', '.join(sorted(missing))}", Code.FORBIDDEN)
    return load_row(context, id_.table, id_.seen_by(context.viewer))
