"""The interface `Named`: people and programs with a name to show, so that it is selected in one line on any of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import strawberry

from db import tables as t
from db.queries.writing import is_blank
from gql.fields.column import column
from gql.fields.computed import computed


@strawberry.interface(description="A person or a program with a name to show.")
class Named:
    """The members of the unions of people and programs implement it."""

    display_name: str = column("Name to show: one line, and never blank.")


def display_name(table: type[t.Table], *names: Any, instead: Sequence[Any] = ()) -> Any:
    """A field for the name of a row of `table`: the columns `names`, joined by spaces.

    If all of them are blank, it is the first of `instead` that is not, else the type and the id.
    """
    kinds = {"email": "the e-mail address", "phone": "the phone number"}
    others = "".join(f"{kinds[other.key]}, else " for other in instead)
    kind = table.__name__
    return computed(
        partial(_choose_name, kind, len(names)),
        table.id,  # type: ignore[attr-defined]
        *names,
        *instead,
        description=f"Name to show: one line, and never blank. Without a name it is {others}`{kind}` with its "
        "`databaseId`.",
    )


def _choose_name(kind: str, parts: int, id_: int, *texts: str | None) -> str:
    """The first text that is not blank, where the first `parts` texts are one name."""
    name = " ".join(text for text in texts[:parts] if text)
    shown = (text for text in (name, *texts[parts:]) if text and not is_blank(text))
    return " ".join(next(shown, f"{kind} {id_}").split())
