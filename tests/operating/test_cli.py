"""The command `inbox` except the demo: the effect of each command, and its one-line error."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from asyncpg.types import ServerVersion
from starlette.types import Receive, Scope, Send

from db.refusal import OperatorError
from gql.cli import run
from gql.schema import build_schema
from gql.settings import Settings
from gql.web.server import listen, serve
from tests.support.client import SECRET
from tests.support.command import forget_settings, refusal, scalar, spawn

EXPORTS = Path(__file__).parents[1] / "exports"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_settings(monkeypatch, tmp_path)


@pytest.fixture
def database(dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated, empty database in `DATABASE_URL`."""
    monkeypatch.setenv("DATABASE_URL", dsn)
    return dsn


@pytest.fixture
def unmigrated(create_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A database without tables in `DATABASE_URL`."""
    dsn = create_database("template1")
    monkeypatch.setenv("DATABASE_URL", dsn)
    return dsn


# serve


def unused_port() -> int:
    """An unused port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.usefixtures("database")
def test_serve_refuses_to_start_without_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "serve", "--port", "0")

    assert line == "inbox: There is no key to verify tokens: set INBOX_JWT_SECRET or INBOX_JWKS"


@pytest.mark.usefixtures("database")
def test_serve_refuses_to_start_with_a_short_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INBOX_JWT_SECRET", "short")

    assert refusal(capsys, "serve", "--port", "0") == "inbox: INBOX_JWT_SECRET is shorter than 32 bytes"


@pytest.mark.parametrize("place", ["keys.json", f"http://127.0.0.1:{unused_port()}/keys"], ids=["file", "address"])
@pytest.mark.usefixtures("database")
def test_serve_refuses_to_start_with_public_keys_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    monkeypatch.setenv("INBOX_JWKS", place)

    assert refusal(capsys, "serve", "--port", "0").startswith("inbox: INBOX_JWKS cannot be read: ")


def test_serve_refuses_to_start_without_a_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INBOX_JWT_SECRET", SECRET)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://inbox:password@127.0.0.1:{unused_port()}/inbox")
    line = refusal(capsys, "serve", "--port", "0")

    assert line.startswith("inbox: The database cannot be reached: ")
    assert "password" not in line


@pytest.mark.usefixtures("unmigrated")
def test_serve_refuses_to_start_with_migrations_pending(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INBOX_JWT_SECRET", SECRET)
    line = refusal(capsys, "serve", "--port", "0")

    assert line == "inbox: The database has pending migrations: run `inbox migrate` first"


@pytest.mark.usefixtures("database")
def test_serve_refuses_to_start_on_a_busy_port(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INBOX_JWT_SECRET", SECRET)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(capsys, "serve", "--port", str(port))

    assert line == f"inbox: Port {port} of 127.0.0.1 is in use: choose another one with --port"


@pytest.mark.usefixtures("database")
def test_an_old_postgresql_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    old = ServerVersion(13, 0, 22, "final", 0)
    monkeypatch.setattr(asyncpg.Connection, "get_server_version", lambda _self: old)

    assert refusal(capsys, "migrate") == "inbox: The database is PostgreSQL 13: 14 or newer is needed"


@pytest.mark.parametrize("host", ["inbox:pass/word@127.0.0.1", "inbox:pass#word@127.0.0.1", "127.0.0.1:99999"])
def test_an_address_that_is_not_understood_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{host}/inbox")
    line = refusal(capsys, "migrate")

    assert line == (
        "inbox: DATABASE_URL is not understood: it has the form postgresql://user:password@host:port/database, "
        "with the password URL-encoded"
    )


def test_an_application_that_does_not_start_is_an_error() -> None:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise OSError("no database")

    with listen("127.0.0.1", 0) as listener, pytest.raises(OperatorError, match="The server did not start"):
        serve(fail, listener, Settings())


# migrate


def test_two_processes_migrate_at_once_and_a_third_finds_nothing_to_do(
    unmigrated: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    processes = [spawn("migrate", folder=tmp_path, DATABASE_URL=unmigrated) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(output.split()[0] for output, _ in said) == ["Applied", "Up"]
    assert [errors for _, errors in said] == ["", ""]
    assert run(["migrate"]) == 0
    assert capsys.readouterr() == ("Up to date\n", "")


def test_the_embedded_database_is_used_without_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["migrate"]) == 0

    assert capsys.readouterr().out.startswith("Applied ")
    assert (tmp_path / ".data" / "postgres" / "PG_VERSION").exists()
    assert not (tmp_path / ".data" / "postgres" / "postmaster.pid").exists()


# seed


def test_seed_fills_an_empty_database_and_prints_the_counts(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["seed", "--accounts", "3", "--conversations", "4"]) == 0

    counts = capsys.readouterr().out.rstrip().split(", ")
    assert {"3 accounts", "12 conversations"} <= {*counts}
    assert scalar(database, "SELECT count(*) FROM conversations") == 12


@pytest.mark.usefixtures("database")
def test_seed_refuses_a_database_with_data(capsys: pytest.CaptureFixture[str]) -> None:
    run(["seed", "--accounts", "1", "--conversations", "0"])
    capsys.readouterr()

    line = refusal(capsys, "seed")
    assert line == "inbox: The database has accounts or applications already; a seed needs an empty one."


@pytest.mark.parametrize("arguments", [["seed"], ["import", str(EXPORTS)]])
@pytest.mark.usefixtures("unmigrated")
def test_a_database_that_is_not_migrated_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    line = refusal(capsys, *arguments)

    assert line == "inbox: The database has pending migrations: run `inbox migrate` first"


# token


def test_a_token_needs_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "token")

    assert line == ("inbox: There is no key to sign with: set INBOX_JWT_SECRET, or start `inbox demo`, which makes one")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--scopes", "inbox_raed"], "Invalid value for --scopes: unknown scopes: inbox_raed"),
        (["--expires-in", "1y"], 'Invalid value for --expires-in: "1y" is no duration: write 90s, 30m, 1h or 7d'),
        (
            ["--user", "1", "--application", "2"],
            "Invalid value for --user and --application: a token is for one of both",
        ),
        (["--account", "0"], "Invalid value for '--account': Input should be greater than or equal to 1"),
        (
            ["--account", str(2**63)],
            f"Invalid value for '--account': Input should be less than or equal to {2**63 - 1}",
        ),
        (["--acount", "1"], "No such option: --acount (Possible options: --account)"),
    ],
)
def test_a_mistake_in_the_options_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert refusal(capsys, "token", *arguments, code=2) == f"inbox: {line}"


