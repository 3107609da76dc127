"""A response has a limit of bytes, which counts what is shown: texts under many names, and rows that many share."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

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


# An application as it is served, asked for one document without a server between.
PROCESS = """
import asyncio, json, sys
from datetime import timedelta

from gql.app import create_app
from gql.security.token import SCOPES, mint
from tests.support.client import make_settings

dsn, document = sys.argv[1:]

def peak():
    # Unlike that of getrusage, it does not begin with what the process took that started this one.
    with open("/proc/self/status") as file:
        return 1024 * int(next(line for line in file if line.startswith("VmHWM:")).split()[1])

async def ask(app, document, token):
    arriving = [{"type": "http.request", "body": json.dumps({"query": document}).encode()}]
    headers = [(b"authorization", b"Bearer " + token.encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
    sent = []
    async def receive():
        return arriving.pop()
    async def send(message):
        sent.append(message.get("body", b""))
    await app(scope, receive, send)
    return json.loads(b"".join(sent))

async def main():
    settings = make_settings(dsn, rate_limit=0)
    app = create_app(settings)
    token = mint(settings, account=1, subject="user:1", scopes=SCOPES, expires_in=timedelta(hours=1))
    async with app.router.lifespan_context(app):
        await ask(app, "{ conversations(first: 1) { nodes { id messages(first: 1) { nodes { id } } } } }", token)
        before = peak()
        answer = await ask(app, document, token)
        taken = peak() - before
    print(json.dumps({"errors": answer["errors"], "bytes": taken}))

asyncio.run(main())
"""
_TAKING_PART = """
INSERT INTO participants (
    account_id, id, conversation_id, member_type, member_id, client_id, host_id, created_at, updated_at
)
SELECT p.account_id, 1000 + c.id, c.id, p.member_type, p.member_id, p.client_id, p.host_id, now(), now()
FROM conversations c, (SELECT * FROM participants WHERE account_id = 1 AND client_id IS NOT NULL LIMIT 1) p
WHERE c.account_id = 1 AND c.id >= 2000
"""
_MANY = """
INSERT INTO messages (
    account_id, id, conversation_id, sender_id, content, channel, origin, visibility, sent_at, created_at, updated_at
)
SELECT m.account_id, 1000 * p.id + 100000 + n, p.conversation_id, p.id, repeat(chr(1), $1), m.channel, m.origin,
    m.visibility, now(), now(), now()
FROM (SELECT * FROM messages WHERE account_id = 1 LIMIT 1) m, generate_series(1, $2) n,
    (SELECT DISTINCT ON (conversation_id) conversation_id, id FROM participants WHERE account_id = 1) p
"""


async def store_threads(connection: asyncpg.Connection, number: int, length: int) -> None:
    """100 messages of that length in each of so many conversations."""
    for place in range(number - 1):
        await store(connection, "conversations", account_id=1, id=2_000 + place)
    await connection.execute(_TAKING_PART)
    await connection.execute(_MANY, length, 100)


async def refuse(dsn: str, document: str) -> int:
    """How many bytes of memory a process takes to refuse the document as too large, at the default limit."""
    root = Path(__file__).parents[2]
    arguments = ["-c", PROCESS, dsn, document]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=root,
        env={"PYTHONPATH": str(root)},
        stdout=-1,
        stderr=asyncio.subprocess.DEVNULL,
    )
    answer = orjson.loads((await process.communicate())[0].splitlines()[-1])
    assert [error["extensions"] for error in answer["errors"]] == [{**REFUSED, "maximum": 8_388_608}]
    return int(answer["bytes"])


@pytest.fixture
async def thread(dsn: str, connection: asyncpg.Connection) -> str:
    """The database of one conversation with one message."""
    await world.store_application(connection)
    await world.store_world(connection)
    await store(
        connection,
        "messages",
        account_id=1,
        conversation_id=world.CONVERSATION,
        sender_id=world.CLIENT_PARTICIPANT,
        content="Hello",
    )
    return dsn


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
async def test_a_gigabyte_is_refused_in_a_small_multiple_of_the_limit(
    thread: str, connection: asyncpg.Connection
) -> None:
    """Texts under 30 names, each character of which JSON writes as six bytes."""
    await store_threads(connection, 6, 10_000)

    taken = await refuse(
        thread, f"{{ conversations(first: 9) {{ nodes {{ messages(first: 100) {{ nodes {{ {TITLES} }} }} }} }} }}"
    )

    assert taken < 4 * 8_388_608


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
async def test_one_statement_of_many_long_rows_is_read_in_pieces(thread: str, connection: asyncpg.Connection) -> None:
    """The rows of 40 threads have 260 MB."""
    await store_threads(connection, 40, 65_536)

    taken = await refuse(
        thread, "{ conversations(first: 100) { nodes { messages(first: 100) { nodes { content } } } } }"
    )

    assert taken < 14 * 8_388_608
