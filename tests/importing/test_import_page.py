"""Reading pages: malformed files and records, and the reported positions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from db.bookingsync.files import Given, find_files, read_page
from db.bookingsync.report import Fate, Leftover

COMPLETE = Path(__file__).parents[1] / "exports" / "complete"


def good(kind: str) -> dict[str, Any]:
    """A record of the complete export."""
    [array] = [
        page[kind] for page in map(json.loads, (file.read_text() for file in COMPLETE.iterdir())) if kind in page
    ]
    first: dict[str, Any] = array[0]
    return first


def read(file: Path, content: bytes) -> list[Given | Leftover]:
    """The items of a file with `content`."""
    file.write_bytes(content)
    return [entry.item for entry in read_page(file) if isinstance(entry.item, Given | Leftover)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "page.json"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is not JSON: line 1 column 1: "),
        (b"\n nul", "is not JSON: line 2 column 2: "),
        (b"[" * 5000, "is not JSON: line 1 column 1: a value has more than 100 levels"),
        (b"[]", "is not an object with an array for each kind of record"),
        (b"null", "is not an object with an array for each kind of record"),
        (b"{}", "has no records of any kind"),
        (b'{"meta": {}}', "has no records of any kind"),
        (b'{"meta": {}} {}', "is not JSON: line 1 column 14: nothing more is expected"),
        (b'{"hosts": []', "is not JSON: line 1 column 13: ',' or '}' is expected"),
        (b'{"hosts" []}', "is not JSON: line 1 column 10: ':' is expected"),
        (b"{hosts: []}", "is not JSON: line 1 column 2: a name in double quotes is expected"),
        (b'{"meta": {1}, "hosts": []}', "is not JSON: line 1 column 11: "),
    ],
)
def test_a_file_that_is_no_page_is_named(file: Path, content: bytes, text: str) -> None:
    [left] = read(file, content)
    assert isinstance(left, Leftover)
    assert (left.kind, left.id, left.what, left.where) == ("file", None, Fate.MALFORMED, str(file))
    assert left.text.startswith(text)


def test_what_should_be_an_array_is_named(file: Path) -> None:
    [left, given] = read(file, json.dumps({"hosts": {"id": 1}, "rentals": [good("rentals")]}).encode())
    assert isinstance(left, Leftover)
    assert (left.kind, left.where, left.text) == ("hosts", str(file), "'hosts' is not an array")
    assert isinstance(given, Given)


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (b'{"id" 1, "a": ["]"]}', "is not JSON: line 2 column 7: "),
        (b'{"id": NaN}', "is not JSON: line 2 column 1: NaN is not JSON"),
        (b'{"id": 1,}', "is not JSON: line 2 column "),
        (b'{"name": "a\nb"}', "is not JSON: line 2 column 12: "),
        (b'{"name": "\\x"}', "is not JSON: line 2 column 11: "),
        (b"nul", "is not JSON: line 2 column 1: "),
        (b"", "is not JSON: line 3 column 1: "),
        (b"-", "is not JSON: line 2 column 1: "),
        (b"1.", "is not JSON: line 2 column 2: not part of a number"),
        (b"[" * 5000 + b"]" * 5000, "is not JSON: line 2 column 1: a value has more than 100 levels"),
        (b'{"id": ' + b"9" * 5000 + b"}", "is not JSON: line 2 column 1: "),
        (
            b'{"id": 7, "name": "\xff", "links": {"account": 1}}',
            "name: has characters that are not UTF-8",
        ),
        (b'{"id": 7, "name": "\\ud800", "links": {"account": 1}}', "name: has characters that are not UTF-8"),
    ],
)
def test_a_record_that_is_not_json_costs_that_record(file: Path, broken: bytes, text: str) -> None:
    record = json.dumps(good("rentals")).encode()
    [first, left, last] = read(file, b'{"rentals": [' + record + b",\n" + broken + b"\n, " + record + b"]}")
    assert isinstance(left, Leftover)
    assert (left.kind, left.what, left.where) == ("rentals", Fate.MALFORMED, f"{file}: rentals[1]")
    assert text in left.text
    assert isinstance(first, Given)
    assert isinstance(last, Given)
    assert last.place == 2


LIST, OBJECT, BESIDE_BRACKETS = ("[", "]"), ('{"a": ', "}"), ('["]]\\"]", ', "]")


def nested(levels: int, *kinds: tuple[str, str]) -> str:
    """A value with this number of levels, whose kinds alternate."""
    chosen = [kinds[level % len(kinds)] for level in range(levels)]
    return "".join(begin for begin, _ in chosen) + "7" + "".join(end for _, end in reversed(chosen))


@pytest.mark.parametrize("kinds", [(LIST,), (OBJECT,), (LIST, OBJECT), (BESIDE_BRACKETS,)])
@pytest.mark.parametrize(("levels", "limit", "is_read"), [(100, 100, True), (101, 100, False), (8, 7, False)])
def test_a_record_has_at_most_as_many_levels_as_the_limit(
    file: Path, kinds: tuple[tuple[str, str], ...], levels: int, limit: int, *, is_read: bool
) -> None:
    record = json.dumps(good("rentals"))
    # The record is a level itself.
    file.write_text(f'{{"rentals": [\n{record[:-1]}, "other": {nested(levels - 1, *kinds)}}}, {record}]}}')
    first, last = [entry.item for entry in read_page(file, max_depth=limit) if isinstance(entry.item, Given | Leftover)]

    assert isinstance(last, Given)
    assert last.place == 1
    if is_read:
        assert isinstance(first, Given)
    else:
        assert isinstance(first, Leftover)
        assert (first.kind, first.what, first.where) == ("rentals", Fate.MALFORMED, f"{file}: rentals[0]")
        assert first.text == f"is not JSON: line 2 column 1: a value has more than {limit} levels"


@pytest.mark.parametrize("levels", [101, 300])
def test_a_value_without_end_has_at_most_a_hundred_levels(file: Path, levels: int) -> None:
    [left] = read(file, b'{"rentals": [' + b"[" * levels)
    assert isinstance(left, Leftover)
    assert (left.kind, left.text) == ("file", "is not JSON: line 1 column 14: a value has more than 100 levels")


@pytest.mark.parametrize("kind", ["meta", "hosts"])
def test_what_is_no_record_has_at_most_a_hundred_levels(file: Path, kind: str) -> None:
    record = json.dumps(good("rentals"))
    left, given = read(file, f'{{"{kind}": {nested(101, OBJECT)}, "rentals": [{record}]}}'.encode())
    assert isinstance(left, Leftover)
    assert left.text.endswith("a value has more than 100 levels")
    assert isinstance(given, Given)


@pytest.mark.parametrize("end", [b"", b', {"id": 7', b', {"id": "7]}', b" {}]}", b"}"])
def test_a_file_that_stops_being_json_costs_what_follows(file: Path, end: bytes) -> None:
    [given, left] = read(file, b'{"rentals": [' + json.dumps(good("rentals")).encode() + end)
    assert isinstance(given, Given)
    assert isinstance(left, Leftover)
    assert (left.kind, left.where) == ("file", str(file))
    assert left.text.startswith("is not JSON: line 1 column ")


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("rentals", {"id": None}, "id: Input should be a valid integer"),
        ("rentals", {"id": 0}, "id: Input should be greater than or equal to 1"),
        ("rentals", {"id": -1}, "id: Input should be greater than or equal to 1"),
        ("rentals", {"id": 10**12}, "id: Input should be less than 1000000000000"),
        ("rentals", {"id": 10**30}, "id: Input should be less than 1000000000000"),
        ("rentals", {"id": "7"}, "id: Input should be a valid integer"),
        ("rentals", {"id": True}, "id: Input should be a valid integer"),
        ("rentals", {"name": None}, "name: Input should be a valid string"),
        ("rentals", {"name": {"en": "Boathouse"}}, "name: Input should be a valid string"),
        ("rentals", {"name": "Boat\x00house"}, "name: has a NUL character"),
        ("rentals", {"updated_at": None}, "updated_at: is not a time"),
        ("rentals", {"updated_at": "yesterday, Tuesday"}, "updated_at: Input should be a valid datetime"),
        ("rentals", {"updated_at": 1557215040}, "updated_at: is not a time"),
        ("rentals", {"updated_at": "1557215040"}, "updated_at: is not a time"),
        ("rentals", {"updated_at": "2019-05-01"}, "updated_at: is not a time"),
        ("rentals", {"updated_at": "2019-05-01T08:00:00"}, "updated_at: Input should have timezone info"),
        ("rentals", {"updated_at": "2019-02-30T08:00:00Z"}, "updated_at: Input should be a valid datetime"),
        ("rentals", {"updated_at": "0001-01-01T00:00:00+14:00"}, "updated_at: is beyond the years"),
        ("rentals", {"created_at": "0001-01-01T00:00:00Z"}, "created_at: is beyond the years"),
        ("rentals", {"created_at": "0001-01-01T05:00:00.0004+05:00"}, "created_at: is beyond the years"),
        ("rentals", {"links": {}}, "links.account: Field required"),
        ("rentals", {"links": None}, "links.account: Field required"),
        ("sources", {"internal": "no"}, "internal: Input should be a valid boolean"),
        ("bookings", {"status": "Maybe"}, "status: 'Maybe' is not one of BOOKED, "),
        ("bookings", {"status": ["Booked"]}, "status: ['Booked'] is not one of BOOKED, "),
        ("bookings", {"adults": -1}, "adults: Input should be greater than or equal to 0"),
        ("bookings", {"adults": 2**31}, "adults: Input should be less than or equal to 2147483647"),
        ("bookings", {"final_price": "1e400000"}, "final_price: "),
        ("bookings", {"final_price": "NaN"}, "final_price: Input should be a finite number"),
        ("bookings", {"final_price": "cheap"}, "final_price: "),
        ("bookings", {"reference": "R" * 256}, "reference: String should have at most 255 characters"),
        ("clients", {"emails": "ada@guest.example"}, "emails: is not a list"),
        ("clients", {"emails": [{"email": "a\x00"}]}, "emails: has a NUL character"),
        ("clients", {"phones": ["+47 1"]}, "phones: is not a list"),
        ("conversations", {"subject": "S" * 256}, "subject: String should have at most 255 characters"),
        ("conversations", {"links": {"account": 1, "created_by": {"id": 7}}}, "links.created_by: is not a link"),
        ("conversations", {"links": {"account": 1, "created_by": 7}}, "links.created_by: is not a link"),
        ("conversations", {"links": {"account": 1, "bookings": ["4"]}}, "links.bookings.0: Input should be"),
        ("participants", {"links": {"member": {"id": 1, "type": "Pet"}}}, "links.member: 'Pet' is not one of CLIENT"),
        ("participants", {"links": {"member": None}}, "links.member: "),
        ("messages", {"origin": None}, "origin: "),
        ("messages", {"content": "\ud800"}, "content: has characters that are not UTF-8"),
        ("messages", {"origin": "\ud800"}, "origin: '\\ud800' is not one of"),
        ("messages", {"sent_at": "2019-05-01T\ud800"}, "sent_at: "),
        ("bookings", {"final_price": "\ud800"}, "final_price: "),
        ("clients", {"emails": [{"email": "\ud800"}]}, "emails: has characters that are not UTF-8"),
    ],
)
def test_a_malformed_record_is_named_and_the_next_is_read(
    file: Path, kind: str, fields: dict[str, Any], text: str
) -> None:
    [left, given] = read(file, json.dumps({kind: [good(kind) | fields, good(kind)]}).encode())
    assert isinstance(left, Leftover)
    assert (left.kind, left.what, left.where) == (kind, Fate.MALFORMED, f"{file}: {kind}[0]")
    assert left.text.startswith(text)
    assert isinstance(given, Given)
    assert given.place == 1


def test_each_mistake_of_a_record_is_named_once_with_its_id(file: Path) -> None:
    mistakes = {"id": 7, "subject": 1, "links": {"account": 1, "created_by": 7}}
    [left] = read(file, json.dumps({"conversations": [good("conversations") | mistakes]}).encode())
    assert isinstance(left, Leftover)
    assert left.id == 7
    assert sorted(left.text.split("; ")) == [
        'links.created_by: is not a link such as {"id": 1, "type": "Client"}',
        "subject: Input should be a valid string",
    ]


@pytest.mark.parametrize("entry", [None, 7, "rental", []])
def test_a_record_that_is_no_object_is_named(file: Path, entry: object) -> None:
    [left] = read(file, json.dumps({"rentals": [entry]}).encode())
    assert isinstance(left, Leftover)
    assert (left.id, left.what, left.where) == (None, Fate.MALFORMED, f"{file}: rentals[0]")


def test_a_kind_that_the_inbox_does_not_have_is_named_once_a_file(file: Path) -> None:
    found = read(file, json.dumps({"reviews": [{"id": 1}, {"id": 2}], "rentals": [good("rentals")]}).encode())
    assert [(item.kind, item.what) for item in found if isinstance(item, Leftover)] == [("reviews", Fate.SKIPPED)]
    assert len(found) == 2


@pytest.mark.parametrize("name", ["\\u0000", "\\ud800", "re'views"])
def test_a_kind_may_have_any_name(file: Path, name: str) -> None:
    [left] = read(file, f'{{"{name}": []}}'.encode())
    assert isinstance(left, Leftover)
    assert left.what == Fate.SKIPPED
    assert left.kind.isprintable()


def test_a_byte_order_mark_is_no_mistake(file: Path) -> None:
    [given] = read(file, b"\xef\xbb\xbf" + json.dumps({"rentals": [good("rentals")]}).encode())
    assert isinstance(given, Given)


def test_folders_stand_for_their_json_files_and_no_file_is_read_twice(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    names = ["b.json", "below/c.json", "a.json", "notes.txt"]
    for name in names:
        (tmp_path / name).touch()
    found = find_files([tmp_path / "b.json", tmp_path, tmp_path / "below" / ".." / "below", tmp_path / "missing"])
    assert [str(file.relative_to(tmp_path)) for file in found] == ["b.json", "a.json", "below/c.json", "missing"]
