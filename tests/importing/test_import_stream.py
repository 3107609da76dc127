"""Files of any size are read in pieces with little memory; reading can stop between any two records and continue."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from db.bookingsync import files as import_files
from db.bookingsync import stream
from db.bookingsync.files import identify, read_batches, read_page
from db.bookingsync.report import Leftover
from db.bookingsync.stream import Array, Element, NoArray, Start, UnreadableError, read_arrays
from tests.support.importing import record

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
PAGES = st.dictionaries(st.text(max_size=5), st.lists(VALUES, max_size=5) | VALUES, max_size=4)
TEXTS = st.builds(
    lambda page, escaped, indent: json.dumps(page, ensure_ascii=escaped, indent=indent).encode(
        "utf-8", "surrogatepass"
    ),
    PAGES,
    st.booleans(),
    st.sampled_from([None, 1]),
)


def read(file: Path, start: Start | None = None) -> list[Any]:
    """The parts of a file, and the reason at the end if the rest cannot be read."""
    found: list[Any] = []
    try:
        found.extend(read_arrays(file, start))
    except UnreadableError as error:
        found.append(str(error))
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "page.json"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXTS, piece=st.integers(1, 40))
def test_a_page_has_in_pieces_what_it_has_as_a_whole(file: Path, text: bytes, piece: int) -> None:
    file.write_bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "PIECE", piece)
        page: dict[str, Any] = {}
        for found in read_arrays(file):
            match found:
                case Array(name):
                    page[name] = []
                case Element(name, place, value, _):
                    assert place == len(page[name])
                    page[name].append(value)
                case NoArray(name, value):
                    page[name] = value
    assert page == json.loads(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXTS, piece=st.integers(1, 40), damage=st.binary(max_size=4), data=st.data())
@example(text=b'\xef\xbb\xbf{"a": [1, 22', piece=3, damage=b"", data=None)
@example(text=b'{"a": ["\xc3\xa6\xff", {"x" 1},\r\n 2, [}]}', piece=2, damage=b"", data=None)
def test_a_damaged_page_reads_the_same_from_wherever_reading_continues(
    file: Path, text: bytes, piece: int, damage: bytes, data: Any
) -> None:
    at = data.draw(st.integers(0, len(text))) if data else 0
    file.write_bytes(text[:at] + damage + text[at + len(damage) :])
    whole = read(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "PIECE", piece)
        assert repr(read(file)) == repr(whole)
        for place, found in enumerate(whole):
            if isinstance(found, Element):
                rest = read(file, Start(found.end, found.name, found.place + 1))
                assert repr(rest) == repr(whole[place + 1 :])


def test_a_value_that_is_too_long_ends_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PIECE", 10)
    monkeypatch.setattr(stream, "LONGEST", 100)
    file.write_text('{"a": [1, "' + "x" * 80 + '", "' + "x" * 200 + '", 2]}')
    assert [found.place for found in read(file)[1:-1]] == [0, 1]
    assert read(file)[-1] == "is not JSON: line 1 column 95: a value is longer than 100 characters"


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_batches_have_everything_once_and_each_says_where_the_next_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(import_files, "RECORDS", size)
    pages = [
        {"rentals": [record("rentals", number) for number in range(1, 6)], "hosts": 7, "meta": {}},
        {"reviews": [1, 2], "rentals": [record("rentals", 0), record("rentals", 6)]},
        {},
        {"rentals": []},
        {"rentals": [record("rentals", 7)]},
    ]
    paths = [tmp_path / f"{number}.json" for number in range(len(pages))]
    for path, page in zip(paths, pages, strict=True):
        path.write_text(json.dumps(page))
    paths[1].write_text(paths[1].read_text()[:-1])
    files = [identify(path) for path in [*paths, tmp_path / "missing.json"]]
    everything = [
        (number, found.item) for number, file in enumerate(files) for found in read_page(file.path) if found.item
    ]
    assert sum(isinstance(item, Leftover) for _, item in everything) == 6

    batches = list(read_batches(files, 0, None))
    assert [item for batch in batches for item in batch.items] == everything
    assert batches[-1].file == len(files)
    for nth, batch in enumerate(batches[:-1], 1):
        rest = [item for later in read_batches(files, batch.file, batch.start) for item in later.items]
        assert rest == [item for later in batches[nth:] for item in later.items]


def test_a_large_file_takes_little_memory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_files, "RECORDS", 500)
    one = json.dumps(record("messages", 1, content="words " * 100, links={"conversation": 1, "sender": 1}))
    file.write_text('{"messages": [' + ",".join([one] * 20_000) + "]}")
    files = [identify(file)]
    assert files[0].size > 15_000_000
    tracemalloc.start()
    try:
        assert sum(batch.records for batch in read_batches(files, 0, None)) == 20_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6_000_000
