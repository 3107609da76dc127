"""An interrupted import: killed at any point, stopped by an error, or without its report being read.

Continuing it must give the same rows and the same report as an uninterrupted import.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from db.bookingsync import files as import_files
from db.bookingsync import steps
from db.bookingsync.importing import Phase, importing
from db.queries.conversation.derived import STATEMENTS
from db.refusal import OperatorError
from gql.cli import run
from tests.oracles.company import ACCOUNTS, write_company
from tests.support.command import forget_settings, refusal, scalar, spawn, stops
from tests.support.importing import Imported, Inbox, import_pages, moment, record, rows, thread

pytestmark = pytest.mark.anyio

# Files of an earlier import, so that the tested import replaces, completes and links rows.
EARLIER = slice(0, 4)
SCHEMA = "SELECT to_regnamespace('inbox_import') IS NOT NULL"


class StoppedError(Exception):
    """The test stopped an import."""


def stop_at(step: int) -> Callable[[Phase, int, int], None]:
    """A progress that stops an import before its nth batch."""
    steps_left = iter(range(step))

    def report(*_progress: object) -> None:
        if next(steps_left, None) is None:
            raise StoppedError

    return report


@pytest.fixture
def inbox(connection: asyncpg.Connection, tmp_path: Path) -> Inbox:
    """An empty database to import into."""
    return Inbox(connection, tmp_path)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make batches tiny."""
    monkeypatch.setattr(import_files, "RECORDS", 7)
    monkeypatch.setattr(steps, "RECORDS", 5)
    monkeypatch.setattr(steps, "CONVERSATIONS", 2)


def threads(numbers: range) -> dict[str, list[Any]]:
    """A page with a thread for each of the numbers."""
    pages = [thread(number) for number in numbers]
    return {kind: [page[kind][0] for page in pages] for kind in pages[0]}


def as_written(report: Imported) -> Any:
    return json.loads(json.dumps(asdict(report), default=str))


async def uninterrupted(dsn: str, files: list[Path]) -> tuple[Any, dict[str, list[Any]]]:
    """The report and the rows of an uninterrupted import."""
    connection = await asyncpg.connect(dsn)
    try:
        report = await import_pages(connection, files)
        return as_written(report), await rows(connection)
    finally:
        await connection.close()


@pytest.fixture
def pair(dsn: str, tmp_path: Path, create_database: Callable[[str], str]) -> tuple[str, str, list[Path]]:
    """Two databases with the same earlier import, and the files to import into both."""
    files = write_company(tmp_path, seed=3)
    asyncio.run(uninterrupted(dsn, files[EARLIER]))
    return dsn, create_database(urlsplit(dsn).path[1:]), files


# --------------------------------------------------------------------------------------------------------- killed


