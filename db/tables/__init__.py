"""All tables, to be imported as one name: `from db import tables as t`."""

from db.tables.account import Account
from db.tables.activity import Activity
from db.tables.actor import Application, User
from db.tables.base import FreeText, Table, TenantTable, Timestamp
from db.tables.booking import BOOKING_WORDS, INQUIRY_WORDS, Booking, Inquiry
from db.tables.change import Change, ChangeCounter, Epoch, change_type
from db.tables.conversation import Conversation, ConversationBooking
from db.tables.enums import (
    STATUS_BITS,
    ActivityType,
    BookingStatus,
    ChangeOperation,
    ChangeType,
    Channel,
    CreatorType,
    DeliveryState,
    JourneyStage,
    MemberType,
    MessageOrigin,
    MessageVisibility,
    WebhookEvent,
    WebhookState,
)
from db.tables.idempotency import IdempotencyKey
from db.tables.message import MESSAGE_WORDS, Message, Participant
from db.tables.person import CLIENT_WORDS, Client, Host
from db.tables.rental import RENTAL_WORDS, Rental
from db.tables.search import ConversationText
from db.tables.source import Source
from db.tables.webhook import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookPosition

__all__ = [
    "BOOKING_WORDS",
    "CLIENT_WORDS",
    "INQUIRY_WORDS",
    "MESSAGE_WORDS",
    "RENTAL_WORDS",
    "STATUS_BITS",
    "Account",
    "Activity",
    "ActivityType",
    "Application",
    "Booking",
    "BookingStatus",
    "Change",
    "ChangeCounter",
    "ChangeOperation",
    "ChangeType",
    "Channel",
    "Client",
    "Conversation",
    "ConversationBooking",
    "ConversationText",
    "CreatorType",
    "DeliveryState",
    "Epoch",
    "FreeText",
    "Host",
    "IdempotencyKey",
    "Inquiry",
    "JourneyStage",
    "MemberType",
    "Message",
    "MessageOrigin",
    "MessageVisibility",
    "Participant",
    "Rental",
    "Source",
    "Table",
    "TenantTable",
    "Timestamp",
    "User",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookPosition",
    "WebhookState",
    "change_type",
]
