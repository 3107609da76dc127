"""How the connections of a pool are set up: directly to PostgreSQL, or through a pooler in transaction mode.

A pooler such as PgBouncer gives a client another server connection for each transaction. So prepared statements and
settings must not outlive a transaction. Through a pooler, settings are therefore made in each transaction, statements
are prepared each time they run, and a single statement needs a transaction too, because it takes two round trips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Prepared statements that a connection keeps, and the characters that such a statement may have. PostgreSQL keeps about
# 50 bytes for each character. Longer statements, those of large filters, are prepared each time.
_KEPT_STATEMENTS = 200
_LONGEST_KEPT = 3_000


@dataclass(frozen=True, slots=True)
class Session:
    """The PostgreSQL `settings` of a pool's connections, and whether they lead through a pooler."""

    settings: Mapping[str, str]
    pooled: bool = False

    def options(self) -> dict[str, Any]:
        """The arguments of `asyncpg.connect` and `asyncpg.create_pool`."""
        if self.pooled:
            # PgBouncer refuses settings in the startup message.
            return {"statement_cache_size": 0}
        return {
            "statement_cache_size": _KEPT_STATEMENTS,
            "max_cacheable_statement_size": _LONGEST_KEPT,
            "max_cached_statement_lifetime": 0,
            "server_settings": self.settings,
        }

    def begin(self, statement: str = "BEGIN") -> str:
        """The statements that begin a transaction, in one round trip."""
        if not self.pooled:
            return statement
        return "; ".join([statement, *(f"SET LOCAL {name} = '{value}'" for name, value in self.settings.items())])


DIRECT = Session({})
