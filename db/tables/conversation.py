"""The threads of the inbox, and which bookings they are about."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Computed, Index, SmallInteger, text
from sqlmodel import Field

from db.tables.base import Stamped, TenantTable, Timestamp, enum_type, lookup, reference, row_id
from db.tables.creation import Created, Delivered, creator_keys, external_key
from db.tables.enums import Channel


def _never_null(column: str, infinity: str) -> str:
    """What a nullable order sorts by: an infinite stand-in keeps null last (`db.page`).

    CASE rather than coalesce, because under row-level security coalesce is no condition of an index. The line breaks
    are those that SQLAlchemy reads back: Alembic compares the text.
    """
    return f"(\nCASE\n    WHEN {column} IS NULL THEN '{infinity}'::timestamp with time zone\n    ELSE {column}\nEND)"


def _nulls_last(column: str) -> tuple[Index, Index]:
    """The two indexes of a nullable order, one for each direction.

    A row comparison on an expression that is never null is one range of the index, however deep the page.
    """
    return tuple(
        Index(f"ix_conversations_{column}_{direction}", "account_id", text(_never_null(column, infinity)), "id")
        for direction, infinity in (("asc", "infinity"), ("desc", "-infinity"))
    )  # type: ignore[return-value]


def _few(name: str, condition: str, column: str = "last_message_at", infinity: str = "-infinity") -> Index:
    """An index of the conversations that meet `condition`, which few do, in an order that inboxes show them in.

    Such conversations are found at once in any order, and no others cost anything to write.
    """
    return Index(
        f"ix_conversations_{name}",
        "account_id",
        text(_never_null(column, infinity)),
        "id",
        postgresql_where=text(condition),
    )


class Conversation(TenantTable, Stamped, Created, Delivered, table=True):
    """A thread. Its state is two timestamps, `closed_at` and `marked_as_spam_at`; it is never deleted."""

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
        # Without the id, equal values share their place in the index.
        lookup("default_channel"),
        lookup("booking_statuses"),
        lookup("stays_until"),
        _few("open", "closed_at IS NULL"),
        _few("spam", "marked_as_spam_at IS NOT NULL"),
        _few("unread", "NOT read"),
        _few("waiting", "waiting_since IS NOT NULL"),
        _few("waiting_longest", "waiting_since IS NOT NULL", "waiting_since", "infinity"),
        _few("waiting_by_deadline", "waiting_since IS NOT NULL", "deadline_response_at", "infinity"),
        # All that the state of a conversation is made of, so that counting by state reads this index alone.
        Index(
            "ix_conversations_state",
            *("account_id", "closed_at", "marked_as_spam_at", "assignee_id", "read"),
            postgresql_include=(
                *("waiting_since", "deadline_response_at", "default_channel", "source_id"),
                *("booking_statuses", "stays_until", "id"),
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
    # What its bookings say, kept up to date by `db.queries.conversation.derived`: a bit for each of their statuses
    # (`STATUS_BITS`), and the last moment of its booked stays. Today's stage follows from these for all stays that
    # are over; the stage itself changes at midnight, when nobody writes, and is never stored.
    booking_statuses: int = Field(default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    stays_until: datetime | None = Field(default=None, sa_type=Timestamp)
    # What its messages say, kept up to date likewise: when the first guest message was sent of a wait that goes on, or
    # would if the conversation were neither closed nor spam; and how many guest messages arrived since it was read.
    unanswered_since: datetime | None = Field(default=None, sa_type=Timestamp)
    unread_count: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # When closing or marking as spam last ended a wait: guest messages that arrived before it are no longer waited for.
    wait_ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    # The rule "read". Filters, counts, their index and the API all use this column.
    read: bool = Field(
        default=None, sa_column_args=[Computed("read_at IS NOT NULL AND unread_count = 0", persisted=True)]
    )
    # Nobody waits for an answer in a conversation that is closed or spam, whatever its messages say.
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
    """A conversation is about a booking. Both are of the row's account; the pair is the key."""

    __tablename__ = "conversation_bookings"
    __table_args__ = (
        reference("conversation_id", "conversations"),
        reference("booking_id", "bookings"),
        lookup("booking_id", "conversation_id"),
    )

    conversation_id: int = Field(primary_key=True, sa_type=BigInteger)
    booking_id: int = Field(primary_key=True, sa_type=BigInteger)
