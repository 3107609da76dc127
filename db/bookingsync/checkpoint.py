"""How far an import has come, stored in the database.

Each batch saves the checkpoint in its own transaction, so an import that continues from a checkpoint neither repeats
nor skips anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from db.bookingsync.stream import Start

TABLE = """
CREATE TABLE inbox_import.checkpoint (
    step text NOT NULL, after bigint NOT NULL,
    file int NOT NULL, byte bigint, name text, place int,
    read bigint NOT NULL, joined bigint NOT NULL
)
"""
_BEGIN = "INSERT INTO inbox_import.checkpoint VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
_SAVE = """
UPDATE inbox_import.checkpoint
SET (step, after, file, byte, name, place, read, joined) = ROW($1, $2, $3, $4, $5, $6, $7, $8)
"""
_LOAD = "SELECT * FROM inbox_import.checkpoint"


@dataclass(slots=True)
class Checkpoint:
    """The current step of an import, and how far that step has come.

    The reading step is in the file number `file`, at its beginning or at `start`. Every other step is done up to and
    including the number `after`. `read` and `joined` count records.
    """

    step: str
    after: int = 0
    file: int = 0
    start: Start | None = None
    read: int = 0
    joined: int = 0

    async def begin(self, connection: asyncpg.Connection) -> None:
        """Store this as the checkpoint of a new import."""
        await connection.execute(_BEGIN, *self._values())

    async def save(self, connection: asyncpg.Connection) -> None:
        """Store this as the checkpoint of the import."""
        await connection.execute(_SAVE, *self._values())

    def _values(self) -> tuple[object, ...]:
        start = (None, None, None) if self.start is None else (self.start.offset, self.start.name, self.start.place)
        return (self.step, self.after, self.file, *start, self.read, self.joined)


async def load(connection: asyncpg.Connection) -> Checkpoint:
    """The checkpoint of the import that has begun."""
    step, after, file, byte, name, place, read, joined = await connection.fetchrow(_LOAD)
    return Checkpoint(step, after, file, None if byte is None else Start(byte, name, place), read, joined)
