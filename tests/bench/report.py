"""Claim: what is shown is what was measured: medians over the rounds, ratios with their extremes, and every target.

The same numbers as a table and as JSON. A target that is missed is shown as missed; it fails nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table

from tests.bench.growth import Growth
from tests.bench.measure import Result, ratios
from tests.bench.workload import HANDWRITTEN, SERVER, SERVERS, STRAWBERRY

# The least requests/s of the server, as multiples of the other servers'.
_RPS: Mapping[tuple[str, str], float] = {
    ("nested", STRAWBERRY): 18,
    ("nested", HANDWRITTEN): 0.70,
    ("list", STRAWBERRY): 8,
    ("list", HANDWRITTEN): 0.65,
    ("one", STRAWBERRY): 4,
    ("one", HANDWRITTEN): 0.50,
    ("wide", STRAWBERRY): 20,
    ("wide", HANDWRITTEN): 0.70,
    ("mutation", STRAWBERRY): 2,
}
# The most memory of the server with `wide`, as a share of Strawberry's.
_PEAK = 0.5

Results = Mapping[str, Mapping[str, Result]]


@dataclass(frozen=True, slots=True)
class Target:
    """What was aimed at, and what came of it."""

    document: str
    what: str
    wanted: str
    reached: float
    passed: bool


def targets(results: Results) -> list[Target]:
    """The targets for the documents that were measured."""
    found = []
    for document, servers in results.items():
        for name, ratio in ratios(servers).items():
            least = _RPS[document, name]
            passed = ratio.median >= least
            found.append(Target(document, f"requests/s, {SERVER} : {name}", f"≥ {least:g}", ratio.median, passed))
    if "wide" in results:
        mine, theirs = (results["wide"][name].peak_mb for name in (SERVER, STRAWBERRY))
        if mine is not None and theirs is not None:
            share = mine / theirs
            found.append(Target("wide", f"peak memory, {SERVER} : {STRAWBERRY}", f"≤ {_PEAK:g}", share, share <= _PEAK))
    return found


def as_json(results: Results, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, rounded to what can be believed."""
    return {
        "documents": {
            document: {name: numbers(servers[name]) if name in servers else None for name in SERVERS}
            for document, servers in results.items()
        },
        "ratios": {
            document: {name: _rounded(asdict(ratio)) for name, ratio in ratios(servers).items()}
            for document, servers in results.items()
        },
        "targets": [_rounded(asdict(target)) for target in targets(results)],
        "machine": dict(machine),
    }


def growth_as_json(found: Sequence[Growth], machine: Mapping[str, Any]) -> dict[str, Any]:
    """What `--growth` measured."""
    shown = [
        {
            "document": growth.document,
            "what": growth.what,
            "ratio": _rounded(asdict(growth.times)),
            "most": growth.most,
            "passed": growth.passed,
        }
        for growth in found
    ]
    return {"growth": shown, "machine": dict(machine)}


def numbers(result: Result) -> dict[str, float | None]:
    """A document on one server: the medians of the rounds."""
    return _rounded(
        {
            "rps": result.median(lambda turn: turn.rps),
            "p50_ms": result.median(lambda turn: turn.p50_ms),
            "p99_ms": result.median(lambda turn: turn.p99_ms),
            "cpu_ms": result.median(lambda turn: turn.cpu_ms),
            "idle_mb": result.idle_mb,
            "peak_mb": result.peak_mb,
        }
    )


def results_table(results: Results) -> Table:
    """A line for each document and server."""
    table = Table(title="Medians of the rounds; one process each, 4 connections", box=box.SIMPLE)
    table.add_column("document", no_wrap=True)
    table.add_column("server", no_wrap=True)
    for heading in ("requests/s", "p50 ms", "p99 ms", "CPU ms", "idle MB", "peak MB", f"{SERVER} : it (least, most)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for document, servers in results.items():
        compared = ratios(servers)
        for name, result in servers.items():
            shown = [_short(value) for value in numbers(result).values()]
            ratio = compared.get(name)
            times = "" if ratio is None else f"{ratio.median:.2f} ({ratio.min:.2f}, {ratio.max:.2f})"
            table.add_row(document, name, *shown, times, end_section=name == list(servers)[-1])
    return table


def targets_table(found: Iterable[Target]) -> Table:
    """A line for each target."""
    return _verdicts((target.document, target.what, target.wanted, target.reached, target.passed) for target in found)


def growth_table(found: Iterable[Growth]) -> Table:
    """A line for each comparison."""
    return _verdicts(
        (growth.document, growth.what, f"≤ {growth.most:g}", growth.times.median, growth.passed) for growth in found
    )


def _verdicts(rows: Iterable[tuple[str, str, str, float, bool]]) -> Table:
    table = Table(title="Targets", box=box.SIMPLE)
    for heading in ("document", "what", "target", "reached", ""):
        table.add_column(heading)
    for document, what, wanted, reached, passed in rows:
        table.add_row(document, what, wanted, f"{reached:.2f}", "[green]pass[/]" if passed else "[red]miss[/]")
    return table


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers to four digits."""
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in values.items()}
