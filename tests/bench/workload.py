"""The documents, their variables, and the comparison of all servers' responses.

Variables change from request to request, so that consecutive responses differ. For the handwritten server, the URL
selects the document. Responses are only compared with each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import asyncpg
import httpx
import orjson

from db import tables as t
from db.queries.conversation.filters import ORDERS
from db.statement import Row
from gql.fields.connection import encode_cursor
from gql.fields.node import encode_id
from tests.bench.contender import HANDWRITTEN, SERVER
from tests.bench.database import ACCOUNT, WIDE_ACCOUNT

PAGE = 50
_PAGES = 8
_IDS = 256
_MOST_ACTORS = 8
# The number of responses of each document that are compared, before and after the measured requests.
_COMPARED = 6

_PLACE = """
SELECT last_message_at, id FROM conversations WHERE account_id = $1
ORDER BY CASE WHEN last_message_at IS NULL THEN '-infinity'::timestamptz ELSE last_message_at END DESC, id DESC
OFFSET $2 LIMIT 1
"""
_ONES = "SELECT id FROM conversations WHERE account_id = $1 ORDER BY id * 7919 % 10007, id LIMIT $2"
_ACTORS = """
(SELECT 'user:' || id FROM users WHERE account_id = $1 ORDER BY id)
UNION ALL (SELECT 'application:' || id FROM applications ORDER BY id) LIMIT $2
"""
_OPEN = "SELECT id FROM conversations WHERE account_id = $1 AND closed_at IS NULL ORDER BY id DESC LIMIT $2"


class DifferenceError(RuntimeError):
    """The responses of two servers differ. The message says where."""


@dataclass(frozen=True, slots=True)
class Case:
    """One document: its text, the values of its variables in turn, the account, and the actors that ask in turn.

    An actor is `user:<id>` or `application:<id>`: the server shares its connections and budgets between them.
    `compared` are values only for comparisons: they must not change rows that the measured requests change.
    """

    name: str
    text: str
    account: int
    actors: Sequence[str]
    variables: Sequence[Mapping[str, Any]]
    compared: Sequence[Mapping[str, Any]]

    def requests(self, server: str, tokens: Sequence[str]) -> list[bytes]:
        """The HTTP requests to `server`, ready to be sent, with the tokens in turn."""
        # A document without variables is sent once with each token.
        variables = self.variables if len(self.variables) > 1 else [*self.variables] * len(tokens)
        return [
            _encode(*_parts(self, server, token, values))
            for values, token in zip(variables, cycle(tokens), strict=False)
        ]


def read_document(name: str) -> str:
    """The text of a document."""
    return (Path(__file__).parent / "documents" / f"{name}.graphql").read_text()


async def read_cases(dsn: str, names: Iterable[str]) -> list[Case]:
    """The documents with variables for rows of the database."""
    connection = await asyncpg.connect(dsn)
    try:
        cursors = [await cursor_after(connection, PAGE * number) for number in range(1, _PAGES)]
        ones = [{"id": id_} for id_ in await _ids(connection, _ONES)]
        *closing, first, second = await _ids(connection, _OPEN)
        actors = {account: await _actors(connection, account) for account in (ACCOUNT, WIDE_ACCOUNT)}
    finally:
        await connection.close()
    pages: list[Mapping[str, Any]] = [{}, *({"after": cursor} for cursor in cursors)]
    closed = [{"id": id_, "closed": closed} for closed in (True, False) for id_ in closing]
    tried = [{"id": id_, "closed": closed} for id_ in (first, second) for closed in (True, False)]
    variables: dict[str, tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]] = {
        "typename": ([{}], [{}]),
        "nested": (pages, pages[:_COMPARED]),
        "list": (pages, pages[:_COMPARED]),
        "one": (ones, ones[:_COMPARED]),
        "mutation": (closed, tried),
        "wide": ([{}], [{}]),
    }
    accounts = {name: WIDE_ACCOUNT if name == "wide" else ACCOUNT for name in names}
    return [
        Case(name, read_document(name), account, actors[account], *variables[name])
        for name, account in accounts.items()
    ]


async def compare(case: Case, ports: Mapping[str, int], token: str) -> None:
    """Send the same requests to all servers, this server first. Raises DifferenceError."""
    expected: list[Any] = []
    async with httpx.AsyncClient(timeout=60) as client:
        for server, port in ports.items():
            for place, values in enumerate(case.compared):
                given = await _data(client, port, *_parts(case, server, token, values))
                if server == SERVER:
                    expected.append(given)
                elif found := list(islice(_differences(expected[place], given), 5)):
                    where = f"{case.name} {dict(values)}: {server} differs from {SERVER}"
                    raise DifferenceError("\n".join([where, *found]))


async def cursor_after(connection: asyncpg.Connection, depth: int) -> str:
    """The cursor of the conversation at that position of the inbox, from 1."""
    row = await connection.fetchrow(_PLACE, ACCOUNT, depth - 1, record_class=Row)
    return encode_cursor("Query.conversations", ORDERS["last_message_at", True], row)


async def _ids(connection: asyncpg.Connection, statement: str) -> list[str]:
    rows = await connection.fetch(statement, ACCOUNT, _IDS)
    return [encode_id(t.Conversation, ACCOUNT, row["id"]) for row in rows]


async def _actors(connection: asyncpg.Connection, account: int) -> list[str]:
    return [row[0] for row in await connection.fetch(_ACTORS, account, _MOST_ACTORS)]


def _parts(case: Case, server: str, token: str, values: Mapping[str, Any]) -> tuple[str, str, dict[str, str], bytes]:
    """Method, target, headers and body."""
    headers = {"Host": "127.0.0.1", "Authorization": f"Bearer {token}", "Accept": "application/json"}
    if server == HANDWRITTEN:
        return "GET", f"/{case.name}?{urlencode(values)}".rstrip("?"), headers, b""
    body = orjson.dumps({"query": case.text, "variables": values})
    headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return "POST", "/graphql", headers, body


def _encode(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


async def _data(  # noqa: PLR0913, PLR0917  # a client, an address, and the parts of a request
    client: httpx.AsyncClient, port: int, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Any:
    response = await client.request(method, f"http://127.0.0.1:{port}{target}", headers=dict(headers), content=body)
    answer = orjson.loads(response.content) if response.status_code == httpx.codes.OK else {"errors": []}
    if "errors" in answer:
        raise DifferenceError(f"{method} {response.url}: {response.status_code} {response.text[:1_000]}")
    return answer["data"]


def _differences(one: Any, other: Any, path: str = "data") -> Iterable[str]:
    """The differences of two responses, including the order of keys."""
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        for key in one:
            yield from _differences(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            yield from _differences(*pair, f"{path}.{place}")
    elif one != other or type(one) is not type(other):
        yield f"{path}: {_glance(one)} and {_glance(other)}"


def _glance(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}…"


def run_compare(case: Case, ports: Mapping[str, int], token: str) -> None:
    """`compare` for synchronous code."""
    asyncio.run(compare(case, ports, token))
