"""The wire format: the fields of a record of the REST API, under the names of our columns.

A model's fields are columns of the kind's table, and a few ids that are stored elsewhere, such as a conversation's
bookings. An alias is the path in the wire format. Ids of other records are not checked here. Other keys are ignored.

Text is stored exactly as recorded, including HTML entities, white space and the empty string. A client's email and
phone are chosen from lists, where an empty entry means none. Values that the database would reject are rejected here,
with the position of the mistake: NUL characters and lone surrogates, overlong text, times without a zone. So are ids
that this server gives to its own records. An unknown enum value is rejected if it is required. If it is optional, it
becomes null, and a sentence about it is added to the validation context, a list.
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
    ValidationInfo,
    model_validator,
)

from db import tables as t
from db.tables.base import FIRST_OWN_ID


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("has a NUL character, which cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("has characters that are not UTF-8") from None
    return text


def _in_milliseconds(moment: datetime) -> datetime:
    """Cut a time to milliseconds, as the columns do, so that comparisons use the stored value."""
    # Most times are whole seconds.
    if not moment.microsecond and MINYEAR < moment.year < MAXYEAR:
        return moment
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is beyond the years that can be stored") from None
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if moment.replace(tzinfo=None) == datetime.min:  # noqa: DTZ901  # only compared
        # asyncpg would write it as -infinity, which the API cannot return.
        raise ValueError("is beyond the years that can be stored")
    return moment


def _written_out(value: object) -> object:
    """Reject numbers as times: they could be seconds or milliseconds, and the wire format has none."""
    if not isinstance(value, str) or "T" not in value:
        raise ValueError("is not a time such as 2018-03-20T13:45:55Z")
    return value


def _member_of(values: type[StrEnum], renamed: dict[str, str], *, optional: bool = False) -> BeforeValidator:
    """Read an enum value in the wire's spelling: any case, hyphens, and the names in `renamed`.

    If it is `optional`, an unknown value becomes null, and a sentence about it is added to the validation context.
    """

    @lru_cache(maxsize=256)
    def find(value: str) -> StrEnum | None:
        name = value.upper().replace("-", "_")
        return values.__members__.get(renamed.get(name, name))

    def read(value: object, info: ValidationInfo) -> object:
        if value is None:
            return None
        member = find(value) if isinstance(value, str) else None
        if member is None:
            text = f"{value!r:.60} is not one of {', '.join(values)}"
            if not optional:
                raise ValueError(text)
            if info.context is not None:
                info.context.append(f"{str(info.field_name).removesuffix('_type')}: {text}: left empty")
        return member

    return BeforeValidator(read)


def _part(name: str) -> BeforeValidator:
    """Read the `id` or the `type` of a polymorphic link `{"id": 1, "type": "Client"}`."""

    def read(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, dict) or value.get(name) is None:
            raise ValueError('is not a link such as {"id": 1, "type": "Client"}')
        return value[name]

    return BeforeValidator(read)


def _preferred(key: str, last: str | None = None) -> BeforeValidator:
    """Choose one of a list of entries: the primary one, else the first labelled `default`, else `mobile`, else any.

    Canceled and empty entries do not count; one labelled `last` is chosen only if there is no other.
    """
    labels = {"default": 0, "mobile": 1, last: 3}

    def rank(entry: dict[str, Any]) -> tuple[bool, int]:
        label = entry.get("label")
        return entry.get("primary") is not True, labels.get(label, 2) if isinstance(label, str) else 2

    def read(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise ValueError(f'is not a list such as [{{"label": "default", "{key}": "…"}}]')
        filled = [entry for entry in value if entry.get(key) and not entry.get("canceled_at")]
        chosen = min(filled, key=rank)[key] if filled else None
        # A phone number can be a JSON number.
        return str(chosen) if isinstance(chosen, int) and not isinstance(chosen, bool) else chosen

    return BeforeValidator(read)


Id = Annotated[int, Field(strict=True, ge=1, lt=FIRST_OWN_ID)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]
Text = Annotated[str, Field(strict=True), AfterValidator(_storable)]
ShortText = Annotated[str, Field(strict=True, max_length=255), AfterValidator(_storable)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_milliseconds)]
# More digits than any price has, and far fewer than PostgreSQL allows.
Price = Annotated[Decimal, Field(max_digits=100, allow_inf_nan=False)]

Status = Annotated[t.BookingStatus, _member_of(t.BookingStatus, {})]
Channel = Annotated[t.Channel | None, _member_of(t.Channel, {}, optional=True)]
Origin = Annotated[t.MessageOrigin, _member_of(t.MessageOrigin, {})]
Visibility = Annotated[t.MessageVisibility, _member_of(t.MessageVisibility, {"ALL": "EXTERNAL"})]
MemberType = Annotated[t.MemberType, _member_of(t.MemberType, {}), _part("type")]
MemberId = Annotated[Id, _part("id")]
_APPLICATION = {"DOORKEEPER::APPLICATION": "APPLICATION"}
CreatorType = Annotated[t.CreatorType | None, _member_of(t.CreatorType, _APPLICATION, optional=True), _part("type")]
CreatorId = Annotated[Id | None, _part("id")]


def _link(name: str) -> Any:
    """A required link."""
    return Field(validation_alias=AliasPath("links", name))


def _optional_link(name: str) -> Any:
    """A link that may be missing or null."""
    return Field(default=None, validation_alias=AliasPath("links", name))


class WireRecord(BaseModel):
    """The field that every record has."""

    id: Id


class StampedRecord(WireRecord):
    """A record with the times of its creation and last change."""

    created_at: Moment
    updated_at: Moment


class CreatedRecord(StampedRecord):
    """A record with a polymorphic creator: a type and an id, both or neither."""

    created_by_type: CreatorType = Field(default=None, validation_alias=AliasPath("links", "created_by"))
    created_by_id: CreatorId = Field(default=None, validation_alias=AliasPath("links", "created_by"))

    @model_validator(mode="after")
    def _without_unknown_creator(self) -> Self:
        if self.created_by_type is None:
            self.created_by_id = None
        return self


class Account(StampedRecord):
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


class Application(WireRecord):
    """A program that acts for accounts."""

    name: Text


class User(WireRecord):
    """A login. Some pages have `name`, others `firstname` and `lastname`."""

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


class Source(StampedRecord):
    """Where business comes from."""

    account_id: Id = _link("account")
    name: Text
    internal: Annotated[bool, Field(strict=True), BeforeValidator(lambda value: value is not None and value)] = False


class Rental(StampedRecord):
    """A house or flat."""

    account_id: Id = _link("account")
    name: Text
    city: Text | None = None
    country_code: Text | None = None


class Client(StampedRecord):
    """A traveller."""

    account_id: Id = _link("account")
    fullname: Text
    email: Annotated[Text | None, _preferred("email")] = Field(default=None, validation_alias="emails")
    phone: Annotated[Text | None, _preferred("number", last="fax")] = Field(default=None, validation_alias="phones")
    preferred_locale: Text | None = None


class Host(StampedRecord):
    """An account's person as the inbox knows them."""

    account_id: Id = _link("account")
    firstname: Text
    lastname: Text
    email: Text | None = None
    user_id: Id | None = _optional_link("user")
    source_id: Id | None = _optional_link("source")


