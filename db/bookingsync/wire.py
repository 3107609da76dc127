"""The wire format: what a record of the REST API looks like, and what it is called here.

A model's fields are columns of the kind's table (and the few ids that live elsewhere, such as a conversation's
bookings); an alias says where the wire has them. Ids of other records are taken as they are: whether they exist is not
known here. Keys that the inbox does not keep are ignored.

Optional text stays as recorded, the empty string included. A client's email and phone are chosen from lists, where an
empty entry means none. Everything that the database would refuse is refused here, with the position of the mistake: NUL
characters and broken ones, ids beyond 64 bits, overlong text, unknown values of a closed set, times without a zone.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    model_validator,
)

from db import tables as t


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("has a NUL character, which cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("has characters that are not UTF-8") from None
    return text


def _in_milliseconds(moment: datetime) -> datetime:
    """A time in milliseconds, which is what the columns hold: a comparison must not see more than they do."""
    # As good as every time is like this, and there are three in a record.
    if not moment.microsecond and MINYEAR < moment.year < MAXYEAR:
        return moment
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is beyond the years that can be stored") from None
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _written_out(value: object) -> object:
    """Refuses times as numbers, which the wire does not have, and which could be seconds or milliseconds."""
    if not isinstance(value, str) or "T" not in value:
        raise ValueError("is not a time such as 2018-03-20T13:45:55Z")
    return value


def _member_of(values: type[StrEnum], renamed: dict[str, str]) -> BeforeValidator:
    """Reads a value of a closed set as the wire spells it: any case, hyphens, and the names in `renamed`."""

    @lru_cache(maxsize=256)
    def find(value: str) -> StrEnum | None:
        name = value.upper().replace("-", "_")
        return values.__members__.get(renamed.get(name, name))

    def read(value: object) -> object:
        if value is None:
            return None
        found = find(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"{value!r:.60} is not one of {', '.join(values)}")
        return found

    return BeforeValidator(read)


def _part(name: str) -> BeforeValidator:
    """Reads the `id` or the `type` of a polymorphic link `{"id": 1, "type": "Client"}`."""

    def read(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, dict) or value.get(name) is None:
            raise ValueError('is not a link such as {"id": 1, "type": "Client"}')
        return value[name]

    return BeforeValidator(read)


def _preferred(key: str) -> BeforeValidator:
    """Chooses from a list of labelled entries the first `default` that is not empty, else the first that is not."""

    def read(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise ValueError(f'is not a list such as [{{"label": "default", "{key}": "…"}}]')
        filled = [entry for entry in value if entry.get(key)]
        filled.sort(key=lambda entry: entry.get("label") != "default")
        return filled[0][key] if filled else None

    return BeforeValidator(read)


Id = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Text = Annotated[str, Field(strict=True), AfterValidator(_storable)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_milliseconds)]
# More digits than any price has, and far fewer than PostgreSQL's limit.
Price = Annotated[Decimal, Field(max_digits=100, allow_inf_nan=False)]

Status = Annotated[t.BookingStatus, _member_of(t.BookingStatus, {})]
Channel = Annotated[t.Channel, _member_of(t.Channel, {})]
Origin = Annotated[t.MessageOrigin, _member_of(t.MessageOrigin, {})]
Visibility = Annotated[t.MessageVisibility, _member_of(t.MessageVisibility, {"ALL": "EXTERNAL"})]
MemberType = Annotated[t.MemberType, _member_of(t.MemberType, {}), _part("type")]
MemberId = Annotated[Id, _part("id")]
_APPLICATION = {"DOORKEEPER::APPLICATION": "APPLICATION"}
CreatorType = Annotated[t.CreatorType | None, _member_of(t.CreatorType, _APPLICATION), _part("type")]
CreatorId = Annotated[Id | None, _part("id")]


def _link(name: str) -> Any:
    """A link that must be there."""
    return Field(validation_alias=AliasPath("links", name))


def _optional_link(name: str) -> Any:
    """A link that is null where it is missing."""
    return Field(default=None, validation_alias=AliasPath("links", name))


class Record(BaseModel):
    """What every record has."""

    id: Id


class Stamped(Record):
    """A record that says how old it is."""

    created_at: Moment
    updated_at: Moment


class Account(Stamped):
    """A property manager's company."""

    business_name: Text
    email: Text | None = None
    time_zone: Text = Field(default="UTC", validation_alias=AliasChoices("time_zone", "default_timezone"))

    @model_validator(mode="before")
    @classmethod
    def _null_time_zone(cls, data: object) -> object:
        zones = ("time_zone", "default_timezone")
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if key not in zones or value is not None}


