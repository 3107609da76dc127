"""The actors of the API: users (logins) of an account, and applications, which belong to no account."""

from __future__ import annotations

from db.tables.base import Table, TenantTable, row_id


class User(TenantTable, table=True):
    """A login of an account."""

    __tablename__ = "users"

    id: int | None = row_id()
    name: str
    email: str | None = None


class Application(Table, table=True):
    """A program that acts for accounts, such as a channel's connector. The one table without an account."""

    __tablename__ = "applications"

    id: int | None = row_id()
    name: str
