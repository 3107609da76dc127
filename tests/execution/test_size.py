"""A response has a limit of bytes, which counts what is shown: texts under many names, and rows that many share."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.conftest import serving
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.factories import store

pytestmark = pytest.mark.anyio

THREAD = encode_id(t.Conversation, 1, world.CONVERSATION)
# JSON writes each character as six bytes.
TEXT = "\1" * 10_000
TITLES = " ".join(f"a{number}: content" for number in range(30))
SHARED = " ".join(f"a{number}: fullname" for number in range(30))


@pytest.fixture
async def inbox(dsn: str, connection: asyncpg.Connection) -> AsyncIterator[Client]:
    """A conversation with 600 long messages of one guest, and a limit of one megabyte."""
    await world.store_application(connection)
    await world.store_world(connection)
    for number in range(600):
        await store(
            connection,
            "messages",
            account_id=1,
            id=1_000 + number,
            conversation_id=world.CONVERSATION,
            sender_id=world.CLIENT_PARTICIPANT,
            content=TEXT,
        )
    await connection.execute("UPDATE clients SET fullname = repeat('n', 3000)")
    async with serving(dsn, Statements(), max_response=1_000_000) as client:
        yield client


def messages(selection: str, first: int = 100) -> str:
    """A query for messages."""
    return f"{{ conversation(databaseId: 10) {{ messages(first: {first}) {{ nodes {{ {selection} }} }} }} }}"


REFUSED = {
    "code": "OPERATION_TOO_COMPLEX",
    "limit": "response",
    "maximum": 1_000_000,
}


@pytest.mark.parametrize(
    "document",
    [
        messages("content"),
        messages(TITLES, 10),
        # One row, which 100 messages show.
        messages(f"sender {{ member {{ ... on Client {{ {SHARED} }} }} }}"),
        # The same by graphql-core.
        messages(TITLES, 10).replace("{", "{ __typename __schema { queryType { name } }", 1),
    ],
)
async def test_a_response_that_is_too_large_is_refused(inbox: Client, document: str) -> None:
    answer = await inbox.answer(document)

    assert answer["data"] is None
    assert [error["extensions"] for error in answer["errors"]] == [REFUSED]


async def test_a_response_within_the_limit_is_answered(inbox: Client) -> None:
    """Though it might have been too large, by what is known before it is measured."""
    answers = [await inbox.answer(messages("content", 17)), await inbox.answer(messages("id createdAt channel"))]

    assert all("errors" not in answer for answer in answers)
    assert 900_000 < len(orjson.dumps(answers[0])) < 1_000_000 + 1_000


async def test_what_a_mutation_wrote_is_written_though_it_cannot_be_shown(
    inbox: Client, connection: asyncpg.Connection
) -> None:
    answer = await inbox.answer(
        """mutation ($id: ID!) {
          a: updateConversation(input: {conversationId: $id, closed: true}) {
            conversation { messages(first: 100) { nodes { content } } }
          }
          b: updateConversation(input: {conversationId: $id, markedAsSpam: true}) {
            conversation { closed markedAsSpam }
          }
        }""".replace("{{", "{").replace("}}", "}"),
        id=THREAD,
    )

    assert answer["data"] == {"a": None, "b": {"conversation": {"closed": True, "markedAsSpam": True}}}
    assert [(error["path"], error["extensions"]) for error in answer["errors"]] == [(["a"], REFUSED)]
    assert await connection.fetchval("SELECT closed_at IS NOT NULL FROM conversations WHERE id = 10")


async def test_no_more_memory_is_taken_than_a_small_multiple_of_the_limit(inbox: Client) -> None:
    """A gigabyte would be written."""
    await inbox.answer(messages("content", 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    pages: Any = " ".join(f"p{number}: messages(first: 100) {{ nodes {{ {TITLES} }} }}" for number in range(1))
    await inbox.answer(f"{{ conversation(databaseId: 10) {{ {pages} }} }}")

    # In kilobytes.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64_000
