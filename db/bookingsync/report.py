"""What an import did: counts per kind, and everything that could not be taken as it was recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Fate(StrEnum):
    """What became of a leftover."""

    MALFORMED = "malformed"  # it could not be understood or stored, and is not imported
    SKIPPED = "skipped"  # it is of a kind that the inbox does not have
    KEPT_ASIDE = "kept aside"  # it belongs to something that is nowhere, and is not imported
    NOT_LINKED = "not linked"  # it is imported, without the reference that `text` names
    REPLACED = "replaced"  # it is imported, with another value for the one that `text` names


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that could not be joined.

    `kind` is the plural of the wire format ("messages"), or "file" where a whole file is meant, or the rest of one;
    `id` is the record's, where it has one, and `place` its index in the array of its kind.
    """

    kind: str
    id: int | None
    what: Fate
    file: Path
    place: int | None
    text: str

    @property
    def where(self) -> str:
        """The file, and the record's position in it: `page.json: messages[3]`."""
        return str(self.file) if self.place is None else f"{self.file}: {self.kind}[{self.place}]"


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an import. Kinds without records are not in the counts.

    `imported` counts given records that are new or changed what is stored, `unchanged` given records that are stored
    already, as they are or newer. `linked` counts stored rows that were not given and are linked to a given record now.
    `left_over` is the number of `leftovers`, which are read once, as there may be as many as records.
    """

    imported: dict[str, int]
    unchanged: dict[str, int]
    linked: dict[str, int]
    left_over: int
    leftovers: AsyncIterator[Leftover]

    @property
    def exit_code(self) -> int:
        """0 where everything is stored as recorded, 1 with anything left over, 2 where no record could be taken at all.

        A second import of the same files finds every record stored already. That is not a failure: the goal is reached.
        """
        if not self.imported and not self.unchanged:
            return 2
        return 1 if self.left_over else 0
