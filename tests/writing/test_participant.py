"""Adding hosts and clients to conversations."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.factories import store
from tests.support.replying import NOW, STEP, UNKNOWN, add, changed, error, prepare
from tests.support.world import (
    BOOKING,
    CLIENT,
    CLIENT_PARTICIPANT,
    CONVERSATION,
    HOST,
    HOST_PARTICIPANT,
    OTHER_CONVERSATION,
    OTHER_HOST,
    World,
)

pytestmark = pytest.mark.anyio

ELSEWHERE = encode_id(t.Conversation, 1, OTHER_CONVERSATION)


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, with a stopped clock."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def inbox(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A client of the first account."""
    return shared.client


@pytest.mark.parametrize(
    ("table", "number", "type_", "key"),
    [(t.Host, OTHER_HOST, "HOST", "host_id"), (t.Client, CLIENT, "CLIENT", "client_id")],
)
async def test_who_is_added_takes_part(  # noqa: PLR0913, PLR0917  # the case
    inbox: Client, connection: asyncpg.Connection[Any], table: type[t.Table], number: int, type_: str, key: str
) -> None:
    before = await world.dump(connection)

    payload = await add(inbox, encode_id(table, 1, number), conversationId=ELSEWHERE)

    after = await changed(connection, before)
    (participant,) = after.pop("participants")
    assert payload == {
        "participant": {"databaseId": str(participant.pop("id")), "memberId": str(number), "memberType": type_},
        "userErrors": [],
    }
    assert participant == {
        "account_id": 1,
        "conversation_id": OTHER_CONVERSATION,
        "member_type": type_,
        "member_id": number,
        "host_id": None,
        "client_id": None,
        "read_at": None,
        "last_message_sent_at": None,
        "created_at": NOW,
        "updated_at": NOW,
    } | {key: number}
    assert after == {"conversations": [{"updated_at": NOW}]}


@pytest.mark.parametrize(
    ("table", "number", "participant", "type_"),
    [(t.Host, HOST, HOST_PARTICIPANT, "HOST"), (t.Client, CLIENT, CLIENT_PARTICIPANT, "CLIENT")],
)
async def test_who_takes_part_already_is_not_added_again(  # noqa: PLR0913, PLR0917  # the case
    inbox: Client, connection: asyncpg.Connection[Any], table: type[t.Table], number: int, participant: int, type_: str
) -> None:
    """If imported rows have it twice, the first one is used."""
    again = {"account_id": 1, "conversation_id": CONVERSATION, "member_type": type_, "member_id": number}
    await store(connection, "participants", **again, **{f"{type_.lower()}_id": number})
    before = await world.dump(connection)

    payload = await add(inbox, encode_id(table, 1, number))

    shown = {"databaseId": str(participant), "memberId": str(number), "memberType": type_}
    assert payload == {"participant": shown, "userErrors": []}
    assert await world.dump(connection) == before


async def test_the_same_number_is_a_client_or_a_host(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    await store(connection, "clients", account_id=1, id=HOST)
    ids = [encode_id(table, 1, HOST) for table in (t.Client, t.Host)]

    payloads = [await add(inbox, id_, conversationId=ELSEWHERE) for id_ in ids]

    assert [payload["participant"]["memberType"] for payload in payloads] == ["CLIENT", "HOST"]
    updated_at = "SELECT updated_at FROM conversations WHERE account_id = 1 AND id = $1"
    assert await connection.fetchval(updated_at, OTHER_CONVERSATION) == NOW + STEP


NOBODY: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    *(
        ({"memberId": encode_id(table, account, number)}, [error("NOT_FOUND", "memberId")])
        for table, account, number in (
            (t.Host, 1, UNKNOWN),
            (t.Client, 1, UNKNOWN),
            (t.Host, 2, OTHER_HOST),
            (t.Client, 2, CLIENT),
        )
    ),
    *(
        ({"conversationId": encode_id(t.Conversation, account, number)}, [error("NOT_FOUND", "conversationId")])
        for account, number in ((1, UNKNOWN), (2, CONVERSATION))
    ),
    (
        {"conversationId": encode_id(t.Conversation, 1, UNKNOWN), "memberId": encode_id(t.Client, 1, UNKNOWN)},
        [error("NOT_FOUND", "conversationId"), error("NOT_FOUND", "memberId")],
    ),
]


@pytest.mark.parametrize(("input", "errors"), NOBODY)
async def test_nobody_is_added_who_or_where_is_not_there(
    inbox: Client, connection: asyncpg.Connection[Any], input: dict[str, Any], errors: list[dict[str, Any]]
) -> None:
    before = await world.dump(connection)

    payload = await add(inbox, **{"member": encode_id(t.Host, 1, OTHER_HOST)} | input)

    assert payload == {"participant": None, "userErrors": errors}
    assert await world.dump(connection) == before


async def test_nothing_but_hosts_and_clients_takes_part(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    before = await world.dump(connection)
    booking = encode_id(t.Booking, 1, BOOKING)
    conversation = encode_id(t.Conversation, 1, CONVERSATION)

    code = await inbox.error(
        f'mutation {{ addParticipant(input: {{conversationId: "{conversation}", memberId: "{booking}"}}) '
        "{ userErrors { code } } }"
    )

    assert code == ("BAD_USER_INPUT", f'"{booking}" is the id of a Booking, not of a Host')
    assert await world.dump(connection) == before
