"""DateTime, BigInt and Decimal: output, accepted input, and round trips."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from graphql import GraphQLError
from hypothesis import given, settings
from hypothesis import strategies as st

from gql.fields.scalars import read_big_int, read_date_time, read_decimal, show_date_time, show_decimal, show_seconds
from tests.support.client import Client
from tests.support.factories import store, store_account

CHECKED = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def refusal(read: Any, value: Any) -> str:
    """The message with which `read` rejects `value`."""
    with pytest.raises(GraphQLError) as refused:
        read(value)
    return refused.value.message


# -------------------- DateTime


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 5, 4, 9, 30, tzinfo=UTC), "2026-05-04T09:30:00.000Z"),
        (datetime(2026, 5, 4, 9, 30, 1, 7_000, tzinfo=UTC), "2026-05-04T09:30:01.007Z"),
        (datetime(2026, 5, 4, 9, 30, tzinfo=timezone(timedelta(hours=2))), "2026-05-04T07:30:00.000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC), "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_moment_is_shown_in_utc_with_three_digits(moment: datetime, text: str) -> None:
    assert show_date_time(moment) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # The specification's own examples.
        ("2011-08-30T13:22:53.108Z", datetime(2011, 8, 30, 13, 22, 53, 108_000, tzinfo=UTC)),
        ("2011-08-30T13:22:53.108+00:00", datetime(2011, 8, 30, 13, 22, 53, 108_000, tzinfo=UTC)),
        ("2011-08-30T13:22:53.108-03:00", datetime(2011, 8, 30, 16, 22, 53, 108_000, tzinfo=UTC)),
        ("2011-08-30T13:22:53.108+03:30", datetime(2011, 8, 30, 9, 52, 53, 108_000, tzinfo=UTC)),
        # The REST API's form.
        ("2011-08-30T13:22:53Z", datetime(2011, 8, 30, 13, 22, 53, tzinfo=UTC)),
        ("2011-08-30t13:22:53z", datetime(2011, 8, 30, 13, 22, 53, tzinfo=UTC)),
        ("2024-02-29T00:00:00+23:59", datetime(2024, 2, 28, 0, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_from_any_offset(text: str, moment: datetime) -> None:
    assert read_date_time(text) == moment


@pytest.mark.parametrize(
    "value",
    [
        # The specification's examples of invalid values come first.
        "2011-08-30T13:22:53.108",
        "2011-08-30T13:22:53.108912Z",
        "2011-08-30T24:22:53.108Z",
        "2011-08-30T13:22:53.108-00:00",
        "2011-08-30T13:22:53.108+03:30:15",
        "2011-08-30",
        "2011-08-30T13:22Z",
        "2011-08-30T13:22:53.1Z",
        "2011-08-30T13:22:53.Z",
        "2011-08-30T13:22:53,108Z",
        "2011-08-30 13:22:53Z",
        "2011-08-30T13:22:53[UTC]",
        "2011-08-30T13:22:53+0300",
        "2011-08-30T13:22:53+24:00",
        "2011-08-30T13:22:60Z",
        "2011-13-30T13:22:53Z",
        "2011-02-29T13:22:53Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "12011-08-30T13:22:53Z",
        " 2011-08-30T13:22:53Z",
        "2011-08-30T13:22:53Z\n",
        "\u0662\u0660\u0661\u0661-08-30T13:22:53Z",
        "2011-08-30T13:22:53Z\0",
        "",
        "now",
        0,
        1_314_710_573,
        1.5,
        True,
        None,
        [],
        {},
    ],
)
def test_what_is_no_moment_is_refused(value: Any) -> None:
    assert refusal(read_date_time, value).startswith("DateTime cannot represent ")


@given(
    st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001  # the strategy adds the zone
        max_value=datetime(9998, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1_000 * 1_000))
)
@CHECKED
def test_what_is_shown_is_read_as_the_same_moment(moment: datetime) -> None:
    assert read_date_time(show_date_time(moment)) == moment


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
@CHECKED
def test_seconds_are_shown_like_their_moment(milliseconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + milliseconds * timedelta(milliseconds=1)
    # As PostgreSQL computes them: from microseconds, by a division.
    assert show_seconds(milliseconds * 1_000 / 1_000_000) == show_date_time(moment)


# -------------------- BigInt


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (-7, -7),
        ("7", 7),
        ("-7", -7),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        (2**63 - 1, 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        (-(2**63), -(2**63)),
    ],
)
def test_a_whole_number_of_64_bits_is_read_from_an_int_or_digits(value: Any, number: int) -> None:
    assert read_big_int(value) == number


@pytest.mark.parametrize(
    "value",
    [
        "9223372036854775808",
        2**63,
        "-9223372036854775809",
        -(2**63) - 1,
        "9" * 5_000,
        True,
        False,
        1.0,
        1.5,
        float("nan"),
        "1.0",
        "1e3",
        "+7",
        "--7",
        "",
        " 7",
        "7 ",
        "7\n",
        "7\0",
        "1_000",
        "0x10",
        # Other digits: Arabic, full-width, superscript.
        "\u0667",
        "\uff17",
        "\u00b2",
        None,
        [],
        [7],
        {},
    ],
)
def test_what_is_no_whole_number_of_64_bits_is_refused(value: Any) -> None:
    message = refusal(read_big_int, value)

    assert message.startswith("BigInt cannot represent ")
    assert len(message) < 150


# -------------------- Decimal


@pytest.mark.parametrize("text", ["1500.0", "1500", "0", "0.00", "-0.10", "0.0000001", "120000000"])
def test_a_decimal_keeps_its_digits(text: str) -> None:
    assert show_decimal(read_decimal(text)) == text


@pytest.mark.parametrize(
    "value", ["1E+3", "1e3", "NaN", "Infinity", "+1", ".5", "5.", "", " 1", "1_0", "\u0667", 1, 1.5, None]
)
def test_what_is_no_decimal_is_refused(value: Any) -> None:
    assert refusal(read_decimal, value).startswith("Decimal cannot represent ")


# -------------------- over the API


@pytest.mark.anyio
async def test_prices_come_out_of_the_database_as_plain_digits(client: Client, connection: asyncpg.Connection) -> None:
    prices = [
        *("1500.0", "1500", "1500.00", "0", "0.00", "0.0000000", "0.0000001", "-12.30", "1000", "10000", "120000000"),
        *("1000000000000000000000000000000", "100000000000000000000.5", "123456789012345678901234567890.123456789"),
    ]
    await store_account(connection)
    for id_, price in enumerate(prices, 1):
        await store(connection, "bookings", account_id=1, id=id_, final_price=Decimal(price))

    data = await client.data("{ bookings { nodes { finalPrice } } }")

    assert [node["finalPrice"] for node in data["bookings"]["nodes"]] == prices


@pytest.mark.anyio
async def test_a_big_int_may_be_given_and_is_answered_in_full(client: Client, connection: asyncpg.Connection) -> None:
    largest = 2**63 - 1
    await store_account(connection)
    await store(connection, "conversations", account_id=1, id=largest)
    document = "query ($id: BigInt) { conversation(databaseId: $id) { databaseId } }"

    for given_ in (largest, str(largest)):
        data = await client.data(document, id=given_)
        assert data == {"conversation": {"databaseId": "9223372036854775807"}}
    inline = await client.data("{ a: conversation(databaseId: 9223372036854775807) { databaseId } }")
    assert inline == {"a": {"databaseId": "9223372036854775807"}}


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["9223372036854775808", 2**63, True, 1.5, "", "x", [1], {"a": 1}])
async def test_a_variable_that_is_no_big_int_is_bad_input(reader: Client, value: Any) -> None:
    code, message = await reader.error("query ($id: BigInt) { conversation(databaseId: $id) { databaseId } }", id=value)

    assert code == "BAD_USER_INPUT"
    assert "BigInt cannot represent" in message


@pytest.mark.anyio
@pytest.mark.parametrize("literal", ["9223372036854775808", "true", "1.5", '""', '"x"', "[1]", "{ a: 1 }", "ASC"])
async def test_a_literal_that_is_no_big_int_makes_the_document_invalid(reader: Client, literal: str) -> None:
    code, _ = await reader.error(f"{{ conversation(databaseId: {literal}) {{ databaseId }} }}")

    assert code == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.anyio
async def test_moments_come_out_of_the_database_with_three_digits(
    client: Client, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    moments = [datetime(2026, 5, 4, 9, 30, tzinfo=UTC), datetime(2026, 5, 4, 9, 30, 1, 120_000, tzinfo=UTC)]
    await store(connection, "conversations", account_id=1, id=1, created_at=moments[0], updated_at=moments[1])

    data = await client.data("{ conversation(databaseId: 1) { createdAt updatedAt } }")

    assert data == {"conversation": {"createdAt": "2026-05-04T09:30:00.000Z", "updatedAt": "2026-05-04T09:30:01.120Z"}}
