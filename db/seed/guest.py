"""Guests with their bookings and inquiries. Messages are not made here."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from db.seed.dice import Dice
from db.seed.rows import DAY, HOUR, MINUTE, Rows, moment, moment_or_null
from db.seed.speech import Language
from db.seed.tenant import ROUTES, RentalRow, Tenant
from db.tables import BookingStatus

# The 32 letters and digits of booking references: none of them looks like another.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_REFERENCES = 32**6
# Odd, so that multiplying by it modulo a power of two gives different ids different references.
_SCRAMBLE = 0x2545F491

_STATUSES = (
    *[BookingStatus.BOOKED] * 12,
    *[BookingStatus.CANCELED] * 3,
    *[BookingStatus.TENTATIVE] * 2,
    BookingStatus.UNAVAILABLE,
    BookingStatus.LOCKED,
)
_LEAD_DAYS = (0, 1, 2, 5, 9, 14, 21, 30, 45, 60, 90, 120, 200)
_NIGHTS = (2, 3, 3, 4, 5, 7, 7, 7, 10, 14, 21)
_ADULTS = (1, 2, 2, 2, 2, 3, 4, 4, 6)
_CHILDREN = (0, 0, 0, 1, 2, 2, 3)
_NOTES = (None, None, None, None, "Late arrival", "Baby cot requested", "Invoice to the company", "Two cars")


class Stay(NamedTuple):
    """The dates and the number of guests of a stay; times in milliseconds."""

    start: int
    end: int
    adults: int
    children: int


@dataclass(slots=True)
class SeedBooking:
    """The values of a booking that conversations use; `created` in milliseconds."""

    id: int
    reference: str
    canceled: bool
    rental: RentalRow
    stay: Stay
    created: int


class Question(NamedTuple):
    """An inquiry to be made at `created` (milliseconds) through `ROUTES[route]`."""

    created: int
    route: int
    text: str
    rental: RentalRow
    booking: SeedBooking | None
    conversation_id: int | None


@dataclass(slots=True)
class Guest:
    """The values of a client that conversations use, with the bookings made so far."""

    id: int
    given: str
    family: str
    email: str
    phone: str | None
    language: Language
    bookings: list[SeedBooking] = field(default_factory=list)


def reference_of(booking_id: int) -> str:
    """Return six letters and digits that look random; ids below 2^30 get different ones."""
    rest = booking_id * _SCRAMBLE % _REFERENCES
    letters = []
    for _ in range(6):
        rest, digit = divmod(rest, 32)
        letters.append(_ALPHABET[digit])
    return "".join(letters)


class GuestBook:
    """Makes the guests of one account, up to the moment `now` (milliseconds)."""

    def __init__(self, rows: Rows, dice: Dice, tenant: Tenant, now: int) -> None:
        self._rows = rows
        self._dice = dice
        self._tenant = tenant
        self._now = now
        self._recent: list[Guest] = []

    def forget(self) -> None:
        """Forget all guests so far, so that memory does not grow with their number. None of them returns."""
        self._recent.clear()

    def welcome(self, created: int) -> Guest:
        """Return a guest for a conversation of that time: mostly a new one, sometimes a returning one."""
        dice = self._dice
        if self._recent and dice.chance(0.1):
            return dice.pick(self._recent)
        language = dice.pick(self._tenant.languages)
        given, family = dice.pick(language.given), dice.pick(language.family)
        email = f"guest-{dice.below(16**10):010x}@mail.example"
        phone = f"{language.dial} 555 {dice.below(1_000_000):06d}" if dice.chance(0.7) else None
        row_id = self._rows.add(
            "clients",
            self._tenant.account_id,
            language.fullname(given, family),
            email if dice.chance(0.85) else None,
            phone,
            language.locale if dice.chance(0.9) else None,
            *[moment(created)] * 2,
        )
        guest = Guest(row_id, given, family, email, phone, language)
        self._recent.append(guest)
        return guest

    def book(self, guest: Guest, route: int, created: int) -> SeedBooking:
        """Add a booking of `guest`, made at `created` through `ROUTES[route]`."""
        dice, rows, tenant = self._dice, self._rows, self._tenant
        booking_id = rows.last_id["bookings"] + 1
        status = dice.pick(_STATUSES)
        canceled = status is BookingStatus.CANCELED
        updated = created + dice.below(min(20 * DAY, self._now - created)) if canceled else created
        stay = self._stay(created)
        blocked = status is BookingStatus.UNAVAILABLE
        booking = SeedBooking(booking_id, reference_of(booking_id), canceled, dice.pick(tenant.rentals), stay, created)
        rows.add(
            "bookings",
            tenant.account_id,
            booking.reference,
            f"X{dice.below(10**10)}" if ROUTES[route].internal else None,
            status,
            moment(stay.start),
            moment(stay.end),
            None if blocked else stay.adults,
            None if blocked else stay.children,
            tenant.company.currency,
            None if blocked else self._price(stay),
            dice.pick(_NOTES),
            guest.id,
            booking.rental.id,
            tenant.source_ids[route],
            moment_or_null(updated if canceled else None),
            moment(created),
            moment(updated),
        )
        guest.bookings.append(booking)
        return booking

    def ask(self, guest: Guest, question: Question) -> None:
        """Add an inquiry. If it became a booking, it has the rental and the dates of that booking."""
        dice, tenant, booking = self._dice, self._tenant, question.booking
        stay = booking.stay if booking else self._stay(question.created)
        dated = booking is not None or dice.chance(0.8)
        self._rows.add(
            "inquiries",
            tenant.account_id,
            guest.given,
            guest.family,
            guest.email,
            guest.phone,
            question.text,
            stay.adults,
            stay.children,
            moment(stay.start) if dated else None,
            moment(stay.end) if dated else None,
            question.conversation_id,
            booking.id if booking else None,
            question.rental.id,
            tenant.source_ids[question.route],
            *[moment(question.created)] * 2,
        )

    def _stay(self, created: int) -> Stay:
        dice = self._dice
        day = (created // DAY + 1 + dice.pick(_LEAD_DAYS)) * DAY
        nights = dice.pick(_NIGHTS)
        return Stay(
            day + 15 * HOUR, day + nights * DAY + 10 * HOUR + 30 * MINUTE, dice.pick(_ADULTS), dice.pick(_CHILDREN)
        )

    def _price(self, stay: Stay) -> Decimal:
        nights = (stay.end - stay.start) // DAY + 1
        if self._tenant.company.currency == "JPY":
            return Decimal(nights * (90 + self._dice.below(400)) * 100)
        return Decimal(nights * (7_000 + self._dice.below(40_000))).scaleb(-2)
