"""The closed sets of values. A member's name is its value: what the API shows is what the column holds."""

from __future__ import annotations

from enum import StrEnum


class CreatorType(StrEnum):
    """What kind of actor created a record."""

    USER = "USER"
    APPLICATION = "APPLICATION"


class MemberType(StrEnum):
    """What kind of person a participant is."""

    CLIENT = "CLIENT"
    HOST = "HOST"


class Channel(StrEnum):
    """The way by which a message is relayed to the guest."""

    AIRBNB = "AIRBNB"
    BOOKING_COM = "BOOKING_COM"
    EMAIL = "EMAIL"
    EXPEDIA = "EXPEDIA"
    HOMEAWAY = "HOMEAWAY"
    VRBO = "VRBO"


class MessageOrigin(StrEnum):
    """Where a message was written."""

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
    """Who reads a message: the hosts among themselves, or the guest too."""

    INTERNAL = "INTERNAL"
    EXTERNAL = "EXTERNAL"


class BookingStatus(StrEnum):
    """How firmly a booking holds the rental."""

    BOOKED = "BOOKED"
    TENTATIVE = "TENTATIVE"
    UNAVAILABLE = "UNAVAILABLE"
    LOCKED = "LOCKED"
    CANCELED = "CANCELED"


class JourneyStage(StrEnum):
    """Where a guest stands in the journey, told from the dates of the bookings that a conversation is about."""

    INQUIRY = "INQUIRY"
    RESERVED = "RESERVED"
    CHECK_IN_TODAY = "CHECK_IN_TODAY"
    AT_PROPERTY = "AT_PROPERTY"
    CHECK_OUT_TODAY = "CHECK_OUT_TODAY"
    POST_STAY = "POST_STAY"
    CANCELED = "CANCELED"