class Application(Record):
    """A program that acts for accounts."""

    name: Text


class User(Record):
    """A login. Some pages have its name in one piece, some in two."""

    account_id: Id = _link("account")
    name: Text
    email: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_name(cls, data: object) -> object:
        if not isinstance(data, dict) or data.get("name") is not None:
            return data
        parts = [part for part in (data.get("firstname"), data.get("lastname")) if isinstance(part, str) and part]
        return {**data, "name": " ".join(parts)} if parts else data


class Source(Stamped):
    """Where business comes from."""

    account_id: Id = _link("account")
    name: Text
    internal: Annotated[bool, Field(strict=True), BeforeValidator(lambda value: value is not None and value)] = False


class Rental(Stamped):
    """A house or flat."""

    account_id: Id = _link("account")
    name: Text
    city: Text | None = None
    country_code: Text | None = None


class Client(Stamped):
    """A traveller."""

    account_id: Id = _link("account")
    fullname: Text
    email: Annotated[Text | None, _preferred("email")] = Field(default=None, validation_alias="emails")
    phone: Annotated[Text | None, _preferred("number")] = Field(default=None, validation_alias="phones")
    preferred_locale: Text | None = None


class Host(Stamped):
    """An account's person as the inbox knows them."""

    account_id: Id = _link("account")
    firstname: Text
    lastname: Text
    email: Text | None = None
    user_id: Id | None = _optional_link("user")
    source_id: Id | None = _optional_link("source")


class Booking(Stamped):
    """A stay. `inquiry_id` is kept with the inquiry."""

    account_id: Id = _link("account")
    # The column is indexed, and an entry of an index has to fit into a third of a page.
    reference: Annotated[Text, Field(max_length=255)]
    external_reference: Text | None = None
    status: Status
    start_at: Moment
    end_at: Moment
    adults: Count | None = None
    children: Count | None = None
    currency: Text | None = None
    final_price: Price | None = None
    notes: Text | None = None
    canceled_at: Moment | None = None
    client_id: Id | None = _optional_link("client")
    rental_id: Id | None = _optional_link("rental")
    source_id: Id | None = _optional_link("source")
    inquiry_id: Id | None = _optional_link("inquiry")


class Conversation(Stamped):
    """A thread. `bookings` and `inquiries` are null where the record does not say anything about them."""

    account_id: Id = _link("account")
    subject: Annotated[Text, Field(max_length=255)] | None = None
    default_channel: Channel | None = None
    closed_at: Moment | None = None
    deadline_response_at: Moment | None = None
    last_message_at: Moment | None = None
    marked_as_spam_at: Moment | None = None
    read_at: Moment | None = None
    assignee_id: Id | None = _optional_link("assignee")
    source_id: Id | None = _optional_link("source")
    created_by_type: CreatorType = _optional_link("created_by")
    created_by_id: CreatorId = _optional_link("created_by")
    bookings: list[Id] | None = _optional_link("bookings")
    inquiries: list[Id] | None = _optional_link("inquiries")


class Inquiry(Stamped):
    """A question about a stay. The wire does not name its account, which is the rental's."""

    firstname: Text
    lastname: Text
    email: Text
    phone: Text | None = None
    message: Text | None = None
    adults: Count | None = None
    children: Count | None = None
    start_at: Moment | None = None
    end_at: Moment | None = None
    rental_id: Id | None = _optional_link("rental")
    source_id: Id | None = _optional_link("source")
    booking_id: Id | None = _optional_link("booking")


class Participant(Stamped):
    """Somebody in a conversation. The account is the conversation's."""

    conversation_id: Id | None = _optional_link("conversation")
    member_type: MemberType = _link("member")
    member_id: MemberId = _link("member")
    read_at: Moment | None = None
    last_message_sent_at: Moment | None = None


class Message(Stamped):
    """What a participant wrote. The account is the conversation's. Old recordings do not say when it was sent."""

    conversation_id: Id | None = _optional_link("conversation")
    sender_id: Id | None = _optional_link("sender")
    content: Text
    channel: Channel | None = None
    origin: Origin
    visibility: Visibility
    sent_at: Moment | None = None
    created_by_type: CreatorType = _optional_link("created_by")
    created_by_id: CreatorId = _optional_link("created_by")

    @model_validator(mode="after")
    def _sent_when_created(self) -> Self:
        if self.sent_at is None:
            self.sent_at = self.created_at
        return self
