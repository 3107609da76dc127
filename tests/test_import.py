"""The importing rules: files in, rows and leftovers out. What cannot be read at all is in `test_import_page`."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.bookingsync.importing import import_pages
from db.bookingsync.kind import KINDS
from db.bookingsync.report import Fate, Report

pytestmark = pytest.mark.anyio

EXPORTS = Path(__file__).parent / "exports"
COMPLETE = EXPORTS / "complete"
GAPS = EXPORTS / "gaps"
TABLES = (*(kind.name for kind in KINDS), "conversation_bookings")
# What a record of each kind cannot do without, besides its id and its account.
REQUIRED: dict[str, dict[str, Any]] = {
    "accounts": {"business_name": "Fjord Cabins"},
    "applications": {"name": "Airbnb"},
    "users": {"name": "Ingrid"},
    "sources": {"name": "Airbnb"},
    "rentals": {"name": "Boathouse"},
    "clients": {"fullname": "Ada"},
    "hosts": {"firstname": "Ingrid", "lastname": "Dahl"},
    "bookings": {
        "reference": "FJ1",
        "status": "Booked",
        "start_at": "2019-07-01T16:00:00Z",
        "end_at": "2019-07-08T10:00:00Z",
    },
    "conversations": {},
    "inquiries": {"firstname": "Ada", "lastname": "Berg", "email": "ada@guest.example"},
    "participants": {},
    "messages": {"content": "Hei", "origin": "email", "visibility": "external"},
}


def moment(day: int) -> str:
    return f"2019-05-{day:02}T08:00:00Z"


def record(kind: str, id: int, *, day: int = 1, links: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A record of account 1 (where the wire names the account), last changed on `day`."""
    stamps = {"created_at": moment(1), "updated_at": moment(day)}
    return {"id": id, **stamps, **REQUIRED[kind], **fields, "links": {"account": 1, **(links or {})}}


def thread(conversation: int, account: int = 1) -> dict[str, list[dict[str, Any]]]:
    """A conversation with one participant (client 30) and one message of theirs, all under the same id."""
    member = {"conversation": conversation, "member": {"id": 30, "type": "Client"}}
    return {
        "conversations": [record("conversations", conversation, links={"account": account})],
        "participants": [record("participants", conversation, links=member)],
        "messages": [record("messages", conversation, links={"conversation": conversation, "sender": conversation})],
    }


def by_text(report: Report) -> list[tuple[str, int | None, Fate, str]]:
    return [(left.kind, left.id, left.what, left.text) for left in report.leftovers]


