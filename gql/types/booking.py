"""Bookings and inquiries in the API."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from db import tables as t
from gql.connection import Connection
from gql.fields import one, through
from gql.node import Node, node
from gql.enums import BookingStatus

if TYPE_CHECKING:
    from gql.types.conversation import Conversation
    from gql.types.person import Client
    from gql.types.rental import Rental
    from gql.types.source import Source


@node(t.Booking, scopes=["bookings_read"])
class Booking(Node):
    """A stay in a rental."""

    reference: str
    external_reference: str | None
    status: BookingStatus
    start_at: datetime
    end_at: datetime
    adults: int | None
    children: int | None
    currency: str | None
    final_price: Decimal | None
    notes: str | None
    client: Client | None = one(t.Booking.client_id)
    rental: Rental | None = one(t.Booking.rental_id)
    source: Source | None = one(t.Booking.source_id)
    canceled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    conversations: Connection[Conversation] = through(
        t.ConversationBooking.booking_id, t.ConversationBooking.conversation_id, description="What was said about it."
    )


@node(t.Inquiry, scopes=["inquiries_read"])
class Inquiry(Node):
    """A question about a stay, often before a booking."""

    firstname: str
    lastname: str
    email: str
    phone: str | None
    message: str | None
    adults: int | None
    children: int | None
    start_at: datetime | None
    end_at: datetime | None
    conversation: Conversation | None = one(t.Inquiry.conversation_id)
    booking: Booking | None = one(t.Inquiry.booking_id, description="The booking that came of it.")
    rental: Rental | None = one(t.Inquiry.rental_id)
    source: Source | None = one(t.Inquiry.source_id)
    created_at: datetime
    updated_at: datetime
