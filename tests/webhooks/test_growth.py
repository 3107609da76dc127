"""The tables of deliveries stay as large as what they keep, however much passes through them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from db.queries.webhook.lease import Attempt, record, take
from db.queries.webhook.retention import remove_old
from db.tables import WebhookState
from tests.support.delivering import log_events, make_all, store_endpoint
from tests.support.factories import store_account

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ENDPOINTS = 25
# The fewest cycles, and the most deliveries of one.
CYCLES = 10
MOST = 5_000
_SIZE = "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest($1::text[]) name"
_TABLES = ["webhook_deliveries", "webhook_attempts"]


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection to a database with an account that has endpoints."""
    connection = await asyncpg.connect(dsn)
    await store_account(connection)
    for _ in range(ENDPOINTS):
        await store_endpoint(connection, "https://hooks.example/", created_by_user_id=1)
    yield connection
    await connection.close()


async def pass_through(connection: asyncpg.Connection[Any], number: int) -> int:
    """Make at least that many deliveries, attempt each one twice, and return how many became DELIVERED."""
    events = -(-number // ENDPOINTS)
    await log_events(connection, events, conversations=events)
    await make_all(connection)
    delivered, more = 0, True
    while more:
        found = await take(connection, 100, 60)
        more = found.has_more
        if found.deliveries:
            results = [_attempt(row) for row in found.deliveries]
            delivered += sum(result.state is WebhookState.DELIVERED for result in results)
            await record(connection, results, 60)
    return delivered


def _attempt(row: Any) -> Attempt:
    """The first attempt of a delivery fails here, and the second one succeeds."""
    first = row["attempt_count"] == 1
    state = WebhookState.PENDING if first else WebhookState.DELIVERED
    return Attempt(
        *(row["account_id"], row["endpoint_id"], row["id"], row["attempt_count"], datetime.now(UTC)),
        duration_ms=5,
        status=503 if first else 204,
        answer="Busy" if first else "",
        error=None,
        state=state,
        wait=0.0,
        is_failure=False,
    )


async def test_the_tables_do_not_grow_with_what_has_passed_through(
    connection: asyncpg.Connection[Any], request: pytest.FixtureRequest
) -> None:
    number = request.config.getoption("--deliveries")
    cycles = max(CYCLES, number // MOST)
    each = number // cycles
    for table in _TABLES:
        # It comes once a minute, which is another number of times in each cycle.
        await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    sizes = []
    for _ in range(cycles):
        assert await pass_through(connection, each) >= each
        while await remove_old(connection, 0.0):
            pass
        for table in _TABLES:
            await connection.execute(f"VACUUM (ANALYZE) {table}")
        sizes.append(await connection.fetchval(_SIZE, _TABLES))

    print(f"bytes after each {each:,} deliveries: {', '.join(f'{size:,}' for size in sizes)}")  # noqa: T201  # for -s
    assert await connection.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
    # Indexes and free space reach their size in the first cycles.
    assert max(sizes[cycles // 2 :]) <= 1.15 * sizes[cycles // 2 - 1]
