"""Workers share deliveries: what is made and taken at the same time, by workers that die, stop or come late."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from db.queries.webhook.fan_out import CHANGES_AT_ONCE, fan_out
from db.queries.webhook.lease import AT_ONCE, Attempt, record, take
from db.queries.webhook.retention import REMOVED_AT_ONCE, remove_old
from db.tables import WebhookState
from tests.support.delivering import (
    FAST,
    Received,
    Receiver,
    delivering,
    log_events,
    make_all,
    settled,
    store_endpoint,
    until,
)

pytestmark = pytest.mark.anyio

NOWHERE = "https://hooks.example/"
# The columns round to milliseconds, so that a time stored as `now()` can be later than the next statement's.
PAST = datetime(2026, 1, 1, tzinfo=UTC)


async def made(connection: asyncpg.Connection[Any]) -> list[tuple[int, int]]:
    """Account and number of the change of all deliveries, in the order of their ids."""
    rows = await connection.fetch("SELECT account_id, change_number FROM webhook_deliveries ORDER BY account_id, id")
    return [tuple(row) for row in rows]


async def test_deliveries_are_made_in_bounded_steps_in_the_order_of_the_log(
    connection: asyncpg.Connection[Any],
) -> None:
    await store_endpoint(connection, NOWHERE)
    await store_endpoint(connection, NOWHERE, account_id=2, created_by_user_id=1)
    await log_events(connection, CHANGES_AT_ONCE + 10)
    await log_events(connection, 3, account=2)

    steps = [await fan_out(connection) for _ in range(3)]

    assert steps == [(2, CHANGES_AT_ONCE + 3), (1, 10), (0, 0)]
    assert await made(connection) == [(1, n + 1) for n in range(CHANGES_AT_ONCE + 10)] + [(2, 1), (2, 2), (2, 3)]


async def test_changes_without_events_are_passed_in_one_step(connection: asyncpg.Connection[Any]) -> None:
    await store_endpoint(connection, NOWHERE)
    await log_events(connection, 1)
    await connection.execute("UPDATE changes SET events = '{}'")
    await log_events(connection, 5_000, event="CONVERSATION_UPDATED")
    await connection.execute("UPDATE changes SET events = '{}'")
    await log_events(connection, 1)

    assert await fan_out(connection) == (1, 1)
    assert await fan_out(connection) == (0, 0)


async def test_workers_at_the_same_time_make_each_delivery_once(connection: asyncpg.Connection[Any], dsn: str) -> None:
    for account in (1, 2):
        await store_endpoint(connection, NOWHERE, account_id=account, created_by_user_id=1)
    workers = [await asyncpg.connect(dsn) for _ in range(3)]
    for _ in range(10):
        await asyncio.gather(log_events(connection, 30), *(make_all(worker) for worker in workers))
        await log_events(connection, 10, account=2)
    await make_all(connection)
    for worker in workers:
        await worker.close()

    assert await made(connection) == [(1, n + 1) for n in range(300)] + [(2, n + 1) for n in range(100)]


async def test_workers_at_the_same_time_take_each_delivery_once_and_four_of_an_endpoint(
    connection: asyncpg.Connection[Any], dsn: str
) -> None:
    endpoints = [await store_endpoint(connection, NOWHERE) for _ in range(3)]
    await log_events(connection, 40, conversations=20)
    await make_all(connection)
    workers = [await asyncpg.connect(dsn) for _ in range(4)]

    taken = await asyncio.gather(*(take(worker, 50, 60) for worker in workers for _ in range(1)))
    # Workers skip what others have locked, so they look again.
    taken += await asyncio.gather(*(take(worker, 50, 60) for worker in workers))

    for worker in workers:
        await worker.close()
    rows = [row for each in taken for row in each.deliveries]
    assert len({row["id"] for row in rows}) == len(rows)
    assert sorted(row["endpoint_id"] for row in rows) == sorted(endpoints * AT_ONCE)
    # Those that were taken are the first of different conversations.
    assert {row["conversation"] for row in rows} == {2, 3, 4, 5}
    assert {row["message"] for row in rows} == {1, 2, 3, 4}


async def test_an_endpoint_from_which_another_worker_takes_is_left_to_it(
    connection: asyncpg.Connection[Any], dsn: str
) -> None:
    """Otherwise both would count the same attempts that run, and together exceed the limit."""
    locked, other = [await store_endpoint(connection, NOWHERE) for _ in range(2)]
    await log_events(connection, 1)
    await make_all(connection)
    worker = await asyncpg.connect(dsn)
    async with worker.transaction():
        await worker.execute("SELECT FROM webhook_endpoints WHERE id = $1 FOR NO KEY UPDATE", locked)
        meanwhile = await take(connection, 10, 60)
    afterwards = await take(connection, 10, 60)
    await worker.close()

    assert [row["endpoint_id"] for row in meanwhile.deliveries] == [other]
    assert [row["endpoint_id"] for row in afterwards.deliveries] == [locked]


def attempt(row: Any, state: WebhookState = WebhookState.DELIVERED, **values: Any) -> Attempt:
    """The result of an attempt for a row that was taken."""
    status = 200 if state is WebhookState.DELIVERED else 500
    made = Attempt(
        *(row["account_id"], row["endpoint_id"], row["id"], row["attempt_count"], datetime.now(UTC)),
        duration_ms=5,
        status=status,
        answer=None,
        error=None,
        state=state,
        wait=0.0,
        is_failure=state is not WebhookState.DELIVERED,
    )
    return replace(made, **values)


async def test_a_lease_that_has_ended_is_taken_again_and_its_first_result_is_not_recorded(
    connection: asyncpg.Connection[Any],
) -> None:
    await store_endpoint(connection, NOWHERE)
    await log_events(connection, 2)
    await make_all(connection)
    (lost,) = (await take(connection, 10, 60)).deliveries
    assert (await take(connection, 10, 60)).deliveries == []
    await connection.execute(
        "UPDATE webhook_deliveries SET leased_until = $1, due_at = $1 WHERE leased_until IS NOT NULL", PAST
    )
    (again,) = (await take(connection, 10, 60)).deliveries

    late = await record(connection, [attempt(lost)], 60)
    in_time = await record(connection, [attempt(again)], 60)

    assert (again["id"], again["message_id"]) == (lost["id"], lost["message_id"])
    assert (lost["attempt_count"], again["attempt_count"]) == (1, 2)
    assert (late.attempts, in_time.attempts) == (0, 1)
    rows = await connection.fetch("SELECT number FROM webhook_attempts")
    assert [row["number"] for row in rows] == [2]
    # Now the next one of the conversation follows.
    (second,) = (await take(connection, 10, 60)).deliveries
    assert second["message"] == 2


async def test_an_earlier_delivery_that_is_delivered_again_waits_for_the_one_that_runs(
    connection: asyncpg.Connection[Any],
) -> None:
    await store_endpoint(connection, NOWHERE)
    await log_events(connection, 3)
    await make_all(connection)
    (first,) = (await take(connection, 10, 60)).deliveries
    await record(connection, [attempt(first)], 60)
    (second,) = (await take(connection, 10, 60)).deliveries
    await connection.execute(
        "UPDATE webhook_deliveries SET state = 'PENDING', due_at = $2, finished_at = NULL WHERE id = $1",
        first["id"],
        PAST,
    )

    meanwhile = await take(connection, 10, 60)
    await record(connection, [attempt(second, WebhookState.PENDING, wait=60.0)], 60)
    (after,) = (await take(connection, 10, 60)).deliveries

    assert meanwhile.deliveries == []
    assert after["id"] == first["id"]


async def test_what_is_held_back_is_examined_once(connection: asyncpg.Connection[Any]) -> None:
    """However much waits behind a delivery, only the first of each conversation is among those that are due."""
    await store_endpoint(connection, NOWHERE)
    await log_events(connection, 300, conversations=3)
    await make_all(connection)
    taken = 0
    more = True
    while more:
        found = await take(connection, 100, 60)
        taken, more = taken + len(found.deliveries), found.has_more

    assert taken == 3
    assert await connection.fetchval("SELECT count(*) FROM webhook_deliveries WHERE due_at IS NOT NULL") == 3


async def test_a_worker_that_stops_finishes_what_runs_and_leaves_the_rest(
    connection: asyncpg.Connection[Any], dsn: str, receiver: Receiver
) -> None:
    hangs = asyncio.Event()

    async def answer(received: Received) -> web.StreamResponse:
        if received.path == "/hangs" and not hangs.is_set():
            await asyncio.sleep(60)
        await asyncio.sleep(0.05)
        return web.Response()

    receiver.answer = answer
    for path in ("slow", "hangs"):
        await store_endpoint(connection, f"{receiver.url}/{path}")
    await log_events(connection, 30, conversations=3)
    async with delivering(dsn, replace(FAST, grace=0.5)):
        await receiver.wait(6)
    states = await connection.fetch(
        """SELECT d.state, d.attempt_count, d.failures, d.leased_until, d.due_at <= now() AS due, a.error
        FROM webhook_deliveries d JOIN webhook_attempts a ON a.delivery_id = d.id ORDER BY d.endpoint_id, d.id"""
    )
    hangs.set()
    async with delivering(dsn), delivering(dsn):
        rows = await settled(connection)

    assert ("DELIVERED", 1, 0, None, None, None) in [tuple(row) for row in states]
    stopped = "The worker stopped before the answer arrived"
    assert tuple(states[-1]) == ("PENDING", 1, 0, None, True, stopped)
    assert {row["state"] for row in rows} == {"DELIVERED"}
    # Only those that were cut off were sent twice.
    assert sorted(row["attempt_count"] for row in rows) == [1] * 57 + [2] * 3


async def test_old_deliveries_are_removed_in_small_steps_with_their_attempts(
    connection: asyncpg.Connection[Any],
) -> None:
    for account in (1, 2):
        await store_endpoint(connection, NOWHERE, account_id=account, created_by_user_id=1)
        await log_events(connection, REMOVED_AT_ONCE + 5, account=account)
    await make_all(connection)
    await connection.execute(
        """INSERT INTO webhook_attempts (account_id, delivery_id, number, at, duration_ms)
        SELECT account_id, id, 1, now(), 1 FROM webhook_deliveries"""
    )
    await connection.execute(
        """UPDATE webhook_deliveries SET created_at = now() - interval '31 days'
        WHERE account_id = 1 OR change_number < 3"""
    )

    removed = [await remove_old(connection, 30 * 86_400) for _ in range(4)]

    assert sorted(removed) == [0, 2, 5, REMOVED_AT_ONCE]
    for table in ("webhook_deliveries", "webhook_attempts"):
        rows = await connection.fetchrow(f"SELECT count(*), min(account_id) FROM {table}")  # noqa: S608
        assert tuple(rows) == (REMOVED_AT_ONCE + 3, 2)


async def test_the_longest_wait_for_a_new_event_is_the_poll(
    connection: asyncpg.Connection[Any], dsn: str, receiver: Receiver
) -> None:
    """Without any notification: the events were stored by no process that announces them."""
    await store_endpoint(connection, receiver.url)
    async with delivering(dsn, replace(FAST, poll=0.2)):
        await asyncio.sleep(0.1)
        await log_events(connection, 1)
        await receiver.wait(1, within=5)


async def test_an_announced_change_is_not_waited_for(
    connection: asyncpg.Connection[Any], dsn: str, receiver: Receiver
) -> None:
    await store_endpoint(connection, receiver.url)
    async with delivering(dsn, replace(FAST, poll=600)):
        listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'inbox listening'"
        await until(lambda: connection.fetchval(listening))
        await log_events(connection, 1)
        await until(lambda: _announced(connection, receiver))

    assert len(receiver.received) == 1


async def _announced(connection: asyncpg.Connection[Any], receiver: Receiver) -> bool:
    """Announce a change of the account as another process would; whether something has arrived."""
    await connection.execute("SELECT pg_notify('inbox_changes', 'other 1')")
    return bool(receiver.received)


async def test_an_endpoint_that_was_deleted_gets_nothing_more(
    connection: asyncpg.Connection[Any], dsn: str, receiver: Receiver
) -> None:
    gone = await store_endpoint(connection, f"{receiver.url}/gone")
    await store_endpoint(connection, f"{receiver.url}/stays")
    await log_events(connection, 3)
    await make_all(connection)
    await connection.execute("DELETE FROM webhook_endpoints WHERE id = $1", gone)
    async with delivering(dsn):
        await receiver.wait(3)
        await asyncio.sleep(0.2)

    assert {each.path for each in receiver.received} == {"/stays"}
