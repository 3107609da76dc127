"""How the connections of a pool are set up: directly to PostgreSQL, or through a pooler in transaction mode.

A pooler such as PgBouncer gives a client another server connection for each transaction. So prepared statements and
settings must not outlive a transaction. Through a pooler, settings are therefore made in each transaction, statements
are prepared each time they run, and a single statement needs a transaction too, because it takes two round trips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# An index page costs hardly more than the next page of a table, on today's disks and in memory; and a request that took
# several processes would take them from the others. Counting 200,000 rows takes less than half the time so. With 4 MB,
# what a search finds in a large account is hashed through files and read again: with 16, counting the half of a million
# conversations took 370 ms of CPU and not 800. Distributions' servers compile the expressions of each execution that
# they expect to take long: 220 ms for a statement of 5 ms in PostgreSQL 15, and again each time.
READING = {"random_page_cost": "1.1", "max_parallel_workers_per_gather": "0", "work_mem": "16MB", "jit": "off"}

# Each statement of a write names its rows by key: a plan for any values is the right one, and planning `= ANY($1)` anew
# each time takes longer than running it. A writer that waits longer than this for a row fails, because otherwise all
# writers would soon wait for one locked row.
# A connection reads after it has written, so its other settings are those for reading.
WRITING = READING | {"plan_cache_mode": "force_generic_plan", "lock_timeout": "2s"}

# Prepared statements that a connection keeps, and the characters that such a statement may have. PostgreSQL keeps about
# 50 bytes for each character. Longer statements, those of large filters, are prepared each time. That of a conversation
# with all that a screen shows of the rows that it refers to has 3,200.
_KEPT_STATEMENTS = 200
_LONGEST_KEPT = 3_300


@dataclass(frozen=True, slots=True)
class Session:
    """The PostgreSQL `settings` of a pool's connections, and whether they lead through a pooler.

    Each connection executes the PREPARE statement `prepare` when it is set up, unless it leads through a pooler.
    """

    settings: Mapping[str, str]
    pooled: bool = False
    prepare: str = ""

    def options(self) -> dict[str, Any]:
        """The arguments of `asyncpg.connect`."""
        if self.pooled:
            # PgBouncer refuses settings in the startup message.
            return {"statement_cache_size": 0}
        return {
            "statement_cache_size": _KEPT_STATEMENTS,
            "max_cacheable_statement_size": _LONGEST_KEPT,
            "max_cached_statement_lifetime": 0,
            "server_settings": self.settings,
        }

    async def set_up(self, connection: Any) -> None:
        """Make asyncpg look up the array types now, and not during the first operation; then prepare."""
        async with connection.transaction():
            await connection.fetch("SELECT $1::bigint[], $2::varchar[]", [], [])
        if self.prepare and not self.pooled:
            await connection.execute(self.prepare)

    def begin(self, statement: str = "BEGIN") -> str:
        """The statements that begin a transaction, in one round trip."""
        if not self.pooled:
            return statement
        return "; ".join([statement, *(f"SET LOCAL {name} = '{value}'" for name, value in self.settings.items())])


DIRECT = Session({})
