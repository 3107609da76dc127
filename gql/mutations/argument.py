"""What the inputs of mutations are made of: fields whose absence means something, and ids as a viewer's numbers.

What the numbers lead to is not looked up here.
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
    """The value, None where it was left out."""
    return None if value is strawberry.UNSET else value


def read_id(viewer: Viewer, table: type[t.Table], text: str) -> int:
    """The number to look up in `table`. Raises `ClientError` for what is no id, or one of another table."""
    return decode_id(text, table).seen_by(viewer)


def read_optional_id(viewer: Viewer, table: type[t.Table], text: str | None) -> int | None:
    """The same, none where there is no id, be it null or left out."""
    return read_id(viewer, table, text) if text is not None and text is not strawberry.UNSET else None


def read_ids(viewer: Viewer, table: type[t.Table], texts: Sequence[str]) -> list[int]:
    """The same for many, in order."""
    return [read_id(viewer, table, text) for text in texts]
