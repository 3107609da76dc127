"""The closed sets of values. A member's name is its value, in the API and in the database."""

from __future__ import annotations

from enum import StrEnum


class CreatorType(StrEnum):
    """Who created a record: a user or an application."""

    USER = "USER"
    APPLICATION = "APPLICATION"


class MemberType(StrEnum):
    """Who a participant is: a client or a host."""

    CLIENT = "CLIENT"
    HOST = "HOST"


class Channel(StrEnum):
    """The channel that relays a message between the account and the guest. New channels can be added."""

    AIRBNB = "AIRBNB"
    BOOKING_COM = "BOOKING_COM"
    EMAIL = "EMAIL"
    EXPEDIA = "EXPEDIA"
    HOMEAWAY = "HOMEAWAY"
    VRBO = "VRBO"


class MessageOrigin(StrEnum):
    """Where a message was written. New origins can be added."""

    AIRBNB_EMAIL = "AIRBNB_EMAIL"
    AIRBNB_MESSAGE = "AIRBNB_MESSAGE"
    BOOKING_COM = "BOOKING_COM"
    BOOKINGSYNC_INBOX = "BOOKINGSYNC_INBOX"
    EMAIL = "EMAIL"
    EXPEDIA = "EXPEDIA"
    HOMEAWAY = "HOMEAWAY"
    INQUIRY = "INQUIRY"
    MESSENGER = "MESSENGER"
    SMS = "SMS"
    TRIPADVISOR = "TRIPADVISOR"
    VRBO = "VRBO"
    WHATSAPP = "WHATSAPP"


class MessageVisibility(StrEnum):
    """Who sees a message: only the hosts, or the guest too."""

    INTERNAL = "INTERNAL"
    EXTERNAL = "EXTERNAL"


class DeliveryState(StrEnum):
    """How far a host's message got on its way to the guest."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    READ = "READ"
    FAILED = "FAILED"


class BookingStatus(StrEnum):
    """Whether a booking is certain, pending or canceled."""

    BOOKED = "BOOKED"
    TENTATIVE = "TENTATIVE"
    UNAVAILABLE = "UNAVAILABLE"
    LOCKED = "LOCKED"
    CANCELED = "CANCELED"


# The bit of each status in `Conversation.booking_statuses`. They are stored: a new status takes the next bit.
STATUS_BITS: dict[BookingStatus, int] = {
    BookingStatus.BOOKED: 1,
    BookingStatus.TENTATIVE: 2,
    BookingStatus.UNAVAILABLE: 4,
    BookingStatus.LOCKED: 8,
    BookingStatus.CANCELED: 16,
}


class JourneyStage(StrEnum):
    """Where a guest stands in the journey, derived from the dates of the connected bookings."""

    INQUIRY = "INQUIRY"
    RESERVED = "RESERVED"
    CHECK_IN_TODAY = "CHECK_IN_TODAY"
    AT_PROPERTY = "AT_PROPERTY"
    CHECK_OUT_TODAY = "CHECK_OUT_TODAY"
    POST_STAY = "POST_STAY"
    CANCELED = "CANCELED"


class ActivityType(StrEnum):
    """What was done to a conversation."""

    ASSIGNED = "ASSIGNED"
    UNASSIGNED = "UNASSIGNED"
    CLOSED = "CLOSED"
    REOPENED = "REOPENED"
    MARKED_AS_SPAM = "MARKED_AS_SPAM"
    UNMARKED_AS_SPAM = "UNMARKED_AS_SPAM"
    BOOKING_CONNECTED = "BOOKING_CONNECTED"
    BOOKING_DISCONNECTED = "BOOKING_DISCONNECTED"


class ChangeType(StrEnum):
    """The type of a node that changed."""

    ACCOUNT = "ACCOUNT"
    BOOKING = "BOOKING"
    CLIENT = "CLIENT"
    CONVERSATION = "CONVERSATION"
    HOST = "HOST"
    INQUIRY = "INQUIRY"
    MESSAGE = "MESSAGE"
    PARTICIPANT = "PARTICIPANT"
    RENTAL = "RENTAL"
    SOURCE = "SOURCE"
    WEBHOOK_ENDPOINT = "WEBHOOK_ENDPOINT"


class ChangeOperation(StrEnum):
    """Whether a node was written or removed."""

    UPSERTED = "UPSERTED"
    REMOVED = "REMOVED"


class WebhookEvent(StrEnum):
    """What happened in the account, for webhooks. New events can be added."""

    MESSAGE_OUTGOING = "MESSAGE_OUTGOING"
    MESSAGE_CREATED = "MESSAGE_CREATED"
    MESSAGE_UPDATED = "MESSAGE_UPDATED"
    CONVERSATION_CREATED = "CONVERSATION_CREATED"
    CONVERSATION_UPDATED = "CONVERSATION_UPDATED"
    BOOKINGS_CHANGED = "BOOKINGS_CHANGED"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    TEST = "TEST"


class WebhookState(StrEnum):
    """The state of a delivery to a webhook endpoint."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
