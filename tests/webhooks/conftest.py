"""Fixtures of the tests of webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.support.delivering import Receiver, receiving
from tests.support.factories import store_account


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection to a database with two accounts."""
    connection = await asyncpg.connect(dsn)
    for account in (1, 2):
        await store_account(connection, account)
    await connection.execute("SELECT setval('row_ids', 10000)")
    yield connection
    await connection.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that accepts everything."""
    async with receiving() as receiver:
        yield receiver
