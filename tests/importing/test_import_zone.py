"""The time zones of accounts: PostgreSQL knows every stored one, for any value in a record."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

from db.bookingsync.report import Fate
from db.migrations.apply import downgrade, migrate
from tests.support.importing import Inbox, by_text, record

ZONES = [
    ("Europe/Oslo", "Europe/Oslo"),
    ("america/new_york", "america/new_york"),
    ("CEST", "CEST"),
    ("Pacific Time (US & Canada)", "UTC"),
    ("Mars/Olympus", "UTC"),
    ("", "UTC"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("zone", "stored"), ZONES)
async def test_an_account_in_a_zone_that_postgresql_does_not_know_is_in_utc(
    connection: asyncpg.Connection, tmp_path: Path, zone: str, stored: str
) -> None:
    inbox = Inbox(connection, tmp_path)
    report = await inbox.give(accounts=[record("accounts", 1, default_timezone=zone)])
    assert await inbox.one("SELECT time_zone FROM accounts") == stored
    assert isinstance(await inbox.one("SELECT now() AT TIME ZONE time_zone FROM accounts"), datetime)
    text = f"time_zone '{zone}' is not known: UTC"
    assert by_text(report) == ([] if zone == stored else [("accounts", 1, Fate.REPLACED, text)])
    assert report.imported == {"accounts": 1}


def test_zones_that_were_stored_before_are_migrated(dsn: str) -> None:
    downgrade(dsn, "0002")

    async def store() -> None:
        connection = await asyncpg.connect(dsn)
        insert = (
            "INSERT INTO accounts (id, business_name, time_zone, created_at, updated_at) VALUES ($1, '', $2, $3, $3)"
        )
        moment = datetime.fromisoformat("2019-05-01T08:00:00Z")
        await connection.executemany(insert, [(id, zone, moment) for id, (zone, _) in enumerate(ZONES)])  # noqa: A001
        await connection.close()

    async def fetch() -> list[str]:
        connection = await asyncpg.connect(dsn)
        rows = await connection.fetch("SELECT time_zone FROM accounts ORDER BY id")
        await connection.close()
        return [zone for (zone,) in rows]

    asyncio.run(store())
    migrate(dsn)
    assert asyncio.run(fetch()) == [stored for _, stored in ZONES]
