"""The relations of the API, written by hand, and all rows of an account to follow them in plain Python."""

from __future__ import annotations

import asyncpg

from gql.fields.node import NODE_TABLES

Rows = dict[str, list[asyncpg.Record]]

# To at most one row: the foreign keys that may lead there, and the types that they lead to.
ONE: dict[str, dict[str, str]] = {
    "Conversation.account": {"account_id": "Account"},
    "Conversation.assignee": {"assignee_id": "Host"},
    "Conversation.source": {"source_id": "Source"},
    "Conversation.createdBy": {"created_by_user_id": "User", "created_by_application_id": "Application"},
    "Message.conversation": {"conversation_id": "Conversation"},
    "Message.sender": {"sender_id": "Participant"},
    "Message.createdBy": {"created_by_user_id": "User", "created_by_application_id": "Application"},
    "Participant.conversation": {"conversation_id": "Conversation"},
    "Participant.member": {"client_id": "Client", "host_id": "Host"},
    "Booking.client": {"client_id": "Client"},
    "Booking.rental": {"rental_id": "Rental"},
    "Booking.source": {"source_id": "Source"},
    "Inquiry.conversation": {"conversation_id": "Conversation"},
    "Inquiry.booking": {"booking_id": "Booking"},
    "Inquiry.rental": {"rental_id": "Rental"},
    "Inquiry.source": {"source_id": "Source"},
    "Host.user": {"user_id": "User"},
    "Host.source": {"source_id": "Source"},
}
# To many rows: their type, the table in between and its columns for the parent and the child, and what they sort by.
MANY: dict[str, tuple[str, str, str, str, tuple[str, ...]]] = {
    "Conversation.bookings": ("Booking", "conversation_bookings", "conversation_id", "booking_id", ("id",)),
    "Conversation.inquiries": ("Inquiry", "inquiries", "conversation_id", "id", ("id",)),
    "Conversation.messages": ("Message", "messages", "conversation_id", "id", ("sent_at", "id")),
    "Conversation.participants": ("Participant", "participants", "conversation_id", "id", ("id",)),
    "Booking.conversations": ("Conversation", "conversation_bookings", "booking_id", "conversation_id", ("id",)),
}
# To the last of many rows: their type and table, its column for the parent, and what they sort by.
LAST: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "Conversation.lastMessage": ("Message", "messages", "conversation_id", ("sent_at", "id")),
}
# What has no parent but the account, or is the viewer's or a payload's: tested where it belongs.
ROOTS = {
    "Query.conversations",
    "Query.bookings",
    "Query.hosts",
    "Query.sources",
    "Change.conversation",
    "Viewer.account",
    "Viewer.actor",
    "Viewer.host",
    "CreateConversationPayload.conversation",
    "UpdateConversationPayload.conversation",
    "ConnectBookingsPayload.conversation",
    "DisconnectBookingsPayload.conversation",
    "MarkConversationReadPayload.conversation",
    "CreateMessagePayload.message",
    "AddParticipantPayload.participant",
}


def table_of(name: str) -> str:
    """The table of a type."""
    table: str = NODE_TABLES[name].__tablename__  # type: ignore[assignment]
    return table


TABLES = [*map(table_of, NODE_TABLES), "conversation_bookings"]


async def read(dsn: str, account: int) -> Rows:
    """All rows of an account, and the applications."""
    connection = await asyncpg.connect(dsn)
    rows = {}
    for table in TABLES:
        where = {"applications": "true", "accounts": f"id = {account}"}.get(table, f"account_id = {account}")
        order = "conversation_id, booking_id" if table == "conversation_bookings" else "id"
        rows[table] = await connection.fetch(f"SELECT * FROM {table} WHERE {where} ORDER BY {order}")  # noqa: S608
    await connection.close()
    return rows
