"""Idempotency keys and what was written under them, so that a repeated mutation returns the first result."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field

from db.tables.base import TenantTable, Timestamp, enum_type, lookup
from db.tables.enums import CreatorType


class IdempotencyKey(TenantTable, table=True):
    """A key of an actor, with a digest of the mutation and its input, and the id of the record that it wrote."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (lookup("created_at"),)

    actor_type: CreatorType = Field(primary_key=True, sa_type=enum_type(CreatorType))
    actor_id: int = Field(primary_key=True, sa_type=BigInteger)
    key: str = Field(primary_key=True, max_length=255)
    digest: bytes = Field(sa_type=LargeBinary)
    written_id: int | None = Field(default=None, sa_type=BigInteger)
    created_at: datetime = Field(sa_type=Timestamp)
