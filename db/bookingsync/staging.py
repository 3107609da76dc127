"""The temporary tables of an import: given records per kind, what was changed, and what is left over.

`given_<kind>` has the columns of the kind's table without its constraints, the ids that live elsewhere, and the
record's position: `file` (index of the file) and `place` (index in the array). Everything is gone at the end of the
transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from string import Template

import asyncpg

from db.bookingsync.kind import KINDS, Kind
from db.bookingsync.page import Given

_GIVEN = """
CREATE TEMP TABLE given_$kind ON COMMIT DROP AS
SELECT 0 AS file, 0 AS place, $elsewhere t.* FROM $kind t WITH NO DATA
"""
# A changed row of a table without accounts stands under its own id.
_CHANGED = """
CREATE TEMP TABLE changed (kind text, account_id bigint, id bigint, PRIMARY KEY (kind, account_id, id)) ON COMMIT DROP
"""
_LEFTOVERS = """
CREATE TEMP TABLE leftovers (kind text, id bigint, what text, file int, place int, text text) ON COMMIT DROP
"""


def fill(text: str, **names: str) -> str:
    """A statement with its identifiers filled in. These come from declarations (`kind`), never from a record."""
    return Template(text).substitute(names)


async def create(connection: asyncpg.Connection) -> None:
    """Make the tables, empty. Needs a transaction."""
    for kind in KINDS:
        elsewhere = "".join(f"NULL::{type_} AS {name}, " for name, type_ in kind.elsewhere.items())
        await connection.execute(fill(_GIVEN, kind=kind.name, elsewhere=elsewhere))
    await connection.execute(_CHANGED)
    await connection.execute(_LEFTOVERS)


async def load(connection: asyncpg.Connection, file: int, kind: Kind, batch: Sequence[Given]) -> None:
    """Copy a batch of one kind and one file into its table."""
    values = attrgetter(*kind.fields)
    await connection.copy_records_to_table(
        f"given_{kind.name}",
        columns=("file", "place", *kind.fields),
        records=[(file, given.place, *values(given.record)) for given in batch],
    )


async def analyze(connection: asyncpg.Connection) -> None:
    """Tell the planner how much was given: nothing else does for temporary tables."""
    await connection.execute("ANALYZE " + ", ".join(f"given_{kind.name}" for kind in KINDS))
