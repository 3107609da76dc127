"""Where the tests' PostgreSQL runs, and one of another version than the embedded one, by its `initdb` and `pg_ctl`."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

# Where Linux has a file system in memory, and how many free bytes it must have.
MEMORY = Path("/dev/shm")  # noqa: S108  # folders in it have random names
ROOM = 4 * 2**30
# As in the embedded server: UTF-8 with the case rules of Unicode, sorted by code point.
CLUSTER = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")


def place(otherwise: Path) -> Path:
    """A file system in memory, if there is one with enough room, and `otherwise` if not.

    A database has 400 files: on a disk, copying them takes several times as long, and so does deleting them.
    """
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM else otherwise


@contextmanager
def postgresql(programs: Path) -> Iterator[str]:
    """Run a new server with the `programs`, yield the DSN of its maintenance database, and delete the server."""
    # PostgreSQL does not run as root.
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    # The socket is in a folder with a short name, because the length of its address is limited.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir=place(Path("/tmp"))))  # noqa: S108  # in which every name is new
    os.chown(folder, account.pw_uid, account.pw_gid)

    def call(program: str, *arguments: str) -> None:
        # Output goes to a file: the server inherits it, and a pipe would stay open as long as the server runs.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(  # noqa: S603
                [programs / program, "-D", folder / "data", *arguments],
                user=account.pw_uid,
                group=account.pw_gid,
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode(errors="replace")

    try:
        call("initdb", *CLUSTER)
        options = f"-h '' -k {shlex.quote(str(folder))} -c timezone=UTC"
        call("pg_ctl", "start", "-w", "-l", "server.log", "-o", options)
        try:
            yield f"postgresql://postgres@/postgres?host={quote(str(folder))}&port=5432"
        finally:
            call("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)
