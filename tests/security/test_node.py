"""Global ids: one form is returned, only that form is accepted, and it selects the row that it names."""

from __future__ import annotations

import re
from base64 import standard_b64encode, urlsafe_b64encode
from typing import Any

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from db import tables as t
from db.scope import Viewer
from gql.fields.node import NODE_TABLES, NOWHERE, GlobalId, decode_id, encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.world import World

pytestmark = pytest.mark.anyio

ROWS: list[tuple[type[t.Table], int, int]] = [
    (t.Account, 0, 1),
    (t.Activity, 1, world.ACTIVITY),
    (t.Application, 0, world.APPLICATION),
    (t.Booking, 1, world.BOOKING),
    (t.Client, 1, world.CLIENT),
    (t.Conversation, 1, world.CONVERSATION),
    (t.Host, 1, world.HOST),
    (t.Inquiry, 1, world.INQUIRY),
    (t.Message, 1, world.MESSAGE),
    (t.Participant, 1, world.HOST_PARTICIPANT),
    (t.Rental, 1, world.RENTAL),
    (t.Source, 1, world.SOURCE),
    (t.User, 1, world.USER),
    (t.WebhookAttempt, 1, world.ATTEMPT),
    (t.WebhookDelivery, 1, world.DELIVERY),
    (t.WebhookEndpoint, 1, world.ENDPOINT),
]
UNKNOWN = encode_id(t.Message, 1, 999)
FOREIGN = encode_id(t.Message, 2, world.MESSAGE)
MESSAGE = encode_id(t.Message, 1, world.MESSAGE)
BOOKING = encode_id(t.Booking, 1, world.BOOKING)


@pytest.fixture
async def inbox(shared: World) -> Client:
    """A client of one of two accounts with rows."""
    await shared.fill(1, 2)
    return shared.client


