"""A property manager's company: the tenant. Every row except applications belongs to exactly one."""

from __future__ import annotations

from sqlmodel import Field

from db.tables.base import Stamped, Table, row_id


class Account(Table, Stamped, table=True):
    """A company. Other tables refer to its `id` as `account_id`."""

    __tablename__ = "accounts"

    id: int | None = row_id()
    business_name: str
    email: str | None = None
    time_zone: str = Field(default="UTC")
