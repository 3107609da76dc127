"""Parts of the documented API that recordings lack: labels, new values, deletions, compressed and empty pages."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.bookingsync.files import find_files, find_others
from db.bookingsync.report import Fate
from tests.support.importing import Inbox, by_text, import_pages, record, thread

pytestmark = pytest.mark.anyio

CANCELED = {"canceled_at": "2019-05-01T08:00:00Z"}
KEPT = "was deleted where the export comes from, and is kept here"


@pytest.fixture
def inbox(connection: asyncpg.Connection, tmp_path: Path) -> Inbox:
    """An empty database to import into."""
    return Inbox(connection, tmp_path)


# ------------------------------------------------------------------------------------------------ addresses and phones


@pytest.mark.parametrize(
    ("emails", "expected"),
    [
        ([("work", {}), ("other", {"primary": True}), ("default", {})], "other"),
        ([("work", {"primary": True} | CANCELED), ("other", {}), ("default", {})], "default"),
        ([("work", {"primary": False, "canceled_at": None}), ("other", {})], "work"),
        ([("default", CANCELED), ("work", {})], "work"),
        ([("default", {"primary": True} | CANCELED)], None),
    ],
)
async def test_a_client_has_the_primary_email_that_is_not_canceled(
    inbox: Inbox, emails: list[tuple[str, dict[str, Any]]], expected: str | None
) -> None:
    listed = [{"label": label, "email": f"{label}@guest.example", **rest} for label, rest in emails]
    report = await inbox.give(clients=[record("clients", 30, emails=listed)])
    assert report.leftovers == []
    assert await inbox.one("SELECT email FROM clients") == (expected and f"{expected}@guest.example")


@pytest.mark.parametrize(
    ("phones", "expected"),
    [
        ([("fax", "1", {}), ("mobile", "2", {})], "2"),
        ([("fax", "1", {}), ("home", "2", {})], "2"),
        ([("home", "1", {}), ("mobile", "2", {}), ("default", "3", {})], "3"),
        ([("home", "1", {"primary": True}), ("mobile", "2", {})], "1"),
        ([("fax", "1", {})], "1"),
        ([("mobile", 4712345678, {})], "4712345678"),
        ([("mobile", 1, CANCELED), ("fax", "", {})], None),
        ([(None, "1", {}), (["fax"], "2", {})], "1"),
    ],
)
async def test_a_client_has_a_mobile_before_a_fax_and_a_phone_can_be_a_number(
    inbox: Inbox, phones: list[tuple[Any, Any, dict[str, Any]]], expected: str | None
) -> None:
    listed = [{"label": label, "number": number, **rest} for label, number, rest in phones]
    report = await inbox.give(clients=[record("clients", 30, phones=listed)])
    assert report.leftovers == []
    assert await inbox.one("SELECT phone FROM clients") == expected


# ----------------------------------------------------------------------------------------------- values of closed sets


async def test_an_unknown_optional_value_becomes_null_and_costs_nothing_else(inbox: Inbox) -> None:
    pages = thread(5)
    pages["conversations"][0] |= {"default_channel": "whatsapp"}
    pages["conversations"][0]["links"]["created_by"] = {"id": 7, "type": "Robot"}
    pages["messages"][0] |= {"channel": 7}
    report = await inbox.give(**pages, clients=[record("clients", 30)])
    channels = "AIRBNB, BOOKING_COM, EMAIL, EXPEDIA, HOMEAWAY, VRBO"
    assert by_text(report) == [
        ("conversations", 5, Fate.REPLACED, "created_by: 'Robot' is not one of USER, APPLICATION: left empty"),
        ("conversations", 5, Fate.REPLACED, f"default_channel: 'whatsapp' is not one of {channels}: left empty"),
        ("messages", 5, Fate.REPLACED, f"channel: 7 is not one of {channels}: left empty"),
    ]
    assert report.exit_code == 1
    assert report.imported == {"clients": 1, "conversations": 1, "participants": 1, "messages": 1}
    conversation = await inbox.connection.fetchrow(
        "SELECT default_channel, created_by_type, created_by_id FROM conversations"
    )
    assert tuple(conversation) == (None, None, None)
    assert await inbox.one("SELECT channel FROM messages") is None


# ------------------------------------------------------------------------------------------------------------ deletions


async def test_deleted_bookings_and_inquiries_go_with_their_links(inbox: Inbox) -> None:
    rental = {"rental": 2}
    conversation = record("conversations", 5, subject="Stay", links={"bookings": [3, 4], "inquiries": [6, 7]})
    await inbox.give(
        rentals=[record("rentals", 2)],
        bookings=[record("bookings", 3, reference="GONEREF"), record("bookings", 4)],
        inquiries=[
            record("inquiries", 6, links=rental),
            record("inquiries", 7, links={**rental, "booking": 3}),
        ],
        conversations=[conversation],
    )
    pages = [
        # In either order, and an id that was never stored.
        inbox.page(bookings=[], meta={"deleted_ids": [3, 99]}),
        inbox.page(meta={"deleted_ids": [6]}, inquiries=[]),
    ]
    report = await import_pages(inbox.connection, pages)
    assert report.deleted == {"bookings": 1, "inquiries": 1}
    assert (report.leftovers, report.exit_code) == ([], 0)
    assert await inbox.connection.fetch("SELECT booking_id FROM conversation_bookings") == [(4,)]
    assert await inbox.connection.fetch("SELECT id FROM bookings") == [(4,)]
    assert await inbox.connection.fetch("SELECT id, booking_id, conversation_id FROM inquiries") == [(7, None, 5)]
    words = await inbox.one("SELECT words::text FROM conversation_texts")
    assert "stay" in words
    assert "goneref" not in words
    again = await import_pages(inbox.connection, pages)
    assert (again.deleted, again.exit_code) == ({}, 0)


async def test_a_record_that_is_named_as_deleted_is_not_imported(inbox: Inbox) -> None:
    older = inbox.page(bookings=[record("bookings", 3), record("bookings", 4)])
    newer = inbox.page(bookings=[], meta={"deleted_ids": [3]})
    for pages in ([older, newer], [newer, older]):
        report = await import_pages(inbox.connection, pages)
        assert await inbox.connection.fetch("SELECT id FROM bookings") == [(4,)]
        assert report.leftovers == []


async def test_deleted_records_of_other_kinds_stay_and_are_listed(inbox: Inbox) -> None:
    await inbox.give(**thread(5), clients=[record("clients", 30)], applications=[{"id": 65, "name": "Airbnb"}])
    before = await inbox.rows()
    pages = [
        inbox.page(**{kind: [], "meta": {"deleted_ids": [id, 99]}})
        for kind, id in (("messages", 5), ("clients", 30), ("applications", 65), ("conversations", 6))  # noqa: A001
    ]
    report = await import_pages(inbox.connection, pages)
    assert by_text(report) == [
        ("applications", 65, Fate.NOT_DELETED, KEPT),
        ("clients", 30, Fate.NOT_DELETED, KEPT),
        ("messages", 5, Fate.NOT_DELETED, KEPT),
    ]
    assert (report.deleted, report.exit_code) == ({}, 1)
    assert await inbox.rows() == before


async def test_a_deletion_is_of_the_accounts_that_the_files_name(inbox: Inbox) -> None:
    await inbox.give(bookings=[record("bookings", 3)])
    await inbox.give(bookings=[record("bookings", 3, links={"account": 2})])
    report = await inbox.give(bookings=[], meta={"deleted_ids": [3]})
    text = "is in several accounts: import one account at a time"
    assert by_text(report) == [("bookings", 3, Fate.NOT_DELETED, text)]
    report = await inbox.give(bookings=[record("bookings", 4, links={"account": 2})], meta={"deleted_ids": [3]})
    assert report.deleted == {"bookings": 1}
    assert await inbox.connection.fetch("SELECT account_id, id FROM bookings ORDER BY id") == [(1, 3), (2, 4)]
    report = await inbox.give(bookings=[record("bookings", 5, links={"account": 3})], meta={"deleted_ids": [3]})
    assert report.deleted == {}, "account 1 is not one that the files name"


@pytest.mark.parametrize("kinds", [{}, {"bookings": [], "inquiries": []}], ids=["none", "two"])
async def test_deletions_of_no_certain_kind_are_listed(inbox: Inbox, kinds: dict[str, Any]) -> None:
    await inbox.give(bookings=[record("bookings", 3)])
    report = await inbox.give(**kinds, meta={"deleted_ids": [3]})
    text = "meta.deleted_ids: the page does not have exactly one kind of records"
    assert ("file", None, Fate.NOT_DELETED, text) in by_text(report)
    assert await inbox.one("SELECT count(*) FROM bookings") == 1


@pytest.mark.parametrize("ids", ["3", {"bookings": [3]}, ["3"], [True], [0], [10**12]])
async def test_deleted_ids_that_are_no_ids_are_malformed(inbox: Inbox, ids: object) -> None:
    report = await inbox.give(bookings=[record("bookings", 3)], meta={"deleted_ids": ids})
    assert by_text(report) == [("file", None, Fate.MALFORMED, "meta.deleted_ids is not a list of ids")]
    assert report.imported == {"bookings": 1}


# ---------------------------------------------------------------------------------------------------- files and folders


async def test_a_page_with_empty_arrays_is_a_success(inbox: Inbox) -> None:
    metas: list[dict[str, Any]] = [{}, {"deleted_ids": []}, {"deleted_ids": None}]
    for meta in metas:
        report = await inbox.give(conversations=[], meta=meta)
        assert (report.leftovers, report.imported, report.exit_code) == ([], {}, 0)


async def test_an_empty_page_beside_one_that_cannot_be_read_is_no_success(inbox: Inbox) -> None:
    broken = inbox.page()
    broken.write_text("{")
    assert (await import_pages(inbox.connection, [inbox.page(hosts=[]), broken])).exit_code == 2


async def test_compressed_pages_and_any_case_are_read_and_other_files_are_named(inbox: Inbox, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    (folder / "below").mkdir(parents=True)
    pages = {name: json.dumps({"rentals": [record("rentals", id)]}).encode() for id, name in enumerate("abcd", 1)}  # noqa: A001
    (folder / "a.json.gz").write_bytes(gzip.compress(pages["a"]))
    (folder / "b.JSON").write_bytes(pages["b"])
    (folder / "below" / "c.Json.GZ").write_bytes(gzip.compress(pages["c"]))
    (folder / "d.json").write_bytes(pages["d"])
    for name in ("README.txt", ".DS_Store", ".hidden.json", "below/data.csv"):
        (folder / name).write_text("no page")
    report = await import_pages(inbox.connection, [folder])
    assert await inbox.connection.fetch("SELECT id FROM rentals ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert [(left.kind, left.what, left.where, left.text) for left in report.leftovers] == [
        ("file", Fate.SKIPPED, str(folder / name), "is not a *.json or *.json.gz file")
        for name in ("README.txt", "below/data.csv")
    ]
    assert report.exit_code == 1
    given = [folder, folder / "README.txt"]
    assert folder / "README.txt" in find_files(given), "a file that is named itself is read"
    assert find_others(given) == [folder / "below" / "data.csv"]


@pytest.mark.parametrize("end", [-4, -12, 30])
async def test_damaged_compression_costs_what_follows(inbox: Inbox, tmp_path: Path, end: int) -> None:
    file = tmp_path / "page.json.gz"
    whole = gzip.compress(json.dumps({"rentals": [record("rentals", 1)]}).encode())
    file.write_bytes(whole[:end])
    report = await import_pages(inbox.connection, [file])
    [left] = report.leftovers
    assert (left.kind, left.what) == ("file", Fate.MALFORMED)
    assert left.text.startswith("cannot be read: the compressed data are damaged")


async def test_a_file_that_is_only_named_as_if_it_was_compressed_is_reported(inbox: Inbox, tmp_path: Path) -> None:
    file = tmp_path / "page.json.gz"
    file.write_bytes(b'{"rentals": []}')
    report = await import_pages(inbox.connection, [file])
    assert [left.text for left in report.leftovers] == ["cannot be read: Not a gzipped file (b'{\"')"]


async def test_a_compressed_page_is_continued_after_an_interruption(
    inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedError(Exception):
        pass

    calls = 0

    def stop(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise StoppedError

    monkeypatch.setattr("db.bookingsync.files.RECORDS", 2)
    file = tmp_path / "page.json.gz"
    rentals = [record("rentals", id) for id in range(1, 8)]  # noqa: A001
    file.write_bytes(gzip.compress(json.dumps({"rentals": rentals}).encode()))
    with pytest.raises(StoppedError):
        await import_pages(inbox.connection, [file], progress=stop)
    # Files are identified by their content, not by their compression.
    file.write_bytes(gzip.compress(json.dumps({"rentals": rentals}).encode(), compresslevel=1))
    report = await import_pages(inbox.connection, [file])
    assert (report.imported, report.leftovers) == ({"rentals": 7}, [])


# --------------------------------------------------------------------------------------------- texts and derived values

TEXT = " &amp; &#39;R&eacute;sum&#233;&#39; <b>\u200bx</b>\u00a0\r\n\tAsk\u2028“why” é e\u0301 \U0001f3e1 "


async def test_texts_keep_their_exact_characters(inbox: Inbox) -> None:
    pages = thread(5)
    pages["conversations"][0] |= {"subject": TEXT}
    pages["messages"][0] |= {"content": TEXT * 500}
    report = await inbox.give(
        **pages,
        clients=[record("clients", 30, fullname=TEXT)],
        hosts=[record("hosts", 31, firstname=TEXT, lastname=TEXT)],
        rentals=[record("rentals", 2, name=TEXT)],
    )
    assert report.leftovers == []
    for query, expected in {
        "SELECT subject FROM conversations": TEXT,
        "SELECT content FROM messages": TEXT * 500,
        "SELECT fullname FROM clients": TEXT,
        "SELECT firstname || lastname FROM hosts": TEXT * 2,
        "SELECT name FROM rentals": TEXT,
    }.items():
        assert await inbox.one(query) == expected, query


async def test_messages_without_the_newer_record_of_their_conversation_are_derived_from(inbox: Inbox) -> None:
    pages = thread(5)
    pages["conversations"][0] |= {
        "read_at": "2019-05-02T08:00:00Z",
        "last_message_at": "2019-05-01T08:00:00Z",
    }
    await inbox.give(**pages, clients=[record("clients", 30)])
    sent = {"sent_at": "2019-05-09T08:00:00Z", "created_at": "2019-05-09T08:00:00Z"}
    await inbox.give(messages=[record("messages", 6, day=9, links={"conversation": 5, "sender": 5}, **sent)])
    conversation = await inbox.connection.fetchrow(
        "SELECT last_message_at, unread_count, read_at >= last_message_at AS read FROM conversations"
    )
    newest = await inbox.one("SELECT max(sent_at) FROM messages")
    assert tuple(conversation) == (newest, 1, False)
    assert await inbox.one("SELECT last_message_sent_at FROM participants") == newest
    # A conversation without the time of its last message gets it from its messages.
    await inbox.give(**thread(7))
    assert await inbox.one(
        "SELECT last_message_at = (SELECT sent_at FROM messages WHERE id = 7) FROM conversations c WHERE id = 7"
    )


async def test_a_last_message_that_the_export_lacks_still_counts(inbox: Inbox) -> None:
    pages = thread(5)
    pages["conversations"][0] |= {"last_message_at": "2019-05-20T08:00:00Z"}
    await inbox.give(**pages, clients=[record("clients", 30)])
    await inbox.give(messages=[record("messages", 6, day=9, links={"conversation": 5, "sender": 5})])

    assert await inbox.one("SELECT last_message_at = '2019-05-20T08:00:00Z' FROM conversations")
    assert await inbox.one("SELECT max(sent_at) < '2019-05-20T08:00:00Z' FROM messages")