@stops
@pytest.mark.slow
async def test_an_import_that_is_killed_at_every_commit_ends_like_one_that_is_not(
    pair: tuple[str, str, list[Path]], tmp_path: Path
) -> None:
    calm, disturbed, files = pair
    output = tmp_path / "report"
    arguments = [sys.executable, "-m", "tests.support.interrupted", disturbed, str(output), *map(str, files)]
    done = await asyncio.to_thread(
        subprocess.run,
        arguments,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert int(done.stdout) > 40

    report, stored = await uninterrupted(calm, files)
    assert json.loads(output.read_text()) == report
    assert len(report["leftovers"]) > 20
    connection = await asyncpg.connect(disturbed)
    assert await rows(connection) == stored
    assert not await connection.fetchval(SCHEMA)
    await connection.close()


@stops
@pytest.mark.slow
async def test_a_command_that_is_killed_at_any_moment_can_be_run_again(
    pair: tuple[str, str, list[Path]], tmp_path: Path
) -> None:
    calm, disturbed, files = pair
    big = tmp_path / "big.json"
    big.write_text(json.dumps(threads(range(3_000, 5_000))))
    files = [*files, big]
    dice = random.Random(1)  # noqa: S311  # a moment, not a secret
    kills, outputs = 0, []
    for attempt in range(20):
        process = spawn("import", *map(str, files), folder=tmp_path, DATABASE_URL=disturbed)
        # Later each time, so that one attempt finishes on a slow machine too.
        killer = threading.Timer(dice.uniform(0.8, 2) + attempt / 2, process.kill)
        killer.start()
        outputs.append((await asyncio.to_thread(process.communicate))[0])
        killer.cancel()
        if process.returncode != -9:
            break
        kills += 1
    assert process.returncode == 1
    assert kills > 0

    report, stored = await uninterrupted(calm, files)
    connection = await asyncpg.connect(disturbed)
    assert await rows(connection) == stored
    await connection.close()
    # An import that was killed after its report is complete: the next run finds nothing to do.
    lines = next(lines for lines in map(str.splitlines, outputs) if len(lines) >= len(outputs[-1].splitlines()))
    counts = {line.split()[0]: line.split()[1:] for line in lines[1 : -len(report["leftovers"])]}
    assert counts["messages"][0] == f"{report['imported']['messages']:,}"
    assert [line.split(": ", 1)[1].rsplit(": ", 1)[0] for line in lines[-len(report["leftovers"]) :]] != []
    assert [line.partition(": ")[0] for line in lines[-len(report["leftovers"]) :]] == [
        left["what"] for left in report["leftovers"]
    ]


# An import that is continued


@pytest.mark.usefixtures("tiny")
async def test_tiny_batches_end_like_large_ones(
    pair: tuple[str, str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, files = pair
    tiny = await uninterrupted(one, files)
    monkeypatch.setattr(steps, "RECORDS", 10_000)
    monkeypatch.setattr(import_files, "RECORDS", 10_000)
    assert await uninterrupted(other, files) == tiny


@pytest.mark.usefixtures("tiny")
async def test_an_import_continues_with_the_same_contents_of_files(inbox: Inbox, tmp_path: Path) -> None:
    pages = [inbox.page(rentals=[record("rentals", number, name=None) for number in range(n, n + 9)]) for n in (1, 20)]
    with pytest.raises(StoppedError):
        await import_pages(inbox.connection, pages, progress=stop_at(2))
    moved = [page.rename(tmp_path / f"moved-{page.name}") for page in pages]
    report = await import_pages(inbox.connection, moved[::-1])
    assert [left.where for left in report.leftovers] == [
        f"{file}: rentals[{place}]" for file in moved for place in range(9)
    ]


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("change", ["more", "fewer", "edited"])
async def test_other_files_are_refused_while_an_import_is_unfinished(inbox: Inbox, change: str) -> None:
    first, second = inbox.page(**thread(5)), inbox.page(**thread(6))
    with pytest.raises(StoppedError):
        await import_pages(inbox.connection, [first, second], progress=stop_at(12))
    before = await inbox.rows()
    others = {"more": [first, second, inbox.page(**thread(7))], "fewer": [first], "edited": [first, second]}[change]
    if change == "edited":
        second.write_text(second.read_text().replace("Hei", "Hoi"))
    with pytest.raises(OperatorError) as refusal:
        await import_pages(inbox.connection, others)
    assert str(refusal.value) == (
        f"An import of 2 other files is unfinished, {first} among them: "
        "import these again to continue it, or add --abandon to drop the rest of it"
    )
    assert await inbox.rows() == before


@pytest.mark.usefixtures("tiny")
async def test_what_an_abandoned_import_has_written_is_derived_and_linked(inbox: Inbox) -> None:
    await inbox.give(**thread(5))
    pages = thread(6)
    pages["clients"] = [record("clients", 30)]
    page = inbox.page(**pages)
    assert await inbox.one("SELECT client_id FROM participants") is None

    batches = 0
    while await inbox.one("SELECT count(*) FROM messages") < 2:
        batches += 1
        with pytest.raises(StoppedError):
            await import_pages(inbox.connection, [page], progress=stop_at(1))
    assert batches > 5
    assert await inbox.one("SELECT unread_count FROM conversations WHERE id = 6") == 0
    report = await import_pages(inbox.connection, [inbox.page(rentals=[record("rentals", 1)])], abandon=True)
    assert report.imported == {"rentals": 1}
    assert await inbox.one("SELECT array_agg(client_id) FROM participants") == [30, 30]
    assert await inbox.one("SELECT array_agg(unread_count) FROM conversations") == [1, 1]
    assert (await import_pages(inbox.connection, [page])).unchanged == {
        "clients": 1,
        "conversations": 1,
        "participants": 1,
        "messages": 1,
    }


async def test_a_connection_that_is_lost_while_it_waits_to_write_ends_the_import(inbox: Inbox, dsn: str) -> None:
    pages = threads(range(1, 400))
    for message in pages["messages"]:
        message["content"] = "words " * 5_000
    page = inbox.page(**pages)
    with pytest.raises(StoppedError):
        await import_pages(inbox.connection, [page], progress=stop_at(0))
    # PostgreSQL takes the first message and no more, and what follows it is far more than fits between it and us.
    await inbox.connection.execute("""
        CREATE FUNCTION inbox_import.sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); END';
        CREATE TRIGGER sleep BEFORE INSERT ON inbox_import.staged_messages
        FOR EACH ROW EXECUTE FUNCTION inbox_import.sleep()
    """)
    connection = await asyncpg.connect(dsn)
    lost = asyncio.create_task(import_pages(connection, [page]))
    terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'"
    while not await inbox.connection.fetchval(terminate, connection.get_server_pid()):  # noqa: ASYNC110  # its event is not ours
        await asyncio.sleep(0.01)
    await asyncio.wait({lost}, timeout=20)
    assert lost.done()
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
        await lost

    await inbox.connection.execute("DROP TRIGGER sleep ON inbox_import.staged_messages")
    report = await import_pages(inbox.connection, [page])
    assert report.imported == {"conversations": 399, "participants": 399, "messages": 399}


async def test_a_report_that_was_not_taken_is_given_again(inbox: Inbox) -> None:
    page = inbox.page(**thread(5))
    with pytest.raises(StoppedError):
        async with importing(inbox.connection, [page]):
            raise StoppedError
    assert await inbox.one(SCHEMA)
    report = await import_pages(inbox.connection, [page])
    assert report.imported == {"conversations": 1, "participants": 1, "messages": 1}
    assert not await inbox.one(SCHEMA)
    assert (await import_pages(inbox.connection, [page])).imported == {}


@pytest.mark.usefixtures("tiny")
async def test_a_dry_run_of_an_unfinished_import_leaves_it_as_it_is(inbox: Inbox) -> None:
    page = inbox.page(**thread(5))
    with pytest.raises(StoppedError):
        await import_pages(inbox.connection, [page], progress=stop_at(12))
    before = await inbox.rows()
    dry = await import_pages(inbox.connection, [page], dry_run=True)
    assert await inbox.rows() == before
    assert await import_pages(inbox.connection, [page]) == dry


async def test_of_two_imports_at_once_the_second_finds_what_the_first_brought(inbox: Inbox, dsn: str) -> None:
    page = inbox.page(**threads(range(1, 200)))
    other = await asyncpg.connect(dsn)
    both = await asyncio.gather(*(import_pages(connection, [page]) for connection in (inbox.connection, other)))
    await other.close()
    counts = {"conversations": 199, "participants": 199, "messages": 199}
    assert [report.imported for report in both] in ([counts, {}], [{}, counts])
    assert [report.unchanged for report in both] in ([counts, {}], [{}, counts])


# ------------------------------------------------------------------------------------------------------------ derived


async def derive_again(inbox: Inbox) -> None:
    """Derive all values, and assert that nothing changes."""
    before = await inbox.rows()
    for account in ACCOUNTS:
        ids = [row[1] for row in before["conversations"] if row[0] == account]
        for statement in STATEMENTS:
            await inbox.connection.execute(statement, account, ids)
    assert await inbox.rows() == before


async def test_a_client_of_a_booking_that_gets_another_name_is_found_by_it(inbox: Inbox) -> None:
    await inbox.give(
        clients=[record("clients", 30, fullname="Ada")],
        bookings=[record("bookings", 4, links={"client": 30})],
        conversations=[record("conversations", 5, links={"bookings": [4]})],
    )
    words = await inbox.one("SELECT words FROM conversation_texts")
    await inbox.give(clients=[record("clients", 30, day=2, fullname="Grace")])
    assert await inbox.one("SELECT words FROM conversation_texts") != words
    await derive_again(inbox)


@pytest.mark.usefixtures("tiny")
async def test_what_is_derived_is_right_after_every_import(inbox: Inbox) -> None:
    files = write_company(inbox.folder, seed=5)
    for file in files:
        await import_pages(inbox.connection, [file])
        await derive_again(inbox)
    assert await inbox.one("SELECT count(*) FROM conversations WHERE waiting_since IS NOT NULL") > 3


async def test_a_guest_waits_from_the_first_message_that_nobody_answered(inbox: Inbox) -> None:
    pages = thread(5)
    links = {"conversation": 5, "sender": 5}
    pages["messages"] += [
        record("messages", id, day=id + 1, created_at=moment(id + 1), sent_at=moment(id), links=links)
        for id in (6, 7)  # noqa: A001
    ]
    await inbox.give(**pages)
    derived = "SELECT (waiting_since AT TIME ZONE 'UTC')::date::text || ' ' || unread_count FROM conversations"
    assert await inbox.one(derived) == "2019-05-01 3"
    member = {"id": 31, "type": "Host"}
    await inbox.give(
        participants=[record("participants", 6, links={"conversation": 5, "member": member})],
        messages=[record("messages", 8, sent_at="2019-05-06T09:00:00Z", links={"conversation": 5, "sender": 6})],
    )
    assert await inbox.one(derived) == "2019-05-07 3"
    # Everything was sent by then; messages that arrived later are unread.
    await inbox.give(conversations=[record("conversations", 5, day=2, read_at=moment(7))])
    assert await inbox.one(derived) == "2019-05-07 1"


def test_the_command_says_what_to_do_with_an_unfinished_import(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forget_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("DATABASE_URL", dsn)
    for name, page in (("begun.json", thread(5)), ("other.json", thread(6))):
        (tmp_path / name).write_text(json.dumps(page))

    async def begin() -> None:
        connection = await asyncpg.connect(dsn)
        with pytest.raises(StoppedError):
            await import_pages(connection, [tmp_path / "begun.json"], progress=stop_at(2))
        await connection.close()

    asyncio.run(begin())
    assert "add --abandon" in refusal(capsys, "import", "other.json")
    assert run(["import", "other.json", "--abandon"]) == 1
    assert ["messages", "1", "0", "0"] in [line.split() for line in capsys.readouterr().out.splitlines()]
    assert scalar(dsn, "SELECT array_agg(id) FROM conversations") == [6]


async def test_progress_counts_bytes_and_then_records(inbox: Inbox) -> None:
    reported: list[tuple[Phase, int, int]] = []
    page = inbox.page(**thread(5))
    await import_pages(inbox.connection, [page], progress=lambda *progress: reported.append(progress))
    assert reported[0] == (Phase.READING, 0, page.stat().st_size)
    assert (Phase.JOINING, 0, 3) in reported
    assert (Phase.JOINING, 2, 3) in reported
    assert reported == sorted(reported, key=lambda progress: (list(Phase).index(progress[0]), progress[1]))
