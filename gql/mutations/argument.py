"""Fields of mutation inputs: optional fields whose absence differs from null, and ids as numbers.

Whether rows with these numbers exist is not checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry

from db import tables as t
from db.scope import Viewer
from gql.fields.node import decode_id


def optional(description: str) -> Any:
    """A field whose absence differs from null."""
    return strawberry.field(default=strawberry.UNSET, description=description)


def given(value: Any) -> Any:
    """The value; None if it was left out."""
    return None if value is strawberry.UNSET else value


def read_id(viewer: Viewer, table: type[t.Table], text: str) -> int:
    """The number of a row of `table`. Raises `ClientError` for a malformed id, and for one of another table."""
    return decode_id(text, table).seen_by(viewer)


def read_optional_id(viewer: Viewer, table: type[t.Table], text: str | None) -> int | None:
    """The same; None if the id is null or left out."""
    return read_id(viewer, table, text) if text is not None and text is not strawberry.UNSET else None


def read_ids(viewer: Viewer, table: type[t.Table], texts: Sequence[str]) -> list[int]:
    """The same for many, in order."""
    return [read_id(viewer, table, text) for text in texts]
