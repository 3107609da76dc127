"""The conversations of the inbox, and the bookings connected to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Computed, Index, SmallInteger, text
from sqlmodel import Field

from db.tables.base import Stamped, TenantTable, Timestamp, enum_type, lookup, reference, row_id
from db.tables.creation import Created, Delivered, creator_keys, external_key
from db.tables.enums import Channel


def _never_null(column: str, infinity: str) -> str:
    """The sort key of a nullable column: infinity in place of null, so that null is last (`db.page`).

    CASE, because under row-level security coalesce cannot be an index condition. The line breaks are those that
    SQLAlchemy reads from the database: Alembic compares the text.
    """
    return f"(\nCASE\n    WHEN {column} IS NULL THEN '{infinity}'::timestamp with time zone\n    ELSE {column}\nEND)"


def _nulls_last(column: str) -> tuple[Index, Index]:
    """The two indexes of a nullable column's order, one for each direction.

    A row comparison on an expression that is never null reads one range of the index, however deep the page.
    """
    return tuple(
        Index(f"ix_conversations_{column}_{direction}", "account_id", text(_never_null(column, infinity)), "id")
        for direction, infinity in (("asc", "infinity"), ("desc", "-infinity"))
    )  # type: ignore[return-value]


def _few(name: str, condition: str, column: str = "last_message_at", infinity: str = "-infinity") -> Index:
    """A partial index of the conversations that meet `condition`, which few do, in an order that inboxes use.

    It finds them quickly in any order, and writing other conversations costs nothing.
    """
    return Index(
        f"ix_conversations_{name}",
        "account_id",
        text(_never_null(column, infinity)),
        "id",
        postgresql_where=text(condition),
    )


class Conversation(TenantTable, Stamped, Created, Delivered, table=True):
    """A thread. Its state is in two timestamps, `closed_at` and `marked_as_spam_at`; it is never deleted."""

    __tablename__ = "conversations"
    __table_args__ = (
        *creator_keys(),
        external_key("conversations"),
        reference("assignee_id", "hosts"),
        reference("source_id", "sources"),
        lookup("assignee_id", "id"),
        lookup("source_id", "id"),
        lookup("created_at", "id"),
        lookup("updated_at", "id"),
        *_nulls_last("last_message_at"),
        *_nulls_last("deadline_response_at"),
        *_nulls_last("waiting_since"),
        # Without the id, the index stores equal values once.
        lookup("default_channel"),
        lookup("booking_statuses"),
        # With the id, so that those with a stay are found in the index alone.
        lookup("stays_until", include=["id"]),
        _few("open", "closed_at IS NULL"),
        _few("spam", "marked_as_spam_at IS NOT NULL"),
        _few("unread", "NOT read"),
        _few("undelivered", "undelivered_count > 0"),
        _few("waiting", "waiting_since IS NOT NULL"),
        _few("waiting_longest", "waiting_since IS NOT NULL", "waiting_since", "infinity"),
        _few("waiting_by_deadline", "waiting_since IS NOT NULL", "deadline_response_at", "infinity"),
        # All columns of the state, so that counting by state reads only this index.
        Index(
            "ix_conversations_state",
            *("account_id", "closed_at", "marked_as_spam_at", "assignee_id", "read"),
            postgresql_include=(
                *("waiting_since", "deadline_response_at", "default_channel", "source_id"),
                *("booking_statuses", "stays_until", "undelivered_count", "id"),
            ),
        ),
    )

    id: int | None = row_id()
    subject: str | None = Field(default=None, max_length=255)
    assignee_id: int | None = Field(default=None, sa_type=BigInteger)
    source_id: int | None = Field(default=None, sa_type=BigInteger)
    default_channel: Channel | None = Field(default=None, sa_type=enum_type(Channel))
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)
    deadline_response_at: datetime | None = Field(default=None, sa_type=Timestamp)
    last_message_at: datetime | None = Field(default=None, sa_type=Timestamp)
    marked_as_spam_at: datetime | None = Field(default=None, sa_type=Timestamp)
    read_at: datetime | None = Field(default=None, sa_type=Timestamp)
    # Derived from its bookings by `db.queries.conversation.derived`: a bit for each of their statuses (`STATUS_BITS`),
    # and the end of its last booked stay. If all stays are over, the stage follows from these two. The stage itself is
    # not stored, because it changes at midnight without a write.
    booking_statuses: int = Field(default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    stays_until: datetime | None = Field(default=None, sa_type=Timestamp)
    # Derived from its messages in the same way: when the first guest message without an answer was sent, even if the
    # conversation is closed or spam; and how many guest messages arrived since it was read.
    unanswered_since: datetime | None = Field(default=None, sa_type=Timestamp)
    unread_count: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # Derived in the same way: how many of its messages have the delivery state FAILED.
    undelivered_count: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # When closing or marking as spam last ended a wait: guest messages that arrived before that need no answer.
    wait_ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    # The only definition of "read": filters, counts, their index and the API use this column.
    read: bool = Field(
        default=None, sa_column_args=[Computed("read_at IS NOT NULL AND unread_count = 0", persisted=True)]
    )
    # Nobody waits for an answer in a conversation that is closed or spam, whatever its messages are.
    waiting_since: datetime | None = Field(
        default=None,
        sa_type=Timestamp,
        sa_column_args=[
            Computed(
                "CASE WHEN closed_at IS NULL AND marked_as_spam_at IS NULL THEN unanswered_since "
                "ELSE NULL::timestamp with time zone END",
                persisted=True,
            )
        ],
    )


class ConversationBooking(TenantTable, table=True):
    """Connects a conversation to a booking. Both belong to the row's account; the pair is the key."""

    __tablename__ = "conversation_bookings"
    __table_args__ = (
        reference("conversation_id", "conversations"),
        reference("booking_id", "bookings"),
        lookup("booking_id", "conversation_id"),
    )

    conversation_id: int = Field(primary_key=True, sa_type=BigInteger)
    booking_id: int = Field(primary_key=True, sa_type=BigInteger)
