"""Cursors: their content, and that anything else is rejected with one of two messages."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.paging import PAGE, Inbox, Ordered, Row, encode, opened
from tests.support.properties import examples

pytestmark = pytest.mark.anyio

CREATED = ["Query.conversations", "created_at:asc", 0, 1]
NO_CURSOR = "This is not a cursor"
OTHER = "This cursor is not one of Query.conversations in this order"


@pytest.fixture(scope="module")
async def inbox(shared_dsn: str, anyio_backend: str) -> AsyncIterator[Inbox]:  # noqa: ARG001  # for its scope
    """Two accounts without conversations, and a client of the first."""
    async with opened(shared_dsn) as inbox:
        yield inbox


@pytest.mark.parametrize(
    ("cursor", "message"),
    [
        ("", NO_CURSOR),
        ("random text", NO_CURSOR),
        ("\0", NO_CURSOR),
        ("é", NO_CURSOR),
        ("🏖", NO_CURSOR),
        ("A", NO_CURSOR),
        ("A" * 10_000, NO_CURSOR),
        ("WyJ", NO_CURSOR),
        (encode(CREATED)[:-1], NO_CURSOR),
        (encode(CREATED)[:-9], NO_CURSOR),
        (encode(CREATED) + "=", NO_CURSOR),
        (encode(CREATED) + "\n", NO_CURSOR),
        ("!" + encode(CREATED), NO_CURSOR),
        (urlsafe_b64encode(b'["Query.conversations", "created_at:asc", 0, 1]').decode().rstrip("="), NO_CURSOR),
        (urlsafe_b64encode(b'["Query.conversations","created_at:asc",0,1]\0').decode().rstrip("="), NO_CURSOR),
        (urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="), NO_CURSOR),
        (encode("text"), NO_CURSOR),
        (encode(7), NO_CURSOR),
        (encode(None), NO_CURSOR),
        (encode([]), NO_CURSOR),
        (encode({"a": 1, "b": 2, "c": 3, "d": 4}), NO_CURSOR),
        (encode(CREATED[:3]), NO_CURSOR),
        (encode([*CREATED, 1]), NO_CURSOR),
        (encode([*CREATED[:2], "0", 1]), NO_CURSOR),
        (encode([*CREATED[:2], 0.5, 1]), NO_CURSOR),
        (encode([*CREATED[:2], True, 1]), NO_CURSOR),
        (encode([*CREATED[:2], [], 1]), NO_CURSOR),
        (encode([*CREATED[:2], None, 1]), NO_CURSOR),
        (encode([*CREATED[:3], None]), NO_CURSOR),
        (encode([*CREATED[:3], "1"]), NO_CURSOR),
        (encode([*CREATED[:3], False]), NO_CURSOR),
        (encode([*CREATED[:3], 2**63]), NO_CURSOR),
        (encode([*CREATED[:3], 1e300]), NO_CURSOR),
        (urlsafe_b64encode(b'["Query.conversations","created_at:asc",0,' + b"9" * 400 + b"]").decode(), NO_CURSOR),
        # Times before the year 1 and after the year 9999.
        (encode([*CREATED[:2], -(2**62), 1]), NO_CURSOR),
        (encode([*CREATED[:2], 2**62, 1]), NO_CURSOR),
        (encode([*CREATED[:2], 253_402_300_800_000, 1]), NO_CURSOR),
        (encode(["Query.bookings", "created_at:asc", 0, 1]), OTHER),
        (encode(["Query.bookings", "id", None, 1]), OTHER),
        (encode(["Query.conversations", "created_at:desc", 0, 1]), OTHER),
        (encode(["Query.conversations", "updated_at:asc", 0, 1]), OTHER),
        (encode(["Query.conversations", "id", None, 1]), OTHER),
        (encode([None, None, 0, 1]), OTHER),
        (encode([[], {}, 0, 1]), OTHER),
    ],
)
@pytest.mark.parametrize("side", ["after", "before"])
async def test_what_is_not_a_cursor_of_this_field_and_order_is_refused(
    inbox: Inbox, side: str, cursor: str, message: str
) -> None:
    response = await inbox.client.post(PAGE, order={"field": "CREATED_AT", "direction": "ASC"}, **{side: cursor})

    assert response.status_code == 200
    (error,) = response.json()["errors"]
    assert (error["extensions"]["code"], error["message"]) == ("BAD_USER_INPUT", message)


@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: urlsafe_b64encode(raw).decode()))
@examples(60)
async def test_no_text_makes_a_cursor_argument_fail_otherwise(inbox: Inbox, text: str) -> None:
    code, message = await inbox.client.error(PAGE, after=text)

    assert (code, message) == ("BAD_USER_INPUT", NO_CURSOR)


async def test_an_order_by_id_has_no_value_in_its_cursors(inbox: Inbox) -> None:
    answer = await inbox.client.error(
        "query ($after: String) { hosts(after: $after) { totalCount } }", after=encode(["Query.hosts", "id", 0, 1])
    )

    assert answer == ("BAD_USER_INPUT", NO_CURSOR)


@pytest.mark.parametrize("value", [-62_135_596_800_000, 253_402_300_799_999])
async def test_the_outermost_moments_are_cursors(inbox: Inbox, value: int) -> None:
    order = Ordered("CREATED_AT", "ASC")
    await inbox.hold("CREATED_AT", [Row(1, 0)])

    page = await inbox.page(order, after=encode([*CREATED[:2], value, 1]))

    assert [node["databaseId"] for node in page["nodes"]] == (["1"] if value < 0 else [])


async def test_a_cursor_contains_only_a_position() -> None:
    order = Ordered("LAST_MESSAGE_AT", "DESC")

    text = order.cursor(Row(7, 250))

    assert urlsafe_b64decode(text + "==") == b'["Query.conversations","last_message_at:desc",1777887000250,7]'
