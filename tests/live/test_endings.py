"""How a subscription ends by itself: each time the client learns why, and from where to continue."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from gql.live import hub, stream
from gql.log import LIVE_STEPS, SUBSCRIPTIONS
from gql.security.rate import RateLimiter
from gql.security.token import SCOPES, mint
from tests.support.client import Client
from tests.support.factories import log_changes, store, store_account
from tests.support.following import FOLLOW, Follower, SentEvent, create, cursor, eventually, following, listening

pytestmark = pytest.mark.anyio

RESYNC = "The change log cannot be continued from this cursor: read the lists again, with changesCursor"


async def ending(follower: Follower) -> tuple[SentEvent, dict[str, Any]]:
    """The last event before `complete`, and its only error."""
    *_, last, complete = await follower.rest()
    assert (complete.name, complete.data) == ("complete", None)
    assert list(last.data) == ["errors"]
    (error,) = last.data["errors"]
    return last, error


def publishing() -> int:
    """How many groups of subscribers have a task."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return names.count("Group.run")


async def test_an_expired_token_ends_the_stream_within_a_second(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        # Tokens have whole seconds.
        token = mint(
            client.settings, account=1, subject="user:1", scopes=sorted(SCOPES), expires_in=timedelta(seconds=3)
        )
        client.__dict__["token"] = token
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with following(client) as follower:
            _, error = await ending(follower)
        took = loop.time() - begun

    message = "The token has expired: subscribe again with a new one"
    assert error == {"message": message, "extensions": {"code": "UNAUTHENTICATED"}}
    assert took < 4


async def test_the_subscriptions_of_a_removed_user_end(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_ACTORS_INTERVAL", 0.05)
    await store_account(connection)
    await store(connection, "users", account_id=1, id=2, name="Udo 1")
    async with listening(dsn) as client, following(client) as stays, following(client.as_(1, "user:2")) as removed:
        await create(client)
        (await stays.next(), await removed.next())
        await connection.execute("DELETE FROM users WHERE id = 2")
        _, error = await ending(removed)
        conversation = await create(client)
        event = await stays.next()

    assert error["extensions"] == {"code": "UNAUTHENTICATED"}
    assert event.changes == [("CONVERSATION", conversation)]
    assert SUBSCRIPTIONS["removed"] > 0


@pytest.mark.parametrize(
    "change",
    ["UPDATE epochs SET value = 'another'", "UPDATE change_counters SET removed = number WHERE account_id = 1"],
)
async def test_a_cursor_that_cannot_be_continued_is_refused(
    dsn: str, connection: asyncpg.Connection, change: str
) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        start = await cursor(client)
        await create(client)
        await connection.execute(change)
        async with following(client, after=start) as refused:
            response = refused.response

    assert response.json() == {"errors": [{"message": RESYNC, "extensions": {"code": "RESYNC_REQUIRED"}}]}
    assert response.status_code == 400


async def test_a_new_epoch_ends_the_streams_and_later_ones_follow_it(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn) as client:
        async with following(client) as follower, following(client, types=["MESSAGE"]) as other:
            await create(client)
            await follower.next()
            await connection.execute("UPDATE epochs SET value = 'another'")
            endings = [await ending(follower), await ending(other)]
        async with following(client) as follower:
            conversation = await create(client)
            event = await follower.next()

    assert [error for _, error in endings] == [{"message": RESYNC, "extensions": {"code": "RESYNC_REQUIRED"}}] * 2
    assert event.changes == [("CONVERSATION", conversation)]


@pytest.mark.slow
async def test_a_subscriber_that_does_not_read_is_ended_and_continues_without_a_loss_and_others_get_everything(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_BYTES", 200_000)
    await store_account(connection)
    text = "x" * 60_000
    document = """subscription($after: String) {
      changes(after: $after) { changes { type nodeId node { ... on Message { content } } } }
    }"""
    await store(connection, "conversations", account_id=1, id=1)
    await store(connection, "participants", account_id=1, id=1, conversation_id=1, member_type="HOST", member_id=1)
    async with listening(dsn) as client, following(client, document) as slow, following(client, document) as fast:
        quick: list[tuple[str, str]] = []
        # More than the buffers of both sockets take.
        for id_ in range(1, 301):
            await store(connection, "messages", account_id=1, id=id_, conversation_id=1, sender_id=1, content=text)
            await log_changes(connection, 1, ("MESSAGE", id_, 1))
            if id_ % 10 == 0:
                while len(quick) < id_:
                    quick += (await fast.next()).changes
        *seen, last, complete = await slow.rest()
        (error,) = last.data["errors"]
        got = [change for event in seen for change in event.changes]
        after = error["extensions"].pop("cursor")
        async with following(client, document, after=after) as again:
            while len(got) < 300:
                got += (await again.next()).changes

    assert error["extensions"] == {"code": "RESYNC_REQUIRED"}
    assert (last.id, complete.name) == (after, "complete")
    assert 0 < len(seen) < 300
    assert got == quick


async def test_a_budget_that_is_used_up_ends_the_stream(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn, rate_limit=250) as client, following(client) as follower:
        for number in range(3):
            await log_changes(connection, 1, *(("BOOKING", 100 * number + id_, None) for id_ in range(1, 101)))
            assert len((await follower.next()).changes) == 100
        _, error = await ending(follower)
        refused = await client.answer(FOLLOW.replace("subscription", "query", 0))

    assert error["extensions"].pop("retryAfter") > 0
    assert error == {"message": "The rate limit is exceeded: try again later", "extensions": {"code": "RATE_LIMITED"}}
    assert refused["errors"][0]["extensions"]["code"] in {"RATE_LIMITED", "BAD_USER_INPUT"}


async def test_an_event_is_charged_by_what_it_returned(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    remaining = "{ rateLimit { remaining } }"

    async def left(client: Client) -> int:
        number: int = (await client.data(remaining))["rateLimit"]["remaining"]
        return number

    async with listening(dsn, rate_limit=10_000) as client:
        before = await left(client)
        async with following(client) as follower:
            started = await left(client)
            await log_changes(connection, 1, *(("BOOKING", id_, None) for id_ in range(1, 41)))
            await follower.next()
            # Events are charged once a second.
            async with asyncio.timeout(5):
                while (after := await left(client)) > started - 40:  # noqa: ASYNC110  # the client has no event for it
                    await asyncio.sleep(0.1)

    # Each look costs a node, and so does a start.
    assert started == before - 2
    assert started - 40 - 60 < after <= started - 40


async def test_a_failure_of_a_field_is_an_error_in_the_event_and_the_stream_goes_on(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    document = 'subscription { changes { endCursor query { node(id: "x") { id } } } }'
    async with listening(dsn) as client, following(client, document) as follower:
        await create(client)
        first = await follower.next()
        await create(client)
        second = await follower.next()

    for event in (first, second):
        assert event.data["data"]["changes"]["query"] == {"node": None}
        assert [error["path"] for error in event.data["errors"]] == [["changes", "query", "node"]]


async def test_a_failure_of_the_whole_operation_ends_the_stream_masked(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_account(connection)

    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError("secret")

    async with listening(dsn) as client, following(client) as follower:
        start = await cursor(client)
        monkeypatch.setattr("gql.live.group.show_page", fail)
        await create(client)
        last, error = await ending(follower)
        await eventually(lambda: 1 - publishing())

    assert (error["message"], error["extensions"]["code"]) == ("Internal server error", "INTERNAL_SERVER_ERROR")
    assert last.id == start


async def test_an_event_that_is_too_large_ends_the_stream_before_anything_later_is_sent(
    dsn: str, connection: asyncpg.Connection
) -> None:
    await store_account(connection)
    async with listening(dsn, max_response=2_000) as client:
        start = await cursor(client)
        await log_changes(connection, 1, *(("BOOKING", id_, None) for id_ in range(1, 251)))
        executed = LIVE_STEPS["execute"]
        async with following(client, after=start) as missing, following(client) as new:
            last, _ = await missing.rest()
            await eventually(lambda: 2 - publishing())
            await log_changes(connection, 1, *(("HOST", id_, None) for id_ in range(1, 101)))
            later, _ = await new.rest()
            await eventually(lambda: 1 - publishing())

    for event in (last, later):
        assert (event.id, event.data["data"]) == (None, None)
        assert [error["extensions"]["code"] for error in event.data["errors"]] == ["OPERATION_TOO_COMPLEX"]
    assert LIVE_STEPS["execute"] - executed == 2


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [({"max_sockets": 2}, 503, "SERVICE_UNAVAILABLE"), ({"max_sockets_per_principal": 2}, 429, "RATE_LIMITED")],
)
async def test_the_streams_of_a_process_and_of_an_actor_are_limited(
    dsn: str, connection: asyncpg.Connection, limits: dict[str, Any], status: int, code: str
) -> None:
    await store_account(connection)
    await store(connection, "users", account_id=1, id=2, name="Udo 1")
    async with listening(dsn, **limits) as client, following(client), following(client):
        async with following(client) as refused:
            response = refused.response
            assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (status, code)
            assert response.headers["retry-after"] == "1"
        async with following(client.as_(1, "user:2")) as other:
            assert other.response.status_code == (503 if "max_sockets" in limits else 200)
        # Queries are not limited by it.
        await client.data("{ __typename }")


async def test_a_client_that_disconnects_gives_its_place_back(dsn: str, connection: asyncpg.Connection) -> None:
    await store_account(connection)
    async with listening(dsn, max_sockets_per_principal=1) as client:
        async with following(client) as follower:
            assert follower.response.status_code == 200
        async with asyncio.timeout(5):
            statuses = [0]
            while statuses[-1] != 200:
                async with following(client) as again:
                    statuses.append(again.response.status_code)

    assert set(statuses) <= {0, 429, 200}


async def test_a_stream_that_fails_before_its_first_byte_gives_its_place_back(
    dsn: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_account(connection)

    async def fail(*_arguments: object) -> None:
        raise ConnectionError

    async with listening(dsn, max_sockets=1, rate_limit=1_000) as client:
        with monkeypatch.context() as patched:
            # What is read between opening the stream and sending it.
            patched.setattr(RateLimiter, "budget", fail)
            async with following(client) as failed:
                assert failed.response.status_code == 500
            assert publishing() == 0
        async with following(client) as follower:
            assert follower.response.status_code == 200
            assert publishing() == 1
