"""The first step of an import: files into staging tables, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from db.bookingsync.page import File, Given, read_page
from db.bookingsync.report import Leftover
from db.bookingsync.stream import Start

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
