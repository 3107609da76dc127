"""Starts and stops servers. Each is one process with the settings of production, on a free port of this machine.

Only processes that were started here are stopped, by their ids.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection

from gql.settings import Settings
from gql.web.server import listen, serve
from tests.bench.cpu import cpu_seconds, peak_mb

# Seconds for a server to start listening, and to stop. PostgreSQL may have to start too.
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
        """The CPU time that the process has used so far."""
        return cpu_seconds(self.pid)

    @property
    def peak_mb(self) -> float | None:
        """The peak memory of the process so far."""
        return peak_mb(self.pid)


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[ServerProcess]:
    """Run a server until the block ends. Its first line of standard output is its port.

    `INBOX_…` variables of this process are not passed on, so that runs are the same everywhere. The log goes to a file,
    as in production. Raises ServerProcessError.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INBOX_")}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(  # noqa: S603
            command, env=inherited | dict(environment), stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            server = ServerProcess(process.pid, int(process.stdout.readline() or 0))
            try:
                _wait(server.port)
            except OSError as error:
                with suppress(subprocess.TimeoutExpired):
                    # After it has ended, the log is complete.
                    process.wait(1)
                log.seek(0)
                raise ServerProcessError(f"{command[-1]} did not start:\n{log.read()[-2_000:]}") from error
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_PATIENCE)
            if process.stdout is not None:
                process.stdout.close()


def _wait(port: int) -> None:
    """Wait until the server responds, with any status. Raises OSError."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    finally:
        connection.close()


def main(factory: str) -> None:
    """Serve `module:factory`. The port is printed first; clients that connect before the server is ready wait."""
    with listen("127.0.0.1", 0) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        serve(factory, listener, Settings())


if __name__ == "__main__":
    main(sys.argv[1])
