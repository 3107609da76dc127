"""Runs the command `inbox` in a new process or in this one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from gql.cli import run
from gql.settings import Settings, variable

stops = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send the signals")


def forget_settings(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Remove all settings from this process's environment, and work in `folder`."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)
    monkeypatch.chdir(folder)


def spawn(*arguments: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start `inbox` in a new process that works in `folder`, in a process group of its own."""
    # Processes in the background of a shell ignore Ctrl-C, and their children inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("INBOX_", "DATABASE_"))}
    return subprocess.Popen(  # noqa: S603 - the test's own arguments
        [sys.executable, "-W", "default::ResourceWarning", "-m", "gql", *arguments],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(Path(__file__).parents[2])} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        process_group=0,
    )


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process of `spawn` and its children, which would otherwise keep its pipes open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def read_until(stream: Any, mark: str) -> list[str]:
    """The lines of a process up to one with `mark`, or all lines if none has it."""
    lines: list[str] = []
    while not (lines and mark in lines[-1]) and (line := stream.readline()):
        lines.append(line.rstrip("\n"))
    return lines


@dataclass
class Demo:
    """A running `inbox demo` and its output so far."""

    process: subprocess.Popen[str]
    data: Path
    url: str
    token: str
    curl: str
    follow: str

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.url.rpartition(":")[2])

    def ask(self, document: str, token: str | None = None, **variables: Any) -> dict[str, Any]:
        """The answer to a document."""
        response = httpx.post(
            f"{self.url}/graphql",
            headers={"Authorization": f"Bearer {token or self.token}"},
            json={"query": document, "variables": variables},
        )
        answer: dict[str, Any] = response.json()
        return answer

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Exit code, the rest of the output, and standard error."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=30)
        return self.process.returncode, output, errors


@contextmanager
def running_demo(data: Path, *options: str, **environment: str) -> Iterator[Demo]:
    """A demo on a free port, which is stopped at the end of the block."""
    process = spawn("demo", "--port", "0", "--data", str(data), *options, folder=data.parent, **environment)
    # Reading from a process that hangs would hang too.
    guard = threading.Timer(60, kill, [process])
    guard.start()
    try:
        lines = read_until(process.stdout, "Ctrl-C")
        if len(lines) != 10:
            process.terminate()
            pytest.fail(f"the demo printed {lines}, and {process.communicate(timeout=30)[1]}")
        assert (lines[0], lines[3], lines[5], lines[8]) == ("", "", "", "")
        url, token = lines[1].removeprefix("GraphiQL  "), lines[2].removeprefix("Token     ")
        yield Demo(process, data, url.removesuffix("/graphql"), token, lines[4], lines[7])
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)
        guard.cancel()


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    """The only line of a command, on standard error."""
    assert run(arguments) == code
    output, errors = capsys.readouterr()
    assert output == ""
    (line,) = errors.splitlines()
    return str(line)


def scalar(dsn: str, statement: str) -> Any:
    """The only value of a statement's result."""

    async def fetch() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(fetch())
