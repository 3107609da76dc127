"""The root of reading."""

# mypy: disable-error-code="untyped-decorator"
# Strawberry types the decorator form of its fields as Any.

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any

import strawberry

from db import tables as t
from db.page import Page
from db.relations import Many, Window
from gql.context import Context
from gql.errors import Code, Refused
from gql.fields.connection import Connection
from gql.fields.enums import CreatorType
from gql.fields.filters import BookingFilter, ConversationFilter, ConversationOrder, read_filter, read_order
from gql.fields.node import GlobalId, Node, decode_id
from gql.fields.relation import filtered, lookup, many, one, ordered
from gql.loaders import load_row, load_slice
from gql.types import NODE_SCOPES
from gql.types.account import Account
from gql.types.actor import Creator
from gql.types.booking import Booking
from gql.types.conversation import Conversation
from gql.types.counts import InboxCounts, PendingCounts
from gql.types.person import Host
from gql.types.source import Source

_AnyId = Annotated[strawberry.ID, strawberry.argument(description="Global id of a node of any type.")]
_AnyIds = Annotated[list[strawberry.ID], strawberry.argument(description="Global ids of nodes of any types.")]

_Counted = Annotated[
    ConversationFilter | None, strawberry.argument(description="Counts only conversations that match.")
]

_HOSTS_OF_USER = Many.along(t.Host.user_id)
_ACTORS: dict[CreatorType, type[t.Table]] = {CreatorType.USER: t.User, CreatorType.APPLICATION: t.Application}


@strawberry.type(description="The account, actor and scopes of the token.")
class Viewer:
    """Resolved from `db.scope.Viewer`."""

    account: Account = one(t.Conversation.account_id, description="The account whose records the token can read.")

    @strawberry.field(description="Scopes of the token, implied ones included.")
    def scopes(self, info: strawberry.Info[Context, None]) -> list[str]:
        """Those that others imply included."""
        return sorted(info.context.viewer.scopes)

    @strawberry.field(description="The user or application that the token was issued for.")
    def actor(self, info: strawberry.Info[Context, None]) -> Creator | None:
        """A row like any other: the token tells no more than its id."""
        viewer = info.context.viewer
        return load_row(info.context, _ACTORS[viewer.actor_type], viewer.actor_id)  # type: ignore[return-value]

    @strawberry.field(description="The host as which the user writes messages; null for an application.")
    async def host(self, info: strawberry.Info[Context, None]) -> Host | None:
        """An application writes as nobody. Of several hosts with one login, the first."""
        viewer = info.context.viewer
        if viewer.actor_type is not CreatorType.USER:
            return None
        page = await load_slice(info.context, _HOSTS_OF_USER, Window(Page(size=1)), viewer.actor_id)
        return page.rows[0] if page.rows else None


@strawberry.type(description="The budget per minute of the user or application, in nodes.")
class RateLimit:
    """Resolved from `gql.security.rate.Budget`."""

    limit: int = strawberry.field(description="Nodes per minute.")
    remaining: int = strawberry.field(description="Nodes left after this operation.")
    reset_at: datetime = strawberry.field(
        description="When the whole budget is available again if no more operations are sent."
    )

    @strawberry.field(description="Nodes charged for this operation.")
    def cost(self, info: strawberry.Info[Context, None]) -> int:
        """Told by the limits."""
        context = info.context
        return context.rates.bounded(context.cost) if context.rates else 0


@strawberry.type(description="Reads the records of the token's account. Records of other accounts do not exist here.")
class Query:
    """Every field answers for the account of the token only."""

    conversations: Connection[Conversation] = many(
        t.Conversation.account_id,
        filter=filtered(ConversationFilter),
        order_by=ordered(ConversationOrder, read_order),
        description="Conversations of the account, by default the newest message first.",
    )
    bookings: Connection[Booking] = many(
        t.Booking.account_id,
        filter=filtered(BookingFilter),
        description="Bookings of the account, by id.",
    )
    hosts: Connection[Host] = many(t.Host.account_id, description="Hosts of the account, by id.")
    sources: Connection[Source] = many(t.Source.account_id, description="Sources of the account, by id.")
    conversation: Conversation | None = lookup(
        t.Conversation,
        description="One conversation by `id` or `databaseId`, exactly one of them; null if it does not exist.",
    )
    booking: Booking | None = lookup(
        t.Booking, description="One booking by `id` or `databaseId`, exactly one of them; null if it does not exist."
    )

    @strawberry.field(description="Numbers of conversations for the tabs of an inbox.")
    def inbox_counts(self, info: strawberry.Info[Context, None], filter: _Counted = None) -> InboxCounts:
        """The numbers are counted when they are selected."""
        return PendingCounts(read_filter(filter, info.context.viewer))  # type: ignore[return-value]

    @strawberry.field(description="Who sends the request.")
    def viewer(self, info: strawberry.Info[Context, None]) -> Viewer:
        """The token's, so that it costs no statement."""
        return info.context.viewer  # type: ignore[return-value]

    @strawberry.field(description="What is left of the budget per minute; null if the server has no limit.")
    async def rate_limit(self, info: strawberry.Info[Context, None]) -> RateLimit | None:
        """The viewer's budget, this operation taken off."""
        rates = info.context.rates
        return await rates.budget(info.context.viewer) if rates else None  # type: ignore[return-value]

    @strawberry.field(description="Any node by its id; null if it does not exist.")
    def node(self, info: strawberry.Info[Context, None], id: _AnyId) -> Node | None:
        """Refuses an id whose type the token does not allow, and one that is none."""
        return _load_node(info.context, decode_id(id))  # type: ignore[return-value]

    @strawberry.field(description="Nodes by their ids, in the order of `ids`; null for each that does not exist.")
    async def nodes(self, info: strawberry.Info[Context, None], ids: _AnyIds) -> list[Node | None]:
        """A batch for each type among them."""
        # Each id stands for itself: what is wrong with one is reported in its place. An exception in a list is that.
        loads = (_load_any(info.context, id_) for id_ in ids)
        found: list[Any] = await asyncio.gather(*loads, return_exceptions=True)
        return found


async def _load_any(context: Context, id_: str) -> Any | None:
    return await _load_node(context, decode_id(id_))


def _load_node(context: Context, id_: GlobalId) -> Awaitable[Any | None]:
    """The row, if the token allows its type. The id alone tells the type, so that refusing tells nothing of the row."""
    missing = NODE_SCOPES[id_.table] - context.viewer.scopes
    if missing:
        raise Refused(f"This needs the scope {', '.join(sorted(missing))}", Code.FORBIDDEN)
    return load_row(context, id_.table, id_.seen_by(context.viewer))
