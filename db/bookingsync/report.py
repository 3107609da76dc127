"""What an import did: counts per kind, and everything that could not be taken as it was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What became of a leftover."""

    MALFORMED = "malformed"  # it could not be understood or stored, and is not imported
    SKIPPED = "skipped"  # it is of a kind that the inbox does not have
    KEPT_ASIDE = "kept aside"  # it belongs to something that is nowhere, and is not imported
    NOT_LINKED = "not linked"  # it is imported, without the reference that `text` names


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that could not be joined.

    `kind` is the plural of the wire format ("messages"), or "file" where a whole file is meant; `id` is the record's,
    where it has one; `where` is the file and the record's position in it, or the line and column where it is not JSON.
    """

    kind: str
    id: int | None
    what: Fate
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an import. Kinds without records are not in the counts.

    `imported` counts given records that are new or changed what is stored, `unchanged` given records that are stored
    already, as they are or newer. `linked` counts stored rows that were not given and are linked to a given record now.
    """

    imported: dict[str, int]
    unchanged: dict[str, int]
    linked: dict[str, int]
    leftovers: list[Leftover]

    @property
    def exit_code(self) -> int:
        """0 where everything is stored as recorded, 1 with anything left over, 2 where no record could be taken at all.

        A second import of the same files finds every record stored already. That is not a failure: the goal is reached.
        """
        if not self.imported and not self.unchanged:
            return 2
        return 1 if self.leftovers else 0
