"""How far an import has come, as the database has it.

A batch saves its position in its own transaction, so that both are there or neither: whoever goes on from a position
does nothing twice and leaves nothing out.
"""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from db.bookingsync.stream import Start

TABLE = """
CREATE TABLE inbox_import.position (
    step text NOT NULL, after bigint NOT NULL,
    file int NOT NULL, byte bigint, name text, place int,
    read bigint NOT NULL, joined bigint NOT NULL
)
"""
_BEGIN = "INSERT INTO inbox_import.position VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
_SAVE = """
UPDATE inbox_import.position
SET (step, after, file, byte, name, place, read, joined) = ROW($1, $2, $3, $4, $5, $6, $7, $8)
"""
_LOAD = "SELECT * FROM inbox_import.position"


@dataclass(slots=True)
class Position:
    """The step that an import is at, and how far that has come.

    Reading is at the file number `file`, at its beginning or at `start`; any other step is behind the number `after`.
    `read` and `joined` count records.
    """

    step: str
    after: int = 0
    file: int = 0
    start: Start | None = None
    read: int = 0
    joined: int = 0

    async def begin(self, connection: asyncpg.Connection) -> None:
        """Make this the position of a new import."""
        await connection.execute(_BEGIN, *self._values())

    async def save(self, connection: asyncpg.Connection) -> None:
        """Make this the position of the import."""
        await connection.execute(_SAVE, *self._values())

    def _values(self) -> tuple[object, ...]:
        start = (None, None, None) if self.start is None else (self.start.offset, self.start.name, self.start.place)
        return (self.step, self.after, self.file, *start, self.read, self.joined)


async def load(connection: asyncpg.Connection) -> Position:
    """The position of the import that was begun."""
    step, after, file, byte, name, place, read, joined = await connection.fetchrow(_LOAD)
    return Position(step, after, file, None if byte is None else Start(byte, name, place), read, joined)
