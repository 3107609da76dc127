"""Behaviour of all commands: help, completion, start time, and the output after an interruption."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from rich.text import Text

from gql.cli import COMMANDS, load, run
from gql.settings import Settings, variable
from tests.support.client import SECRET
from tests.support.command import forget_settings, refusal, scalar, spawn, stops
from tests.support.process import serving_processes

resource = pytest.importorskip("resource", reason="CPU time of processes is read as POSIX has it")

# Importing these takes longer than everything else that a command without the database and the schema does.
SLOW_TO_IMPORT = {"alembic", "asyncpg", "graphql", "sqlalchemy", "sqlmodel", "starlette", "strawberry", "uvicorn"}
# The CPU time of a server until its first response, as a multiple of the time that importing its libraries takes. Both
# take twice as long on a busy machine.
HEALTHY = 1.4
LIBRARIES = (
    "import aiohttp, alembic.config, asyncpg, httptools, jwt, limits, pydantic_settings, rich, sqlmodel, strawberry"
    ", structlog, typer, uvicorn, uvloop"
)
EXPORT = Path(__file__).parents[1] / "exports" / "complete"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_settings(monkeypatch, tmp_path)


def imported(*arguments: str, folder: Path) -> set[str]:
    """The packages that a successful command imports."""
    process = spawn(*arguments, folder=folder, INBOX_JWT_SECRET=SECRET, PYTHONPROFILEIMPORTTIME="1")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, bool(output)) == (0, True)
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in errors.splitlines()}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["token"]], ids=" ".join)
def test_a_command_without_a_database_starts_quickly(arguments: list[str], tmp_path: Path) -> None:
    packages = imported(*arguments, folder=tmp_path)

    assert "gql" in packages
    assert not packages & SLOW_TO_IMPORT


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="CPU time of a running process is read from /proc")
@pytest.mark.slow
def test_a_server_answers_soon_after_it_was_started(dsn: str, tmp_path: Path) -> None:
    attempts = [(cpu_until_healthy(dsn, tmp_path), cpu_of_process(sys.executable, "-c", LIBRARIES)) for _ in range(3)]

    assert min(server / libraries for server, libraries in attempts) < HEALTHY, attempts


def cpu_of_process(*command: str) -> float:
    """CPU seconds of a new process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def cpu_until_healthy(dsn: str, folder: Path) -> float:
    """CPU seconds of `inbox serve` from its start to its first response."""
    with serving_processes(dsn, folder) as served:
        assert httpx.get(f"{served.url}/healthz").status_code == 200
        ticks = Path(f"/proc/{served.process.pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [[], ["token"]], ids=str)
def test_help_has_a_short_and_a_long_name(capsys: pytest.CaptureFixture[str], command: list[str], option: str) -> None:
    assert run([*command, option]) == 0

    assert f"Usage: {' '.join(['inbox', *command])} " in capsys.readouterr().out


def test_each_command_is_listed_with_its_own_summary() -> None:
    for name, (_, summary) in COMMANDS.items():
        assert load(name).help.startswith(summary.removesuffix(".")), name


def test_the_help_of_serve_names_the_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["serve", "--help"]) == 0

    output = Text.from_ansi(capsys.readouterr().out).plain
    listed = re.findall(r"^│ ((?:INBOX|DATABASE)_\w+) +(.+?) +│$", output, re.MULTILINE)
    described = {field: info.description or "" for field, info in Settings.model_fields.items()}
    assert [name for name, _ in listed] == [variable(field) for field in described]
    for (_, text), description in zip(listed, described.values(), strict=True):
        assert text.startswith(description)
    assert ("INBOX_POOL_SIZE", f"{described['pool_size']} (default 10)") in listed


def test_a_mistaken_command_is_answered_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "migrat", code=2) == "inbox: No such command 'migrat'. Did you mean 'migrate'?"


@pytest.mark.parametrize("command", [["work"], ["serve", "--work"]], ids=str)
def test_webhooks_are_not_delivered_without_the_key_of_their_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("INBOX_JWT_SECRET", SECRET)

    line = refusal(capsys, *command)
    assert line == "inbox: INBOX_SECRET_KEY is not set: without it, no webhook can be signed"


def test_a_misspelt_variable_is_a_line_with_the_nearest_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOX_JWT_SECERT", SECRET)

    line = refusal(capsys, "token")
    assert line == "inbox: INBOX_JWT_SECERT: there is no such setting; did you mean INBOX_JWT_SECRET?"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("inbox se", ["seed", "serve"]),
        ("inbox token --us", ["--user"]),
        ("inbox serve --work", ["--work", "--workers"]),
    ],
)
def test_the_shell_completes_commands_and_their_options(tmp_path: Path, words: str, offered: list[str]) -> None:
    typed = words.split()
    asked = {"_INBOX_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(typed) - 1)}
    output, errors = spawn(folder=tmp_path, **asked).communicate(timeout=60)

    assert (sorted(output.split()), errors) == (offered, "")


def test_completion_is_installed_where_the_shell_looks_for_it(tmp_path: Path) -> None:
    # Otherwise the shell is that of the nearest parent process, and a test may have none.
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    process = spawn("--install-completion", "bash", folder=tmp_path, HOME=str(tmp_path), **named)
    process.communicate(timeout=60)

    written = [file for file in tmp_path.rglob("*") if file.is_file() and "_INBOX_COMPLETE" in file.read_text()]
    assert process.returncode == 0
    assert len(written) == 1
    assert written[0].name in (tmp_path / ".bashrc").read_text()


# Interruptions


@contextmanager
def another_import(dsn: str) -> Iterator[None]:
    """Hold the lock of an import, so that another import waits."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(dsn))
        runner.run(connection.execute("SELECT pg_advisory_lock(hashtext('inbox import'))"))
        yield
        runner.run(connection.close())


def interrupt_once(process: subprocess.Popen[str], dsn: str, condition: str) -> tuple[int, str, str]:
    """Send Ctrl-C to a process when the condition holds in the database; return its exit code and output."""
    while process.poll() is None and not scalar(dsn, condition):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    return process.returncode, output, errors


@stops
def test_an_interrupted_seed_says_that_nothing_was_written(dsn: str, tmp_path: Path) -> None:
    process = spawn("seed", "--conversations", "100000", folder=tmp_path, DATABASE_URL=dsn)
    copying = "SELECT count(*) FROM pg_locks WHERE mode = 'RowExclusiveLock' AND relation = 'messages'::regclass"

    assert interrupt_once(process, dsn, copying) == (
        130,
        "",
        "inbox: Interrupted: nothing was written. Run `inbox seed` again to start over\n",
    )
    assert scalar(dsn, "SELECT count(*) FROM accounts") == 0


IMPORTING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@stops
@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            [],
            (
                "inbox: Interrupted: what was imported so far is kept. Run the same command again to continue, "
                "or import other files with --abandon to leave out the rest\n"
            ),
        ),
        (["--dry-run"], "inbox: Interrupted: nothing was written, as this was a dry run\n"),
    ],
    ids=["import", "dry run"],
)
def test_an_interrupted_import_says_what_was_kept(dsn: str, tmp_path: Path, options: list[str], line: str) -> None:
    with another_import(dsn):
        process = spawn("import", str(EXPORT), *options, folder=tmp_path, DATABASE_URL=dsn)
        ended = interrupt_once(process, dsn, IMPORTING)

    assert ended == (130, "", line)


def test_an_import_of_a_folder_without_files_names_the_files_that_it_needs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "page.txt").write_text("{}")

    line = refusal(capsys, "import", "export", code=2)
    assert line == "inbox: There is no *.json file in export: name the folder or the files of an export"
