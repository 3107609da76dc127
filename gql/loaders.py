"""One DataLoader per relation and arguments, made when first used and kept for the request.

What a loader needs is the relation's own batch function; there is no loader class to write per relation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any

from aiodataloader import DataLoader

from db import tables as t
from db.criterion import Term
from db.relations import Many, Slice, Window, by_id
from gql.context import Context


def load_row(context: Context, table: type[t.Table], id_: int) -> Awaitable[Any | None]:
    """The row of `table` with that id, or none in the viewer's account."""
    relation = by_id(table)
    return _load(context, relation, lambda ids: relation.load(context.snapshot, context.viewer.account_id, ids), id_)


def load_slice(context: Context, many: Many, window: Window, parent: int) -> Awaitable[Slice]:
    """A page of `parent`'s children."""
    return _load(
        context,
        (many, window),
        lambda parents: many.load(context.snapshot, context.viewer.account_id, parents, window),
        parent,
    )


def load_count(context: Context, many: Many, where: tuple[Term, ...], parent: int) -> Awaitable[int]:
    """How many children `parent` has that meet all of `where`."""
    return _load(
        context,
        (many, where),
        lambda parents: many.count(context.snapshot, context.viewer.account_id, parents, where),
        parent,
    )


def _load(
    context: Context, key: Hashable, batch: Callable[[Sequence[int]], Awaitable[list[Any]]], id_: int
) -> Awaitable[Any]:
    loader = context.loaders.get(key)
    if loader is None:

        async def load_batch(ids: list[int]) -> list[Any]:
            return await batch(ids)

        loader = context.loaders[key] = DataLoader(load_batch)
    return loader.load(id_)
