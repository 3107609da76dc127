"""Many rows with long texts are read in pieces, so that reading ends when there is too much of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar

from db import tables as t
from db.page import MAX_SIZE

# One statement reads so many rows with texts of any length, at most: six of the largest pages. A text of a message has
# up to 65,536 characters, which makes 40 MB of rows; that of a usual message makes 100 kB.
MOST_ROWS = 6 * (MAX_SIZE + 1)

# The rows of graphql-core have all columns, shown or not.
_NOT_SHOWN = 4

_T = TypeVar("_T")


class TooMuchTextError(Exception):
    """Rows hold more than `limit` characters of text."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} characters of text")
        self.limit = limit


@cache
def _texts(table: type[t.Table]) -> tuple[str, ...]:
    """The columns that hold texts of any length."""
    columns: Any = table.__table__.columns  # type: ignore[attr-defined]
    return tuple(
        column.key
        for column in columns
        # SQLModel's strings are no `String`, and types of enums have a length, too.
        if getattr(column.type, "length", 0) is None and not hasattr(column.type, "enums")
    )


async def load_in_pieces(  # noqa: PLR0913, PLR0917  # what is read, how, and how much
    load: Callable[[Sequence[int]], Awaitable[list[_T]]],
    rows_of: Callable[[list[_T]], Iterable[Any]],
    keys: Sequence[int],
    rows_each: int,
    table: type[t.Table],
    columns: frozenset[Any] | None,
    limit: int,
) -> list[_T]:
    """What `load` returns for all `keys`, each of which leads to `rows_each` rows of `table`, at most.

    Raises `TooMuchTextError` as soon as the texts in `columns` have over `limit` characters together. Fewer rows than
    `MOST_ROWS`, and rows without such texts, are loaded at once and not counted.
    """
    step = max(1, MOST_ROWS // rows_each)
    if len(keys) <= step:
        return await load(keys)
    texts = [name for name in _texts(table) if columns is None or name in columns]
    if not texts:
        return await load(keys)
    most = limit * _NOT_SHOWN if columns is None else limit
    found: list[_T] = []
    read = 0
    for start in range(0, len(keys), step):
        piece = await load(keys[start : start + step])
        read += sum(len(row[name] or "") for row in rows_of(piece) if row is not None for name in texts)
        if read > most:
            raise TooMuchTextError(limit)
        found += piece
    return found
