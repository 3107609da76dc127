"""Conversations made of texts, an inbox that stores them, and the expected results of searches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unicodedata import category, normalize

import asyncpg

from db.queries.conversation.derived import STATEMENTS
from tests.support.client import Client
from tests.support.factories import MOMENT, store, store_account
from tests.support.world import World, empty

FOUND = """
query ($filter: ConversationFilter) {
  conversations(first: 100, filter: $filter, orderBy: { field: CREATED_AT, direction: ASC }) {
    totalCount
    nodes { databaseId }
  }
}
"""
RANKED = """
query ($search: String!, $first: Int, $after: String, $last: Int, $before: String, $direction: OrderDirection! = DESC) {
  conversations(
    first: $first, after: $after, last: $last, before: $before
    filter: { search: $search }, orderBy: { field: RELEVANCE, direction: $direction }
  ) {
    totalCount
    edges { cursor node { databaseId } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


@dataclass(frozen=True)
class Thread:
    """A conversation's texts, by their place. Messages are a minute apart, and only `notes` are internal."""

    subject: str | None = None
    messages: Sequence[str] = ()
    notes: Sequence[str] = ()
    clients: Sequence[str] = ()
    hosts: Sequence[tuple[str, str]] = ()
    references: Sequence[str] = ()
    external_references: Sequence[str] = ()
    guests: Sequence[str] = ()
    emails: Sequence[str] = ()
    phones: Sequence[str] = ()
    inquiries: Sequence[tuple[str, str, str]] = ()
    """The last name, e-mail address and phone of each."""


async def hold(world: World, *threads: Thread, account: int = 1) -> None:
    """Store these conversations, numbered from 1, as the only data in the database."""
    await empty(world.connection)
    await add(world, *threads, account=account)


async def add(world: World, *threads: Thread, account: int = 1) -> None:
    """Add a new account with these conversations."""
    connection = world.connection
    await store_account(connection, account)
    for id_, thread in enumerate(threads, 1):
        await store(
            connection, "conversations", account_id=account, id=id_, subject=thread.subject, last_message_at=MOMENT
        )
        await _add_people(connection, account, id_, thread)
        await _add_bookings(connection, account, id_, thread)
    await derive(connection, account, range(1, len(threads) + 1))
    world.client.statements.take()


async def _add_people(connection: asyncpg.Connection[Any], account: int, id_: int, thread: Thread) -> None:
    in_thread: dict[str, Any] = {"account_id": account, "conversation_id": id_}
    for firstname, lastname in thread.hosts:
        host = await store(connection, "hosts", account_id=account, firstname=firstname, lastname=lastname)
        await store(connection, "participants", member_type="HOST", member_id=host, host_id=host, **in_thread)
    for fullname in thread.clients:
        client = await store(connection, "clients", account_id=account, fullname=fullname)
        await store(connection, "participants", member_type="CLIENT", member_id=client, client_id=client, **in_thread)
    for column, texts in (("email", thread.emails), ("phone", thread.phones)):
        for text in texts:
            client = await store(connection, "clients", account_id=account, fullname="", **{column: text})
            member = {"member_type": "CLIENT", "member_id": client, "client_id": client}
            await store(connection, "participants", **member, **in_thread)
    if thread.messages or thread.notes:
        sender = await store(connection, "participants", member_type="HOST", member_id=0, **in_thread)
        kinds = [(text, "EXTERNAL") for text in thread.messages] + [(text, "INTERNAL") for text in thread.notes]
        for minute, (content, visibility) in enumerate(kinds):
            message = {"content": content, "visibility": visibility, "sent_at": MOMENT + timedelta(minutes=minute)}
            await store(connection, "messages", sender_id=sender, **message, **in_thread)


async def _add_bookings(connection: asyncpg.Connection[Any], account: int, id_: int, thread: Thread) -> None:
    guests = [await store(connection, "clients", account_id=account, fullname=fullname) for fullname in thread.guests]
    bookings: list[dict[str, Any]] = [
        *({"reference": text} for text in thread.references),
        *({"external_reference": text} for text in thread.external_references),
        *({"client_id": guest} for guest in guests),
    ]
    for values in bookings:
        booking = await store(connection, "bookings", account_id=account, **values)
        await store(connection, "conversation_bookings", account_id=account, conversation_id=id_, booking_id=booking)
    for name, email, phone in thread.inquiries:
        person = {"firstname": "", "lastname": name, "email": email, "phone": phone}
        await store(connection, "inquiries", account_id=account, conversation_id=id_, **person)


async def derive(connection: asyncpg.Connection[Any], account: int, ids: Sequence[int]) -> None:
    """Derive all documents, as bulk writers do."""
    for statement in STATEMENTS:
        await connection.execute(statement, account, list(ids))


async def find(client: Client, search: str | None, **filter_: Any) -> list[int]:
    """The ids of the conversations that match a search and the rest of the filter."""
    found = (await client.data(FOUND, filter={"search": search, **filter_}))["conversations"]
    assert found["totalCount"] == len(found["nodes"])
    return [int(node["databaseId"]) for node in found["nodes"]]


def words(text: str) -> set[str]:
    """The words of a text, derived in plain Python: compounds also without their punctuation."""
    letters = "".join(char for char in normalize("NFKD", text).lower() if not category(char).startswith("M"))
    chunks = [re.findall(r"\w+", chunk) for chunk in letters.replace("ß", "ss").split()]
    return {part for chunk in chunks for part in (*chunk, "".join(chunk))} - {""}


def ids(data: Any) -> list[int]:
    """The conversations of a page of `RANKED`, in order."""
    return [int(edge["node"]["databaseId"]) for edge in data["conversations"]["edges"]]
