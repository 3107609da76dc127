"""Files of the REST API, read into records.

A page is a JSON object with an array under the plural of each kind, as in `{"hosts": [{"id": 1, …}], "meta": {…}}`.
What cannot be read is a leftover with its position, and the rest goes on: a file that is not JSON costs that file, a
malformed record costs that record.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import ValidationError

from db.bookingsync.kind import KINDS, Kind
from db.bookingsync.report import Fate, Leftover
from db.bookingsync.wire import Record

# What stands beside the records in a page: link templates, and paging.
_NO_KINDS = frozenset({"links", "meta"})
_KINDS = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Given:
    """A record, and its index in the array of its kind."""

    kind: Kind
    place: int
    record: Record


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files of `paths`, each once: a folder stands for the `*.json` in it and below it, in the order of names."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            if not file.is_dir():
                found.setdefault(file.resolve(), file)
    return list(found.values())


def position(file: Path, kind: str, place: int) -> str:
    """Where a record is, for a person."""
    return f"{file}: {kind}[{place}]"


def read_page(file: Path) -> Iterator[Given | Leftover]:
    """The records of a file, and what could not be read of it. Nothing is raised for what is in the file."""
    try:
        page = orjson.loads(file.read_bytes().removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        where = f"{file}: line {error.lineno} column {error.colno}"
        yield Leftover("file", None, Fate.MALFORMED, where, f"is not JSON: {error.msg}")
        return
    except OSError as error:
        yield Leftover("file", None, Fate.MALFORMED, str(file), f"cannot be read: {error.strerror}")
        return
    if not isinstance(page, dict):
        yield Leftover(
            "file", None, Fate.MALFORMED, str(file), "is not an object with an array for each kind of record"
        )
        return
    names = [name for name in page if name not in _NO_KINDS]
    if not names:
        yield Leftover("file", None, Fate.MALFORMED, str(file), "has no records of any kind")
    for name in names:
        yield from _read_kind(file, name, page[name])


def _read_kind(file: Path, name: str, entries: object) -> Iterator[Given | Leftover]:
    kind = _KINDS.get(name)
    if kind is None:
        yield Leftover(name, None, Fate.SKIPPED, str(file), f"{name!r} is not a kind of record that the inbox has")
    elif not isinstance(entries, list):
        yield Leftover(name, None, Fate.MALFORMED, str(file), f"{name!r} is not an array")
    else:
        for place, entry in enumerate(entries):
            yield _read_record(file, kind, place, entry)


def _read_record(file: Path, kind: Kind, place: int, entry: object) -> Given | Leftover:
    try:
        return Given(kind, place, kind.record.model_validate(entry))
    except ValidationError as error:
        mistakes = dict.fromkeys(_mistake(detail["loc"], detail["msg"]) for detail in error.errors(include_url=False))
        id = entry.get("id") if isinstance(entry, dict) else None  # noqa: A001  # the field's own name
        known = id if isinstance(id, int) and not isinstance(id, bool) else None
        text = "; ".join(mistakes)
        return Leftover(kind.name, known, Fate.MALFORMED, position(file, kind.name, place), text)


def _mistake(loc: tuple[int | str, ...], message: str) -> str:
    """A mistake with the way to it in the record: `links.account: Field required`."""
    way = ".".join(str(step) for step in loc)
    return ": ".join(part for part in (way, message.removeprefix("Value error, ")) if part)