class Booking(StampedRecord):
    """A stay. `inquiry_id` is stored with the inquiry."""

    account_id: Id = _link("account")
    # The column is indexed, and an index entry must fit into a third of a page.
    reference: ShortText
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


class Conversation(CreatedRecord):
    """A thread. `bookings` and `inquiries` are null if the record does not have them."""

    account_id: Id = _link("account")
    subject: ShortText | None = None
    default_channel: Channel = None
    closed_at: Moment | None = None
    deadline_response_at: Moment | None = None
    last_message_at: Moment | None = None
    marked_as_spam_at: Moment | None = None
    read_at: Moment | None = None
    assignee_id: Id | None = _optional_link("assignee")
    source_id: Id | None = _optional_link("source")
    bookings: list[Id] | None = _optional_link("bookings")
    inquiries: list[Id] | None = _optional_link("inquiries")


class Inquiry(StampedRecord):
    """A question about a stay. The wire does not name its account: it is the rental's."""

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


class Participant(StampedRecord):
    """A member of a conversation. The account is the conversation's."""

    conversation_id: Id | None = _optional_link("conversation")
    member_type: MemberType = _link("member")
    member_id: MemberId = _link("member")
    read_at: Moment | None = None
    last_message_sent_at: Moment | None = None


class Message(CreatedRecord):
    """What a participant wrote. The account is the conversation's. Old recordings have no `sent_at`."""

    conversation_id: Id | None = _optional_link("conversation")
    sender_id: Id | None = _optional_link("sender")
    content: Text
    channel: Channel = None
    origin: Origin
    visibility: Visibility
    sent_at: Moment | None = None

    @model_validator(mode="after")
    def _sent_when_created(self) -> Self:
        if self.sent_at is None:
            self.sent_at = self.created_at
        return self
