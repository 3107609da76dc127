"""Files of the REST API, read into records.

A page is a JSON object with an array under the plural of each kind, as in `{"hosts": [{"id": 1, …}], "meta": {…}}`.
What cannot be read is a leftover with its position, and the rest goes on: a malformed record costs that record, and
where a file stops being JSON, it costs what follows in that file.
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
from db.bookingsync.stream import Array, Broken, Element, NoArray, Start, UnreadableError, read_arrays
from db.bookingsync.wire import Record

# What stands beside the records in a page: link templates, and paging.
_NO_KINDS = frozenset({"links", "meta"})
_KINDS = {kind.name: kind for kind in KINDS}


class Given(NamedTuple):
    """A record, and its index in the array of its kind."""

    kind: Kind
    place: int
    record: Record


class Found(NamedTuple):
    """Something in a page, None where there is nothing to tell; `stop` is where to start to read what follows it.

    Without `stop`, a reader that starts at the last one finds this again.
    """

    item: Given | Leftover | None
    stop: Start | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was when an import began: its size in bytes, and the hash of its content.

    The hash is of all bytes: those of the middle are as likely to be mended between two attempts as any, and hashing a
    file takes a hundredth of the time that importing it does. It is empty where the file cannot be read.
    """

    path: Path
    size: int
    digest: bytes


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files of `paths`, each once: a folder stands for the `*.json` in it and below it, in the order of names."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            if not file.is_dir():
                found.setdefault(file.resolve(), file)
    return list(found.values())


def identify(path: Path) -> File:
    """The file at `path`, which need not be there."""
    try:
        with path.open("rb") as source:
            digest = hashlib.file_digest(source, "blake2b").digest()
            return File(path, source.tell(), digest)
    except OSError:
        return File(path, 0, b"")


def read_page(file: Path, start: Start | None = None) -> Iterator[Found]:
    """The records of a file, and what could not be read of it. Nothing is raised for what is in the file."""
    kinds = 0 if start is None else 1
    try:
        for found in read_arrays(file, start):
            if isinstance(found, Element):
                kind = _KINDS.get(found.name)
                item = None if kind is None else _read_record(file, kind, found.place, found.value)
                yield Found(item, Start(found.end, found.name, found.place + 1))
            else:
                kinds += found.name not in _NO_KINDS
                if left := _no_records(file, found):
                    yield Found(left)
    except (UnreadableError, OSError) as error:
        text = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        yield Found(Leftover("file", None, Fate.MALFORMED, file, None, text))
    else:
        if not kinds:
            yield Found(Leftover("file", None, Fate.MALFORMED, file, None, "has no records of any kind"))


def _no_records(file: Path, member: Array | NoArray) -> Leftover | None:
    """What to tell of a member of a page; None of an array of a kind, and of what stands beside those."""
    name = member.name
    if isinstance(member, NoArray) and isinstance(member.value, Broken):
        return Leftover("file", None, Fate.MALFORMED, file, None, member.value.text)
    if name in _KINDS and isinstance(member, NoArray):
        return Leftover(name, None, Fate.MALFORMED, file, None, f"{name!r} is not an array")
    if name in _KINDS or name in _NO_KINDS:
        return None
    text = f"{name!r} is not a kind of record that the inbox has"
    # A name may have any character. Written out, it can be stored and shown.
    return Leftover(repr(name)[1:-1], None, Fate.SKIPPED, file, None, text)


def _read_record(file: Path, kind: Kind, place: int, entry: object) -> Given | Leftover:
    if isinstance(entry, Broken):
        return Leftover(kind.name, None, Fate.MALFORMED, file, place, entry.text)
    try:
        return Given(kind, place, kind.record.model_validate(entry))
    except ValidationError as error:
        mistakes = dict.fromkeys(_mistake(detail["loc"], detail["msg"]) for detail in error.errors(include_url=False))
        return Leftover(kind.name, _id_of(entry), Fate.MALFORMED, file, place, "; ".join(mistakes))


def _id_of(entry: object) -> int | None:
    """The id of a malformed record, where it is one that can be stored."""
    id = entry.get("id") if isinstance(entry, dict) else None  # noqa: A001  # the field's own name
    return id if isinstance(id, int) and not isinstance(id, bool) and abs(id) < 1 << 63 else None


def _mistake(loc: tuple[int | str, ...], message: str) -> str:
    """A mistake with the way to it in the record: `links.account: Field required`."""
    way = ".".join(str(step) for step in loc)
    return ": ".join(part for part in (way, message.removeprefix("Value error, ")) if part)


# A batch ends with the record that reaches one of these.
RECORDS = 5_000
BYTES = 1 << 22


@dataclass(slots=True)
class Batch:
    """What was found, each with the number of its file, and from where on the next batch is to be read."""

    items: list[tuple[int, Given | Leftover]] = field(default_factory=list)
    size: int = 0
    file: int = 0
    start: Start | None = None

    @property
    def records(self) -> int:
        """How many records it has."""
        return sum(isinstance(item, Given) for _, item in self.items)

    @property
    def full(self) -> bool:
        """Whether it is to end where it can."""
        return len(self.items) >= RECORDS or self.size >= BYTES


def read_batches(files: Sequence[File], file: int, start: Start | None) -> Iterator[Batch]:
    """Read files from the number `file` on, that one from `start`. The last batch's `file` is behind the last file."""
    batch = Batch()
    for number in range(file, len(files)):
        offset = 0 if start is None else start.offset
        for found in read_page(files[number].path, start):
            if found.item is not None:
                batch.items.append((number, found.item))
            if found.stop is not None:
                batch.size += found.stop.offset - offset
                offset = found.stop.offset
                if batch.full:
                    batch.file, batch.start = number, found.stop
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
