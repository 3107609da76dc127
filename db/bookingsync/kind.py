"""The kinds of records: their tables, how they are read, and what they refer to.

A kind's name is the plural of the wire format, and the name of its table. The order of `KINDS` is the order of writing:
a record is written after those that it refers to. (A booking and an inquiry may name each other. That link is stored
with the inquiry, and written when both are.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from db import tables as t
from db.bookingsync import wire


@dataclass(frozen=True, slots=True)
class Polymorph:
    """A reference to one of several tables: a type, an id, and for each type the linking column and its table.

    Type and id are stored as recorded. The link is set once the record is stored, if necessary by a later import.
    """

    type_column: str
    id_column: str
    links: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record.

    If the wire does not name the account, `owner` is the column and the table of the record that determines it.
    `optional` maps each nullable reference to its table. `elsewhere` maps the ids that are not stored in this kind's
    table to their SQL type.
    """

    name: str
    record: type[wire.WireRecord]
    owner: tuple[str, str] | None = None
    optional: Mapping[str, str] = field(default_factory=dict)
    polymorph: Polymorph | None = None
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a record."""
        return tuple(self.record.model_fields)

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key. Accounts and applications do not belong to an account."""
        return ("id",) if self.name in {"accounts", "applications"} else ("account_id", "id")

    @property
    def stamped(self) -> bool:
        """Whether the records have the times of their creation and last change."""
        return issubclass(self.record, wire.StampedRecord)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that joining writes."""
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
