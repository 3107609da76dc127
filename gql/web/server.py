"""Serving on a port of this machine: listen first, serve then, stop when a signal asks for it.

A port that is taken is known before anything slow begins, and whoever connects meanwhile waits for the answer instead
of being refused. What is served is not decided here.
"""

from __future__ import annotations

import errno
import gc
import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# Seconds for requests in flight when the server is asked to stop. With what then takes time - to notice the signal, and
# to close the connections to the database - the server is gone in 10, which is what container platforms commonly wait.
GRACE = 7
# New objects that may be garbage before Python looks for cycles among them.
COLLECT_AFTER = 50_000


class ServerError(RuntimeError):
    """Nothing can be served. The message is one line."""


@contextmanager
def starting() -> Iterator[None]:
    """End the process, so that its supervisor gives up, where the block that makes an application raises.

    What fails with one worker fails with the next, and the supervisor would start them for ever.
    """
    try:
        yield
    except Exception:  # noqa: BLE001  # whatever it is, it would be so again
        structlog.stdlib.get_logger("inbox").exception("failed to start")
        sys.exit(STARTUP_FAILURE)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; the system chooses the port where it is 0. Raises ServerError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(address[0]), port), family=family)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ServerError(f"Port {port} of {host} is in use: choose another one with --port") from error
        reason = error.strerror if isinstance(error, OSError) else "is no name of a host"
        raise ServerError(f"Cannot listen on port {port} of {host}: {reason}") from error


def tune_collector() -> None:
    """Let Python look for cyclic garbage seldom, and never in what was there before the first request.

    An answer makes tens of thousands of objects without a cycle; looking after every 700 takes a third of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def url_of(listener: socket.socket) -> str:
    """The address to reach `listener` at from this machine, without a slash at its end."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"  # noqa: PLR2004


class _Supervisor(Multiprocess):
    """Uvicorn's, which refuses new connections as soon as it stops its workers.

    As long as one process has the listener open, connections are made that nobody is going to answer.
    """

    def terminate_all(self) -> None:
        """Stop listening, then ask the workers to finish."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def serve(application: ASGIApp | str, listener: socket.socket, *, workers: int = 1) -> None:
    """Serve until SIGINT or SIGTERM, and answer the requests that are in flight then.

    `application` is `module:factory` where there are several workers, as each makes its own. Raises ServerError where
    it does not start; the log says why.
    """
    config = uvicorn.Config(
        application,
        factory=isinstance(application, str),
        workers=workers,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    failed = False
    if workers > 1:
        supervisor = _Supervisor(config, [listener])
        supervisor.run()
        failed = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    else:
        try:
            # Once it has stopped, uvicorn raises the signal again that it was stopped by.
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run([listener])
        except SystemExit:
            failed = True
    if failed:
        raise ServerError("The server did not start")
