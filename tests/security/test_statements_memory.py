"""Filters of many shapes take a bounded amount of memory in PostgreSQL and in the server."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db import compiled
from db import tables as t
from db.engine import Database
from db.relations import _page_statement
from db.statement import Statement, row_type
from tests.support.client import Statements
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

SHAPES = 600
PAGE = "query ($filter: ConversationFilter) { conversations(first: 5, filter: $filter) { nodes { id } } }"
FLAGS = ("closed", "markedAsSpam", "read", "assigned", "needsReply", "overdue")


def filters() -> Iterator[dict[str, Any]]:
    """Filters of different shapes: statements of 1 to 6 KB."""
    subsets = [dict.fromkeys(flags, True) for size in (1, 2, 3) for flags in itertools.combinations(FLAGS, size)]
    for first, second in itertools.combinations(subsets, 2):
        yield {"or": [first, second | {"stages": ["RESERVED"]}] if len(second) > 1 else [first, second]}


def own_memory(pid: int) -> int:
    """The private bytes of a PostgreSQL process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_Dirty"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
async def test_hundreds_of_shapes_of_filters_take_bounded_memory(
    seeded_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the number of shapes exceeds it.
    monkeypatch.setattr(_page_statement.cache, "_size", 500_000)
    connection = await asyncpg.connect(seeded_dsn)
    async with serving(seeded_dsn, Statements(), pool_size=1, rate_limit=0) as client:
        for shape in itertools.islice(filters(), 10):
            await client.data(PAGE, filter=shape)
        # PostgreSQL shows the first 1,024 characters of a statement. The other connection looked up the token's actor.
        (pid,) = [
            row["pid"]
            for row in await connection.fetch(
                """SELECT pid FROM pg_stat_activity WHERE datname = current_database()
                AND query NOT LIKE 'SELECT accounts.id%' AND pid <> pg_backend_pid()"""
            )
        ]
        before = own_memory(pid)
        for shape in itertools.islice(filters(), SHAPES):
            await client.data(PAGE, filter=shape)
        grown = own_memory(pid) - before
    await connection.close()

    # Without a limit, 1,000 statements took 176 MB.
    assert grown < 25_000_000
    assert _page_statement.cache.taken <= 500_000
    assert compiled.MAX_BYTES <= 16 * 1024 * 1024


def statement(sql: str) -> Statement:
    """A statement without parameters, whose column is `id`."""
    return Statement(sql, (), row_type(t.Account))


async def test_a_connection_keeps_short_statements_and_at_most_200(seeded_dsn: str) -> None:
    kept = statement("SELECT count(*) AS id FROM pg_prepared_statements WHERE NOT from_sql")
    longest = statement("SELECT max(length(statement)) AS id FROM pg_prepared_statements WHERE NOT from_sql")
    database = Database(seeded_dsn, pool_size=1)
    await database.start()
    async with database.snapshot() as snapshot:
        for number in range(10):
            await snapshot.fetch(statement(f"SELECT {number} AS id --{'x' * 3_300}"), {})
        [length] = await snapshot.fetch(longest, {})
        for number in range(300):
            await snapshot.fetch(statement(f"SELECT {number} AS id"), {})
        [count] = await snapshot.fetch(kept, {})
    await database.stop()

    assert length.id < 3_300
    # The one that counts is one of them.
    assert count.id == 200
