"""A program that runs an import again and again, each time killed at another commit, until one finishes.

`python -m tests.support.interrupted DSN OUTPUT FILE…` forks a process for each attempt. One dies right after its first
commit, the next right before its second one, in the middle of a batch, and so on; batches are tiny. The report of the
last one is written to OUTPUT, and the number of killed ones to standard output.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import asyncpg

from db.bookingsync import files as import_files
from db.bookingsync import steps
from tests.support.importing import import_pages


def die() -> None:
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_commit(connection: asyncpg.Connection, *, before: bool) -> None:
    """Kill this process right before the second commit on the connection, or right after the first one."""
    execute = asyncpg.Connection.execute
    commits = 0

    async def count(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        nonlocal commits
        ends = self is connection and query == "COMMIT;"
        commits += ends
        if ends and before and commits > 1:
            die()
        result = await execute(self, query, *arguments, **options)
        if ends and not before:
            die()
        return result

    asyncpg.Connection.execute = count


async def attempt(dsn: str, files: list[Path], *, before: bool) -> str:
    """Import with two connections, as the command does, and return the report."""
    first, second = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    die_at_commit(first, before=before)
    return json.dumps(asdict(await import_pages(first, files, second=second)), default=str)


def main(dsn: str, output: str, *files: str) -> int:
    """Repeat until an attempt is not killed."""
    import_files.RECORDS, steps.RECORDS, steps.CONVERSATIONS = 100, 25, 5
    killed = 0
    while True:
        child = os.fork()
        if not child:
            report = asyncio.run(attempt(dsn, [Path(file) for file in files], before=killed % 2 == 1))
            Path(output).write_text(report)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(killed)  # noqa: T201  # a program's answer
            return os.waitstatus_to_exitcode(status)
        killed += 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
