"""Reads files of the REST API into records.

A page is a JSON object with an array under the plural of each kind, as in `{"hosts": [{"id": 1, …}], "meta": {…}}`.
Everything that cannot be read becomes a leftover with its position, and reading continues: a malformed record is
skipped, and after invalid JSON the rest of its file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from db.bookingsync.kind import KINDS, Kind
from db.bookingsync.report import Fate, Leftover
from db.bookingsync.stream import (
    MAX_DEPTH,
    Array,
    Broken,
    Element,
    NoArray,
    Start,
    UnreadableError,
    open_file,
    read_arrays,
)
from db.bookingsync.wire import WireRecord
from db.tables.base import FIRST_OWN_ID

# Members of a page without records: link templates and paging.
_NO_KINDS = frozenset({"links", "meta"})
_KINDS = {kind.name: kind for kind in KINDS}
_SUFFIXES = (".json", ".json.gz")


class Given(NamedTuple):
    """A record, and its index in the array of its kind."""

    kind: Kind
    place: int
    record: WireRecord


class Section(NamedTuple):
    """The array of a kind starts in the file."""

    kind: Kind


class Deleted(NamedTuple):
    """The ids under `meta.deleted_ids`: records of the page's kind that were deleted since an earlier export."""

    ids: tuple[int, ...]


Item = Given | Section | Deleted | Leftover


class Entry(NamedTuple):
    """A part of a page; `item` is None if nothing of it is kept. Reading can continue from `stop`.

    An entry without `stop` is read again by a reader that continues from the `stop` before it.
    """

    item: Item | None
    stop: Start | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file when an import began: its size in bytes, and the hash of its content, both after decompression.

    All bytes are hashed, because between two attempts any part of the file may be corrected. Hashing takes 1 % of
    the time of importing. The digest is empty if the file cannot be read.
    """

    path: Path
    size: int
    digest: bytes


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files to read, each once: those in `paths`, and all `*.json` and `*.json.gz` in folders, sorted by name."""
    return _unique(
        file
        for path in paths
        for file in (filter(_is_page, _visible_files(path)) if path.is_dir() else [path])
        if not file.is_dir()
    )


def find_others(paths: Sequence[Path]) -> list[Path]:
    """The files in folders that `find_files` skips, each once. Hidden files are left out."""
    read = {file.resolve() for file in find_files(paths)}
    others = _unique(file for path in paths if path.is_dir() for file in _visible_files(path))
    return [file for file in others if file.resolve() not in read]


def identify(path: Path) -> File:
    """The file at `path`, which may be missing."""
    try:
        with open_file(path) as source:
            digest = hashlib.file_digest(source, "blake2b").digest()
            return File(path, source.tell(), digest)
    except OSError:
        return File(path, 0, b"")


def read_page(file: Path, start: Start | None = None, max_depth: int = MAX_DEPTH) -> Iterator[Entry]:
    """The records of a file, and the parts that could not be read. No content of a file raises an error."""
    kinds = 0 if start is None else 1
    try:
        for part in read_arrays(file, start, max_depth):
            if isinstance(part, Element):
                kind = _KINDS.get(part.name)
                *notes, item = [None] if kind is None else _read_record(file, kind, part.place, part.value)
                yield from map(Entry, notes)
                yield Entry(item, Start(part.end, part.name, part.place + 1))
            else:
                kinds += part.name not in _NO_KINDS
                if member := _read_member(file, part):
                    yield Entry(member)
    except (UnreadableError, OSError) as error:
        text = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
        yield Entry(Leftover("file", None, Fate.MALFORMED, file, None, text))
    else:
        if not kinds:
            yield Entry(Leftover("file", None, Fate.MALFORMED, file, None, "has no records of any kind"))


def _is_page(file: Path) -> bool:
    return file.name.lower().endswith(_SUFFIXES)


