"""The positions of inputs whose values select rows of an account, written by hand: the schema must have no others."""

# Positions for texts, which are stored independently of other accounts.
WRITING = {
    *(f"Mutation.createConversation(input.{name})" for name in ("subject", "idempotencyKey", "externalId")),
    *(f"Mutation.createMessage(input.{name})" for name in ("content", "idempotencyKey", "externalId")),
    *(f"Mutation.reportDelivery(input.{name})" for name in ("externalId", "error")),
    "Mutation.createWebhookEndpoint(input.idempotencyKey)",
    "Mutation.rotateWebhookSecret(input.idempotencyKey)",
}
SIDES = ("after", "before")
# Positions for values that select a row. New ones are found and tested automatically, and must be added here.
LEADING = {
    *("Query.node(id)", "Query.nodes(ids)"),
    *(
        f"Query.{field}({id_})"
        for field in ("conversation", "booking", "webhookEndpoint")
        for id_ in ("id", "databaseId")
    ),
    *(
        f"Query.{field}({s})"
        for field in (
            *("conversations", "bookings", "hosts", "sources", "rentals", "clients", "inquiries", "messages"),
            "webhookEndpoints",
        )
        for s in ("after", "before")
    ),
    *(
        f"Query.{field}(filter.{name})"
        for field, names in {
            "bookings": ("reference", "rentalIds"),
            "clients": (),
            "inquiries": (),
            "messages": ("conversationIds", "externalIds"),
            "rentals": (),
        }.items()
        for name in ("ids", "search", *names)
    ),
    *(
        f"Query.{field}(filter.{within}{name})"
        for field in ("conversations", "inboxCounts")
        for within in ("", "not.", "or.")
        for name in (
            "ids",
            "assigneeIds",
            "sourceIds",
            "bookingIds",
            "inquiryIds",
            "clientIds",
            "hostIds",
            "rentalIds",
            "search",
            "externalIds",
        )
    ),
    *(
        "Query.changes(after)",
        "Query.changes(conversationId)",
        "Viewer.participant(conversationId)",
        "Conversation.messages(externalIds)",
    ),
    *WRITING,
    *(
        f"Mutation.{field}(input.{name})"
        for field, names in {
            "createConversation": ("assigneeId", "sourceId", "bookingIds"),
            "updateConversation": ("conversationId", "assigneeId"),
            "updateConversations": ("conversationIds", "assigneeId"),
            "markConversationRead": ("conversationId", "upToMessageId"),
            "createMessage": ("conversationId", "senderId"),
            "addParticipant": ("conversationId", "memberId"),
            "connectBookings": ("conversationId", "bookingIds"),
            "disconnectBookings": ("conversationId", "bookingIds"),
            "updateWebhookEndpoint": ("endpointId",),
            "deleteWebhookEndpoint": ("endpointId",),
            "rotateWebhookSecret": ("endpointId",),
            "redeliver": ("deliveryIds",),
            "sendTestEvent": ("endpointId",),
            "replayWebhook": ("endpointId", "after"),
            "reportDelivery": ("messageId",),
            "retryDelivery": ("messageId",),
        }.items()
        for name in names
    ),
    *(
        f"{field}({side})"
        for field in (
            *("Booking.conversations", "WebhookEndpoint.deliveries", "WebhookDelivery.attempts"),
            *(f"Conversation.{name}" for name in ("bookings", "inquiries", "messages", "participants", "activity")),
        )
        for side in SIDES
    ),
}
