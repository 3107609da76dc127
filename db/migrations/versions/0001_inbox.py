"""The inbox: accounts, who acts and takes part, conversations, messages, and what they are about."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.schema import CreateSequence, DropSequence

revision = "0001"
down_revision = None
oldest_code = "0001"

IDS = sa.Sequence("row_ids", data_type=sa.BigInteger)
MOMENT = TIMESTAMP(timezone=True, precision=3)
CHANNELS = ("AIRBNB", "BOOKING_COM", "EMAIL", "EXPEDIA", "HOMEAWAY", "VRBO")
ORIGINS = (
    *("AIRBNB_EMAIL", "AIRBNB_MESSAGE", "BOOKING_COM", "BOOKINGSYNC_INBOX", "EMAIL", "EXPEDIA", "HOMEAWAY"),
    *("INQUIRY", "MESSENGER", "SMS", "TRIPADVISOR", "VRBO", "WHATSAPP"),
)


def _number(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=null)


def _count(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=True)


def _string(name: str, *, length: int | None = None, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, MOMENT, nullable=null)


def _row_id() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger, nullable=False, server_default=IDS.next_value())


def _stamps() -> tuple[sa.Column[Any], ...]:
    return _moment("created_at"), _moment("updated_at")


def _tenant(table: str, *key: str) -> tuple[sa.Constraint, ...]:
    """Rows that belong to an account, and are known by `key` within it."""
    return (
        sa.PrimaryKeyConstraint("account_id", *key, name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f(f"fk_{table}_account_id")),
    )


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """A foreign key within the account."""
    return sa.ForeignKeyConstraint(
        ["account_id", column],
        [f"{target}.account_id", f"{target}.id"],
        name=op.f(f"fk_{table}_account_id_{column}"),
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _among(table: str, name: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    """A closed set of values."""
    return _check(table, name, f"{column} IN ({', '.join(repr(value) for value in values)})")


def _lookup(table: str, *columns: str) -> None:
    """The index that leads from an account to rows in the order of `columns`."""
    op.create_index(op.f(f"ix_{table}_account_id_{'_'.join(columns)}"), table, ["account_id", *columns])


def _creator() -> tuple[sa.Column[Any], ...]:
    return (
        _string("created_by_type", length=32, null=True),
        _number("created_by_id", null=True),
        _number("created_by_user_id", null=True),
        _number("created_by_application_id", null=True),
    )


def _creator_keys(table: str) -> tuple[sa.Constraint, ...]:
    """A user or an application: named by type and id, and linked where it is known here."""
    return (
        _reference(table, "created_by_user_id", "users"),
        sa.ForeignKeyConstraint(
            ["created_by_application_id"],
            ["applications.id"],
            name=op.f(f"fk_{table}_created_by_application_id"),
        ),
        _among(table, "creatortype", "created_by_type", ("USER", "APPLICATION")),
        _check(table, "creator", "(created_by_type IS NULL) = (created_by_id IS NULL)"),
        _check(
            table,
            "creator_user",
            "created_by_user_id IS NULL OR (created_by_type = 'USER' AND created_by_user_id = created_by_id)",
        ),
        _check(
            table,
            "creator_application",
            "created_by_application_id IS NULL"
            " OR (created_by_type = 'APPLICATION' AND created_by_application_id = created_by_id)",
        ),
    )


def upgrade() -> None:
    """Create the tables, those that others refer to first."""
    op.execute(CreateSequence(IDS))
    _create_actors()
    _create_people_and_places()
    _create_bookings()
    _create_conversations()
    _create_inquiries()
    _create_participants()
    _create_messages()


def _create_actors() -> None:
    op.create_table(
        "accounts",
        _row_id(),
        _string("business_name"),
        _string("email", null=True),
        _string("time_zone"),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "applications",
        _row_id(),
        _string("name"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
    )
    op.create_table(
        "users",
        _number("account_id"),
        _row_id(),
        _string("name"),
        _string("email", null=True),
        *_tenant("users", "id"),
    )


def _create_people_and_places() -> None:
    op.create_table(
        "sources",
        _number("account_id"),
        _row_id(),
        _string("name"),
        sa.Column("internal", sa.Boolean, nullable=False),
        *_stamps(),
        *_tenant("sources", "id"),
    )
    op.create_table(
        "rentals",
        _number("account_id"),
        _row_id(),
        _string("name"),
        _string("city", null=True),
        _string("country_code", null=True),
        *_stamps(),
        *_tenant("rentals", "id"),
    )
    op.create_table(
        "clients",
        _number("account_id"),
        _row_id(),
        _string("fullname"),
        _string("email", null=True),
        _string("phone", null=True),
        _string("preferred_locale", null=True),
        *_stamps(),
        *_tenant("clients", "id"),
    )
    op.create_table(
        "hosts",
        _number("account_id"),
        _row_id(),
        _string("firstname"),
        _string("lastname"),
        _string("email", null=True),
        _number("user_id", null=True),
        _number("source_id", null=True),
        *_stamps(),
        *_tenant("hosts", "id"),
        _reference("hosts", "user_id", "users"),
        _reference("hosts", "source_id", "sources"),
    )
    _lookup("hosts", "user_id")


def _create_bookings() -> None:
    op.create_table(
        "bookings",
        _number("account_id"),
        _row_id(),
        _string("reference"),
        _string("external_reference", null=True),
        _string("status", length=32),
        _moment("start_at"),
        _moment("end_at"),
        _count("adults"),
        _count("children"),
        _string("currency", null=True),
        sa.Column("final_price", sa.Numeric, nullable=True),
        _string("notes", null=True),
        _number("client_id", null=True),
        _number("rental_id", null=True),
        _number("source_id", null=True),
        _moment("canceled_at", null=True),
        *_stamps(),
        *_tenant("bookings", "id"),
        _reference("bookings", "client_id", "clients"),
        _reference("bookings", "rental_id", "rentals"),
        _reference("bookings", "source_id", "sources"),
        _among("bookings", "bookingstatus", "status", ("BOOKED", "TENTATIVE", "UNAVAILABLE", "LOCKED", "CANCELED")),
    )
    _lookup("bookings", "reference", "id")
    _lookup("bookings", "status", "id")


def _create_conversations() -> None:
    op.create_table(
        "conversations",
        _number("account_id"),
        _row_id(),
        _string("subject", length=255, null=True),
        _number("assignee_id", null=True),
        _number("source_id", null=True),
        _string("default_channel", length=32, null=True),
        _moment("closed_at", null=True),
        _moment("deadline_response_at", null=True),
        _moment("last_message_at", null=True),
        _moment("marked_as_spam_at", null=True),
        _moment("read_at", null=True),
        *_creator(),
        *_stamps(),
        *_tenant("conversations", "id"),
        _reference("conversations", "assignee_id", "hosts"),
        _reference("conversations", "source_id", "sources"),
        _among("conversations", "channel", "default_channel", CHANNELS),
        *_creator_keys("conversations"),
    )
    _lookup("conversations", "assignee_id", "id")
    _lookup("conversations", "source_id", "id")
    _lookup("conversations", "created_at", "id")
    _lookup("conversations", "updated_at", "id")
    # Nulls are last in both directions: an index for each, in which a null is as far away as can be.
    for column in ("last_message_at", "deadline_response_at"):
        for direction, infinity in (("asc", "infinity"), ("desc", "-infinity")):
            op.create_index(
                f"ix_conversations_{column}_{direction}",
                "conversations",
                ["account_id", sa.text(f"coalesce({column}, '{infinity}'::timestamptz)"), "id"],
            )
    op.create_index(
        "ix_conversations_state",
        "conversations",
        ["account_id", "closed_at", "marked_as_spam_at", "assignee_id", "read_at", "last_message_at"],
    )
    op.create_table(
        "conversation_bookings",
        _number("account_id"),
        _number("conversation_id"),
        _number("booking_id"),
        *_tenant("conversation_bookings", "conversation_id", "booking_id"),
        _reference("conversation_bookings", "conversation_id", "conversations"),
        _reference("conversation_bookings", "booking_id", "bookings"),
    )
    _lookup("conversation_bookings", "booking_id", "conversation_id")


def _create_inquiries() -> None:
    op.create_table(
        "inquiries",
        _number("account_id"),
        _row_id(),
        _string("firstname"),
        _string("lastname"),
        _string("email"),
        _string("phone", null=True),
        _string("message", null=True),
        _count("adults"),
        _count("children"),
        _moment("start_at", null=True),
        _moment("end_at", null=True),
        _number("conversation_id", null=True),
        _number("booking_id", null=True),
        _number("rental_id", null=True),
        _number("source_id", null=True),
        *_stamps(),
        *_tenant("inquiries", "id"),
        _reference("inquiries", "conversation_id", "conversations"),
        _reference("inquiries", "booking_id", "bookings"),
        _reference("inquiries", "rental_id", "rentals"),
        _reference("inquiries", "source_id", "sources"),
    )
    _lookup("inquiries", "conversation_id", "id")


def _create_participants() -> None:
    op.create_table(
        "participants",
        _number("account_id"),
        _row_id(),
        _number("conversation_id"),
        _string("member_type", length=32),
        _number("member_id"),
        _number("client_id", null=True),
        _number("host_id", null=True),
        _moment("read_at", null=True),
        _moment("last_message_sent_at", null=True),
        *_stamps(),
        *_tenant("participants", "id"),
        _reference("participants", "conversation_id", "conversations"),
        _reference("participants", "client_id", "clients"),
        _reference("participants", "host_id", "hosts"),
        sa.UniqueConstraint("account_id", "conversation_id", "id", name="uq_participants_conversation"),
        _among("participants", "membertype", "member_type", ("CLIENT", "HOST")),
        _check(
            "participants",
            "member_client",
            "client_id IS NULL OR (member_type = 'CLIENT' AND client_id = member_id)",
        ),
        _check("participants", "member_host", "host_id IS NULL OR (member_type = 'HOST' AND host_id = member_id)"),
    )


def _create_messages() -> None:
    op.create_table(
        "messages",
        _number("account_id"),
        _row_id(),
        _number("conversation_id"),
        _number("sender_id"),
        _string("content"),
        _string("channel", length=32, null=True),
        _string("origin", length=32),
        _string("visibility", length=32),
        _moment("sent_at"),
        *_creator(),
        *_stamps(),
        *_tenant("messages", "id"),
        _reference("messages", "conversation_id", "conversations"),
        # The sender takes part in that very conversation.
        sa.ForeignKeyConstraint(
            ["account_id", "conversation_id", "sender_id"],
            ["participants.account_id", "participants.conversation_id", "participants.id"],
            name=op.f("fk_messages_account_id_conversation_id_sender_id"),
        ),
        _among("messages", "channel", "channel", CHANNELS),
        _among("messages", "messageorigin", "origin", ORIGINS),
        _among("messages", "messagevisibility", "visibility", ("INTERNAL", "EXTERNAL")),
        *_creator_keys("messages"),
    )
    _lookup("messages", "conversation_id", "sent_at", "id")


def downgrade() -> None:
    """Drop all of it."""
    for table in (
        *("messages", "participants", "inquiries", "conversation_bookings", "conversations", "bookings"),
        *("hosts", "clients", "rentals", "sources", "users", "applications", "accounts"),
    ):
        op.drop_table(table)
    op.execute(DropSequence(IDS))
