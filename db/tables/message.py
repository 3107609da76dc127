"""Participants of a conversation, and their messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
    false,
    literal_column,
)
from sqlmodel import Field

from db.tables.base import FreeText, Stamped, TenantTable, Timestamp, enum_type, lookup, reference, row_id
from db.tables.creation import Created, Delivered, creator_keys, external_key
from db.tables.enums import Channel, DeliveryState, MemberType, MessageOrigin, MessageVisibility
from db.tables.search import searchable

RELAYED_KEY = ("account_id", "relayed_id", "relayed_by_id")


class Participant(TenantTable, Stamped, table=True):
    """A host or a client in a conversation. The same member may be in it more than once.

    `member_type` and `member_id` are stored as given. `client_id` or `host_id` is set if the member is stored; an
    imported participant may name one that is not.
    """

    __tablename__ = "participants"
    __table_args__ = (
        reference("conversation_id", "conversations"),
        reference("client_id", "clients"),
        reference("host_id", "hosts"),
        # The target of a message's foreign key, which ensures that the sender is a participant of the same
        # conversation. Also the index of a conversation's participants.
        UniqueConstraint("account_id", "conversation_id", "id", name="uq_participants_conversation"),
        lookup("client_id", "conversation_id"),
        lookup("host_id", "conversation_id"),
        CheckConstraint(
            "client_id IS NULL OR (member_type = 'CLIENT' AND client_id = member_id)", name="member_client"
        ),
        CheckConstraint("host_id IS NULL OR (member_type = 'HOST' AND host_id = member_id)", name="member_host"),
    )

    id: int | None = row_id()
    conversation_id: int = Field(sa_type=BigInteger)
    member_type: MemberType = Field(sa_type=enum_type(MemberType))
    member_id: int = Field(sa_type=BigInteger)
    client_id: int | None = Field(default=None, sa_type=BigInteger)
    host_id: int | None = Field(default=None, sa_type=BigInteger)
    read_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_message_sent_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Message(TenantTable, Stamped, Created, Delivered, table=True):
    """A message of a participant. A foreign key ensures that the sender is a participant of its conversation."""

    __tablename__ = "messages"
    __table_args__ = (
        *creator_keys(),
        external_key("messages"),
        reference("conversation_id", "conversations"),
        ForeignKeyConstraint(
            ["account_id", "conversation_id", "sender_id"],
            ["participants.account_id", "participants.conversation_id", "participants.id"],
        ),
        lookup("conversation_id", "sent_at", "id"),
        CheckConstraint("(delivery_state IS NULL) = (delivery_at IS NULL)", name="delivery"),
        # The relaying application's ids of messages. Unique for each application, as `externalId` is.
        Index(
            "uq_messages_relayed_id",
            *RELAYED_KEY,
            unique=True,
            postgresql_where=literal_column("relayed_id IS NOT NULL"),
        ),
        lookup("sent_at", "id"),
        lookup("updated_at", "id"),
        # Without the id, the index stores equal values once.
        lookup("visibility"),
    )

    id: int | None = row_id()
    conversation_id: int = Field(sa_type=BigInteger)
    sender_id: int = Field(sa_type=BigInteger)
    content: str = Field(sa_type=FreeText)
    channel: Channel | None = Field(default=None, sa_type=enum_type(Channel))
    origin: MessageOrigin = Field(sa_type=enum_type(MessageOrigin))
    visibility: MessageVisibility = Field(sa_type=enum_type(MessageVisibility))
    sent_at: datetime = Field(sa_type=Timestamp)
    # Sent by a rule of a program: it neither begins nor ends a wait.
    automatic: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    # How far a host's message got on its way to the guest. Null for notes, guests' messages, and after an import.
    delivery_state: DeliveryState | None = Field(default=None, sa_type=enum_type(DeliveryState))
    delivery_at: datetime | None = Field(default=None, sa_type=Timestamp)
    delivery_error: str | None = Field(default=None, max_length=1000)
    delivery_attempts: int = Field(default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    # The id of the message for the application that relays it, and the id of that application.
    relayed_id: str | None = Field(default=None, max_length=255)
    relayed_by_id: int | None = Field(default=None, sa_type=BigInteger)


_M: Any = Message.__table__.columns  # type: ignore[attr-defined]
MESSAGE_WORDS = searchable(Message, _M.content)
