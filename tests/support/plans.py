"""PostgreSQL's plans for recorded statements."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import pytest

from db.engine import Snapshot
from db.statement import Statement
from db.texts import LEFT

Plan = dict[str, Any]


class Ran:
    """The statements of snapshots, with their values."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Sequence[Any]]] = []

    def take(self) -> list[tuple[str, Sequence[Any]]]:
        """Return and forget the recorded statements."""
        taken, self.statements = self.statements, []
        return taken


def hear(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Record all statements from now on."""
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
    """The plan of a statement with its values; with the option `ANALYZE`, including its execution."""
    (plan,) = json.loads(await connection.fetchval(f"EXPLAIN ({options}) {sql}", *values))
    top: Plan = plan["Plan"]
    return top


def steps(plan: Plan) -> Iterator[Plan]:
    """All nodes of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from steps(part)


def kinds(plan: Plan) -> set[str]:
    """The node types of the plan."""
    return {step["Node Type"] for step in steps(plan)}


def index_conditions(plan: Plan, table: str) -> list[str]:
    """The index conditions on the table; none for a scan without an index."""
    found = []
    for step in steps(plan):
        if step.get("Relation Name") == table:
            inner = [part for part in steps(step) if "Index Cond" in part]
            found.append(" ".join(part["Index Cond"] for part in inner))
    return found


def rows_read(plan: Plan, table: str) -> int:
    """The number of rows of the table that an executed plan read."""
    return sum(
        int((step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"])
        for step in steps(plan)
        if step.get("Relation Name") == table
    )
