"""The plans that PostgreSQL makes for the statements that ran."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import pytest

from db.engine import Snapshot, Statement
from db.texts import LEFT

Plan = dict[str, Any]


class Ran:
    """The statements that snapshots ran, with their values."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Sequence[Any]]] = []

    def take(self) -> list[tuple[str, Sequence[Any]]]:
        """What ran, forgetting it."""
        taken, self.statements = self.statements, []
        return taken


def hear(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Everything read from now on."""
    kept = Ran()
    fetch = Snapshot.fetch

    async def keep_and_fetch(self: Snapshot, statement: Statement, parameters: Any) -> Any:
        # A snapshot itself adds the number of bytes that it may still read.
        values = {LEFT: sys.maxsize, **parameters}
        kept.statements.append((statement.sql, [values[name] for name in statement.names]))
        return await fetch(self, statement, parameters)

    monkeypatch.setattr(Snapshot, "fetch", keep_and_fetch)
    return kept


async def explain(
    connection: asyncpg.Connection, sql: str, values: Sequence[Any], options: str = "FORMAT JSON"
) -> Plan:
    """The plan of a statement with its values; with `ANALYZE` among the options, as it was carried out."""
    (plan,) = json.loads(await connection.fetchval(f"EXPLAIN ({options}) {sql}", *values))
    top: Plan = plan["Plan"]
    return top


def steps(plan: Plan) -> Iterator[Plan]:
    """All nodes of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from steps(part)


def kinds(plan: Plan) -> set[str]:
    """What the plan does."""
    return {step["Node Type"] for step in steps(plan)}


def index_conditions(plan: Plan, table: str) -> list[str]:
    """What indexes of the table are searched for; nothing for a scan without an index."""
    found = []
    for step in steps(plan):
        if step.get("Relation Name") == table:
            inner = [part for part in steps(step) if "Index Cond" in part]
            found.append(" ".join(part["Index Cond"] for part in inner))
    return found


def rows_read(plan: Plan, table: str) -> int:
    """How many rows of the table a plan that was carried out went through."""
    return sum(
        int((step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"])
        for step in steps(plan)
        if step.get("Relation Name") == table
    )
