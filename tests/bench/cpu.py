"""CPU time and memory of processes on Linux; None on other systems."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import asyncpg

_TICKS = os.sysconf("SC_CLK_TCK")
# Of the fields after the program's name in /proc/<pid>/stat: the parent, and the times of the process and of the
# children that it has waited for.
_PARENT = 1
_OWN = slice(11, 13)
_WITH_WAITED = slice(11, 15)


def cpu_seconds(pid: int) -> float | None:
    """The CPU time that a process and its threads have used so far, in steps of 10 ms."""
    try:
        return sum(map(int, _stat(pid)[_OWN])) / _TICKS
    except ProcessLookupError:
        return None


def cpu_seconds_of_family(pid: int | None) -> float | None:
    """The CPU time of a process and all its children so far, including ended ones."""
    if pid is None:
        return None
    ticks = sum(map(int, _stat(pid)[_WITH_WAITED]))
    for path in Path("/proc").iterdir():
        # A process can end during the measurement; next time it is counted with the ended children.
        with suppress(ProcessLookupError):
            child = _stat(int(path.name)) if path.name.isdigit() else None
            if child is not None and child[_PARENT] == str(pid):
                ticks += sum(map(int, child[_OWN]))
    return ticks / _TICKS


def peak_mb(pid: int) -> float | None:
    """The most memory that a process has had so far, in MB of 1,000,000 bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return None
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1_024 / 1_000_000


async def find_postmaster(dsn: str) -> int | None:
    """PostgreSQL's main process, if it runs on this machine."""
    connection = await asyncpg.connect(dsn)
    try:
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        # If PostgreSQL runs on another machine or in a container, the id may be that of another process here, or of
        # none.
        return int(_stat(backend)[_PARENT]) if "postgres" in _name(backend) else None
    except ProcessLookupError:
        return None
    finally:
        await connection.close()


def _read_stat(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None


def _name(pid: int) -> str:
    return _read_stat(pid).rpartition(")")[0]


def _stat(pid: int) -> list[str]:
    """The fields after the program's name, which may contain any text. Raises ProcessLookupError."""
    return _read_stat(pid).rpartition(")")[2].split()
