"""The closed sets of the tables as GraphQL enums, described by their docstrings, and their values here."""

from enum import StrEnum

import strawberry

from db.tables import (
    BookingStatus,
    Channel,
    CreatorType,
    JourneyStage,
    MemberType,
    MessageOrigin,
    MessageVisibility,
)

__all__ = [
    "BookingStatus",
    "Channel",
    "CreatorType",
    "JourneyStage",
    "MemberType",
    "MessageOrigin",
    "MessageVisibility",
    "expose",
]


def expose(values: type[StrEnum], name: str | None = None, /, **meanings: str) -> None:
    """Make a Python enum a GraphQL one too. `meanings` says what its members mean, where their names do not."""
    exposed = strawberry.enum(values, name=name, description=values.__doc__)
    for value in exposed.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = meanings.get(value.name)


expose(CreatorType, USER="A login of the account.", APPLICATION="A program that acts for accounts.")
expose(MemberType, CLIENT="A traveller.", HOST="A person of the account.")
expose(Channel)
expose(
    MessageOrigin,
    AIRBNB_EMAIL="Airbnb's relayed e-mail.",
    AIRBNB_MESSAGE="Airbnb's own messages.",
    BOOKINGSYNC_INBOX="This inbox.",
    INQUIRY="The text of an inquiry.",
)
expose(MessageVisibility, INTERNAL="A note that only hosts read.", EXTERNAL="Relayed to the guest, or written by them.")
expose(
    BookingStatus,
    BOOKED="The stay is certain.",
    TENTATIVE="The stay is not confirmed yet.",
    UNAVAILABLE="The rental is kept free of stays.",
    LOCKED="The stay is certain and no longer changes.",
    CANCELED="The stay was called off.",
)
expose(
    JourneyStage,
    INQUIRY="No booking is certain: there is none, or one that is neither booked nor canceled.",
    RESERVED="The next stay is yet to come.",
    CHECK_IN_TODAY="A stay begins today.",
    AT_PROPERTY="A stay began before today and ends after it.",
    CHECK_OUT_TODAY="A stay ends today.",
    POST_STAY="The last stay is over.",
    CANCELED="There are bookings, and all were canceled.",
)
