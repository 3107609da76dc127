"""Loads rows by SQLModel's ORM, as fast as possible: one batch for each relation and level, one statement per batch.

There is one dataloader per relation (and size of page), made when first used. Each batch has its own `AsyncSession`, so
that batches run concurrently; AUTOCOMMIT saves a BEGIN and a ROLLBACK. Ids are one array, so that a statement is
compiled by SQLAlchemy and prepared by PostgreSQL once, and pages are limited by LATERAL. A row is converted to a
GraphQL type once, even if it occurs several times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiodataloader import DataLoader
from sqlalchemy import BigInteger, bindparam, func, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import aliased
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t

Loader: TypeAlias = "DataLoader[int, Any]"
Show: TypeAlias = Callable[[Any], Any]

_B: Any = t.Booking
_M: Any = t.Message
_LINK: Any = t.ConversationBooking


class Loaders:
    """The loaders of one request. `show` makes the type of a row."""

    def __init__(self, engine: AsyncEngine, account_id: int) -> None:
        self._engine = engine
        self._account_id = account_id
        self._made: dict[Any, Loader] = {}

    def row(self, table: Any, id_: int | None, show: Show) -> Awaitable[Any] | None:
        """The row of `table` with that id."""
        if id_ is None:
            return None

        async def load(ids: list[int]) -> list[Any]:
            statement = select(table).where(table.account_id == self._account_id, table.id == func.any(_array(ids)))
            async with AsyncSession(self._engine) as session:
                rows = {row.id: show(row) for row in await session.exec(statement)}
            return [rows.get(id_) for id_ in ids]

        return self._loader(table, load).load(id_)

    def bookings(self, conversation: int, size: int, show: Show) -> Awaitable[list[Any]]:
        """The first bookings of a conversation."""

        def children() -> Any:
            linked = (_LINK.account_id == _B.account_id) & (_LINK.booking_id == _B.id)
            mine = select(t.Booking).join(_LINK, linked).where(_LINK.account_id == self._account_id)
            return mine.order_by(_LINK.booking_id), _LINK.conversation_id

        return self._pages(t.Booking, children, size, show).load(conversation)

    def children(self, table: Any, conversation: int, size: int, show: Show) -> Awaitable[list[Any]]:
        """The first inquiries or participants of a conversation, by id."""

        def children() -> Any:
            mine = select(table).where(table.account_id == self._account_id)
            return mine.order_by(table.id), table.conversation_id

        return self._pages(table, children, size, show).load(conversation)

    def messages(self, conversation: int, size: int, show: Show, *, newest: bool) -> Awaitable[list[Any]]:
        """The first messages of a conversation or, with `newest`, the last ones, newest first."""

        def children() -> Any:
            mine = select(t.Message).where(_M.account_id == self._account_id)
            order = (_M.sent_at.desc(), _M.id.desc()) if newest else (_M.sent_at, _M.id)
            return mine.order_by(*order), _M.conversation_id

        return self._pages(t.Message, children, size, show, newest).load(conversation)

    def _pages(self, table: Any, children: Callable[[], Any], size: int, show: Show, *key: Any) -> Loader:
        """The loader of pages of `table`. `children` makes the ordered SELECT and its column of the parent's id."""

        async def load(ids: list[int]) -> list[list[Any]]:
            given = func.unnest(_array(ids)).table_valued("key").render_derived(name="given")
            ordered, parent = children()
            limited = ordered.where(parent == given.c.key).limit(size).correlate(given).lateral()
            entity = aliased(table, limited)
            pages = defaultdict(list)
            async with AsyncSession(self._engine) as session:
                for id_, row in await session.exec(select(given.c.key, entity).join(entity, true())):
                    pages[id_].append(show(row))
            return [pages[id_] for id_ in ids]

        return self._loader((table, "of", size, *key), load)

    def _loader(self, key: Any, load: Callable[[list[int]], Awaitable[list[Any]]]) -> Loader:
        if key not in self._made:
            self._made[key] = DataLoader(load)  # type: ignore[arg-type]
        return self._made[key]


def _array(ids: list[int]) -> Any:
    return bindparam("ids", ids, type_=ARRAY(BigInteger))