class Inbox:
    """An empty database, and pages to import into it."""

    def __init__(self, connection: asyncpg.Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.files = 0

    def page(self, **kinds: Any) -> Path:
        """A file with the given arrays."""
        self.files += 1
        file = self.folder / f"page-{self.files}.json"
        file.write_text(json.dumps(kinds))
        return file

    async def give(self, **kinds: Any) -> Report:
        """Import one page."""
        return await import_pages(self.connection, [self.page(**kinds)])

    async def one(self, query: str) -> Any:
        """The single value of a query."""
        return await self.connection.fetchval(query)

    async def rows(self) -> dict[str, list[Any]]:
        """Everything that is stored."""
        return {
            table: [tuple(row) for row in await self.connection.fetch(f"SELECT * FROM {table} t ORDER BY t")]  # noqa: S608
            for table in TABLES
        }


@pytest.fixture
async def inbox(dsn: str, tmp_path: Path) -> AsyncIterator[Inbox]:
    connection = await asyncpg.connect(dsn)
    yield Inbox(connection, tmp_path)
    await connection.close()


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
        ("bookings", 40, Fate.NOT_LINKED, "client 7100 is nowhere: left empty"),
        ("bookings", 40, Fate.NOT_LINKED, "inquiry 51 is nowhere: not connected"),
        ("conversations", 80, Fate.NOT_LINKED, "assignee 7400 is nowhere: left empty"),
        ("conversations", 80, Fate.NOT_LINKED, "booking 41 is nowhere: not connected"),
        ("conversations", 80, Fate.NOT_LINKED, "created_by user 7 is nowhere: kept by its id"),
        ("conversations", 80, Fate.NOT_LINKED, "inquiry 52 is nowhere: not connected"),
        ("inquiries", 50, Fate.KEPT_ASIDE, "rental 99 is nowhere"),
        ("participants", 81, Fate.NOT_LINKED, "member client 30 is nowhere: kept by its id"),
        ("participants", 83, Fate.KEPT_ASIDE, "conversation 89 is nowhere"),
        ("messages", 91, Fate.KEPT_ASIDE, "sender 82 is nowhere in conversation 80"),
        ("messages", 92, Fate.KEPT_ASIDE, "conversation 88 is nowhere"),
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
    assert ("messages", 6, Fate.KEPT_ASIDE, "sender 5 is nowhere in conversation 6") in by_text(report)


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
        "assignee 31 is nowhere: left empty",
        "booking 33 is nowhere: not connected",
        "created_by user 32 is nowhere: kept by its id",
        "member client 30 is nowhere: kept by its id",
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
    # Two records of one age that differ: one of them wins, and it is the same one in any order.
    files += [inbox.page(rentals=[record("rentals", 1, name=name)]) for name in ("Boathouse", "Barn")]
    expected = await import_pages(inbox.connection, files, dry_run=True)
    random.Random(seed).shuffle(files)  # noqa: S311  # an order, not a secret
    report = await import_pages(inbox.connection, files)
    assert by_text(report) == by_text(expected)
    assert report.imported == expected.imported
    assert await inbox.one("SELECT name FROM rentals WHERE id = 1") == "Boathouse"
    rows = await inbox.rows()
    await inbox.connection.execute("TRUNCATE " + ", ".join(TABLES))
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


async def test_the_sequence_moves_past_imported_ids_and_never_back(inbox: Inbox) -> None:
    await inbox.give(rentals=[record("rentals", 500)])
    assert await inbox.one("SELECT nextval('row_ids')") == 501
    await inbox.give(rentals=[record("rentals", 20)])
    assert await inbox.one("SELECT nextval('row_ids')") == 502


# --------------------------------------------------------------------------------------- links, now and later


async def test_a_member_or_creator_that_comes_later_is_linked(inbox: Inbox) -> None:
    pages = thread(5)
    pages["conversations"][0]["links"]["created_by"] = {"id": 32, "type": "User"}
    pages["messages"][0]["links"]["created_by"] = {"id": 65, "type": "Doorkeeper::Application"}
    assert len((await inbox.give(**pages)).leftovers) == 3
    report = await inbox.give(
        clients=[record("clients", 30)], users=[record("users", 32)], applications=[{"id": 65, "name": "Airbnb"}]
    )
    assert report.linked == {"conversations": 1, "participants": 1, "messages": 1}
    assert await inbox.one("SELECT client_id FROM participants") == 30
    assert await inbox.one("SELECT created_by_user_id FROM conversations") == 32
    assert await inbox.one("SELECT created_by_application_id FROM messages") == 65
    assert (await inbox.give(**pages)).leftovers == []


async def test_a_member_that_comes_later_to_another_account_is_not_linked(inbox: Inbox) -> None:
    await inbox.give(**thread(5))
    report = await inbox.give(clients=[record("clients", 30, links={"account": 2})])
    assert report.linked == {}
    assert await inbox.one("SELECT client_id FROM participants") is None


async def test_the_same_record_given_again_is_completed_with_what_has_come(inbox: Inbox) -> None:
    conversation = record("conversations", 5, links={"assignee": 31, "bookings": [4], "inquiries": [6]})
    booking = record("bookings", 4, links={"client": 30})
    assert len((await inbox.give(conversations=[conversation], bookings=[booking])).leftovers) == 2 + 1
    await inbox.give(
        hosts=[record("hosts", 31)],
        clients=[record("clients", 30)],
        rentals=[record("rentals", 2)],
        inquiries=[record("inquiries", 6, links={"rental": 2})],
    )
    report = await inbox.give(conversations=[conversation], bookings=[booking])
    assert report.leftovers == []
    assert report.imported == {"bookings": 1, "conversations": 1}
    assert await inbox.one("SELECT assignee_id FROM conversations") == 31
    assert await inbox.one("SELECT client_id FROM bookings") == 30
    assert await inbox.one("SELECT conversation_id FROM inquiries") == 5


async def test_a_newer_conversation_has_exactly_the_bookings_and_inquiries_that_it_names(inbox: Inbox) -> None:
    rental = {"rental": 2}
    await inbox.give(
        rentals=[record("rentals", 2)],
        bookings=[record("bookings", 3), record("bookings", 4)],
        inquiries=[record("inquiries", 6, links=rental), record("inquiries", 7, links=rental)],
        conversations=[record("conversations", 5, links={"bookings": [3, 4, 4], "inquiries": [6, 7]})],
    )
    assert await inbox.one("SELECT count(*) FROM conversation_bookings") == 2
    await inbox.give(conversations=[record("conversations", 5, day=2)])
    assert await inbox.one("SELECT count(*) FROM conversation_bookings") == 2, "a record that names none says nothing"
    await inbox.give(conversations=[record("conversations", 5, day=3, links={"bookings": [4], "inquiries": [7]})])
    assert await inbox.connection.fetch("SELECT booking_id FROM conversation_bookings") == [(4,)]
    inquiries = await inbox.connection.fetch("SELECT id, conversation_id FROM inquiries ORDER BY id")
    assert inquiries == [(6, None), (7, 5)]


@pytest.mark.parametrize("order", [(8, 9), (9, 8)])
async def test_an_inquiry_has_the_first_conversation_that_claims_it(inbox: Inbox, order: tuple[int, int]) -> None:
    await inbox.give(rentals=[record("rentals", 2)], inquiries=[record("inquiries", 6, links={"rental": 2})])
    claims = [record("conversations", id, links={"inquiries": [6]}) for id in order]  # noqa: A001
    report = await inbox.give(conversations=claims)
    text = "inquiry 6 is of conversation 8: not connected"
    assert by_text(report) == [("conversations", 9, Fate.NOT_LINKED, text)]
    assert await inbox.one("SELECT conversation_id FROM inquiries") == 8


async def test_the_first_conversation_has_the_inquiry_also_when_it_comes_later(inbox: Inbox) -> None:
    await inbox.give(rentals=[record("rentals", 2)], inquiries=[record("inquiries", 6, links={"rental": 2})])
    for id, holder in ((9, 9), (8, 8), (9, 8)):  # noqa: A001
        await inbox.give(conversations=[record("conversations", id, links={"inquiries": [6]})])
        assert await inbox.one("SELECT conversation_id FROM inquiries") == holder


async def test_an_inquiry_has_the_booking_that_it_names_or_the_first_that_names_it(inbox: Inbox) -> None:
    report = await inbox.give(
        rentals=[record("rentals", 2)],
        bookings=[record("bookings", id, links={"inquiry": 6 if id < 5 else 7}) for id in (4, 3, 5, 8)],  # noqa: A001
        inquiries=[
            record("inquiries", 6, links={"rental": 2}),
            record("inquiries", 7, links={"rental": 2, "booking": 8}),
        ],
    )
    assert by_text(report) == [
        ("bookings", 4, Fate.NOT_LINKED, "inquiry 6 is of booking 3: not connected"),
        ("bookings", 5, Fate.NOT_LINKED, "inquiry 7 is of booking 8: not connected"),
    ]
    assert await inbox.connection.fetch("SELECT id, booking_id FROM inquiries ORDER BY id") == [(6, 3), (7, 8)]


async def test_a_participant_does_not_move_to_another_conversation(inbox: Inbox) -> None:
    await inbox.give(**thread(5), clients=[record("clients", 30)])
    moved = record("participants", 5, day=2, links={"conversation": 6, "member": {"id": 30, "type": "Client"}})
    report = await inbox.give(conversations=[record("conversations", 6)], participants=[moved])
    text = "conversation 5 has this participant already"
    assert by_text(report) == [("participants", 5, Fate.KEPT_ASIDE, text)]
    assert await inbox.one("SELECT conversation_id FROM participants") == 5


async def test_the_limits_themselves_are_stored(inbox: Inbox) -> None:
    rental = record("rentals", 1, updated_at="9999-12-31T23:59:59.9999Z")
    conversation = record("conversations", 2**63 - 1, subject="ø" * 255)
    assert (await inbox.give(conversations=[conversation], rentals=[rental])).exit_code == 0
    assert await inbox.one("SELECT length(subject) FROM conversations WHERE id = 9223372036854775807") == 255
    assert await inbox.one("SELECT updated_at FROM rentals") == datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert (await inbox.give(rentals=[rental])).unchanged == {"rentals": 1}


async def test_an_import_of_nothing_says_so(inbox: Inbox, tmp_path: Path) -> None:
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