def raw(text: str) -> str:
    """An id with the content `text`."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_every_node_type_is_tried() -> None:
    assert {table.__name__: table for table, _, _ in ROWS} == NODE_TABLES


@pytest.mark.parametrize(("table", "account", "id_"), ROWS)
async def test_an_id_leads_to_the_row_that_gave_it(inbox: Client, table: type[t.Table], account: int, id_: int) -> None:
    global_id = encode_id(table, account, id_)

    data = await inbox.data(
        f"query($id: ID!) {{ node(id: $id) {{ __typename id ... on {table.__name__} {{ databaseId }} }} }}",
        id=global_id,
    )

    assert data == {"node": {"__typename": table.__name__, "id": global_id, "databaseId": str(id_)}}
    assert decode_id(global_id) == decode_id(global_id, table) == GlobalId(table, account, id_)


def test_an_id_never_changes() -> None:
    assert encode_id(t.Conversation, 1, 10) == "Q29udmVyc2F0aW9uOjE6MTA"


@given(
    table=st.sampled_from(sorted(NODE_TABLES.values(), key=str)),
    account=st.integers(1, 2**63 - 1),
    id_=st.integers(1, 2**63 - 1),
)
def test_ids_of_all_sizes_come_back(table: type[t.Table], account: int, id_: int) -> None:
    account = account if issubclass(table, t.TenantTable) else 0

    assert decode_id(encode_id(table, account, id_)) == GlobalId(table, account, id_)


NO_IDS: dict[str, str] = {
    "nothing": "",
    "a number": "10",
    "padded": f"{raw('Message:1:5')}=",
    "with a space": f"{MESSAGE} ",
    "with a space before": f" {MESSAGE}",
    "with a line": f"{MESSAGE}\n",
    "with a NUL": f"{MESSAGE}\0",
    "with what base64 skips": f"{MESSAGE[:4]}*{MESSAGE[4:]}",
    "the standard alphabet": standard_b64encode(b"Booking:1:5>?>?").decode(),
    "bits that are left over": f"{raw('User:1:1')[:-1]}F",
    "another case": raw("message:1:50"),
    "upper case": raw("MESSAGE:1:50"),
    "an unknown type": raw("Viewer:1:1"),
    "a table that is no node": raw("ConversationBooking:1:10"),
    "no type": raw(":1:50"),
    "two parts": raw("Message:50"),
    "four parts": raw("Message:1:50:"),
    "leading zeros": raw("Message:1:050"),
    "leading zeros of the account": raw("Message:01:50"),
    "a plus": raw("Message:1:+50"),
    "a space inside": raw("Message:1: 50"),
    "an underscore": raw("Message:1:5_0"),
    "no number": raw("Message:1:"),
    "a fraction": raw("Message:1:50.0"),
    "hexadecimal": raw("Message:1:0x32"),
    "digits of another script": raw("Message:1:\u0665\u0660"),
    "negative": raw("Message:1:-50"),
    "zero": raw("Message:1:0"),
    "beyond 64 bits": raw(f"Message:1:{2**63}"),
    "an account beyond 64 bits": raw(f"Message:{2**63}:50"),
    "thousands of digits": raw(f"Message:1:{'9' * 5_000}"),
    "account 0 for what belongs to one": raw("Message:0:50"),
    "a negative account": raw("Message:-1:50"),
    "an account for an account": raw("Account:1:1"),
    "an account for an application": raw("Application:1:65"),
    "no ASCII": "Ünïcödé",
    "no UTF-8": urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
    "control characters": "\x1b[31mred",
    "right to left": "abc\u202edef",
    "long": "x" * 100_000,
}


@pytest.mark.parametrize("text", NO_IDS.values(), ids=NO_IDS)
async def test_what_is_not_an_id_is_refused(inbox: Client, text: str) -> None:
    answer = await inbox.answer("query($id: ID!) { node(id: $id) { id } }", id=text)

    shown = f'"{text}"' if len(text) <= 50 and text.isprintable() else "What was given"
    assert answer == {
        "data": {"node": None},
        "errors": [
            {
                "message": f"{shown} is not an id",
                "locations": [{"line": 1, "column": 19}],
                "path": ["node"],
                "extensions": {"code": "BAD_USER_INPUT"},
            }
        ],
    }


@given(st.one_of(st.text(), st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="), st.binary()))
def test_a_text_is_an_id_in_one_form_or_is_refused_with_a_short_message(given_: str | bytes) -> None:
    text = given_ if isinstance(given_, str) else urlsafe_b64encode(b"User:1:" + given_).decode().rstrip("=")
    try:
        found = decode_id(text)
    except GraphQLError as error:
        said: str | None = error.message
    else:
        said = None
        assert encode_id(found.table, found.account, found.id) == text

    assert said is None or (said.isprintable() and re.fullmatch(r"(\".{0,50}\"|What was given) is not an id", said))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (t.Conversation, f'"{MESSAGE}" is the id of a Message, not of a Conversation'),
        (t.Inquiry, f'"{MESSAGE}" is the id of a Message, not of an Inquiry'),
        (t.User, f'"{MESSAGE}" is the id of a Message, not of a User'),
    ],
)
def test_an_id_of_another_type_is_refused(wanted: type[t.Table], message: str) -> None:
    with pytest.raises(GraphQLError, match=re.escape(message)):
        decode_id(MESSAGE, wanted)


def test_another_accounts_id_finds_nothing() -> None:
    viewer = Viewer(2, t.CreatorType.USER, 1, frozenset())

    seen = [decode_id(text).seen_by(viewer) for text in (MESSAGE, FOREIGN, encode_id(t.Application, 0, 65))]

    assert seen == [NOWHERE, world.MESSAGE, 65]


async def test_nodes_keep_their_order_and_each_its_own_error(inbox: Client) -> None:
    ids = [MESSAGE, "bad", BOOKING, FOREIGN, MESSAGE, UNKNOWN, "", BOOKING, encode_id(t.Account, 0, 2)]
    # The token's actor is looked up once.
    await inbox.data("{ __typename }")
    inbox.statements.take()

    answer = await inbox.answer("query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=ids)

    message, booking = {"__typename": "Message", "id": MESSAGE}, {"__typename": "Booking", "id": BOOKING}
    assert answer == {
        "data": {"nodes": [message, None, booking, None, message, None, None, booking, None]},
        "errors": [_not_an_id("bad", 1), _not_an_id("", 6)],
    }
    tables = [sql.split("FROM ")[1].split()[0] for sql in inbox.statements.take()]
    assert sorted(tables) == ["accounts", "bookings", "messages"]


def _not_an_id(text: str, place: int) -> dict[str, Any]:
    return {
        "message": f'"{text}" is not an id',
        "locations": [{"line": 1, "column": 23}],
        "path": ["nodes", place],
        "extensions": {"code": "BAD_USER_INPUT"},
    }


async def test_no_ids_give_no_nodes(inbox: Client) -> None:
    assert await inbox.answer("{ nodes(ids: []) { id } }") == {"data": {"nodes": []}}


async def test_one_id_is_a_list_of_one(inbox: Client) -> None:
    assert await inbox.answer(f'{{ nodes(ids: "{MESSAGE}") {{ id }} }}') == {"data": {"nodes": [{"id": MESSAGE}]}}


@pytest.mark.parametrize("field", ["conversation", "booking"])
@pytest.mark.parametrize("both", [True, False])
async def test_one_of_the_two_ids_must_be_given(inbox: Client, field: str, both: bool) -> None:
    conversation = {"id": encode_id(t.Conversation, 1, world.CONVERSATION), "n": world.CONVERSATION}
    both_ids = conversation if field == "conversation" else {"id": BOOKING, "n": world.BOOKING}

    document = f"query($id: ID, $n: BigInt) {{ {field}(id: $id, databaseId: $n) {{ id }} }}"
    answer = await inbox.answer(document, **(both_ids if both else {}))

    assert answer == {
        "data": {field: None},
        "errors": [
            {
                "message": "Give exactly one of id and databaseId",
                "locations": [{"line": 1, "column": 30}],
                "path": [field],
                "extensions": {"code": "BAD_USER_INPUT"},
            }
        ],
    }


def test_an_id_cannot_be_decoded_before_the_types_are_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gql.fields.node.NODE_TABLES", {})

    with pytest.raises(RuntimeError, match=r"import gql\.types"):
        decode_id(encode_id(t.Host, 1, 1))


async def test_either_of_the_two_ids_leads_to_the_same_row(inbox: Client) -> None:
    id_ = encode_id(t.Conversation, 1, world.CONVERSATION)

    data = await inbox.data(
        "query($id: ID) { a: conversation(id: $id) { id databaseId } b: conversation(databaseId: 10) { id } "
        'c: conversation(id: null, databaseId: "10") { id } }',
        id=id_,
    )

    assert data == {"a": {"id": id_, "databaseId": "10"}, "b": {"id": id_}, "c": {"id": id_}}
