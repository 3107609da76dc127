"""The enums of the tables as GraphQL enums. Their docstrings describe them; their values are described here."""

from enum import StrEnum

import strawberry

from db.tables import (
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

__all__ = [
    "ActivityType",
    "BookingStatus",
    "ChangeOperation",
    "ChangeType",
    "Channel",
    "CreatorType",
    "DeliveryState",
    "JourneyStage",
    "MemberType",
    "MessageOrigin",
    "MessageVisibility",
    "WebhookEvent",
    "WebhookState",
    "expose",
]


def expose(values: type[StrEnum], name: str | None = None, /, **meanings: str) -> None:
    """Expose a Python enum in the schema. `meanings` describes each member; the test suite fails if one is missing."""
    exposed = strawberry.enum(values, name=name, description=values.__doc__)
    for value in exposed.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = meanings.get(value.name)


expose(CreatorType, USER="A person who logs in to the account.", APPLICATION="A program that acts for accounts.")
expose(MemberType, CLIENT="A traveller.", HOST="A person of the account.")
expose(
    Channel,
    AIRBNB="Airbnb's messages.",
    BOOKING_COM="Booking.com's messages.",
    EMAIL="E-mail to the guest's address.",
    EXPEDIA="Expedia's messages.",
    HOMEAWAY="HomeAway's messages.",
    VRBO="Vrbo's messages.",
)
expose(
    MessageOrigin,
    AIRBNB_EMAIL="E-mail relayed by Airbnb.",
    AIRBNB_MESSAGE="Airbnb's messages.",
    BOOKING_COM="Booking.com's messages.",
    BOOKINGSYNC_INBOX="This inbox, or a client of this API.",
    EMAIL="E-mail.",
    EXPEDIA="Expedia's messages.",
    HOMEAWAY="HomeAway's messages.",
    INQUIRY="The text of an inquiry.",
    MESSENGER="Facebook Messenger.",
    SMS="Text message.",
    TRIPADVISOR="Tripadvisor's messages.",
    VRBO="Vrbo's messages.",
    WHATSAPP="WhatsApp.",
)
expose(
    MessageVisibility,
    INTERNAL="A note that only hosts see.",
    EXTERNAL="Visible to the guest: sent to them or written by them.",
)
expose(
    DeliveryState,
    QUEUED="It waits for the application that relays it.",
    SENT="The application has handed it over to the channel.",
    DELIVERED="It has reached the guest.",
    READ="The guest has read it.",
    FAILED="It could not be sent or delivered: `error` says why. `retryDelivery` queues it again.",
)
expose(
    BookingStatus,
    BOOKED="The stay is confirmed.",
    TENTATIVE="The stay is not confirmed yet.",
    UNAVAILABLE="The rental is blocked; nobody stays.",
    LOCKED="Held by another user or application: no certain stay, and not counted for the stage.",
    CANCELED="The stay was canceled.",
)
expose(
    JourneyStage,
    INQUIRY="No confirmed booking: none that counts, or one that is neither booked nor canceled.",
    RESERVED="The next stay begins after today.",
    CHECK_IN_TODAY="A stay begins today.",
    AT_PROPERTY="A stay began before today and ends after it.",
    CHECK_OUT_TODAY="A stay ends today.",
    POST_STAY="The last stay has ended.",
    CANCELED="There are bookings, and all that count were canceled.",
)
expose(
    ActivityType,
    ASSIGNED="A host was made responsible: `assignee`.",
    UNASSIGNED="The assignee was removed.",
    CLOSED="It was closed.",
    REOPENED="It was reopened, by hand or by a guest's `message`.",
    MARKED_AS_SPAM="It was marked as spam.",
    UNMARKED_AS_SPAM="The spam mark was removed.",
    BOOKING_CONNECTED="A `booking` was connected.",
    BOOKING_DISCONNECTED="A `booking` was disconnected.",
)
expose(ChangeOperation, UPSERTED="The record was created or changed.", REMOVED="The record was removed.")
expose(
    ChangeType,
    ACCOUNT="The account.",
    BOOKING="A booking. Requires the scope `bookings_read`.",
    CLIENT="A client. Requires the scope `clients_read`.",
    CONVERSATION="A conversation, including its connected bookings.",
    HOST="A host.",
    INQUIRY="An inquiry. Requires the scope `inquiries_read`.",
    MESSAGE="A message.",
    PARTICIPANT="A participant of a conversation.",
    RENTAL="A rental. Requires the scope `bookings_read`.",
    SOURCE="A source.",
    WEBHOOK_ENDPOINT="A webhook endpoint. Requires the scope `webhooks_manage`.",
)
expose(
    WebhookEvent,
    MESSAGE_OUTGOING="A host's message is to be relayed to the guest: the event for the connector of a channel.",
    MESSAGE_CREATED="A message was written or delivered.",
    MESSAGE_UPDATED="A message changed, such as the state of its delivery.",
    CONVERSATION_CREATED="A conversation was created.",
    CONVERSATION_UPDATED="A conversation changed.",
    BOOKINGS_CHANGED="Bookings were connected to a conversation, or disconnected from it.",
    DELIVERY_FAILED="A host's message could not be delivered to the guest.",
    TEST="`sendTestEvent` was called. It is sent to any endpoint.",
)
expose(
    WebhookState,
    PENDING="It waits for its first or next attempt.",
    DELIVERED="The receiver accepted it with a status from 200 to 299.",
    FAILED="It was given up.",
)
