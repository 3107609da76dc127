"""A response has a limit of bytes, which counts texts with many aliases, and rows that many parents share."""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import orjson
import pytest

from db import tables as t
from gql.fields.node import encode_id
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.factories import store, store_account
from tests.support.serving import serving

pytestmark = pytest.mark.anyio
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")

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
        # One row in 100 messages.
        messages(f"sender {{ member {{ ... on Client {{ {SHARED} }} }} }}"),
        # The same by graphql-core.
        messages(TITLES, 10).replace("{", "{ __typename __schema { queryType { name } }", 1),
    ],
)
async def test_a_response_that_is_too_large_is_refused(inbox: Client, document: str) -> None:
    answer = await inbox.answer(document)

    assert answer["data"] is None
    assert [error["extensions"] for error in answer["errors"]] == [REFUSED]


async def test_nothing_is_read_after_the_limit_is_exceeded(inbox: Client, statements: Statements) -> None:
    answer = await inbox.answer(messages(TITLES, 10).removesuffix("}") + "hosts(first: 1) { nodes { id } } }")

    assert [error["extensions"] for error in answer["errors"]] == [REFUSED]
    read = " ".join(statements.take())
    assert "FROM messages" in read
    assert "FROM hosts" not in read


@contextmanager
def measured() -> Iterator[Callable[[], int]]:
    """A function that returns by how many kilobytes the memory of this process has grown at most, even if for once."""
    gc.collect()
    # The highest that was seen is forgotten.
    Path("/proc/self/clear_refs").write_text("5")

    def highest() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    before = highest()
    yield lambda: highest() - before


async def test_a_response_within_the_limit_is_answered(inbox: Client) -> None:
    """Although the estimate allowed a larger one."""
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


@needs_proc
async def test_no_more_memory_is_taken_to_write_than_a_small_multiple_of_the_limit(inbox: Client) -> None:
    """The response would have thirty megabytes."""
    await inbox.answer(messages("content", 1))
    with measured() as grown:
        answer = await inbox.answer(messages(TITLES))

    assert [error["extensions"] for error in answer["errors"]] == [REFUSED]
    assert grown() < 16_000


THREADS = "nodes { messages(first: 100) { nodes { content } } }"
LATEST = "nodes { lastMessage { content } }"


@pytest.fixture
async def threads(dsn: str, connection: asyncpg.Connection) -> AsyncIterator[Client]:
    """40 conversations, each with 100 messages of the longest text, and the default limit of eight megabytes."""
    await store_account(connection)
    for conversation in range(1_000, 1_040):
        await store(connection, "conversations", account_id=1, id=conversation)
        await store(
            connection,
            "participants",
            account_id=1,
            id=conversation,
            conversation_id=conversation,
            member_type="CLIENT",
            member_id=1,
        )
        await store(
            connection,
            "messages",
            account_id=1,
            id=1_000_000 + conversation,
            conversation_id=conversation,
            sender_id=conversation,
            content="x" * 65_536,
        )
    names = [
        row[0]
        for row in await connection.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'messages'::regclass AND attnum > 0 AND NOT attisdropped"
        )
    ]
    columns = ", ".join(name for name in names if name != "id")
    await connection.execute(
        f"INSERT INTO messages (id, {columns}) SELECT id + number * 10000, {columns}"  # noqa: S608
        " FROM messages, generate_series(1, 99) number WHERE conversation_id >= 1000"
    )
    async with serving(dsn, Statements()) as client:
        yield client


@needs_proc
@pytest.mark.parametrize(
    "document",
    [
        f"{{ conversations(first: 40) {{ {THREADS} }} }}",
        # The same by graphql-core, with several statements at once.
        (
            f"{{ __schema {{ queryType {{ name }} }} a: conversations(first: 40) {{ {THREADS} }}"
            f" b: conversations(first: 39) {{ {THREADS.replace('100', '99')} }} }}"
        ),
    ],
)
async def test_no_more_memory_is_taken_to_read_than_a_small_multiple_of_the_limit(
    threads: Client, document: str
) -> None:
    """All rows would take 262 MB."""
    await threads.answer(f"{{ conversations(first: 2) {{ {THREADS.replace('100', '2')} }} }}")
    with measured() as grown:
        answer = await threads.answer(document)

    assert [error["extensions"] for error in answer["errors"]] == [REFUSED | {"maximum": 8_388_608}]
    assert grown() < 4 * 8_192


async def test_texts_within_the_limit_are_read_whole(threads: Client) -> None:
    """Of the last conversation as of the first, on a page and by their ids."""
    pages = await threads.data(f"{{ conversations(first: 40) {{ {THREADS.replace('100', '3')} }} }}")
    latest = await threads.data(f"{{ conversations(first: 40) {{ {LATEST} }} }}")

    read = [[message["content"] for message in each["messages"]["nodes"]] for each in pages["conversations"]["nodes"]]
    assert read == [["x" * 65_536] * 3] * 40
    assert [each["lastMessage"]["content"] for each in latest["conversations"]["nodes"]] == ["x" * 65_536] * 40
