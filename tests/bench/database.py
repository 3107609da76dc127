"""The database of all servers: a seed of the requested size.

It is made once for each size and used again. A database that has accounts already only gets messages that make the
threads of the document `wide` long; nothing is deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from db.embedded import embedded
from db.migrations.apply import migrate
from db.seed import SeedError
from gql.cli.seeding import fill

LONG_THREADS = 100
LONG_THREAD = 100
# In the account that `wide` does not read, threads are as long as in the seed.
ACCOUNT = 1
WIDE_ACCOUNT = 2

# Servers are compared, not disks, so none should wait for the disk. The work of a COMMIT is the same.
_SETTINGS = ("synchronous_commit = off",)

# Copies of the account's own messages, sent in the minutes before a thread began, so that its last message stays the
# same. Only missing ones are added, so that it can run twice.
_LENGTHEN = """
WITH said AS (
    SELECT array_agg(content) AS contents
    FROM (SELECT content FROM messages WHERE account_id = $1 ORDER BY id LIMIT 10000) early
)
INSERT INTO messages (
    account_id, conversation_id, sender_id, content, channel, origin, visibility, sent_at, created_at, updated_at
)
SELECT c.account_id, c.id, opening.sender_id, contents[1 + (c.id * 61 + earlier) % cardinality(contents)],
    opening.channel, opening.origin, opening.visibility, moment, moment, moment
FROM (
    SELECT account_id, id FROM conversations WHERE account_id = $1
    ORDER BY CASE WHEN last_message_at IS NULL THEN '-infinity'::timestamptz ELSE last_message_at END DESC, id DESC
    LIMIT $2
) c
CROSS JOIN said
CROSS JOIN LATERAL (
    SELECT m.*, count(*) OVER () AS length FROM messages m
    WHERE m.account_id = c.account_id AND m.conversation_id = c.id
    ORDER BY sent_at, id LIMIT 1
) opening
CROSS JOIN LATERAL generate_series(1, $3 - opening.length) AS earlier
CROSS JOIN LATERAL (SELECT opening.sent_at - earlier * interval '1 minute') AS times (moment)
"""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a database."""

    accounts: int
    conversations: int

    @property
    def name(self) -> str:
        """The name of the database of this size."""
        return f"bench_{self.accounts}x{self.conversations}"


@contextmanager
def prepared(data: Path, dsn: str | None, size: Size) -> Iterator[str]:
    """The DSN of a database of `size`: `dsn` if given, else one in the embedded server in the folder `data`.

    `dsn` must be a database that the benchmark may migrate, fill if it has no account, and write to.
    """
    if dsn is not None:
        _prepare(dsn, size)
        yield dsn
        return
    with embedded(data) as maintenance:
        asyncio.run(_create(maintenance, size.name))
        own = urlsplit(maintenance)._replace(path=f"/{size.name}").geturl()
        _prepare(own, size)
        yield own


async def _create(maintenance: str, name: str) -> None:
    connection = await asyncpg.connect(maintenance)
    try:
        with suppress(asyncpg.DuplicateDatabaseError):
            await connection.execute(f"CREATE DATABASE {name}")
        for setting in _SETTINGS:
            await connection.execute(f"ALTER DATABASE {name} SET {setting}")
    finally:
        await connection.close()


def _prepare(dsn: str, size: Size) -> None:
    migrate(dsn)
    with suppress(SeedError):
        fill(dsn, accounts=size.accounts, conversations=size.conversations)
    asyncio.run(_finish(dsn))


async def _finish(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_LENGTHEN, WIDE_ACCOUNT, LONG_THREADS, LONG_THREAD)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()
