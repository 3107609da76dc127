"""Claim: each server is one process of its own, served as production serves, and its CPU time and memory are its own.

The processes are started and stopped here, by their id, and nothing else is. CPU time and memory are Linux's: None on
other systems.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from gql.web.server import listen, serve

# Seconds for a server to start listening, and to stop. PostgreSQL may have to be waited for.
_PATIENCE = 30


class ServerProcessError(RuntimeError):
    """A server did not start. The message has the end of its log."""


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server."""

    pid: int
    port: int

    @property
    def cpu_seconds(self) -> float | None:
        """The CPU time that the process has used so far, in steps of 10 ms."""
        try:
            text = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return None
        # The name of the program is in parentheses and may hold anything.
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @property
    def peak_mb(self) -> float | None:
        """The most memory that the process has had so far, in MB of 1,000,000 bytes."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except FileNotFoundError:
            return None
        peak = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1_024 / 1_000_000


@contextmanager
def running(factory: str, environment: Mapping[str, str]) -> Iterator[ServerProcess]:
    """Serve `module:factory` in a process of its own, on a free port, until the block ends.

    Of the environment's own `INBOX_…` nothing is passed on, so that runs are the same everywhere. Raises
    ServerProcessError.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INBOX_")}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tests.bench.process", factory],
            env=inherited | dict(environment),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            server = ServerProcess(process.pid, int(process.stdout.readline() or 0))
            try:
                _wait(server.port)
            except OSError as error:
                with suppress(subprocess.TimeoutExpired):
                    # So that its log is whole.
                    process.wait(1)
                log.seek(0)
                raise ServerProcessError(f"{factory} did not start:\n{log.read()[-2_000:]}") from error
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_PATIENCE)
            if process.stdout is not None:
                process.stdout.close()


def _wait(port: int) -> None:
    """Until the server answers, whatever it is. Raises OSError."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    finally:
        connection.close()


def main(factory: str) -> None:
    """Serve, and say on which port: who connects before the server is ready waits for it."""
    with listen("127.0.0.1", 0) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        serve(factory, listener)


if __name__ == "__main__":
    main(sys.argv[1])
