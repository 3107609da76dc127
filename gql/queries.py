"""The root type `Query`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import strawberry

from db import scope
from db import tables as t
from db.relations import One
from gql.context import Context
from gql.fields.change import change_page, changes_cursor
from gql.fields.column import column
from gql.fields.connection import Connection
from gql.fields.count import counts
from gql.fields.end import first
from gql.fields.enums import CreatorType
from gql.fields.filters import (
    BookingFilter,
    ClientFilter,
    ConversationFilter,
    InquiryFilter,
    MessageFilter,
    RentalFilter,
)
from gql.fields.given import given
from gql.fields.lookup import any_node, any_nodes, lookup
from gql.fields.many import filtered, many, ordered
from gql.fields.node import Node
from gql.fields.one import either, one
from gql.fields.orders import (
    BOOKING_ORDER,
    CLIENT_ORDER,
    CONVERSATION_ORDER,
    INQUIRY_ORDER,
    MESSAGE_ORDER,
    RENTAL_ORDER,
)
from gql.fields.writer import writer
from gql.types.account import Account
from gql.types.actor import Creator
from gql.types.booking import Booking, Inquiry
from gql.types.change import ChangePage
from gql.types.conversation import Conversation, ConversationConnection
from gql.types.counts import InboxCounts
from gql.types.message import Message, Participant
from gql.types.person import Client, Host
from gql.types.rental import Rental
from gql.types.source import Source
from gql.types.webhook import WebhookEndpoint


@dataclass(frozen=True, slots=True)
class Caller:
    """The source of the type `Viewer`. `actor_id` is the id of a user or of an application."""

    account_id: int
    scopes: list[str]
    user_id: int | None
    application_id: int | None

    @classmethod
    def of(cls, viewer: scope.Viewer) -> Caller:
        """The caller of a token. It needs no statement."""
        is_user = viewer.actor_type is CreatorType.USER
        user, application = (viewer.actor_id, None) if is_user else (None, viewer.actor_id)
        return cls(viewer.account_id, sorted(viewer.scopes), user, application)


async def _caller(context: Context) -> Caller:
    return Caller.of(context.viewer)


@strawberry.type(name="Viewer", description="The account, actor and scopes of the token.")
class ViewerType:
    """Resolved from `Caller`."""

    account: Account = one(t.Conversation.account_id, description="The account whose records the token can read.")
    scopes: list[str] = column("Scopes of the token, implied ones included.")
    actor: Creator | None = either(
        One("user_id", t.User),
        One("application_id", t.Application),
        description="The user or application that the token was issued for.",
    )
    host: Host | None = first(
        t.Host.user_id, "user_id", description="The host as which the user writes messages; null for an application."
    )
    participant: Participant | None = writer(
        "The participant as whom the user writes in a conversation: the sender of a `createMessage` without "
        "`senderId`. Null if there is none yet: `createMessage` then adds the user's host. Null for an application."
    )


@dataclass(frozen=True, slots=True)
class Allowance:
    """The source of the type `RateLimit`."""

    limit: int
    remaining: int
    reset_at: datetime
    cost: int


async def _budget(context: Context) -> Allowance | None:
    """The viewer's budget after this operation; None without a limit."""
    if context.rates is None:
        return None
    budget = await context.rates.budget(context.viewer)
    return Allowance(budget.limit, budget.remaining, budget.reset_at, context.rates.bounded(context.cost))


@strawberry.type(description="The budget per minute of the user or application, in nodes.")
class RateLimit:
    """Resolved from `Allowance`."""

    limit: int = column("Nodes per minute.")
    remaining: int = column("Nodes left after this operation.")
    reset_at: datetime = column("When the whole budget is available again if no more operations are sent.")
    cost: int = column(
        "Nodes charged for this operation: those that it could return, and more for searches, counts and writes."
    )


@strawberry.type(description="Reads the records of the token's account. Records of other accounts do not exist here.")
class Query:
    """Every field reads only the account of the token."""

    conversations: ConversationConnection = many(
        t.Conversation.account_id,
        filter=filtered(ConversationFilter),
        order_by=ordered(CONVERSATION_ORDER),
        description="Conversations of the account, by default the newest message first.",
    )
    bookings: Connection[Booking] = many(
        t.Booking.account_id,
        filter=filtered(BookingFilter),
        order_by=ordered(BOOKING_ORDER),
        description="Bookings of the account, by default by id.",
    )
    rentals: Connection[Rental] = many(
        t.Rental.account_id,
        filter=filtered(RentalFilter),
        order_by=ordered(RENTAL_ORDER),
        description="Rentals of the account, by default by id.",
    )
    clients: Connection[Client] = many(
        t.Client.account_id,
        filter=filtered(ClientFilter),
        order_by=ordered(CLIENT_ORDER),
        description="Clients of the account, by default by id.",
    )
    inquiries: Connection[Inquiry] = many(
        t.Inquiry.account_id,
        filter=filtered(InquiryFilter),
        order_by=ordered(INQUIRY_ORDER),
        description="Inquiries of the account, by default by id.",
    )
    messages: Connection[Message] = many(
        t.Message.account_id,
        filter=filtered(MessageFilter),
        order_by=ordered(MESSAGE_ORDER),
        description="Messages of all conversations of the account, by default by id.",
    )
    hosts: Connection[Host] = many(t.Host.account_id, description="Hosts of the account, by id.")
    sources: Connection[Source] = many(t.Source.account_id, description="Sources of the account, by id.")
    webhook_endpoints: Connection[WebhookEndpoint] = many(
        t.WebhookEndpoint.account_id, description="Webhook endpoints of the account, by id."
    )
    conversation: Conversation | None = lookup(
        t.Conversation,
        description="One conversation by `id` or `databaseId`, exactly one of them; null if it does not exist.",
    )
    booking: Booking | None = lookup(
        t.Booking, description="One booking by `id` or `databaseId`, exactly one of them; null if it does not exist."
    )
    webhook_endpoint: WebhookEndpoint | None = lookup(
        t.WebhookEndpoint,
        description="One webhook endpoint by `id` or `databaseId`, exactly one of them; null if it does not exist.",
    )
    inbox_counts: InboxCounts = counts("Numbers of conversations for the tabs of an inbox.")
    viewer: ViewerType = given(_caller, "The caller: the account, actor and scopes of the token.")
    rate_limit: RateLimit | None = given(_budget, "The rest of the budget per minute; null if the server has no limit.")
    node: Node | None = any_node("Any node by its id; null if it does not exist.")
    nodes: list[Node | None] = any_nodes(
        "Nodes by their ids, in the order of `ids`; null for each that does not exist."
    )
    changes_cursor: str = changes_cursor(
        "Where the change log ends at the moment of this answer. Read it together with lists in one document, then "
        "continue with `changes` or the subscription without a gap."
    )
    changes: ChangePage = change_page(
        "Changes after a cursor, oldest first: each record at most once a page, in its present state. An unknown or "
        "expired cursor is an error with the code `RESYNC_REQUIRED`."
    )
