"""Scopes and accounts: a subscriber gets what its token allows, of its own account."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from graphql import OperationType

from tests.oracles.ways import schema
from tests.support.factories import log_changes, store_account
from tests.support.following import FOLLOW, create, cursor, following, listening

pytestmark = pytest.mark.anyio


def test_these_are_all_ways_into_a_subscription() -> None:
    root = schema().get_root_type(OperationType.SUBSCRIPTION)
    assert root is not None
    ways = {name: set(field.args) for name, field in root.fields.items()}

    assert ways == {"changes": {"after", "types", "conversationId"}}


async def test_changes_of_another_account_never_arrive(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection, 1)
    await store_account(connection, 2)
    async with listening(dsn) as client:
        other = client.as_(2)
        async with following(client) as own, following(other) as foreign:
            theirs = [await create(other) for _ in range(3)]
            mine = await create(client)
            first = await own.next()
            seen: list[tuple[str, str]] = []
            while len(seen) < 3:
                seen += (await foreign.next()).changes
            last = await create(other)
            await create(client)
            second = await own.next()

    assert first.changes == [("CONVERSATION", mine)]
    assert len(second.changes) == 1
    assert [id_ for _, id_ in seen] == theirs
    assert last not in str(first.data) + str(second.data)


async def test_a_conversation_or_a_cursor_of_another_account_leads_to_nothing(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection, 1)
    await store_account(connection, 2)
    async with listening(dsn) as client:
        foreign, start = await create(client.as_(2)), await cursor(client.as_(2))
        async with following(client, after=start) as refused:
            answer = refused.response.json()
        async with following(client, conversation=foreign) as follower, following(client) as all_:
            waiting = asyncio.ensure_future(anext(follower))
            await create(client.as_(2))
            await log_changes(connection, 1, ("BOOKING", 1, 10))
            await all_.next()
            await log_changes(connection, 2, ("BOOKING", 1, None))
            await log_changes(connection, 1, ("BOOKING", 2, None))
            await all_.next()
            assert not waiting.done()
            waiting.cancel()

    error = {"message": "This is not a cursor of the change log", "extensions": {"code": "BAD_USER_INPUT"}}
    assert answer == {"errors": [error]}


async def test_types_without_their_scope_are_left_out_or_refused(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        reader = client.as_(1, scopes=["inbox_read"])
        async with following(reader) as follower:
            await log_changes(connection, 1, ("BOOKING", 5, None), ("MESSAGE", 6, 1), ("CLIENT", 7, None))
            event = await follower.next()
        async with following(reader, types=["MESSAGE", "BOOKING"]) as refused:
            answer, status = refused.response.json(), refused.response.status_code

    assert [type_ for type_, _ in event.changes] == ["MESSAGE"]
    error = {
        "message": "These types require the scopes bookings_read",
        "extensions": {"code": "FORBIDDEN", "requiredScopes": ["bookings_read"]},
    }
    assert (answer, status) == ({"errors": [error]}, 403)


async def test_a_document_without_its_scopes_is_refused(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    document = "subscription { changes { changes { node { ... on Booking { reference } } } } }"
    async with listening(dsn) as client, following(client.as_(1, scopes=["inbox_read"]), document) as refused:
        response = refused.response

    message = "This document needs scopes that the token does not have: bookings_read"
    error = {"message": message, "extensions": {"code": "FORBIDDEN", "requiredScopes": ["bookings_read"]}}
    assert (response.json(), response.status_code) == ({"errors": [error]}, 403)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("subscription { __typename }", "Anonymous Subscription must not select an introspection top level field."),
        (
            "subscription { a: changes { endCursor } b: changes { endCursor } }",
            "Anonymous Subscription must select only one top level field.",
        ),
    ],
)
async def test_a_subscription_has_one_field(
    dsn: str, connection: asyncpg.Connection, document: str, message: str
) -> None:
    await store_account(connection)
    async with listening(dsn) as client, following(client, document) as refused:
        response = refused.response

    assert (response.json()["errors"][0]["message"], response.status_code) == (message, 400)


async def test_no_token_is_401_and_a_mutation_by_get_405(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        accept = {"accept": "text/event-stream"}
        unknown = await client.http.get("/graphql", params={"query": FOLLOW}, headers=accept)
        mutation = await client.http.get(
            "/graphql",
            params={"query": "mutation { createConversation(input: {}) { conversation { id } } }"},
            headers=client.headers | accept,
        )
        count = await connection.fetchval("SELECT count(*) FROM conversations")

    assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")
    assert (mutation.status_code, mutation.headers["allow"], count) == (405, "POST", 0)
