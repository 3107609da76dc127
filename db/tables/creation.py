"""Who created a record, a user or an application, and under which id the creator knows it.

The type and the id are those of the record. The foreign key for the type is set if that actor is stored here. An
imported record may name an actor that is not, and then has the type and the id without a link.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    literal_column,
)
from sqlalchemy.schema import SchemaItem
from sqlmodel import Field, SQLModel

from db.tables.base import enum_type, reference
from db.tables.enums import CreatorType


class Created(SQLModel):
    """The columns of a polymorphic creator."""

    created_by_type: CreatorType | None = Field(default=None, sa_type=enum_type(CreatorType))
    created_by_id: int | None = Field(default=None, sa_type=BigInteger)
    created_by_user_id: int | None = Field(default=None, sa_type=BigInteger)
    created_by_application_id: int | None = Field(default=None, sa_type=BigInteger)


def creator_keys() -> tuple[SchemaItem, ...]:
    """The foreign keys and checks of the four columns."""
    return (
        reference("created_by_user_id", "users"),
        ForeignKeyConstraint(["created_by_application_id"], ["applications.id"]),
        CheckConstraint("(created_by_type IS NULL) = (created_by_id IS NULL)", name="creator"),
        CheckConstraint(
            "created_by_user_id IS NULL OR (created_by_type = 'USER' AND created_by_user_id = created_by_id)",
            name="creator_user",
        ),
        CheckConstraint(
            "created_by_application_id IS NULL"
            " OR (created_by_type = 'APPLICATION' AND created_by_application_id = created_by_id)",
            name="creator_application",
        ),
    )


class Delivered(SQLModel):
    """The creator's own id of a record, and a digest of the content that came with it: see `db.queries.external`."""

    external_id: str | None = Field(default=None, max_length=255)
    external_digest: bytes | None = Field(default=None, sa_type=LargeBinary)


# The filter by external ids selects those of any creator.
EXTERNAL_KEY = ("account_id", "external_id", "created_by_type", "created_by_id")


def external_key(table: str) -> Index:
    """The index that keeps the external ids of each creator unique in `table`."""
    where: ColumnElement[bool] = literal_column("external_id IS NOT NULL")
    return Index(f"uq_{table}_external_id", *EXTERNAL_KEY, unique=True, postgresql_where=where)
