"""Without GraphQL: a Starlette route for each of four documents, with asyncpg, dicts and orjson.

The selections are fixed, and a route has only the variables of its document. There is no mutation. A request uses one
connection of the pool; tokens are verified and cached as in the server.
"""

from __future__ import annotations

import binascii
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db.queries.conversation.filters import ORDERS
from gql.fields.connection import decode_cursor
from gql.security.auth import Authenticator, UnauthenticatedError
from gql.settings import Settings
from gql.web.server import tune_collector
from tests.bench import handwritten_sql as sql
from tests.bench.identity import conversation_number

_ORDER = ORDERS["last_message_at", True]
_PAGE = 50
_WIDE = 100


def create_app() -> Starlette:
    """The application, configured by the environment."""
    settings = Settings()
    authenticator = Authenticator(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # Connections need no reset, because no request opens a transaction or changes a setting.
        async with asyncpg.create_pool(
            settings.database_url, max_size=settings.pool_size, min_size=settings.pool_size, reset=_no_reset
        ) as app.state.pool:
            tune_collector()
            yield

    def route(name: str, read: Any) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                viewer = (await authenticator.authenticate(request.headers.get("authorization"))).viewer
            except UnauthenticatedError as error:
                return Response(status_code=401, headers={"WWW-Authenticate": error.challenge})
            async with request.app.state.pool.acquire() as connection:
                data = await read(connection, viewer.account_id, request.query_params)
            return Response(orjson.dumps({"data": data}), media_type="application/json")

        return Route(f"/{name}", endpoint)

    readers = {"nested": read_nested, "list": read_list, "one": read_one, "wide": read_wide}
    return Starlette(routes=[route(name, read) for name, read in readers.items()], lifespan=lifespan)


async def _no_reset(_connection: Any) -> None:
    pass


async def read_one(connection: Any, account: int, query: Any) -> Any:
    """A conversation by its id."""
    row = await connection.fetchrow(sql.ONE, account, conversation_number(account, query["id"]))
    return {"conversation": None if row is None else _conversation(account, *row)}


async def read_list(connection: Any, account: int, query: Any) -> Any:
    """A page of conversations with their assignees."""
    rows = await _page(connection, sql.LIST, account, query)
    hosts = await _hosts(connection, account, {row["assignee_id"] for row in rows})
    nodes = [
        {
            "id": _id("Conversation", account, id_),
            "subject": subject,
            "defaultChannel": channel,
            "closed": closed_at is not None,
            "markedAsSpam": spam_at is not None,
            "read": read,
            "lastMessageAt": _moment(last_at),
            "updatedAt": _moment(updated_at),
            "assignee": hosts.get(assignee_id),
        }
        for id_, subject, channel, closed_at, spam_at, read, last_at, updated_at, assignee_id in rows
    ]
    return {"conversations": {"nodes": nodes}}


async def read_wide(connection: Any, account: int, query: Any) -> Any:
    """A long page of conversations with their long threads."""
    conversations = await _page(connection, sql.WIDE, account, query, _WIDE)
    messages = _grouped(
        (
            parent,
            {
                "id": _id("Message", account, id_),
                "content": content,
                "channel": channel,
                "origin": origin,
                "visibility": visibility,
                "sentAt": _moment(sent_at),
            },
        )
        for parent, id_, content, channel, origin, visibility, sent_at in await connection.fetch(
            sql.FIRST_MESSAGES, account, [row["id"] for row in conversations]
        )
    )
    nodes = [{**_conversation(account, *row), "messages": {"nodes": messages[row["id"]]}} for row in conversations]
    return {"conversations": {"nodes": nodes}}


async def read_nested(connection: Any, account: int, query: Any) -> Any:
    """A page of conversations with all related rows."""
    conversations = await _page(connection, sql.NESTED, account, query)
    ids = [row["id"] for row in conversations]
    bookings = await _bookings(connection, account, ids)
    inquiries = await _inquiries(connection, account, ids)
    participants = await connection.fetch(sql.PARTICIPANTS, account, ids)
    messages = await connection.fetch(sql.LAST_MESSAGES, account, ids)
    senders = await connection.fetch(sql.SENDERS, account, list({row["sender_id"] for row in messages}))
    # A person who occurs several times is read once.
    people = (*participants, *senders)
    hosts = await _hosts(
        connection, account, {row["assignee_id"] for row in conversations} | {row["host_id"] for row in people}
    )
    clients = await _clients(connection, account, {row["client_id"] for row in people})
    sources = await _sources(connection, account, {row["source_id"] for row in conversations})
    hosts_as_members = {id_: {"__typename": "Host", **host} for id_, host in hosts.items()}
    members = clients, hosts_as_members
    takes_part = _participants(account, participants, *members)
    said = _messages(account, messages, _senders(account, senders, *members))
    nodes = [
        {
            **_conversation(account, id_, subject, closed_at, last_message_at),
            "assignee": hosts.get(assignee_id),
            "source": sources.get(source_id),
            "bookings": {"nodes": bookings[id_]},
            "inquiries": {"nodes": inquiries[id_]},
            "participants": {"nodes": takes_part[id_]},
            "messages": {"nodes": said[id_][::-1]},
        }
        for id_, subject, closed_at, last_message_at, assignee_id, source_id in conversations
    ]
    return {"conversations": {"nodes": nodes}}


async def _page(connection: Any, pages: tuple[str, str], account: int, query: Any, size: int = _PAGE) -> Any:
    start, further = pages
    if "after" not in query:
        return await connection.fetch(start, account, size)
    position = decode_cursor("Query.conversations", _ORDER, query["after"])
    return await connection.fetch(further, account, size, position.value, position.id)


async def _hosts(connection: Any, account: int, ids: set[int | None]) -> dict[int, Any]:
    rows = await connection.fetch(sql.HOSTS, account, list(ids - {None}))
    return {
        id_: {"id": _id("Host", account, id_), "firstname": firstname, "lastname": lastname, "email": email}
        for id_, firstname, lastname, email in rows
    }


async def _clients(connection: Any, account: int, ids: set[int | None]) -> dict[int, Any]:
    rows = await connection.fetch(sql.CLIENTS, account, list(ids - {None}))
    return {
        id_: {
            "__typename": "Client",
            "id": _id("Client", account, id_),
            "fullname": fullname,
            "email": email,
            "phone": phone,
        }
        for id_, fullname, email, phone in rows
    }


async def _sources(connection: Any, account: int, ids: set[int | None]) -> dict[int, Any]:
    rows = await connection.fetch(sql.SOURCES, account, list(ids - {None}))
    return {
        id_: {"id": _id("Source", account, id_), "name": name, "internal": internal, "createdAt": _moment(created_at)}
        for id_, name, internal, created_at in rows
    }


async def _bookings(connection: Any, account: int, ids: list[int]) -> dict[int, list[Any]]:
    rows = await connection.fetch(sql.BOOKINGS, account, ids)
    return _grouped(
        (
            parent,
            {
                "id": _id("Booking", account, id_),
                "reference": reference,
                "status": status,
                "startAt": _moment(start_at),
                "endAt": _moment(end_at),
                "finalPrice": None if final_price is None else format(final_price, "f"),
            },
        )
        for parent, id_, reference, status, start_at, end_at, final_price in rows
    )


async def _inquiries(connection: Any, account: int, ids: list[int]) -> dict[int, list[Any]]:
    rows = await connection.fetch(sql.INQUIRIES, account, ids)
    return _grouped(
        (
            parent,
            {"id": _id("Inquiry", account, id_), "firstname": firstname, "lastname": lastname, "email": email},
        )
        for parent, id_, firstname, lastname, email in rows
    )


def _conversation(
    account: int, id_: int, subject: str | None, closed_at: datetime | None, last_message_at: datetime | None
) -> dict[str, Any]:
    return {
        "id": _id("Conversation", account, id_),
        "subject": subject,
        "closed": closed_at is not None,
        "lastMessageAt": _moment(last_message_at),
    }


def _participants(account: int, rows: Any, clients: dict[int, Any], hosts: dict[int, Any]) -> dict[int, list[Any]]:
    return _grouped(
        (
            parent,
            {
                "id": _id("Participant", account, id_),
                "memberType": member_type,
                "readAt": _moment(read_at),
                "lastMessageSentAt": _moment(sent_at),
                "member": clients.get(client_id) or hosts.get(host_id),
            },
        )
        for parent, id_, member_type, read_at, sent_at, client_id, host_id in rows
    )


def _senders(account: int, rows: Any, clients: dict[int, Any], hosts: dict[int, Any]) -> dict[int, Any]:
    return {
        id_: {
            "id": _id("Participant", account, id_),
            "memberType": member_type,
            "readAt": _moment(read_at),
            "createdAt": _moment(created_at),
            "member": clients.get(client_id) or hosts.get(host_id),
        }
        for id_, member_type, read_at, created_at, client_id, host_id in rows
    }


def _messages(account: int, rows: Any, senders: dict[int, Any]) -> dict[int, list[Any]]:
    return _grouped(
        (
            parent,
            {
                "id": _id("Message", account, id_),
                "content": content,
                "visibility": visibility,
                "sentAt": _moment(sent_at),
                "sender": senders[sender_id],
            },
        )
        for parent, id_, content, visibility, sent_at, sender_id in rows
    )


def _grouped(pairs: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    groups: defaultdict[int, list[Any]] = defaultdict(list)
    for parent, child in pairs:
        groups[parent].append(child)
    return groups


def _id(name: str, account: int, id_: int) -> str:
    # These bytes never encode to + or /, the two characters in which base64 and its URL form differ.
    return binascii.b2a_base64(f"{name}:{account}:{id_}".encode(), newline=False).rstrip(b"=").decode()


def _moment(value: datetime | None) -> str | None:
    # asyncpg returns times in UTC.
    return None if value is None else value.isoformat(timespec="milliseconds")[:-6] + "Z"
