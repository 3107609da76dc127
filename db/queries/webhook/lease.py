"""Taking deliveries with a lease, and recording their attempts.

`due_at` is the time of a delivery's next attempt. While an attempt runs, it is the end of the lease, so that a delivery
whose worker was killed is due again by itself. It is null while an earlier delivery of the same conversation to the
same endpoint is pending: this one is held back. So only the first delivery of each conversation is in the index of
those that are due, however many wait behind an endpoint that does not answer.

Both taking and recording lock the endpoint first, and read afterwards. So what is held back is never missed: fan-out
stores each delivery as due; the worker that takes the next ones holds it back; the recording of an attempt makes the
first delivery of the conversation due.

`attempt_count` is the number of the last attempt. A result is recorded only if that is still its number: a worker whose
lease has ended does not change what another one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from db import tables as t
from db.queries.webhook.fan_out import NOW

if TYPE_CHECKING:
    import asyncpg

    from db.statement import Row

# The most attempts at once to one endpoint, and to one that has failed since its last success.
AT_ONCE = 4
_AT_ONCE_WHILE_FAILING = 1
# Deliveries of an endpoint that are examined for each one that can be taken, as those of one conversation wait.
# Each is locked, which writes to it: with 50 for an endpoint, taking 78 of a backlog took 53 ms, and now takes 11.
_EXAMINED = 4
# A worker that stops in the middle of a transaction keeps its locks at most this long.
_IDLE = "SET LOCAL idle_in_transaction_session_timeout = '10s'"

_ROOM = f"""
    CASE WHEN e.failing_since IS NULL THEN $3::int ELSE {_AT_ONCE_WHILE_FAILING} END - (
        SELECT count(*) FROM webhook_deliveries l
        WHERE l.account_id = e.account_id AND l.endpoint_id = e.id AND l.leased_until > now()
    )
"""  # noqa: S608  # parts of this package
# Endpoints that answer come first. Endpoints that other workers have locked are left to them.
_LOCK = f"""
SELECT e.account_id, e.id, e.failing_since IS NOT NULL AS failing FROM webhook_endpoints e
WHERE e.enabled AND ($2 OR e.failing_since IS NULL) AND {_ROOM} > 0 AND EXISTS (
    SELECT FROM webhook_deliveries d WHERE d.account_id = e.account_id AND d.endpoint_id = e.id AND d.due_at <= now()
)
ORDER BY e.failing_since IS NOT NULL, random() LIMIT $1
FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608  # parts of this package
# `blocked`: an earlier delivery of the conversation is pending, or a later one that was sent before it runs.
_TAKE = f"""
WITH endpoints AS (
    SELECT e.*, {_ROOM} AS room
    FROM unnest($1::bigint[], $2::bigint[]) AS chosen(account_id, id) JOIN webhook_endpoints e USING (account_id, id)
), due AS (
    SELECT d.*, e.room, d.conversation_id IS NOT NULL AND EXISTS (
        SELECT FROM webhook_deliveries b
        WHERE b.account_id = d.account_id AND b.endpoint_id = d.endpoint_id
            AND b.conversation_id = d.conversation_id AND b.state = 'PENDING'
            AND ((b.change_number, b.id) < (d.change_number, d.id) OR b.leased_until > now())
    ) AS blocked
    FROM endpoints e CROSS JOIN LATERAL (
        SELECT d.account_id, d.endpoint_id, d.id, d.conversation_id, d.change_number FROM webhook_deliveries d
        WHERE d.account_id = e.account_id AND d.endpoint_id = e.id AND d.due_at <= now()
        ORDER BY d.due_at LIMIT {_EXAMINED} * e.room
        FOR UPDATE SKIP LOCKED
    ) d
), held AS (
    UPDATE webhook_deliveries d SET due_at = NULL, leased_until = NULL
    FROM due WHERE due.blocked AND d.account_id = due.account_id AND d.id = due.id
    RETURNING 1
), free AS (
    SELECT account_id, id FROM (
        SELECT account_id, id, room, row_number() OVER (
            PARTITION BY account_id, endpoint_id ORDER BY change_number, id
        ) AS place
        FROM due WHERE NOT blocked
    ) f
    WHERE place <= room ORDER BY place LIMIT $4
), taken AS (
    UPDATE webhook_deliveries d SET
        attempt_count = d.attempt_count + 1,
        leased_until = {NOW} + make_interval(secs => $5),
        due_at = {NOW} + make_interval(secs => $5)
    FROM free WHERE d.account_id = free.account_id AND d.id = free.id
    RETURNING d.*
)
SELECT d.account_id, d.id, d.endpoint_id, d.message_id, d.event, d.attempt_count, d.failures,
    (d.data ->> 'at')::timestamptz AS at, (d.data ->> 'message')::bigint AS message,
    (d.data ->> 'conversation')::bigint AS conversation,
    e.url, e.document_id, e.scopes, e.created_by_type, e.created_by_id,
    e.secret, e.previous_secret, e.previous_secret_until, e.failing_since, (SELECT count(*) FROM held) AS held
FROM endpoints e LEFT JOIN taken d ON d.account_id = e.account_id AND d.endpoint_id = e.id
ORDER BY d.change_number, d.id
"""  # noqa: S608  # parts of this package


