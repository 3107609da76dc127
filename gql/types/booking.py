"""Bookings and inquiries in the API."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from db import tables as t
from gql.fields.connection import Connection
from gql.fields.enums import BookingStatus
from gql.fields.node import Node, node
from gql.fields.relation import column, one, through

if TYPE_CHECKING:
    from gql.types.conversation import Conversation
    from gql.types.person import Client
    from gql.types.rental import Rental
    from gql.types.source import Source


@node(t.Booking, scopes=["bookings_read"])
class Booking(Node):
    """A stay in a rental."""

    reference: str = column("What the account calls it.")
    external_reference: str | None = column("What the channel calls it.")
    status: BookingStatus = column("How firmly it holds the rental.")
    start_at: datetime = column("When the stay begins.")
    end_at: datetime = column("When the stay ends.")
    adults: int | None = column("How many grown guests.")
    children: int | None = column("How many guests are children.")
    currency: str | None = column("The price's, in ISO 4217 such as `EUR`.")
    final_price: Decimal | None = column("What the stay costs in all, in `currency`.")
    notes: str | None = column("What hosts should know of it.")
    client: Client | None = one(t.Booking.client_id, description="Who travels.")
    rental: Rental | None = one(t.Booking.rental_id, description="Where the stay is.")
    source: Source | None = one(t.Booking.source_id, description="Where the business came from.")
    canceled_at: datetime | None = column("When it was called off.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
    conversations: Connection[Conversation] = through(
        t.ConversationBooking.booking_id, t.ConversationBooking.conversation_id, description="What was said about it."
    )


@node(t.Inquiry, scopes=["inquiries_read"])
class Inquiry(Node):
    """A question about a stay, often before a booking."""

    firstname: str = column("Who asks.")
    lastname: str = column("Who asks.")
    email: str = column("Where the answer goes.")
    phone: str | None = column("Where the answer may go.")
    message: str | None = column("What was asked.")
    adults: int | None = column("How many grown guests.")
    children: int | None = column("How many guests are children.")
    start_at: datetime | None = column("When the stay would begin.")
    end_at: datetime | None = column("When the stay would end.")
    conversation: Conversation | None = one(t.Inquiry.conversation_id, description="Where it is talked about.")
    booking: Booking | None = one(t.Inquiry.booking_id, description="The booking that came of it.")
    rental: Rental | None = one(t.Inquiry.rental_id, description="What was asked about.")
    source: Source | None = one(t.Inquiry.source_id, description="Where the business came from.")
    created_at: datetime = column("When it was created.")
    updated_at: datetime = column("When it last changed.")