# import


def test_an_import_without_a_gap_shows_what_came_in(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", str(EXPORTS / "complete")]) == 0

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["new", "or", "changed", "unchanged", "linked"]
    stored = scalar(database, "SELECT count(*) FROM messages")
    assert stored > 0
    assert ["messages", str(stored), "0", "0"] in rows


@pytest.mark.usefixtures("database")
def test_an_import_with_gaps_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    file = EXPORTS / "gaps" / "everything.json"
    assert run(["import", str(file)]) == 1

    assert f"kept aside: {file}: messages[" in capsys.readouterr().out


def test_a_dry_run_imports_nothing(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", str(EXPORTS / "complete"), "--dry-run"]) == 0

    assert capsys.readouterr().out.splitlines()[-1] == "Nothing was written: this was a dry run."
    assert scalar(database, "SELECT count(*) FROM messages") == 0


@pytest.mark.usefixtures("database")
def test_an_import_of_nothing_has_its_own_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.json").write_text("{")
    assert run(["import", "broken.json"]) == 2

    assert capsys.readouterr().out.startswith("malformed: broken.json: ")


@pytest.mark.usefixtures("database")
def test_the_import_takes_no_record_beyond_the_depth_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("INBOX_MAX_JSON_DEPTH", "10")
    page = tmp_path / "deep.json"
    page.write_text(f'{{"rentals": [{{"other": {"[" * 10}{"]" * 10}}}]}}')

    run(["import", str(page)])

    assert "a value has more than 10 levels" in capsys.readouterr().out


@pytest.mark.usefixtures("database")
def test_a_path_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "import", "nowhere", code=2).endswith("path 'nowhere' does not exist.")


# epoch


def test_the_epoch_is_shown_and_started_anew(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["epoch"]) == 0
    assert run(["epoch"]) == 0
    assert run(["epoch", "--new"]) == 0

    first, second, third = capsys.readouterr().out.split()
    assert first == second != third == scalar(database, "SELECT value FROM epochs")


# schema


def test_the_schema_is_written_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "schema.graphql"
    assert run(["schema"]) == 0
    assert file.read_text(encoding="utf-8").rstrip("\n") == build_schema().as_str().rstrip("\n")
    assert run(["schema", "--check"]) == 0
    assert capsys.readouterr() == ("", "")

    file.write_text(file.read_text(encoding="utf-8").replace("\ntype Host ", "\ntype Landlord "), encoding="utf-8")
    assert run(["schema", "--check"]) == 1
    output, errors = capsys.readouterr()
    assert [line for line in output.splitlines() if line.startswith(("-type", "+type"))] != []
    assert errors == "inbox: schema.graphql is not the schema: write it with `inbox schema`\n"


def test_a_schema_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "schema", "--check").endswith("No such file or directory: 'schema.graphql'")


# the whole


def test_wrong_settings_are_a_line_each(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("INBOX_POOL_SIZE", "0")
    monkeypatch.setenv("INBOX_MAX_TOKENS", "-1")

    assert run(["migrate"]) == 1
    assert capsys.readouterr() == (
        "",
        (
            "inbox: INBOX_POOL_SIZE: Input should be greater than or equal to 1\n"
            "inbox: INBOX_MAX_TOKENS: Input should be greater than or equal to 1\n"
        ),
    )


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_without_a_command_the_commands_are_shown(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(arguments) == 0

    output = capsys.readouterr().out
    assert all(
        f" {name} " in output for name in ("demo", "serve", "migrate", "seed", "token", "import", "epoch", "schema")
    )


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0

    assert capsys.readouterr().out[0].isdigit()
