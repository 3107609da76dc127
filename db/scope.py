"""Tenancy: the viewer of a request, and the only functions that start statements on tables.

Every statement on a table starts with `visible()`. It only adds the tenant predicate, so that a row of another account
is indistinguishable from one that does not exist. A test ensures that no other module starts a SELECT, UPDATE or
DELETE.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ColumnElement, Delete, Select, Update, bindparam, delete, select, update

from db import tables as t

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCOUNT = "account_id"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The authenticated caller: an account, an actor in it, and the scopes of the token.

    `actor_id` is the id of a user of that account, or of an application. One viewer serves many requests, so the names
    under which each request is logged and counted are made here.
    """

    account_id: int
    actor_type: t.CreatorType
    actor_id: int
    scopes: frozenset[str]
    charged: str | None = None
    """Who is logged and counted instead of the actor, such as `webhook:5`."""
    actor: str = field(init=False, compare=False)
    """The actor within the account, such as `user:12`."""
    key: str = field(init=False, compare=False)
    """The actor among those of all accounts, such as `1/user:12`."""

    def __post_init__(self) -> None:
        actor = self.charged or f"{self.actor_type.lower()}:{self.actor_id}"
        object.__setattr__(self, "actor", actor)
        object.__setattr__(self, "key", f"{self.account_id}/{actor}")


def tenant(table: type[t.Table]) -> ColumnElement[bool] | None:
    """The predicate that restricts `table` to the account `:account_id`. Applications are shared and have none."""
    if table is t.Application:
        return None
    column: Any = t.Account.id if table is t.Account else table.account_id  # type: ignore[attr-defined]
    predicate: ColumnElement[bool] = column == bindparam(ACCOUNT, type_=BigInteger)
    return predicate


def visible(table: type[t.Table], *columns: Any) -> Select[Any]:
    """A SELECT of `columns`, or of all, from the rows of `table` in the account `:account_id`."""
    chosen: Sequence[Any] = columns or tuple(table.__table__.columns)  # type: ignore[attr-defined]
    statement = select(*chosen).select_from(table)
    predicate = tenant(table)
    return statement if predicate is None else statement.where(predicate)


def visible_for_change(table: type[t.TenantTable]) -> Update:
    """An UPDATE of the rows of `table` in the account `:account_id`."""
    predicate = tenant(table)
    assert predicate is not None  # noqa: S101  # tenant tables have one, by their type
    return update(table).where(predicate)


def visible_for_removal(table: type[t.TenantTable]) -> Delete:
    """A DELETE of the rows of `table` in the account `:account_id`."""
    predicate = tenant(table)
    assert predicate is not None  # noqa: S101  # tenant tables have one, by their type
    return delete(table).where(predicate)
