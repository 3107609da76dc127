"""The importing rules: files in, rows and leftovers out.

Malformed files are in `test_import_page`, links in `test_import_links`.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from db.bookingsync.kind import KINDS
from db.bookingsync.report import Fate
from db.tables.base import FIRST_OWN_ID
from tests.support.importing import Inbox, by_text, import_pages, record, thread

pytestmark = pytest.mark.anyio

EXPORTS = Path(__file__).parents[1] / "exports"
COMPLETE = EXPORTS / "complete"
GAPS = EXPORTS / "gaps"


@pytest.fixture
def inbox(connection: asyncpg.Connection, tmp_path: Path) -> Inbox:
    """An empty database to import into."""
    return Inbox(connection, tmp_path)


# ------------------------------------------------------------------------------------------------ what comes in


async def test_a_complete_export_leaves_nothing_over(inbox: Inbox) -> None:
    report = await import_pages(inbox.connection, [COMPLETE])
    assert report.leftovers == []
    assert report.exit_code == 0
    assert report.imported == {kind.name: 1 for kind in KINDS} | {"sources": 2, "participants": 2, "messages": 2}
    assert (report.unchanged, report.linked) == ({}, {})


async def test_records_are_stored_as_recorded(inbox: Inbox) -> None:
    await import_pages(inbox.connection, [COMPLETE])
    fetch = inbox.connection.fetchrow
    account = await fetch("SELECT business_name, email, time_zone FROM accounts")
    assert tuple(account) == ("Fjord Cabins", "post@fjord.example", "Europe/Oslo")
    assert tuple(await fetch("SELECT account_id, name FROM users")) == (70, "Ingrid Dahl")
    assert tuple(await fetch("SELECT email, phone, preferred_locale FROM clients")) == (
        "ada@guest.example",
        "+47 1",
        "",
    )
    assert tuple(await fetch("SELECT user_id, source_id, email FROM hosts")) == (700, None, None)
    booking = await fetch("SELECT status, final_price, notes, external_reference, client_id, rental_id FROM bookings")
    assert tuple(booking) == ("BOOKED", Decimal("1500.0"), "", "HMABC", 7100, 7200)
    assert str(booking["final_price"]) == "1500.0"
    inquiry = await fetch("SELECT account_id, conversation_id, booking_id, children FROM inquiries")
    assert tuple(inquiry) == (70, 8000, 4000, 0)
    conversation = await fetch(
        "SELECT default_channel, assignee_id, source_id, created_by_type, created_by_id,"
        " created_by_application_id, created_by_user_id, read_at FROM conversations"
    )
    read_at = datetime(2019, 5, 2, 10, tzinfo=UTC)
    assert tuple(conversation) == ("BOOKING_COM", 7400, 7300, "APPLICATION", 65, 65, None, read_at)
    assert await inbox.connection.fetch("SELECT * FROM conversation_bookings") == [(70, 8000, 4000)]
    participants = await inbox.connection.fetch(
        "SELECT account_id, id, client_id, host_id FROM participants ORDER BY id"
    )
    assert participants == [(70, 8001, None, 7400), (70, 8002, 7100, None)]
    messages = await inbox.connection.fetch(
        "SELECT id, channel, origin, visibility, sent_at, created_by_user_id FROM messages ORDER BY id"
    )
    assert messages == [
        (9000, "AIRBNB", "AIRBNB_MESSAGE", "EXTERNAL", datetime(2019, 5, 1, 8, 30, tzinfo=UTC), None),
        (9001, None, "BOOKINGSYNC_INBOX", "INTERNAL", datetime(2019, 5, 2, 9, tzinfo=UTC), 700),
    ]
    assert await inbox.connection.fetch("SELECT internal FROM sources ORDER BY id") == [(True,), (False,)]


async def test_gaps_are_listed_and_the_rest_comes_in(inbox: Inbox) -> None:
    report = await import_pages(inbox.connection, [GAPS, COMPLETE])
    assert report.exit_code == 1
    assert by_text(report) == [
        ("reviews", None, Fate.SKIPPED, "'reviews' is not a kind of record that the inbox has"),
        ("bookings", 40, Fate.NOT_LINKED, "client 7100 was not found: left empty"),
        ("bookings", 40, Fate.NOT_LINKED, "inquiry 51 was not found: not connected"),
        ("inquiries", 50, Fate.KEPT_ASIDE, "rental 99 was not found"),
        ("conversations", 80, Fate.NOT_LINKED, "assignee 7400 was not found: left empty"),
        ("conversations", 80, Fate.NOT_LINKED, "booking 41 was not found: not connected"),
        ("conversations", 80, Fate.NOT_LINKED, "created_by user 7 was not found: kept by its id"),
        ("conversations", 80, Fate.NOT_LINKED, "inquiry 52 was not found: not connected"),
        ("participants", 81, Fate.NOT_LINKED, "member client 30 was not found: kept by its id"),
        ("participants", 83, Fate.KEPT_ASIDE, "conversation 89 was not found"),
        ("messages", 91, Fate.KEPT_ASIDE, "sender 82 was not found in conversation 80"),
        ("messages", 92, Fate.KEPT_ASIDE, "conversation 88 was not found"),
    ]
    file = GAPS / "everything.json"
    assert [left.where for left in report.leftovers[-2:]] == [f"{file}: messages[1]", f"{file}: messages[2]"]
    rows = await inbox.rows()
    assert [row for row in rows["conversation_bookings"] if row[0] == 71] == [(71, 80, 40)]
    assert await inbox.one("SELECT business_name FROM accounts WHERE id = 71") == "Account 71"
    assert await inbox.one("SELECT client_id FROM bookings WHERE id = 40") is None
    old = await inbox.connection.fetchrow("SELECT visibility, sent_at, created_by_id FROM messages WHERE id = 90")
    assert tuple(old) == ("EXTERNAL", datetime(2018, 1, 2, tzinfo=UTC), None)
    kept = await inbox.connection.fetchrow("SELECT member_type, member_id, client_id FROM participants WHERE id = 81")
    assert tuple(kept) == ("CLIENT", 30, None)


async def test_a_message_without_a_conversation_or_a_sender_is_kept_aside(inbox: Inbox) -> None:
    pages = thread(5)
    pages["messages"] += [record("messages", 6, links={"sender": 5}), record("messages", 7, links={"conversation": 5})]
    report = await inbox.give(**pages, inquiries=[record("inquiries", 8)])
    assert by_text(report)[:1] == [("inquiries", 8, Fate.KEPT_ASIDE, "names no rental")]
    assert by_text(report)[-2:] == [
        ("messages", 6, Fate.KEPT_ASIDE, "names no conversation"),
        ("messages", 7, Fate.KEPT_ASIDE, "names no sender"),
    ]
    assert report.imported == {"conversations": 1, "participants": 1, "messages": 1}


async def test_a_sender_of_another_conversation_is_no_sender(inbox: Inbox) -> None:
    first, second = thread(5), thread(6)
    second["messages"][0]["links"]["sender"] = 5
    await inbox.give(**first)
    report = await inbox.give(**second)
    assert ("messages", 6, Fate.KEPT_ASIDE, "sender 5 was not found in conversation 6") in by_text(report)


async def test_records_of_another_account_do_not_match(inbox: Inbox) -> None:
    foreign = {"account": 2}
    await inbox.give(
        clients=[record("clients", 30, links=foreign)],
        hosts=[record("hosts", 31, links=foreign)],
        users=[record("users", 32, links=foreign)],
        bookings=[record("bookings", 33, links=foreign)],
    )
    pages = thread(5)
    pages["conversations"][0]["links"] |= {"assignee": 31, "bookings": [33], "created_by": {"id": 32, "type": "User"}}
    report = await inbox.give(**pages)
    assert [text for _, _, _, text in by_text(report)] == [
        "assignee 31 was not found: left empty",
        "booking 33 was not found: not connected",
        "created_by user 32 was not found: kept by its id",
        "member client 30 was not found: kept by its id",
    ]
    assert await inbox.one("SELECT count(*) FROM participants WHERE account_id = 1 AND client_id IS NULL") == 1


async def test_a_conversation_of_the_files_goes_before_a_stored_one_with_its_id(inbox: Inbox) -> None:
    await inbox.give(**thread(5, account=2))
    report = await inbox.give(**thread(5, account=1))
    assert report.imported == {"conversations": 1, "participants": 1, "messages": 1}
    assert await inbox.connection.fetch("SELECT account_id, id FROM messages ORDER BY 1") == [(1, 5), (2, 5)]


async def test_one_conversation_id_in_two_accounts_at_once_is_not_guessed(inbox: Inbox) -> None:
    files = [inbox.page(**thread(5, account=1)), inbox.page(**thread(5, account=2))]
    report = await import_pages(inbox.connection, files)
    text = "conversation 5 is in several accounts: import one account at a time"
    assert [(left.kind, left.text) for left in report.leftovers] == [("participants", text)] * 2 + [
        ("messages", text)
    ] * 2
    assert report.imported == {"conversations": 2}


async def test_the_limits_themselves_are_stored(inbox: Inbox) -> None:
    rental = record("rentals", 1, updated_at="9999-12-31T23:59:59.9999Z")
    conversation = record("conversations", FIRST_OWN_ID - 1, subject="ø" * 255)
    assert (await inbox.give(conversations=[conversation], rentals=[rental])).exit_code == 0
    assert await inbox.one("SELECT length(subject) FROM conversations WHERE id = 999999999999") == 255
    assert await inbox.one("SELECT updated_at FROM rentals") == datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert (await inbox.give(rentals=[rental])).unchanged == {"rentals": 1}


async def test_an_import_of_nothing_is_reported(inbox: Inbox, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    missing = tmp_path / "missing.json"
    report = await import_pages(inbox.connection, [empty, missing])
    assert report.exit_code == 2
    assert [(left.where, left.text) for left in report.leftovers] == [
        (str(missing), "cannot be read: No such file or directory")
    ]


async def test_one_bad_file_and_one_bad_record_cost_nothing_else(inbox: Inbox) -> None:
    broken = inbox.page()
    broken.write_text("{")
    nameless = inbox.page(rentals=[record("rentals", 1, name=None), record("rentals", 2)])
    report = await import_pages(inbox.connection, [broken, nameless, COMPLETE])
    assert [(left.kind, left.id, left.what) for left in report.leftovers] == [
        ("file", None, Fate.MALFORMED),
        ("rentals", 1, Fate.MALFORMED),
    ]
    assert report.imported["rentals"] == 2
    assert report.exit_code == 1


# ----------------------------------------------------------------------------------------- again, and in any order


async def test_a_second_import_changes_nothing(inbox: Inbox) -> None:
    first = await import_pages(inbox.connection, [GAPS, COMPLETE])
    before = await inbox.rows()
    second = await import_pages(inbox.connection, [GAPS, COMPLETE])
    assert (second.imported, second.linked) == ({}, {})
    assert second.unchanged == first.imported
    assert second.leftovers == first.leftovers
    assert await inbox.rows() == before


async def test_nothing_new_and_nothing_left_over_is_a_success(inbox: Inbox) -> None:
    await import_pages(inbox.connection, [COMPLETE])
    assert (await import_pages(inbox.connection, [COMPLETE])).exit_code == 0


@pytest.mark.parametrize("seed", range(3))
async def test_the_order_of_files_does_not_matter(inbox: Inbox, seed: int) -> None:
    files = [*COMPLETE.iterdir(), *GAPS.iterdir()]
    # Two different records of the same age: the same one is stored in any order of files.
    files += [inbox.page(rentals=[record("rentals", 1, name=name)]) for name in ("Boathouse", "Barn")]
    expected = await import_pages(inbox.connection, files, dry_run=True)
    random.Random(seed).shuffle(files)  # noqa: S311  # an order, not a secret
    report = await import_pages(inbox.connection, files)
    assert by_text(report) == by_text(expected)
    assert report.imported == expected.imported
    assert await inbox.one("SELECT name FROM rentals WHERE id = 1") == "Boathouse"
    rows = await inbox.rows()
    await inbox.connection.execute("TRUNCATE accounts, applications CASCADE")
    await import_pages(inbox.connection, sorted(files))
    assert await inbox.rows() == rows


async def test_a_record_in_two_pages_counts_once(inbox: Inbox) -> None:
    old, new = record("rentals", 1, day=2, name="Barn"), record("rentals", 1, day=3, name="Boathouse")
    report = await inbox.give(rentals=[new, old, new])
    assert report.imported == {"rentals": 1}
    assert await inbox.one("SELECT name FROM rentals") == "Boathouse"


async def test_the_newer_record_wins(inbox: Inbox) -> None:
    await inbox.give(rentals=[record("rentals", 1, day=2, name="Barn")])
    for day, name, expected in ((1, "Older", "Barn"), (2, "As old", "Barn"), (3, "Newer", "Newer")):
        report = await inbox.give(rentals=[record("rentals", 1, day=day, name=name)])
        assert await inbox.one("SELECT name FROM rentals") == expected
        assert (report.imported, report.unchanged)[expected == "Barn"] == {"rentals": 1}
        assert report.exit_code == 0


async def test_what_an_older_record_lacks_is_not_listed(inbox: Inbox) -> None:
    await inbox.give(conversations=[record("conversations", 5, day=2)])
    report = await inbox.give(
        conversations=[record("conversations", 5, day=1, links={"assignee": 31, "bookings": [4]})]
    )
    assert report.leftovers == []


async def test_users_and_applications_have_no_age_and_the_last_given_wins(inbox: Inbox) -> None:
    pages = [inbox.page(applications=[{"id": 1, "name": name}]) for name in ("First", "Last")]
    assert (await import_pages(inbox.connection, pages)).imported == {"applications": 1}
    assert await inbox.one("SELECT name FROM applications") == "Last"
    assert (await import_pages(inbox.connection, pages)).unchanged == {"applications": 1}
    assert (await import_pages(inbox.connection, pages[:1])).imported == {"applications": 1}
    assert await inbox.one("SELECT name FROM applications") == "First"


async def test_a_placeholder_account_gives_way_to_the_record(inbox: Inbox) -> None:
    report = await inbox.give(rentals=[record("rentals", 1)])
    assert report.imported == {"rentals": 1}
    assert await inbox.one("SELECT business_name FROM accounts") == "Account 1"
    report = await inbox.give(accounts=[record("accounts", 1, business_name="Fjord Cabins", time_zone=None)])
    assert report.imported == {"accounts": 1}
    assert await inbox.connection.fetch("SELECT business_name, time_zone FROM accounts") == [("Fjord Cabins", "UTC")]


async def test_a_dry_run_reports_and_changes_nothing(inbox: Inbox) -> None:
    before, next_id = await inbox.rows(), await inbox.one("SELECT last_value FROM row_ids")
    dry = await import_pages(inbox.connection, [GAPS], dry_run=True)
    assert await inbox.rows() == before
    assert await inbox.one("SELECT last_value FROM row_ids") == next_id
    assert dry == await import_pages(inbox.connection, [GAPS])


async def test_a_record_that_is_written_here_between_two_imports_stays_apart(inbox: Inbox) -> None:
    """The REST API gives the ids after the last import, too."""
    await inbox.give(rentals=[record("rentals", 500)])
    own = await inbox.one(
        """INSERT INTO conversations (account_id, subject, created_at, updated_at)
        VALUES (1, 'Written here', now(), now()) RETURNING id"""
    )
    report = await inbox.give(conversations=[record("conversations", id_, subject="Imported") for id_ in (501, own)])
    deletion = await inbox.give(conversations=[record("conversations", 502)], meta={"deleted_ids": [own]})

    assert own >= FIRST_OWN_ID
    text = f"id: Input should be less than {FIRST_OWN_ID}"
    assert by_text(report) == [("conversations", own, Fate.MALFORMED, text)]
    assert by_text(deletion) == [("file", None, Fate.MALFORMED, "meta.deleted_ids is not a list of ids")]
    subjects = await inbox.connection.fetch("SELECT id, subject FROM conversations ORDER BY id")
    assert [tuple(row) for row in subjects] == [(501, "Imported"), (502, None), (own, "Written here")]


async def test_a_record_nested_more_deeply_than_allowed_is_left_over(inbox: Inbox, tmp_path: Path) -> None:
    # Of the record and of the arrays in it.
    (tmp_path / "deep.json").write_text(f'{{"rentals": [{{"id": 1, "other": {"[" * 15}{"]" * 15}}}]}}')

    report = await import_pages(inbox.connection, [tmp_path / "deep.json"], max_depth=15)
    assert [left.text for left in report.leftovers] == [
        "is not JSON: line 1 column 14: a value has more than 15 levels"
    ]

    report = await import_pages(inbox.connection, [tmp_path / "deep.json"], max_depth=16)
    assert not [left.text for left in report.leftovers if "levels" in left.text]
