"""Updates of several conversations: all of them, or none."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.factories import MOMENT, store
from tests.support.replying import HOUR, NOW, SHOWN_NOW, UNKNOWN, arrange, changed, error, prepare, shown, write
from tests.support.world import CONVERSATION, HOST, OTHER_CONVERSATION, World

pytestmark = pytest.mark.anyio

SHOWN = "conversations { databaseId closedAt updatedAt }"
FIRST, SECOND = (encode_id(t.Conversation, 1, id_) for id_ in (CONVERSATION, OTHER_CONVERSATION))


@pytest.fixture
async def connection(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """A connection to a database of two accounts, with a stopped clock."""
    return await prepare(shared, monkeypatch)


@pytest.fixture
def inbox(shared: World, connection: asyncpg.Connection[Any]) -> Client:  # noqa: ARG001  # the rows must be there
    """A client of the first account."""
    return shared.client


async def update(client: Client, *ids: str, **changes: Any) -> dict[str, Any]:
    """The payload of updating several conversations."""
    return await write(client, "updateConversations", SHOWN, conversationIds=ids, **changes)


async def test_all_are_changed_and_shown_in_the_order_given(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    before = await world.dump(connection)

    payload = await update(
        *(inbox, SECOND, FIRST, SECOND),
        assigneeId=encode_id(t.Host, 1, HOST),
        closed=True,
        defaultChannel="VRBO",
        markedAsSpam=True,
    )

    assert payload == {
        "conversations": [
            {"databaseId": str(id_), "closedAt": SHOWN_NOW, "updatedAt": SHOWN_NOW}
            for id_ in (OTHER_CONVERSATION, CONVERSATION)
        ],
        "userErrors": [],
    }
    given = {"closed_at": NOW, "default_channel": "VRBO", "marked_as_spam_at": NOW, "wait_ended_at": NOW}
    ended = {"unanswered_since": None, "waiting_since": None}
    assert await changed(connection, before) == {
        # The second one has the assignee already, and no guest waits in it.
        "conversations": [given | {"assignee_id": HOST, "updated_at": NOW} | ended, given | {"updated_at": NOW}]
    }


async def test_what_is_already_so_changes_nothing(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    await arrange(connection, closed_at=MOMENT, updated_at=NOW - HOUR)
    before = await world.dump(connection)

    payload = await update(inbox, FIRST, SECOND, closed=True)

    assert payload["conversations"] == [
        {"databaseId": str(CONVERSATION), "closedAt": shown(MOMENT), "updatedAt": shown(NOW - HOUR)},
        {"databaseId": str(OTHER_CONVERSATION), "closedAt": SHOWN_NOW, "updatedAt": SHOWN_NOW},
    ]
    assert await changed(connection, before) == {
        "conversations": [{"closed_at": NOW, "wait_ended_at": NOW, "updated_at": NOW}]
    }


async def test_an_update_that_gives_nothing_shows_what_is_there(
    inbox: Client, connection: asyncpg.Connection[Any]
) -> None:
    before = await world.dump(connection)

    payload = await update(inbox, FIRST)

    assert payload == {
        "conversations": [{"databaseId": str(CONVERSATION), "closedAt": None, "updatedAt": shown(MOMENT)}],
        "userErrors": [],
    }
    assert await world.dump(connection) == before


async def test_250_conversations_can_be_updated_at_once(inbox: Client, connection: asyncpg.Connection[Any]) -> None:
    ids = [1_000 + place for place in range(250)]
    for id_ in ids:
        # Some differ in one column, some in another, some in none.
        state = {"closed_at": MOMENT if id_ % 2 else None, "default_channel": "EMAIL" if id_ % 3 else None}
        await store(connection, "conversations", account_id=1, id=id_, **state)
    shown_ids = [encode_id(t.Conversation, 1, id_) for id_ in ids]

    payload = await update(inbox, *shown_ids, shown_ids[0], closed=True, defaultChannel="EMAIL")

    assert [conversation["databaseId"] for conversation in payload["conversations"]] == [str(id_) for id_ in ids]
    rows = await connection.fetch("SELECT * FROM conversations WHERE id = ANY($1) ORDER BY id", ids)
    assert {row["default_channel"] for row in rows} == {"EMAIL"}
    assert [row["closed_at"] for row in rows] == [MOMENT if id_ % 2 else NOW for id_ in ids]
    assert [row["updated_at"] for row in rows] == [MOMENT if id_ % 2 and id_ % 3 else NOW for id_ in ids]


REJECTED: list[tuple[list[str], dict[str, Any], list[dict[str, Any]]]] = [
    ([], {}, [error("BLANK", "conversationIds")]),
    (
        [encode_id(t.Conversation, 1, 1_000 + place) for place in range(251)],
        {},
        [error("TOO_MANY", "conversationIds")],
    ),
    (
        [FIRST, encode_id(t.Conversation, 1, UNKNOWN), SECOND, encode_id(t.Conversation, 2, CONVERSATION)],
        {},
        [error("NOT_FOUND", "conversationIds", "1"), error("NOT_FOUND", "conversationIds", "3")],
    ),
    ([FIRST], {"assigneeId": encode_id(t.Host, 1, UNKNOWN)}, [error("NOT_FOUND", "assigneeId")]),
    ([FIRST], {"assigneeId": encode_id(t.Host, 2, HOST)}, [error("NOT_FOUND", "assigneeId")]),
    ([FIRST], {"closed": None, "markedAsSpam": None}, [error("BLANK", "closed"), error("BLANK", "markedAsSpam")]),
    (
        [encode_id(t.Conversation, 1, UNKNOWN)],
        {"assigneeId": encode_id(t.Host, 1, UNKNOWN), "closed": None},
        [
            error("NOT_FOUND", "conversationIds", "0"),
            error("NOT_FOUND", "assigneeId"),
            error("BLANK", "closed"),
        ],
    ),
]


@pytest.mark.parametrize(("ids", "input", "errors"), REJECTED)
async def test_an_update_of_several_that_breaks_a_rule_changes_none(
    inbox: Client,
    connection: asyncpg.Connection[Any],
    ids: list[str],
    input: dict[str, Any],
    errors: list[dict[str, Any]],
) -> None:
    before = await world.dump(connection)

    payload = await update(inbox, *ids, **{"closed": True} | input)

    assert payload == {"conversations": [], "userErrors": errors}
    assert await world.dump(connection) == before
