"""One DataLoader per relation, arguments and columns, made when first used and kept for the request.

A loader calls the relation's own batch function, so there is no loader class per relation. A resolver of graphql-core
loads one key and awaits a future. A plan loads all keys of a level at once and needs no futures; its steps run one
after the other, so that no two of them load at the same time.
"""

from __future__ import annotations

from asyncio import CancelledError, Future
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, TypeAlias

from aiodataloader import DataLoader

from db import tables as t
from db.criterion import Term
from db.queries.conversation import counts, match
from db.relations import Many, Slice, Window, by_id
from db.selection import ALL, Columns, Expression
from gql.context import Context

_Batch: TypeAlias = Callable[[Sequence[Any]], Awaitable[list[Any]]]


class KeyLoader(DataLoader[Any, Any]):
    """A DataLoader whose callers get a future each, and whose waiters learn that their batch was cancelled."""

    def __init__(self, batch: _Batch) -> None:
        super().__init__()
        self._batch = batch

    async def batch_load_fn(self, keys: list[Any]) -> list[Any]:
        """The values of distinct keys, for aiodataloader."""
        try:
            return await self._batch(keys)
        except CancelledError as error:
            # Aiodataloader would leave those that wait for a value waiting for ever.
            raise RuntimeError("the load was interrupted") from error

    def load(self, key: Any) -> Future[Any]:
        """The value of one key, in a batch with the other keys that are loaded meanwhile.

        Each caller gets its own future: graphql-core cancels a future when a sibling field fails, and that must not
        cancel the loads of others.
        """
        shared = super().load(key)
        own = self.loop.create_future()

        def settle(_: Future[Any]) -> None:
            error = shared.exception()
            if own.done():
                return
            if error is None:
                own.set_result(shared.result())
            else:
                own.set_exception(error)
                # If graphql-core abandoned the future after another error, nobody awaits it, and asyncio would log the
                # exception as never retrieved.
                own.exception()

        shared.add_done_callback(settle)
        return own


class LevelLoader:
    """Loads many keys at once and caches their values.

    Only graphql-core loads single keys. The DataLoader for them is made then, as making one takes 4 µs.
    """

    __slots__ = ("_batch", "_single", "_values")

    def __init__(self, batch: _Batch) -> None:
        self._batch = batch
        self._single: KeyLoader | None = None
        self._values: dict[Any, Any] = {}

    def load(self, key: Any) -> Future[Any]:
        """One key's value, in a batch with the other keys asked for meanwhile."""
        if self._single is None:
            self._single = KeyLoader(self._batch)
        return self._single.load(key)

    async def load_level(self, keys: Sequence[Any]) -> list[Any]:
        """The values of distinct keys; those that are not cached are loaded in one batch."""
        values = self._values
        missing = [key for key in keys if key not in values] if values else keys
        if missing:
            values.update(zip(missing, await self._batch(missing), strict=True))
        return [values[key] for key in keys]


def load_row(context: Context, table: type[t.Table], id_: int) -> Awaitable[Any | None]:
    """The row of `table` with that id; None if the viewer's account has no such row."""
    return _row_loader(context, table, ALL).load(id_)


def load_part(context: Context, table: type[t.Table], expression: Expression, id_: int) -> Awaitable[Any]:
    """The same row with only its id and `expression`."""
    return _row_loader(context, table, frozenset({expression})).load(id_)


def load_rows(context: Context, table: type[t.Table], ids: Sequence[int], columns: Columns) -> Awaitable[list[Any]]:
    """The rows of distinct ids, with at least `columns`."""
    return _row_loader(context, table, columns).load_level(ids)


def load_slice(context: Context, many: Many, window: Window, parent: int) -> Awaitable[Slice]:
    """A page of `parent`'s children."""
    return _slice_loader(context, many, window, ALL).load(parent)


def load_slices(
    context: Context, many: Many, window: Window, parents: Sequence[int], columns: Columns
) -> Awaitable[list[Slice]]:
    """The same for distinct parents, with at least `columns`."""
    return _slice_loader(context, many, window, columns).load_level(parents)


def load_count(context: Context, many: Many, where: tuple[Term, ...], parent: int) -> Awaitable[int]:
    """The number of `parent`'s children that meet all of `where`."""
    return _count_loader(context, many, where).load(parent)


def load_counts(context: Context, many: Many, where: tuple[Term, ...], parents: Sequence[int]) -> Awaitable[list[int]]:
    """The same for distinct parents."""
    return _count_loader(context, many, where).load_level(parents)


def load_kind_count(context: Context, where: tuple[Term, ...], kind: str) -> Awaitable[int]:
    """The number of conversations of a kind in `counts` that meet all of `where`: one statement for all kinds."""
    return _kind_loader(context, where).load(kind)


def load_kind_counts(context: Context, where: tuple[Term, ...], kinds: Sequence[str]) -> Awaitable[list[int]]:
    """The same for distinct kinds."""
    return _kind_loader(context, where).load_level(kinds)


def load_match(context: Context, search: str, id_: int) -> Awaitable[match.FoundText | None]:
    """The text of a conversation that a search matches; None if the viewer may see none."""
    return _match_loader(context, search).load(id_)


def load_matches(context: Context, search: str, ids: Sequence[int]) -> Awaitable[list[match.FoundText | None]]:
    """The same for distinct conversations."""
    return _match_loader(context, search).load_level(ids)


def _row_loader(context: Context, table: type[t.Table], columns: Columns) -> LevelLoader:
    relation = by_id(table)
    return _loader(
        context,
        (relation, columns),
        lambda ids: relation.load(context.snapshot, context.viewer.account_id, ids, columns),
    )


def _slice_loader(context: Context, many: Many, window: Window, columns: Columns) -> LevelLoader:
    return _loader(
        context,
        (many, window, columns),
        lambda parents: many.load(context.snapshot, context.viewer.account_id, parents, window, columns),
    )


def _count_loader(context: Context, many: Many, where: tuple[Term, ...]) -> LevelLoader:
    return _loader(
        context, (many, where), lambda parents: many.count(context.snapshot, context.viewer.account_id, parents, where)
    )


def _kind_loader(context: Context, where: tuple[Term, ...]) -> LevelLoader:
    return _loader(context, (counts, where), lambda kinds: counts.load(context.snapshot, context.viewer, kinds, where))


def _match_loader(context: Context, search: str) -> LevelLoader:
    return _loader(context, (match, search), lambda ids: match.load(context.snapshot, context.viewer, search, ids))


def _loader(context: Context, key: Hashable, batch: _Batch) -> LevelLoader:
    loader: LevelLoader | None = context.loaders.get(key)
    if loader is None:
        loader = context.loaders[key] = LevelLoader(batch)
    return loader
