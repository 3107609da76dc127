"""Bookings and inquiries in the API."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from db import tables as t
from gql.fields.column import column
from gql.fields.enums import BookingStatus
from gql.fields.many import through
from gql.fields.node import Node, node
from gql.fields.one import one

if TYPE_CHECKING:
    from gql.types.conversation import Conversation, ConversationConnection
    from gql.types.person import Client
    from gql.types.rental import Rental
    from gql.types.source import Source


@node(t.Booking, scopes=["bookings_read"])
class Booking(Node):
    """A stay in a rental, or a period in which the rental cannot be booked."""

    reference: str = column("The account's own reference.")
    external_reference: str | None = column("The channel's reference, such as an Airbnb confirmation code.")
    status: BookingStatus = column("Whether the stay is certain, pending or canceled.")
    start_at: datetime = column("Check-in.")
    end_at: datetime = column("Check-out.")
    adults: int | None = column("Number of adults.")
    children: int | None = column("Number of children.")
    currency: str | None = column("ISO 4217 code of the currency of `finalPrice`, such as `EUR`.")
    final_price: Decimal | None = column("Total price of the stay, in `currency`.")
    notes: str | None = column("Notes for the hosts.")
    client: Client | None = one(t.Booking.client_id, description="The traveller who booked.")
    rental: Rental | None = one(t.Booking.rental_id, description="The rental that is booked.")
    source: Source | None = one(t.Booking.source_id, description="Where the business came from, such as Airbnb.")
    canceled_at: datetime | None = column("When it was canceled; null if it was not.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
    conversations: ConversationConnection = through(
        t.ConversationBooking.booking_id,
        t.ConversationBooking.conversation_id,
        description="Conversations connected to this booking.",
    )


@node(t.Inquiry, scopes=["inquiries_read"])
class Inquiry(Node):
    """A traveller's question about a stay, usually sent before a booking exists."""

    firstname: str = column("Given name of the traveller.")
    lastname: str = column("Family name of the traveller.")
    email: str = column("E-mail address of the traveller.")
    phone: str | None = column("Phone number of the traveller.")
    message: str | None = column("Text of the inquiry.")
    adults: int | None = column("Number of adults.")
    children: int | None = column("Number of children.")
    start_at: datetime | None = column("Requested check-in.")
    end_at: datetime | None = column("Requested check-out.")
    conversation: Conversation | None = one(
        t.Inquiry.conversation_id, description="The conversation that this inquiry started or joined."
    )
    booking: Booking | None = one(t.Inquiry.booking_id, description="The booking that followed from it.")
    rental: Rental | None = one(t.Inquiry.rental_id, description="The rental that the inquiry is about.")
    source: Source | None = one(t.Inquiry.source_id, description="Where the business came from, such as Airbnb.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
