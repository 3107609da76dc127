"""Bookings, and the inquiries that may come before them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Numeric, func, literal_column
from sqlmodel import Field

from db.tables.base import FreeText, Stamped, TenantTable, Timestamp, enum_type, lookup, reference, row_id
from db.tables.enums import BookingStatus
from db.tables.search import searchable


class Booking(TenantTable, Stamped, table=True):
    """A stay in a rental. Its conversations are in `conversation_bookings`."""

    __tablename__ = "bookings"
    __table_args__ = (
        reference("client_id", "clients"),
        reference("rental_id", "rentals"),
        reference("source_id", "sources"),
        lookup("reference", "id"),
        lookup("status", "id"),
        lookup("rental_id", "id"),
        lookup("client_id", "id"),
        # With the status, so that the stays of today are found in these two indexes alone.
        lookup("start_at", "id", include=["status"]),
        # The start is in the index too, so that current stays are found without reading future ones.
        lookup("end_at", "start_at", "id", include=["status"]),
        lookup("created_at", "id"),
        lookup("updated_at", "id"),
    )

    id: int | None = row_id()
    reference: str
    external_reference: str | None = None
    status: BookingStatus = Field(sa_type=enum_type(BookingStatus))
    start_at: datetime = Field(sa_type=Timestamp)
    end_at: datetime = Field(sa_type=Timestamp)
    adults: int | None = None
    children: int | None = None
    currency: str | None = None
    # Without a scale, so that a price keeps its number of decimals.
    final_price: Decimal | None = Field(default=None, sa_type=Numeric)
    notes: str | None = Field(default=None, sa_type=FreeText)
    client_id: int | None = Field(default=None, sa_type=BigInteger)
    rental_id: int | None = Field(default=None, sa_type=BigInteger)
    source_id: int | None = Field(default=None, sa_type=BigInteger)
    canceled_at: datetime | None = Field(default=None, sa_type=Timestamp)


class Inquiry(TenantTable, Stamped, table=True):
    """A question about a stay. It has at most one conversation."""

    __tablename__ = "inquiries"
    __table_args__ = (
        reference("conversation_id", "conversations"),
        reference("booking_id", "bookings"),
        reference("rental_id", "rentals"),
        reference("source_id", "sources"),
        lookup("conversation_id", "id"),
        # For PostgreSQL, which looks for the inquiries of each booking that is deleted.
        lookup("booking_id"),
        lookup("created_at", "id"),
        lookup("updated_at", "id"),
    )

    id: int | None = row_id()
    firstname: str
    lastname: str
    email: str
    phone: str | None = None
    message: str | None = Field(default=None, sa_type=FreeText)
    adults: int | None = None
    children: int | None = None
    start_at: datetime | None = Field(default=None, sa_type=Timestamp)
    end_at: datetime | None = Field(default=None, sa_type=Timestamp)
    conversation_id: int | None = Field(default=None, sa_type=BigInteger)
    booking_id: int | None = Field(default=None, sa_type=BigInteger)
    rental_id: int | None = Field(default=None, sa_type=BigInteger)
    source_id: int | None = Field(default=None, sa_type=BigInteger)


_B: Any = Booking.__table__.columns  # type: ignore[attr-defined]
_I: Any = Inquiry.__table__.columns  # type: ignore[attr-defined]
# Part of a reference is its end, of at least three letters, as for conversations.
_SIZES: Any = (literal_column("3"), literal_column("12"))
BOOKING_WORDS = searchable(
    Booking,
    _B.reference,
    _B.external_reference,
    func.search_ends(_B.reference, *_SIZES),
    func.search_ends(_B.external_reference, *_SIZES),
)
INQUIRY_WORDS = searchable(Inquiry, _I.firstname, _I.lastname, func.search_contact(_I.email, _I.phone), _I.message)
