"""Medians over the rounds, ratios with their extremes, and the targets: as tables and as JSON.

A missed target is reported, but is not a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table

from tests.bench.contender import CONTENDERS, EMPTY, HANDWRITTEN, MERCURIUS, POSTGRAPHILE, SERVER, STRAWBERRY
from tests.bench.growth import Growth
from tests.bench.measure import Result, Results, Spread, Turn, cpu_ratios, ratios

# The least requests/s of the server with 8 clients, as multiples of the other servers'.
_RPS: Mapping[tuple[str, str], float] = {
    ("typename", EMPTY): 0.55,
    ("one", HANDWRITTEN): 0.75,
    ("one", STRAWBERRY): 4,
    ("one", MERCURIUS): 0.7,
    ("list", HANDWRITTEN): 0.7,
    ("list", STRAWBERRY): 8,
    ("list", MERCURIUS): 1.2,
    ("nested", HANDWRITTEN): 0.75,
    ("nested", STRAWBERRY): 18,
    ("nested", MERCURIUS): 2.2,
    ("mutation", STRAWBERRY): 2,
    ("mutation", MERCURIUS): 0.7,
    ("mutation", POSTGRAPHILE): 1.0,
    ("wide", HANDWRITTEN): 0.70,
    ("wide", STRAWBERRY): 20,
}
# The most CPU time of a mutation, in milliseconds.
_MUTATION_CPU = {"server": 1.2, "PostgreSQL": 0.8}
# The most memory of the server with `wide`, as a share of Strawberry's.
_PEAK = 0.5

_NUMBERS = ("rps", "cpu_ms", "pg_cpu_ms", "p50_ms", "p99_ms", "client_cpu_ms")


@dataclass(frozen=True, slots=True)
class Target:
    """A target and the measured value."""

    document: str
    what: str
    wanted: str
    reached: float
    passed: bool


def targets(results: Results) -> list[Target]:
    """The targets for the measured documents and servers."""
    found = []
    for document, servers in results.items():
        for name, ratio in ratios(servers, _most_clients(servers)).items():
            least = _RPS.get((document, name))
            if least is not None:
                passed = ratio.median >= least
                found.append(Target(document, f"requests/s, {SERVER} : {name}", f"≥ {least:g}", ratio.median, passed))
    return [*found, *_cpu_targets(results), *_memory_targets(results)]


def as_json(results: Results, not_run: Mapping[str, str], machine: Mapping[str, Any]) -> dict[str, Any]:
    """All numbers, rounded to four digits. `documents` is with the most clients, `alone` with one."""
    return {
        "documents": {document: _by_server(servers, _most_clients(servers)) for document, servers in results.items()},
        "alone": {document: _by_server(servers, min(_clients(servers))) for document, servers in results.items()},
        "ratios": _all_ratios(results, ratios),
        "cpu_ratios": _all_ratios(results, cpu_ratios),
        "targets": [_rounded(asdict(target)) for target in targets(results)],
        "not_run": dict(not_run),
        "machine": dict(machine),
    }


def equality(documents: Iterable[str], servers: Iterable[str], not_run: Mapping[str, str]) -> str:
    """The report of a run that only compared responses."""
    lines = [f"{name}: not run, {reason}" for name, reason in not_run.items()]
    return "\n".join([f"Equal answers to {', '.join(documents)} of {', '.join(servers)}", *lines])


def growth_as_json(found: Sequence[Growth], machine: Mapping[str, Any]) -> dict[str, Any]:
    """The measurements of `--growth`."""
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


def numbers(result: Result, clients: int) -> dict[str, float | None]:
    """A document on one server: the medians of the rounds, and its memory."""

    def median(name: str) -> float | None:
        def pick(turn: Turn) -> float | None:
            value: float | None = getattr(turn, name)
            return value

        return result.median(clients, pick)

    shown = {name: median(name) for name in _NUMBERS}
    return _rounded({**shown, "idle_mb": result.idle_mb, "peak_mb": result.peak_mb})


def results_table(results: Results, not_run: Mapping[str, str], clients: int) -> Table:
    """A line for each document and server."""
    table = Table(title=f"Medians of the rounds; one process each, clients: {clients}", box=box.SIMPLE)
    headings = ("req/s", "CPU ms", "PG CPU", "p50 ms", "p99 ms", "client", "idle MB", "peak MB")
    for heading in ("document", "server"):
        table.add_column(heading, no_wrap=True)
    for heading in (*headings, f"{SERVER} : it (least, most)", f"CPU, it : {SERVER}"):
        table.add_column(heading, justify="right", no_wrap=True)
    for document, servers in results.items():
        rates, costs = ratios(servers, clients), cpu_ratios(servers, clients)
        for name, result in servers.items():
            shown = map(_short, numbers(result, clients).values())
            table.add_row(document, name, *shown, _spread(rates.get(name)), _spread(costs.get(name)))
        table.add_section()
    table.caption = "\n".join(f"{name}: not run, {reason}" for name, reason in not_run.items()) or None
    return table


def targets_table(found: Iterable[Target]) -> Table:
    """A line for each target."""
    return _verdicts((target.document, target.what, target.wanted, target.reached, target.passed) for target in found)


def growth_table(found: Iterable[Growth]) -> Table:
    """A line for each comparison."""
    return _verdicts(
        (growth.document, growth.what, f"≤ {growth.most:g}", growth.times.median, growth.passed) for growth in found
    )


def _clients(servers: Mapping[str, Result]) -> list[int]:
    return list(servers[SERVER].turns)


def _most_clients(servers: Mapping[str, Result]) -> int:
    return max(_clients(servers))


def _by_server(servers: Mapping[str, Result], clients: int) -> dict[str, Any]:
    """The results of all contenders; None for one that does not answer the document or was not run."""
    names = [contender.name for contender in CONTENDERS]
    return {name: numbers(servers[name], clients) if name in servers else None for name in names}


def _all_ratios(results: Results, compare: Callable[[Mapping[str, Result], int], Mapping[str, Spread]]) -> Any:
    """By document, number of clients, and other server."""
    return {
        document: {
            clients: {name: _rounded(asdict(ratio)) for name, ratio in compare(servers, clients).items()}
            for clients in _clients(servers)
        }
        for document, servers in results.items()
    }


def _cpu_targets(results: Results) -> Iterable[Target]:
    servers = results.get("mutation", {})
    if SERVER not in servers:
        return
    shown = numbers(servers[SERVER], _most_clients(servers))
    for what, reached in (("server", shown["cpu_ms"]), ("PostgreSQL", shown["pg_cpu_ms"])):
        if reached is not None:
            most = _MUTATION_CPU[what]
            yield Target("mutation", f"CPU ms, {what}", f"≤ {most:g}", reached, reached <= most)


def _memory_targets(results: Results) -> Iterable[Target]:
    servers = results.get("wide", {})
    if not {SERVER, STRAWBERRY} <= set(servers):
        return
    mine, theirs = servers[SERVER].peak_mb, servers[STRAWBERRY].peak_mb
    if mine is not None and theirs is not None:
        share = mine / theirs
        yield Target("wide", f"peak memory, {SERVER} : {STRAWBERRY}", f"≤ {_PEAK:g}", share, share <= _PEAK)


def _verdicts(rows: Iterable[tuple[str, str, str, float, bool]]) -> Table:
    table = Table(title="Targets", box=box.SIMPLE)
    for heading in ("document", "what", "target", "reached", ""):
        table.add_column(heading)
    for document, what, wanted, reached, passed in rows:
        table.add_row(document, what, wanted, f"{reached:.2f}", "[green]pass[/]" if passed else "[red]miss[/]")
    return table


def _spread(ratio: Spread | None) -> str:
    return "" if ratio is None else f"{ratio.median:.2f} ({ratio.min:.2f}, {ratio.max:.2f})"


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers to four digits."""
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in values.items()}
