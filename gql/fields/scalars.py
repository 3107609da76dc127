"""The scalars of the API. They check the form and range of values, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, ValueNode
from graphql.utilities import value_from_ast_untyped
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)

_INT64 = 1 << 63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_MINUTES = tuple(f"T{hour:02}:{minute:02}:" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02}" for second in range(60))
_MILLISECONDS = tuple(f".{milliseconds:03}Z" for milliseconds in range(1_000))
# RFC 3339. In input the fraction is optional, because times of the REST API have none.
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{3})?(?:([Zz])|([+-](?:[01]\d|2[0-3]):[0-5]\d))", re.ASCII
)


def show_date_time(value: datetime) -> str:
    """In UTC with exactly three digits of fraction, as the scalar's specification requires."""
    # A response may have thousands of times. Combining cached parts takes 0.25 µs, `isoformat` 1.0; and with a table of
    # minutes and one of seconds, the parts stay in the processor's cache, which a table of a day's seconds exceeds.
    if value.tzinfo is not UTC:
        value = _EPOCH + (value - _EPOCH)
    minute, second = _MINUTES[value.hour * 60 + value.minute], _SECONDS[value.second]
    return f"{_date(value.toordinal())}{minute}{second}{_MILLISECONDS[value.microsecond // 1000]}"


def show_seconds(seconds: float) -> str:
    """The same for seconds since 1970."""
    minutes, milliseconds = divmod(round(seconds * 1_000), 60_000)
    day, minute = divmod(minutes, len(_MINUTES))
    second, millisecond = divmod(milliseconds, 1_000)
    return f"{_date(_EPOCH_DAY + day)}{_MINUTES[minute]}{_SECONDS[second]}{_MILLISECONDS[millisecond]}"


@lru_cache(maxsize=16_384)
def _date(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def read_date_time(value: Any) -> datetime:
    """A time in UTC. Raises GraphQLError for anything but a date-time string with an offset."""
    match = _DATE_TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[5] == "-00:00":
        raise GraphQLError(
            f"DateTime cannot represent {_quoted(value)}: give RFC 3339 such as 2026-05-04T09:30:00.000Z"
        )
    day, time, fraction, _, offset = match.groups()
    try:
        return datetime.fromisoformat(f"{day}T{time}{fraction or ''}{offset or '+00:00'}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(f"DateTime cannot represent {_quoted(value)}: there is no such moment") from None


def read_big_int(value: Any) -> int:
    """A whole number of 64 bits, from an Int or digits. Raises GraphQLError for anything else."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise GraphQLError(f"BigInt cannot represent {_quoted(value)}: give a whole number of at most 64 bits")
    return value


def show_decimal(value: Decimal) -> str:
    """In plain digits, all of those of the number: never `1E+3`."""
    return format(value, "f")


def read_decimal(value: Any) -> Decimal:
    """An exact number from a string. Raises GraphQLError for anything else."""
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", value, re.ASCII):
        raise GraphQLError(f"Decimal cannot represent {_quoted(value)}: give digits as a string")
    return Decimal(value)


def _in_documents(read: Callable[[Any], Any]) -> Callable[..., Any]:
    """`read` for a literal of a document: its errors have the location of the literal."""

    def read_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Any:
        try:
            return read(value_from_ast_untyped(node, variables))
        except GraphQLError as error:
            raise GraphQLError(error.message, node) from None

    return read_literal


def _quoted(value: Any) -> str:
    """`value` for a message, shortened."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 50 else f"{text[:50]}…"  # noqa: PLR2004


SCALARS: dict[Any, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description=(
            "A time in UTC with milliseconds, such as `2026-05-04T09:30:00.000Z`. In input, any offset is accepted "
            "and the fraction is optional."
        ),
        specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
        serialize=show_date_time,
        parse_value=read_date_time,
        parse_literal=_in_documents(read_date_time),
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="An exact decimal number, serialised as a string of plain digits such as `1234.50`.",
        specified_by_url="https://www.w3.org/TR/xmlschema11-2/#decimal",
        serialize=show_decimal,
        parse_value=read_decimal,
        parse_literal=_in_documents(read_decimal),
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A 64-bit integer, serialised as a string. Input may be an Int or a string of digits.",
        specified_by_url="https://scalars.graphql.org/jakobmerrild/long.html",
        serialize=str,
        parse_value=read_big_int,
        parse_literal=_in_documents(read_big_int),
    ),
}
