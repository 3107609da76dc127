"""Each server is one process of its own, served as production serves, on a free port of this machine.

The processes are started and stopped here, by their id, and no others are.
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
        """The CPU time that the process has used so far."""
        return cpu_seconds(self.pid)

    @property
    def peak_mb(self) -> float | None:
        """The most memory that the process has had so far."""
        return peak_mb(self.pid)


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[ServerProcess]:
    """Run a server until the block ends. Its first line of standard output is its port.

    No `INBOX_…` of this process is passed on, so that runs are the same everywhere. Its log goes to a file, as a
    production log does. Raises ServerProcessError.
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
                    # So that its log is whole.
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
    """Until the server answers, with whatever status. Raises OSError."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    finally:
        connection.close()


def main(factory: str) -> None:
    """Serve `module:factory`. The port is printed first: who connects before the server is ready waits for it."""
    with listen("127.0.0.1", 0) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        serve(factory, listener, Settings())


if __name__ == "__main__":
    main(sys.argv[1])
