"""The kinds of records: what each is called, how it is read, and what it refers to.

A kind's name is the plural of the wire format and also its table's name. The order of `KINDS` is the order of writing:
a record comes after those that it refers to. (A booking's inquiry is kept with the inquiry, which may name a booking
itself, and is joined when both are there.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from db import tables as t
from db.bookingsync import wire


@dataclass(frozen=True, slots=True)
class Polymorph:
    """A reference to one of several tables: a type, an id, and per type the column that links and the table meant.

    Type and id stay as recorded. The link is there only where the record is, and is made up for when that comes later.
    """

    type_column: str
    id_column: str
    links: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record.

    `owner` is the column and the table of the record from which the account is taken, where the wire does not name it.
    `optional` maps each column that may refer to nothing to the table that it refers to.
    `elsewhere` maps the wire's ids that have no column in this kind's own table to their SQL type.
    """

    name: str
    record: type[wire.Record]
    owner: tuple[str, str] | None = None
    optional: Mapping[str, str] = field(default_factory=dict)
    polymorph: Polymorph | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """What a record brings."""
        return tuple(self.record.model_fields)

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key. Accounts and applications belong to no account."""
        return ("id",) if self.name in {"accounts", "applications"} else ("account_id", "id")

    @property
    def stamped(self) -> bool:
        """Whether the records say how old they are."""
        return issubclass(self.record, wire.Stamped)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that an import writes."""
        links = [column for column, _ in self.polymorph.links.values()] if self.polymorph else []
        own = [name for name in self.fields if name not in self.elsewhere and name not in self.key]
        return (*self.key, *own, *links)


CREATOR = Polymorph(
    "created_by_type",
    "created_by_id",
    {
        t.CreatorType.USER: ("created_by_user_id", "users"),
        t.CreatorType.APPLICATION: ("created_by_application_id", "applications"),
    },
)
MEMBER = Polymorph(
    "member_type",
    "member_id",
    {t.MemberType.CLIENT: ("client_id", "clients"), t.MemberType.HOST: ("host_id", "hosts")},
)

KINDS = (
    Kind("accounts", wire.Account),
    Kind("applications", wire.Application),
    Kind("users", wire.User),
    Kind("sources", wire.Source),
    Kind("rentals", wire.Rental),
    Kind("clients", wire.Client),
    Kind("hosts", wire.Host, optional={"user_id": "users", "source_id": "sources"}),
    Kind(
        "bookings",
        wire.Booking,
        optional={"client_id": "clients", "rental_id": "rentals", "source_id": "sources"},
        elsewhere={"inquiry_id": "bigint"},
    ),
    Kind(
        "inquiries",
        wire.Inquiry,
        owner=("rental_id", "rentals"),
        optional={"source_id": "sources", "booking_id": "bookings"},
    ),
    Kind(
        "conversations",
        wire.Conversation,
        optional={"assignee_id": "hosts", "source_id": "sources"},
        polymorph=CREATOR,
        elsewhere={"bookings": "bigint[]", "inquiries": "bigint[]"},
    ),
    Kind("participants", wire.Participant, owner=("conversation_id", "conversations"), polymorph=MEMBER),
    Kind("messages", wire.Message, owner=("conversation_id", "conversations"), polymorph=CREATOR),
)
