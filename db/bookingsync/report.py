"""The report of an import: counts per kind of record, and everything that was not stored as it was recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Fate(StrEnum):
    """What happened to a leftover."""

    MALFORMED = "malformed"  # it could not be understood or stored, and is not imported
    SKIPPED = "skipped"  # it is a file or a kind of record that the inbox does not read
    KEPT_ASIDE = "kept aside"  # its parent is missing, so it is not imported
    NOT_LINKED = "not linked"  # it is imported without the reference that `text` names
    REPLACED = "replaced"  # it is imported with another value in place of the one that `text` names
    NOT_DELETED = "not deleted"  # it was deleted where the export comes from, and stays here


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that was not imported as it was recorded.

    `kind` is the plural of the wire format ("messages"), or "file" for a file or the rest of one. `id` is the record's,
    if it has one, and `place` is the index in the array of its kind.
    """

    kind: str
    id: int | None
    what: Fate
    file: Path
    place: int | None
    text: str

    @property
    def where(self) -> str:
        """The file and the position in it: `page.json: messages[3]`."""
        return str(self.file) if self.place is None else f"{self.file}: {self.kind}[{self.place}]"


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an import. Kinds with a count of 0 are left out.

    imported   given records that are new, or that changed what was stored
    unchanged  given records that were stored already, as they are or newer
    linked     stored rows that were not given and now refer to a given record
    deleted    stored rows that were deleted because the export says so

    `pages` counts the files that had an array of a known kind. `left_over` is the number of `leftovers`, which can be
    iterated once: there may be as many as records. `failed` counts those of them that were not imported.
    """

    imported: dict[str, int]
    unchanged: dict[str, int]
    linked: dict[str, int]
    deleted: dict[str, int]
    pages: int
    left_over: int
    failed: int
    leftovers: AsyncIterator[Leftover]

    @property
    def exit_code(self) -> int:
        """0 if all was stored as recorded, 1 if anything is left over, 2 if there was no page or no record was taken.

        Pages with empty arrays only, and records that are stored already, are a success.
        """
        if not self.pages or (self.failed and not self.imported and not self.unchanged):
            return 2
        return 1 if self.left_over else 0
