"""Types with the same results as the server, written as in tutorials.

`of` makes an object from the ORM's row, once for each loaded row, so that columns are plain fields, the fastest kind in
Strawberry; a relation is a resolver that awaits its dataloader. Fields that no document selects are omitted, which
makes nothing slower.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import strawberry

from db import tables as t
from gql.fields.node import encode_id
from tests.bench.tutorial_context import Info

T = TypeVar("T")

DEFAULT_SIZE = 20

for values in (t.BookingStatus, t.Channel, t.MemberType, t.MessageOrigin, t.MessageVisibility):
    strawberry.enum(values)


def _id(row: Any) -> strawberry.ID:
    return strawberry.ID(encode_id(type(row), row.account_id, row.id))


@strawberry.type
class Connection(Generic[T]):
    """A page."""

    nodes: list[T]


@strawberry.type
class Source:
    """Where business comes from."""

    id: strawberry.ID
    name: str
    internal: bool
    created_at: datetime

    @classmethod
    def of(cls, row: t.Source) -> Source:
        """The type of a row."""
        return cls(id=_id(row), name=row.name, internal=row.internal, created_at=row.created_at)


@strawberry.type
class Host:
    """A person of the account."""

    id: strawberry.ID
    firstname: str
    lastname: str
    email: str | None

    @classmethod
    def of(cls, row: t.Host) -> Host:
        """The type of a row."""
        return cls(id=_id(row), firstname=row.firstname, lastname=row.lastname, email=row.email)


@strawberry.type
class Client:
    """A traveller."""

    id: strawberry.ID
    fullname: str
    email: str | None
    phone: str | None

    @classmethod
    def of(cls, row: t.Client) -> Client:
        """The type of a row."""
        return cls(id=_id(row), fullname=row.fullname, email=row.email, phone=row.phone)


Member: TypeAlias = Annotated[Client | Host, strawberry.union("Member")]


@strawberry.type
class Participant:
    """Who takes part."""

    id: strawberry.ID
    member_type: t.MemberType
    read_at: datetime | None
    last_message_sent_at: datetime | None
    created_at: datetime
    client_id: strawberry.Private[int | None]
    host_id: strawberry.Private[int | None]

    @classmethod
    def of(cls, row: t.Participant) -> Participant:
        """The type of a row."""
        return cls(
            id=_id(row),
            member_type=row.member_type,
            read_at=row.read_at,
            last_message_sent_at=row.last_message_sent_at,
            created_at=row.created_at,
            client_id=row.client_id,
            host_id=row.host_id,
        )

    @strawberry.field
    def member(self, info: Info) -> Member | None:
        """The client or host."""
        if self.client_id is not None:
            return info.context.loaders.row(t.Client, self.client_id, Client.of)  # type: ignore[return-value]
        return info.context.loaders.row(t.Host, self.host_id, Host.of)  # type: ignore[return-value]


@strawberry.type
class Message:
    """A message."""

    id: strawberry.ID
    content: str
    channel: t.Channel | None
    origin: t.MessageOrigin
    visibility: t.MessageVisibility
    sent_at: datetime
    sender_id: strawberry.Private[int]

    @classmethod
    def of(cls, row: t.Message) -> Message:
        """The type of a row."""
        return cls(
            id=_id(row),
            content=row.content,
            channel=row.channel,
            origin=row.origin,
            visibility=row.visibility,
            sent_at=row.sent_at,
            sender_id=row.sender_id,
        )

    @strawberry.field
    def sender(self, info: Info) -> Participant:
        """The participant who wrote it."""
        return info.context.loaders.row(t.Participant, self.sender_id, Participant.of)  # type: ignore[return-value]


@strawberry.type
class Booking:
    """A stay."""

    id: strawberry.ID
    reference: str
    status: t.BookingStatus
    start_at: datetime
    end_at: datetime
    final_price: Decimal | None

    @classmethod
    def of(cls, row: t.Booking) -> Booking:
        """The type of a row."""
        return cls(
            id=_id(row),
            reference=row.reference,
            status=row.status,
            start_at=row.start_at,
            end_at=row.end_at,
            final_price=row.final_price,
        )


@strawberry.type
class Inquiry:
    """A question about a stay."""

    id: strawberry.ID
    firstname: str
    lastname: str
    email: str

    @classmethod
    def of(cls, row: t.Inquiry) -> Inquiry:
        """The type of a row."""
        return cls(id=_id(row), firstname=row.firstname, lastname=row.lastname, email=row.email)


@strawberry.type
class Conversation:
    """A thread."""

    id: strawberry.ID
    subject: str | None
    default_channel: t.Channel | None
    closed: bool
    marked_as_spam: bool
    read: bool
    last_message_at: datetime | None
    updated_at: datetime
    row_id: strawberry.Private[int]
    assignee_id: strawberry.Private[int | None]
    source_id: strawberry.Private[int | None]

    @classmethod
    def of(cls, row: t.Conversation) -> Conversation:
        """The type of a row."""
        assert row.id is not None
        return cls(
            id=_id(row),
            subject=row.subject,
            default_channel=row.default_channel,
            closed=row.closed_at is not None,
            marked_as_spam=row.marked_as_spam_at is not None,
            read=row.read,
            last_message_at=row.last_message_at,
            updated_at=row.updated_at,
            row_id=row.id,
            assignee_id=row.assignee_id,
            source_id=row.source_id,
        )

    @strawberry.field
    def assignee(self, info: Info) -> Host | None:
        """Who is responsible for it."""
        return info.context.loaders.row(t.Host, self.assignee_id, Host.of)  # type: ignore[return-value]

    @strawberry.field
    def source(self, info: Info) -> Source | None:
        """Where the business came from."""
        return info.context.loaders.row(t.Source, self.source_id, Source.of)  # type: ignore[return-value]

    @strawberry.field
    async def bookings(self, info: Info, first: int = DEFAULT_SIZE) -> Connection[Booking]:
        """Bookings connected to this conversation."""
        return Connection(nodes=await info.context.loaders.bookings(self.row_id, first, Booking.of))

    @strawberry.field
    async def inquiries(self, info: Info, first: int = DEFAULT_SIZE) -> Connection[Inquiry]:
        """Inquiries of this conversation."""
        return Connection(nodes=await info.context.loaders.children(t.Inquiry, self.row_id, first, Inquiry.of))

    @strawberry.field
    async def participants(self, info: Info, first: int = DEFAULT_SIZE) -> Connection[Participant]:
        """Who takes part."""
        return Connection(nodes=await info.context.loaders.children(t.Participant, self.row_id, first, Participant.of))

    @strawberry.field
    async def messages(self, info: Info, first: int | None = None, last: int | None = None) -> Connection[Message]:
        """The oldest first."""
        if last is None:
            return Connection(nodes=await self._messages(info, first or DEFAULT_SIZE, newest=False))
        newest_first = await self._messages(info, last, newest=True)
        return Connection(nodes=newest_first[::-1])

    def _messages(self, info: Info, size: int, *, newest: bool) -> Awaitable[list[Message]]:
        return info.context.loaders.messages(self.row_id, size, Message.of, newest=newest)
