"""The closed sets of the tables as GraphQL enums, described by their docstrings, and their values here."""

from enum import StrEnum

import strawberry

from db.tables import BookingStatus, Channel, CreatorType, MemberType, MessageOrigin, MessageVisibility

__all__ = ["BookingStatus", "Channel", "CreatorType", "MemberType", "MessageOrigin", "MessageVisibility", "expose"]


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