@dataclass(frozen=True, slots=True)
class Taken:
    """Deliveries with a lease, each with the columns of its endpoint. `has_more` says whether others may be due."""

    deliveries: list[Row]
    has_more: bool


async def take(
    connection: asyncpg.Connection[Any], most: int, lease: float, *, each: int = AT_ONCE, failing: int | None = None
) -> Taken:
    """Take at most `most` deliveries that are due, for `lease` seconds.

    An endpoint has at most `each` of them at once, with those that run; one that has failed since its last success has
    one. Of such endpoints, at most `failing` are served.
    """
    async with connection.transaction():
        await connection.execute(_IDLE)
        failing = most if failing is None else failing
        chosen = await connection.fetch(_LOCK, most, failing > 0, each)
        served = [row for row in chosen if not row["failing"]]
        served += [row for row in chosen if row["failing"]][:failing]
        if not served:
            return Taken([], has_more=False)
        accounts = [row["account_id"] for row in served]
        rows = await connection.fetch(_TAKE, accounts, [row["id"] for row in served], each, most, lease)
    deliveries = [row for row in rows if row["id"] is not None]
    return Taken(deliveries, has_more=bool(deliveries or rows[0]["held"]))


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one attempt.

    With the state PENDING, the next attempt is due after `wait` seconds. `is_failure` says whether it counts as a
    failure of the endpoint; an attempt that this server could not make does not.
    """

    account_id: int
    endpoint_id: int
    delivery_id: int
    number: int
    at: datetime
    duration_ms: int
    status: int | None
    answer: str | None
    error: str | None
    state: t.WebhookState
    wait: float
    is_failure: bool


_LOCK_THESE = """
SELECT FROM webhook_endpoints e WHERE (e.account_id, e.id) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))
ORDER BY e.account_id, e.id FOR NO KEY UPDATE
"""
_RECORD = f"""
WITH given AS (
    SELECT * FROM unnest(
        $1::bigint[], $2::bigint[], $3::bigint[], $4::int[], $5::timestamptz[], $6::int[],
        $7::int[], $8::text[], $9::text[], $10::text[], $11::float[], $12::bool[]
    ) AS g(
        account_id, endpoint_id, delivery_id, number, at, duration_ms, status, answer, error, state, wait, is_failure
    )
), recorded AS (
    UPDATE webhook_deliveries d SET
        state = g.state,
        failures = d.failures + g.is_failure::int,
        due_at = CASE WHEN g.state = 'PENDING' THEN {NOW} + make_interval(secs => g.wait) END,
        leased_until = NULL,
        finished_at = CASE WHEN g.state <> 'PENDING' THEN {NOW} END
    FROM given g
    WHERE d.account_id = g.account_id AND d.id = g.delivery_id
        AND d.attempt_count = g.number AND d.leased_until IS NOT NULL
    RETURNING g.*
), attempts AS (
    INSERT INTO webhook_attempts (account_id, delivery_id, number, at, status, duration_ms, answer, error)
    SELECT account_id, delivery_id, number, at, status, duration_ms, answer, error FROM recorded
)
SELECT count(*) FROM recorded
"""  # noqa: S608  # parts of this package
# The deliveries are found before the table is joined for the update. Otherwise the planner may read all of the table,
# if its statistics are old: 12 instead of 0.7 ms for 100 results beside 50,000 deliveries.
_RELEASE = f"""
WITH held AS MATERIALIZED (
    SELECT c.account_id, first.id
    FROM (
        SELECT DISTINCT account_id, endpoint_id, conversation_id FROM webhook_deliveries
        WHERE (account_id, id) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[])) AND conversation_id IS NOT NULL
    ) c CROSS JOIN LATERAL (
        SELECT n.id, n.due_at FROM webhook_deliveries n
        WHERE n.account_id = c.account_id AND n.endpoint_id = c.endpoint_id AND n.conversation_id = c.conversation_id
            AND n.state = 'PENDING'
        ORDER BY n.change_number, n.id LIMIT 1
    ) first
    WHERE first.due_at IS NULL
)
UPDATE webhook_deliveries d SET due_at = {NOW} FROM held WHERE d.account_id = held.account_id AND d.id = held.id
"""  # noqa: S608  # parts of this package
# Written only where it changes. The endpoints that have failed for the whole time are returned.
_JUDGE = """
WITH judged AS (
    SELECT account_id, endpoint_id, bool_or(state = 'DELIVERED') AS answers, bool_or(is_failure) AS fails
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bool[]) AS g(account_id, endpoint_id, state, is_failure)
    GROUP BY account_id, endpoint_id
), marked AS (
    UPDATE webhook_endpoints e SET failing_since = CASE WHEN NOT j.answers THEN now() END
    FROM judged j WHERE e.account_id = j.account_id AND e.id = j.endpoint_id
        AND CASE WHEN j.answers THEN e.failing_since IS NOT NULL ELSE j.fails AND e.failing_since IS NULL END
)
SELECT e.account_id, e.id FROM webhook_endpoints e JOIN judged j ON e.account_id = j.account_id AND e.id = j.endpoint_id
WHERE e.enabled AND NOT j.answers AND j.fails AND e.failing_since < now() - make_interval(secs => $5)
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The number of attempts whose lease was still valid, and the endpoints (account, id) that only fail."""

    attempts: int
    hopeless: list[tuple[int, int]]


async def record(connection: asyncpg.Connection[Any], results: Sequence[Attempt], hopeless_after: float) -> Recorded:
    """Record the results of attempts, and make the next deliveries of their conversations due.

    Endpoints that have only failed for `hopeless_after` seconds are returned.
    """
    columns = [list(column) for column in zip(*(_values(result) for result in results), strict=True)]
    accounts, endpoints, deliveries, states, failures = columns[0], columns[1], columns[2], columns[9], columns[11]
    async with connection.transaction():
        await connection.execute(_IDLE)
        await connection.execute(_LOCK_THESE, accounts, endpoints)
        attempts = await connection.fetchval(_RECORD, *columns)
        await connection.execute(_RELEASE, accounts, deliveries)
        hopeless = await connection.fetch(_JUDGE, accounts, endpoints, states, failures, hopeless_after)
    return Recorded(attempts, [tuple(row) for row in hopeless])


def _values(result: Attempt) -> tuple[Any, ...]:
    return (
        *(result.account_id, result.endpoint_id, result.delivery_id, result.number, result.at, result.duration_ms),
        *(result.status, result.answer, result.error, result.state, result.wait, result.is_failure),
    )
