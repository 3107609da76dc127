"""Serves an application on a port until SIGINT or SIGTERM.

Listening begins before the slow start, so that a port in use is reported at once, and clients that connect meanwhile
wait instead of being refused.
"""

from __future__ import annotations

import errno
import gc
import ipaddress
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from db.refusal import OperatorError
from db.thread import tune_threads
from gql.settings import Settings
from gql.web.protocol import ConnectionLimits, LimitedProtocol
from gql.web.upgraded import LimitedSocket
from gql.webhooks.places import files

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from starlette.types import ASGIApp

# Seconds that requests in flight have when the server is asked to stop. Noticing the signal and closing the connections
# to the database take time too: the process ends within the 10 seconds that container platforms commonly wait.
GRACE = 7
# Seconds that a worker has to start: with half a CPU the imports alone take more than uvicorn's 5.
START_WITHIN = 120.0
# Seconds that the supervisor waits for the answer of a starting worker. It notices signals only in between.
_LOOK = 0.5
# Files that a process has open besides its connections: its log, its listeners, modules while they are imported.
_OTHER_FILES = 100
# The number of new objects after which Python collects cyclic garbage.
COLLECT_AFTER = 50_000

_log = structlog.stdlib.get_logger("inbox")


@contextmanager
def starting() -> Iterator[None]:
    """If the block raises, exit with the code that makes the supervisor stop.

    If one worker cannot make its application, the next one cannot either.
    """
    try:
        yield
    except Exception:  # noqa: BLE001  # whatever it is, it would happen in the next worker too
        _log.exception("failed to start")
        sys.exit(STARTUP_FAILURE)


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; the system chooses the port if it is 0. Raises OperatorError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(address[0]), port), family=family)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise OperatorError(f"Port {port} of {host} is in use: choose another one with --port") from error
        reason = error.strerror if isinstance(error, OSError) else "is not the name of a host"
        raise OperatorError(f"Cannot listen on port {port} of {host}: {reason}") from error


def tune_python() -> None:
    """Set what the interpreter of a server does between bytecodes. Called before the first request."""
    tune_collector()
    tune_threads()


def tune_collector() -> None:
    """Make Python collect cyclic garbage rarely, and never examine the objects from before the first request.

    A large response makes tens of thousands of objects without a cycle; a collection after every 700 took a third of
    the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def url_of(listener: socket.socket) -> str:
    """The URL of `listener` for clients on this machine, without a trailing slash."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"  # noqa: PLR2004


class _Worker(Process):
    """A worker that has START_WITHIN seconds to start. Uvicorn's is killed after 5 seconds without an answer."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._started = False
        self._start_by = time.monotonic() + START_WITHIN

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether the process runs and, once it has started, answers within `timeout`."""
        if not self.process.is_alive():
            return False
        if self._started:
            return self.ping(timeout)
        self._started = self.is_ready(_LOOK)
        while self._started and self.parent_conn.poll():
            # Late answers to earlier checks.
            self.parent_conn.recv()
        return self._started or time.monotonic() < self._start_by

    def always_pong(self) -> None:
        """Answer the supervisor's checks. If it was killed, stop: nobody else would, and the port would stay in use."""
        # This process's copy of the supervisor's end: with it, the end of the supervisor's would not be noticed.
        self.parent_conn.close()
        try:
            super().always_pong()
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGTERM)


class _Supervisor(Multiprocess):
    """Uvicorn's supervisor with two differences: it logs deaths of workers, and stops listening when it stops.

    While any process listens, the system accepts connections, which no worker would answer.
    """

    sockets: list[socket.socket]

    def init_processes(self) -> None:
        """Start the workers."""
        self.processes = [self._start() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Replace workers that have died or do not answer; stop if one could not make its application."""
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if worker.is_alive(self.config.timeout_worker_healthcheck):
                continue
            answers_not = worker.process.is_alive()
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            reason = "did not answer" if answers_not else "ended"
            _log.error("worker died", pid=worker.pid, reason=reason, exit_code=worker.exitcode)
            self.processes[place] = self._start()

    def _start(self) -> _Worker:
        worker = _Worker(self.config, self.sockets)
        worker.start()
        return worker

    def terminate_all(self) -> None:
        """Stop listening, then ask the workers to finish."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def allow_files(settings: Settings, *connections: int) -> None:
    """Let the process open files for all these connections and its database's, as far as the system lets it."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = sum(connections) + 2 * settings.pool_size + _OTHER_FILES
        if soft < needed and soft != resource.RLIM_INFINITY:
            allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def configure(application: ASGIApp | str, settings: Settings, *, workers: int = 1) -> uvicorn.Config:
    """How uvicorn serves: with our protocols, whose limits `settings` configure."""
    # Both protocols share the set of connections that stay open; each worker process gets a copy of it, which is empty.
    limits = ConnectionLimits.of(settings)
    return uvicorn.Config(
        application,
        factory=isinstance(application, str),
        workers=workers,
        http=partial(LimitedProtocol, limits=limits),  # type: ignore[arg-type]  # it is called in the same way
        ws=partial(LimitedSocket, staying=limits.staying),  # type: ignore[arg-type]  # the same
        ws_max_size=settings.max_body,
        ws_ping_interval=settings.socket_ping_seconds,
        ws_ping_timeout=settings.socket_ping_seconds,
        # With it a socket takes 122 to 135 KiB of memory, without 23.
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nothing depends on the client's address.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )


def serve(application: ASGIApp | str, listener: socket.socket, settings: Settings, *, workers: int = 1) -> None:
    """Serve until SIGINT or SIGTERM, then answer the requests in flight.

    With several workers, `application` is `module:factory`, because each worker makes its own. Raises OperatorError if
    it does not start; the log has the reason.
    """
    sending = files(settings.webhook_at_once) if settings.work else 0
    allow_files(settings, settings.max_connections, settings.max_sockets, sending)
    config = configure(application, settings, workers=workers)
    failed = False
    if workers > 1:
        supervisor = _Supervisor(config, [listener])
        supervisor.run()
        failed = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    else:
        try:
            # After stopping, uvicorn raises the signal again.
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run([listener])
        except SystemExit:
            failed = True
    if failed:
        raise OperatorError("The server did not start")
