"""The closed sets of the tables as GraphQL enums, described by their docstrings."""

from enum import StrEnum
from typing import TypeVar

import strawberry

from db import tables as t

_E = TypeVar("_E", bound=StrEnum)


def _enum(values: type[_E]) -> type[_E]:
    return strawberry.enum(values, description=values.__doc__)


CreatorType = _enum(t.CreatorType)
MemberType = _enum(t.MemberType)
Channel = _enum(t.Channel)
MessageOrigin = _enum(t.MessageOrigin)
MessageVisibility = _enum(t.MessageVisibility)
BookingStatus = _enum(t.BookingStatus)
