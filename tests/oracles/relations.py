"""A handwritten list of the API's relations, and all rows of an account, to resolve them in plain Python."""

from __future__ import annotations

import asyncpg

from gql.fields.node import NODE_TABLES

Rows = dict[str, list[asyncpg.Record]]

# Relations to at most one row: their foreign keys and the types of these.
ONE: dict[str, dict[str, str]] = {
    "Conversation.account": {"account_id": "Account"},
    "Conversation.assignee": {"assignee_id": "Host"},
    "Conversation.source": {"source_id": "Source"},
    "Conversation.createdBy": {"created_by_user_id": "User", "created_by_application_id": "Application"},
    "Activity.conversation": {"conversation_id": "Conversation"},
    "Activity.createdBy": {"created_by_user_id": "User", "created_by_application_id": "Application"},
    "Activity.assignee": {"assignee_id": "Host"},
    "Activity.booking": {"booking_id": "Booking"},
    "Activity.message": {"message_id": "Message"},
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
    "WebhookEndpoint.createdBy": {"created_by_user_id": "User", "created_by_application_id": "Application"},
    "WebhookDelivery.endpoint": {"endpoint_id": "WebhookEndpoint"},
    "WebhookDelivery.conversation": {"conversation_id": "Conversation"},
    "WebhookAttempt.delivery": {"delivery_id": "WebhookDelivery"},
}
# Relations to many rows: the type, the link table with its columns for parent and child, and the order; with a minus,
# the largest first.
MANY: dict[str, tuple[str, str, str, str, tuple[str, ...]]] = {
    "Conversation.bookings": ("Booking", "conversation_bookings", "conversation_id", "booking_id", ("id",)),
    "Conversation.inquiries": ("Inquiry", "inquiries", "conversation_id", "id", ("id",)),
    "Conversation.messages": ("Message", "messages", "conversation_id", "id", ("sent_at", "id")),
    "Conversation.participants": ("Participant", "participants", "conversation_id", "id", ("id",)),
    "WebhookEndpoint.deliveries": ("WebhookDelivery", "webhook_deliveries", "endpoint_id", "id", ("-id",)),
    "WebhookDelivery.attempts": ("WebhookAttempt", "webhook_attempts", "delivery_id", "id", ("id",)),
    "Conversation.activity": ("Activity", "activities", "conversation_id", "id", ("id",)),
    "Booking.conversations": ("Conversation", "conversation_bookings", "booking_id", "conversation_id", ("id",)),
}
# Relations to the last of many rows: the type and table, the column of the parent, and the order.
LAST: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "Conversation.lastMessage": ("Message", "messages", "conversation_id", ("sent_at", "id")),
}
# Fields of the account's root, of the viewer and of payloads, and derived ones, which other modules test.
ROOTS = {
    "Conversation.booking",
    "Conversation.guest",
    "Query.conversations",
    "Query.bookings",
    "Query.hosts",
    "Query.sources",
    "Query.webhookEndpoints",
    "Query.rentals",
    "Query.clients",
    "Query.inquiries",
    "Query.messages",
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
    "ReportDeliveryPayload.message",
    "RetryDeliveryPayload.message",
    "AddParticipantPayload.participant",
    "CreateWebhookEndpointPayload.webhookEndpoint",
    "UpdateWebhookEndpointPayload.webhookEndpoint",
    "RotateWebhookSecretPayload.webhookEndpoint",
    "ReplayWebhookPayload.webhookEndpoint",
    "SendTestEventPayload.webhookDelivery",
    "SearchMatch.message",
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
