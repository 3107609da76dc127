"""The embedded server: it starts in any folder, keeps its data, and stops with its last user."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import db.embedded
from db.embedded import EmbeddedError, embedded

# Another process that starts or joins the server: it prints the DSN, and ends with its input or SIGTERM.
USER = """
import signal, sys
from pathlib import Path
from db.embedded import embedded

def stop(*_):
    raise SystemExit

signal.signal(signal.SIGTERM, stop)
with embedded(Path(sys.argv[1])) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""


def _ask(dsn: str, *statements: str) -> Any:
    """The value of the last statement."""

    async def run() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


@contextmanager
def _starting(data: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that begins to use the server; killed at the end if it still runs."""
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", USER, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _user(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that uses the server, and the DSN it got."""
    with _starting(data) as process:
        assert process.stdout
        yield process, process.stdout.readline().strip()


def _stops(dsn: str) -> bool:
    try:
        _ask(dsn, "SELECT 1")
    except OSError:
        return True
    return False


def _kill_server(data: Path) -> None:
    os.kill(int((data / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stopped server that was used once."""
    data = tmp_path_factory.mktemp("made")
    with embedded(data) as dsn:
        _ask(dsn, "CREATE TABLE kept (number int)", "INSERT INTO kept VALUES (42)")
    assert _stops(dsn)
    return data


def test_a_restart_keeps_the_data(made: Path) -> None:
    with embedded(made) as dsn:
        assert _ask(dsn, "SELECT number FROM kept") == 42
        assert _ask(dsn, "SHOW fsync") == "on"


def test_it_is_the_same_on_every_machine(made: Path) -> None:
    with embedded(made) as dsn:
        assert _ask(dsn, "SHOW server_version").startswith("18.")
        assert _ask(dsn, "SHOW server_encoding") == "UTF8"
        assert _ask(dsn, "SHOW timezone") == "UTC"
        assert _ask(dsn, "SELECT upper('é') || (SELECT min(x) FROM (VALUES ('a'), ('B')) AS t (x))") == "ÉB"


def test_nobody_reaches_it_over_the_network(made: Path) -> None:
    with embedded(made) as dsn:
        assert _ask(dsn, "SHOW listen_addresses") == ""
        assert (made / "postgres").stat().st_mode & 0o077 == 0


def test_the_environment_does_not_mislead_it(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere", "LC_ALL": "no_PLACE"}.items():
        monkeypatch.setenv(name, value)
    with embedded(made) as dsn:
        assert _ask(dsn, "SELECT number FROM kept") == 42


@pytest.mark.parametrize(
    "name", ["with a space $(false) 'a' \"b\" c&d=e?f#g%20", "and, a comma", "é" * 60], ids=["odd", "comma", "long"]
)
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    with embedded(tmp_path / name / "deeper") as dsn:
        assert Path(_ask(dsn, "SHOW data_directory")) == tmp_path / name / "deeper" / "postgres"


def test_a_relative_path_is_of_the_working_directory(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.parent)
    with embedded(Path(made.name)) as dsn:
        monkeypatch.chdir("/")
        assert _ask(dsn, "SELECT number FROM kept") == 42


def test_the_last_of_two_processes_stops_it(made: Path) -> None:
    with embedded(made) as mine, _user(made) as (other, theirs):
        assert theirs == mine
        other.communicate("", timeout=30)
        assert other.returncode == 0
        assert _ask(mine, "SELECT 1") == 1
    assert _stops(mine)


def test_the_first_of_two_processes_leaves_it_running(made: Path) -> None:
    with embedded(made) as mine, _user(made) as (other, theirs):
        assert theirs == mine
        # Now the other way round: the process that started it ends first.
    with _user(made) as (other, theirs):
        with embedded(made):
            other.communicate("", timeout=30)
            assert _ask(theirs, "SELECT 1") == 1
        assert _stops(theirs)


def test_two_blocks_of_one_process_are_two_users(made: Path) -> None:
    with embedded(made) as outer:
        with embedded(made) as inner:
            assert inner == outer
        assert _ask(outer, "SELECT 1") == 1
    assert _stops(outer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it(made: Path, number: signal.Signals) -> None:
    with _user(made) as (process, dsn):
        assert _ask(dsn, "SELECT 1") == 1
        process.send_signal(number)
        process.communicate(timeout=30)
        assert _stops(dsn)


@pytest.mark.parametrize("sign", ["postgres.new/PG_VERSION", "postgres/postmaster.pid"])
def test_a_signal_while_it_starts_leaves_no_server(tmp_path: Path, sign: str) -> None:
    with _starting(tmp_path) as process:
        while not (tmp_path / sign).exists():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()
    with embedded(tmp_path) as dsn:
        assert _ask(dsn, "SELECT 1") == 1


def test_it_recovers_where_everything_was_killed(made: Path) -> None:
    with _user(made) as (process, dsn):
        _ask(dsn, "CREATE TABLE IF NOT EXISTS survived (number int)", "INSERT INTO survived VALUES (1)")
        process.kill()
        process.wait()
        _kill_server(made)
    assert (made / "postgres" / "postmaster.pid").exists()
    with embedded(made) as dsn:
        assert _ask(dsn, "SELECT max(number) FROM survived") == 1
    assert _stops(dsn)


def test_a_process_id_that_is_another_now_does_not_matter(made: Path) -> None:
    with _user(made) as (process, _):
        _kill_server(made)
        process.kill()
    stale = made / "postgres" / "postmaster.pid"
    lines = stale.read_text().splitlines()
    account = {"user": stale.stat().st_uid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["/bin/sleep", "60"], **account) as bystander:  # type: ignore[call-overload]
        stale.write_text("\n".join([str(bystander.pid), *lines[1:]]))
        with embedded(made) as dsn:
            assert _ask(dsn, "SELECT number FROM kept") == 42
        assert bystander.poll() is None
        bystander.kill()


def test_a_server_whose_users_were_killed_is_joined(made: Path) -> None:
    with _user(made) as (process, dsn):
        started = _ask(dsn, "SELECT pg_postmaster_start_time()")
        process.kill()
        process.wait()
        with embedded(made) as again:
            assert _ask(again, "SELECT pg_postmaster_start_time()") == started
        assert _stops(again)


def test_a_start_that_was_cut_short_is_begun_anew(tmp_path: Path) -> None:
    staging = tmp_path / "postgres.new"
    staging.mkdir()
    (staging / "PG_VERSION").write_text("18\n")
    with embedded(tmp_path) as dsn:
        assert _ask(dsn, "SELECT 1") == 1
    assert not staging.exists()


def test_what_the_body_raises_is_left_alone(made: Path) -> None:
    with pytest.raises(FileNotFoundError, match="mine"), embedded(made) as dsn:
        raise FileNotFoundError("mine")
    assert _stops(dsn)


def _a_file(data: Path) -> None:
    data.write_text("")


def _of_another_version(data: Path) -> None:
    (data / "postgres").mkdir(parents=True)
    (data / "postgres" / "PG_VERSION").write_text("16\n")


def _broken(data: Path) -> None:
    with embedded(data):
        pass
    (data / "postgres" / "global" / "pg_control").unlink()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [(_a_file, "File exists"), (_of_another_version, "PostgreSQL 16"), (_broken, "pg_control")],
    ids=["file", "version", "broken"],
)
def test_a_failure_is_reported_in_one_line(tmp_path: Path, prepare: Callable[[Path], None], words: str) -> None:
    data = tmp_path / "data"
    prepare(data)
    with pytest.raises(EmbeddedError) as caught, embedded(data):
        pass
    message = str(caught.value)
    assert words in message
    assert str(data) in message
    assert len(message.splitlines()) == 1


def test_without_the_programs_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.embedded, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedError, match="DATABASE_URL"), embedded(tmp_path):
        pass
