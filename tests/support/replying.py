"""Sends replies for tests, and reads their payloads and the changed rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client
from tests.support.factories import derive_all
from tests.support.world import APPLICATION, CLIENT_PARTICIPANT, CONVERSATION, HOST_PARTICIPANT, World

NOW = datetime(2026, 6, 1, 12, 0, 0, 123_000, tzinfo=UTC)
SHOWN_NOW = "2026-06-01T12:00:00.123Z"
HOUR, STEP = timedelta(hours=1), timedelta(milliseconds=1)
FIRST = datetime.min.replace(tzinfo=UTC)
UNKNOWN = 999
BY_APPLICATION = f"application:{APPLICATION}"

THERE = encode_id(t.Conversation, 1, CONVERSATION)
GUEST = encode_id(t.Participant, 1, CLIENT_PARTICIPANT)
HOSTESS = encode_id(t.Participant, 1, HOST_PARTICIPANT)
SHOWN_MESSAGE = "message { content visibility channel origin sentAt sender { databaseId memberType } }"


async def prepare(shared: World, monkeypatch: pytest.MonkeyPatch) -> asyncpg.Connection[Any]:
    """Store two accounts with derived columns, and stop the clock. Returns a connection to them."""
    monkeypatch.setattr("db.queries.writing.now", lambda: NOW)
    await shared.fill(1, 2)
    # Messages of the host need a channel, because a guest is a participant.
    await shared.connection.execute("UPDATE conversations SET default_channel = 'EMAIL'")
    await derive_all(shared.connection)
    shared.client.statements.take()
    return shared.connection


async def write(client: Client, field: str, shown: str, **input: Any) -> dict[str, Any]:
    """The payload of one mutation."""
    type_ = f"{field[0].upper()}{field[1:]}Input"
    document = f"mutation($input: {type_}!) {{ it: {field}(input: $input) {{ {shown} userErrors {{ code path }} }} }}"
    data = await client.data(document, input=input)
    payload: dict[str, Any] = data["it"]
    return payload


async def send(client: Client, **input: Any) -> dict[str, Any]:
    """The payload of a message."""
    return await write(client, "createMessage", SHOWN_MESSAGE, **{"conversationId": THERE, "content": "Hello"} | input)


async def add(client: Client, member: str, **input: Any) -> dict[str, Any]:
    """The payload of adding a participant."""
    shown = "participant { databaseId memberId memberType }"
    return await write(client, "addParticipant", shown, **{"conversationId": THERE, "memberId": member} | input)


async def mark(client: Client, **input: Any) -> dict[str, Any]:
    """The payload of marking the conversation as read or not."""
    return await write(
        client, "markConversationRead", "conversation { read readAt }", **{"conversationId": THERE} | input
    )


async def arrange(connection: asyncpg.Connection[Any], **columns: Any) -> None:
    """Set columns of the conversation."""
    for column, value in columns.items():
        await connection.execute(f"UPDATE conversations SET {column} = $1 WHERE id = $2", value, CONVERSATION)  # noqa: S608
    await derive_all(connection)


async def changed(connection: asyncpg.Connection[Any], before: world.Dump) -> dict[str, Any]:
    """The changes: new values of known rows, and all columns of new rows, without the effects of every write."""
    found: dict[str, Any] = {}
    for name, (old, new) in world.changes(before, await world.dump(connection)).items():
        known = {row["id"]: row for row in old if "id" in row}
        found[name] = [
            {key: value for key, value in row.items() if value != known.get(row.get("id"), {}).get(key, ...)}
            for row in new
        ]
    return {name: rows for name, rows in found.items() if name not in world.FOLLOWING}


def shown(moment: datetime) -> str:
    """A time in the format of the API."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error(code: str, *path: str) -> dict[str, Any]:
    """A user error."""
    return {"code": code, "path": ["input", *path]}
