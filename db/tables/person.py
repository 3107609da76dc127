"""The people of a conversation: hosts of the account, and clients."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, func
from sqlmodel import Field

from db.tables.base import Stamped, TenantTable, lookup, reference, row_id
from db.tables.search import searchable


class Host(TenantTable, Stamped, table=True):
    """A person who answers for the account. The login (`user_id`) can be missing."""

    __tablename__ = "hosts"
    __table_args__ = (
        reference("user_id", "users"),
        reference("source_id", "sources"),
        lookup("user_id"),
    )

    id: int | None = row_id()
    firstname: str
    lastname: str
    email: str | None = None
    user_id: int | None = Field(default=None, sa_type=BigInteger)
    source_id: int | None = Field(default=None, sa_type=BigInteger)


class Client(TenantTable, Stamped, table=True):
    """A traveller."""

    __tablename__ = "clients"
    __table_args__ = (lookup("created_at", "id"), lookup("updated_at", "id"))

    id: int | None = row_id()
    fullname: str
    email: str | None = None
    phone: str | None = None
    preferred_locale: str | None = None


_C: Any = Client.__table__.columns  # type: ignore[attr-defined]
CLIENT_WORDS = searchable(Client, _C.fullname, func.search_contact(_C.email, _C.phone))
