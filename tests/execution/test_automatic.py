"""Automatic persisted queries, as Apollo's clients send them: the hash alone first, then with its text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from tests.support.client import Client, Statements
from tests.support.factories import store_account
from tests.support.persisting import HOST, HOSTS, OTHER, automatic, digest, get, outcome, post
from tests.support.request import JSON, RESPONSE, refusal, send
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

NOT_FOUND = refusal("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")


def numbered(number: int) -> str:
    """A document of a fixed size."""
    return f"query Number{number:03} {{ __typename }}"


async def is_kept(client: Client, text: str) -> bool:
    """Whether a hash is known. The check counts as a use."""
    answer = (await post(client, extensions=automatic(text))).json()
    known: bool = answer != NOT_FOUND
    assert ("data" in answer) == known
    return known


@pytest.mark.parametrize("first", [get, post])
@pytest.mark.parametrize("then", [get, post])
async def test_a_hash_is_known_once_it_came_with_its_text(
    reader: Client, first: Callable[..., Any], then: Callable[..., Any]
) -> None:
    named = {"variables": {"first": 1}, "extensions": automatic(HOSTS)}

    new = await then(reader, **named)
    registered = await first(reader, query=HOSTS, **named)
    known = await then(reader, **named)

    assert new.json() == NOT_FOUND
    assert outcome(registered) == outcome(known) == (200, HOST)


@pytest.mark.parametrize(("accept", "status"), [(RESPONSE, 400), (JSON, 200)])
async def test_a_hash_that_is_not_known_is_an_error_like_those_of_documents(
    reader: Client, accept: str, status: int
) -> None:
    response = await send(reader, {"extensions": automatic(HOSTS)}, accept=accept)

    assert outcome(response) == (status, NOT_FOUND)
    assert response.headers["cache-control"] == "no-store"


async def test_another_account_gets_its_own_answer_to_a_hash_that_is_known(
    client: Client, connection: asyncpg.Connection
) -> None:
    for account in (1, 2):
        await store_account(connection, account)
    document = "{ viewer { account { businessName } } }"

    answers = [
        await post(client, query=document, extensions=automatic(document)),
        await post(client.as_(2), extensions=automatic(document)),
    ]

    assert [answer.json()["data"]["viewer"]["account"]["businessName"] for answer in answers] == [
        "Villas 1",
        "Villas 2",
    ]


@pytest.mark.parametrize("ask", [get, post])
@pytest.mark.parametrize("given", [digest(OTHER), digest(HOSTS).upper(), "", "a hash"])
async def test_a_text_of_another_hash_is_refused_and_not_kept(
    reader: Client, statements: Statements, ask: Callable[..., Any], given: str
) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": given}}
    await reader.data(HOSTS)
    assert statements.take() != []

    response = await ask(reader, query=HOSTS, extensions=extensions)

    message = "extensions.persistedQuery.sha256Hash is not the hash of query"
    assert outcome(response) == (400, refusal(message))
    assert statements.take() == []
    assert (await ask(reader, extensions=extensions)).json() == NOT_FOUND
    assert not await is_kept(reader, HOSTS)


@pytest.mark.parametrize("text", ["{", "{ nothing }", "subscription { __typename }", "{" + " __typename" * 5_000 + "}"])
async def test_only_what_is_valid_is_kept(reader: Client, text: str) -> None:
    refused = await post(reader, query=text, extensions=automatic(text))

    assert [*refused.json()] == ["errors"]
    assert not await is_kept(reader, text)


@pytest.mark.parametrize(
    "persisted",
    [
        5,
        [],
        "",
        {},
        {"version": 1},
        {"sha256Hash": digest(HOSTS)},
        {"version": 2, "sha256Hash": digest(HOSTS)},
        {"version": "1", "sha256Hash": digest(HOSTS)},
        {"version": 1, "sha256Hash": None},
        {"version": 1, "sha256Hash": 5},
    ],
)
@pytest.mark.parametrize("query", [{}, {"query": HOSTS}])
async def test_the_extension_has_a_version_and_a_hash(reader: Client, persisted: Any, query: dict[str, str]) -> None:
    response = await post(reader, **query, extensions={"persistedQuery": persisted})

    message = "extensions.persistedQuery must have version 1 and a sha256Hash"
    assert outcome(response) == (400, refusal(message))


@pytest.mark.parametrize("query", ["", " ", 5, []])
async def test_a_text_beside_a_hash_is_a_string_with_something_in_it(reader: Client, query: object) -> None:
    response = await post(reader, query=query, extensions=automatic(HOSTS))

    assert outcome(response) == (400, refusal("query must be a string"))


async def test_a_null_text_counts_as_absent(reader: Client) -> None:
    response = await post(reader, query=None, extensions=automatic(HOSTS))

    assert response.json() == NOT_FOUND


async def test_a_get_of_a_mutation_changes_nothing(client: Client, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    document = 'mutation { createConversation(input: {subject: "New"}) { conversation { subject } } }'

    asked = [
        await get(client, query=document, extensions=automatic(document)),
        await get(client, extensions=automatic(document)),
    ]

    assert [outcome(each) for each in asked] == [(405, refusal("A GET cannot change anything: use POST"))] * 2
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 0
    assert (await post(client, extensions=automatic(document))).status_code == 200
    assert await connection.fetchval("SELECT count(*) FROM conversations") == 1


async def test_a_limited_number_of_hashes_is_kept(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, apq_cache=3) as client:
        for number in (0, 1, 2):
            await post(client, query=numbered(number), extensions=automatic(numbered(number)))
        assert await is_kept(client, numbered(0))
        await post(client, query=numbered(1), extensions=automatic(numbered(1)))
        await post(client, query=numbered(3), extensions=automatic(numbered(3)))

        assert [await is_kept(client, numbered(number)) for number in range(4)] == [True, True, False, True]


async def test_a_limited_number_of_bytes_is_kept(seeded_dsn: str, statements: Statements) -> None:
    size = sys.getsizeof(numbered(0))
    async with serving(seeded_dsn, statements, apq_bytes=2 * size) as client:
        for number in (0, 1):
            await post(client, query=numbered(number), extensions=automatic(numbered(number)))
        assert [await is_kept(client, numbered(number)) for number in (0, 1)] == [True, True]
        await post(client, query=numbered(2), extensions=automatic(numbered(2)))

        assert [await is_kept(client, numbered(number)) for number in range(3)] == [False, True, True]


async def test_a_text_is_kept_if_it_fits_and_displaces_nothing_if_not(seeded_dsn: str, statements: Statements) -> None:
    small, largest = numbered(0), f"{numbered(1)} # a longer one"
    larger = f"{largest}."
    async with serving(seeded_dsn, statements, apq_bytes=sys.getsizeof(largest)) as client:
        await post(client, query=small, extensions=automatic(small))
        refused = await post(client, query=larger, extensions=automatic(larger))
        assert refused.json() == {"data": {"__typename": "Query"}}
        assert [await is_kept(client, text) for text in (small, larger)] == [True, False]
        await post(client, query=largest, extensions=automatic(largest))

        assert [await is_kept(client, text) for text in (small, largest)] == [False, True]
