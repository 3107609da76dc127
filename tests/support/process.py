"""`inbox serve` in separate processes, for tests that kill and stop it, and a client that retries."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import asyncpg
import httpx

from db import tables as t
from db.embedded import _Server
from gql.fields.node import encode_id
from gql.security.token import SCOPES, mint
from tests.support.client import SECRET, make_settings
from tests.support.command import kill, spawn
from tests.support.factories import store, store_account

# Several, because writes of the same conversation wait for each other.
CONVERSATIONS = [encode_id(t.Conversation, 1, id_) for id_ in range(1, 26)]
SEND = """mutation ($key: String!, $text: String!, $there: ID!) {
  createMessage(input: {conversationId: $there, content: $text, idempotencyKey: $key}) {
    message { databaseId content } userErrors { code }
  }
}"""
READ = "{ conversation(databaseId: 1) { subject messages(first: 1) { nodes { content } } } }"
READ_DATA = {"conversation": {"subject": "Keys", "messages": {"nodes": [{"content": "Hello"}]}}}


async def prepare(dsn: str) -> None:
    """Store an account with conversations, the first of which has a message."""
    connection = await asyncpg.connect(dsn)
    await store_account(connection)
    for id_ in range(1, len(CONVERSATIONS) + 1):
        await store(connection, "conversations", account_id=1, id=id_, subject="Keys")
    await store(connection, "participants", id=1, account_id=1, conversation_id=1, member_type="HOST", member_id=1)
    await store(connection, "messages", id=1, account_id=1, conversation_id=1, sender_id=1)
    await connection.execute("SELECT setval('row_ids', 10000)")
    await connection.close()


async def written(dsn: str) -> list[tuple[int, str]]:
    """Id and content of all messages that were written through the API."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT id, content FROM messages WHERE id > 1 ORDER BY id")
    await connection.close()
    return [(row["id"], row["content"]) for row in rows]


@dataclass
class Served:
    """A running `inbox serve`."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str]
    token: str

    def workers(self) -> list[int]:
        """The ids of the worker processes, if there are several."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in command_line(pid)]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Insistent]:
        """A client."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/graphql-response+json"}
        # Without certificates, which are not needed, because loading them is slow.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        async with httpx.AsyncClient(base_url=self.url, headers=headers, verify=context, timeout=30) as http:
            yield Insistent(http)

    @asynccontextmanager
    async def clients(self, number: int) -> AsyncIterator[list[Insistent]]:
        """Several clients, because one with as many connections would be the bottleneck."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.client()) for _ in range(number)]


@dataclass
class Insistent:
    """Retries while responses are `SERVICE_UNAVAILABLE`, and counts the reasons."""

    http: httpx.AsyncClient
    again: Counter[str] = field(default_factory=Counter)

    async def post(self, document: str, **variables: Any) -> httpx.Response:
        """The response to one request. Raises httpx.TransportError without one."""
        return await self.http.post("/graphql", json={"query": document, "variables": variables})

    async def data(self, document: str, **variables: Any) -> Any:
        """The data of the first response without errors. Fails on errors that cannot be retried."""
        while True:
            try:
                response = await self.post(document, **variables)
            except httpx.TransportError as error:
                self.again[type(error).__name__] += 1
            else:
                answer = response.json()
                if "errors" not in answer:
                    return answer["data"]
                codes = {error["extensions"]["code"] for error in answer["errors"]}
                assert codes == {"SERVICE_UNAVAILABLE"}, answer
                assert "Internal" not in response.text
                self.again[f"{response.status_code} {answer['errors'][0]['message'].partition(':')[0]}"] += 1
            await asyncio.sleep(0.02)

    async def send(self, key: str) -> tuple[int, str]:
        """Write a message with a key, which is also its content; return its id and content."""
        there = CONVERSATIONS[crc32(key.encode()) % len(CONVERSATIONS)]
        payload = (await self.data(SEND, key=key, text=key, there=there))["createMessage"]
        assert payload["userErrors"] == []
        message = payload["message"]
        return int(message["databaseId"]), message["content"]


@dataclass
class Writers:
    """Clients that write messages at the same time, each with its number and that of the message as content."""

    number: int
    messages: int
    pause: float = 0.0
    """Seconds after each message."""
    written: list[str] = field(default_factory=list)
    """What was acknowledged."""

    async def write(self, served: Served, name: int) -> None:
        """Write the messages of one client."""
        async with served.client() as client:
            for number in range(self.messages):
                await client.send(f"{name} {number}")
                self.written.append(f"{name} {number}")
                await asyncio.sleep(self.pause)

    async def reach(self, share: float) -> None:
        """Return once that part of all messages is written."""
        while len(self.written) < share * self.number * self.messages:  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.02)


def command_line(pid: str) -> bytes:
    """The arguments of a process; empty if it has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@contextmanager
def serving_processes(dsn: str, folder: Path, *options: str, **environment: str) -> Iterator[Served]:
    """`inbox serve` on a free port, killed at the end if it still runs."""
    variables = {"DATABASE_URL": dsn, "INBOX_JWT_SECRET": SECRET, "INBOX_RATE_LIMIT": "0"} | environment
    process = spawn("serve", "--port", "0", *options, folder=folder, **variables)
    lines: list[str] = []
    started = threading.Event()

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if '"serving"' in line:
                started.set()
        started.set()

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        started.wait(60)
        url = next(json.loads(line)["url"] for line in lines if '"serving"' in line)
        settings = make_settings(dsn)
        scopes = sorted(SCOPES)
        token = mint(settings, account=1, subject="user:1", scopes=scopes, expires_in=timedelta(hours=1))
        yield Served(process, url.removesuffix("/graphql"), lines, token)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=20)
        finally:
            kill(process)
            listener.join()
            process.communicate()


async def restart_postgresql(folder: Path) -> None:
    """Stop PostgreSQL as if it crashed, and start it again."""
    arguments = ("restart", "-D", ".", "-m", "immediate", "-t", "60")
    await asyncio.to_thread(_Server(folder / "postgres")._run, "pg_ctl", *arguments, folder=folder / "postgres")  # noqa: SLF001