def _visible_files(folder: Path) -> Iterator[Path]:
    """The files in a folder and below it, in the order of names, without hidden ones."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file():
            yield path


def _unique(files: Iterator[Path]) -> list[Path]:
    """Each file once, with the first of its paths."""
    by_place: dict[Path, Path] = {}
    for file in files:
        by_place.setdefault(file.resolve(), file)
    return list(by_place.values())


def _read_member(file: Path, member: Array | NoArray) -> Section | Deleted | Leftover | None:
    """The item of a member of a page, without the elements of its array."""
    name = member.name
    if isinstance(member, NoArray) and isinstance(member.value, Broken):
        return Leftover("file", None, Fate.MALFORMED, file, None, member.value.text)
    if name == "meta" and isinstance(member, NoArray) and isinstance(member.value, dict):
        return _read_deleted(file, member.value.get("deleted_ids"))
    if name in _KINDS:
        if isinstance(member, NoArray):
            return Leftover(name, None, Fate.MALFORMED, file, None, f"{name!r} is not an array")
        return Section(_KINDS[name])
    if name in _NO_KINDS:
        return None
    text = f"{name!r} is not a kind of record that the inbox has"
    # A name may contain any character. The escaped form can be stored and printed.
    return Leftover(repr(name)[1:-1], None, Fate.SKIPPED, file, None, text)


def _read_deleted(file: Path, ids: object) -> Deleted | Leftover | None:
    if ids is None or ids == []:
        return None
    if not isinstance(ids, list) or not all(map(_is_id, ids)):
        return Leftover("file", None, Fate.MALFORMED, file, None, "meta.deleted_ids is not a list of ids")
    return Deleted(tuple(ids))


def _read_record(file: Path, kind: Kind, place: int, entry: object) -> list[Item]:
    """The record, or a leftover if it is malformed; before the record, a leftover for each value that was replaced."""
    if isinstance(entry, Broken):
        return [Leftover(kind.name, None, Fate.MALFORMED, file, place, entry.text)]
    replaced: list[str] = []
    try:
        record = kind.record.model_validate(entry, context=replaced)
    except ValidationError as error:
        mistakes = dict.fromkeys(_mistake(detail["loc"], detail["msg"]) for detail in error.errors(include_url=False))
        return [Leftover(kind.name, _id_of(entry), Fate.MALFORMED, file, place, "; ".join(mistakes))]
    notes = [Leftover(kind.name, record.id, Fate.REPLACED, file, place, text) for text in replaced]
    return [*notes, Given(kind, place, record)]


def _id_of(entry: object) -> int | None:
    """The id of a malformed record, if it can be stored."""
    id = entry.get("id") if isinstance(entry, dict) else None  # noqa: A001  # the field's own name
    return id if isinstance(id, int) and not isinstance(id, bool) and abs(id) < 1 << 63 else None


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < FIRST_OWN_ID


def _mistake(loc: tuple[int | str, ...], message: str) -> str:
    """A mistake with its path in the record: `links.account: Field required`."""
    path = ".".join(str(step) for step in loc)
    return ": ".join(part for part in (path, message.removeprefix("Value error, ")) if part)


# A batch ends with the record that reaches one of these limits.
RECORDS = 5_000
BYTES = 1 << 22


@dataclass(slots=True)
class Batch:
    """Items with the numbers of their files. The next batch starts in the file number `file`, at `start`."""

    items: list[tuple[int, Item]] = field(default_factory=list)
    size: int = 0
    file: int = 0
    start: Start | None = None

    @property
    def records(self) -> int:
        """The number of records."""
        return sum(isinstance(item, Given) for _, item in self.items)

    @property
    def full(self) -> bool:
        """Whether it ends at the next position from which reading can continue."""
        return len(self.items) >= RECORDS or self.size >= BYTES


def read_batches(files: Sequence[File], file: int, start: Start | None, max_depth: int = MAX_DEPTH) -> Iterator[Batch]:
    """Read the files from the number `file` on, the first from `start`. The last batch's `file` is `len(files)`."""
    batch = Batch()
    for number in range(file, len(files)):
        offset = 0 if start is None else start.offset
        for entry in read_page(files[number].path, start, max_depth):
            if entry.item is not None:
                batch.items.append((number, entry.item))
            if entry.stop is not None:
                batch.size += entry.stop.offset - offset
                offset = entry.stop.offset
                if batch.full:
                    batch.file, batch.start = number, entry.stop
                    yield batch
                    batch = Batch()
        start = None
        batch.size += files[number].size - offset
        batch.file = number + 1
        if batch.full and batch.file < len(files):
            yield batch
            batch = Batch()
    batch.file = len(files)
    yield batch
