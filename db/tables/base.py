"""What the tables share: tenant keys, timestamps, and foreign keys that cannot cross an account.

A tenant table's primary key is `(account_id, id)`, and each of its foreign keys carries `account_id` too, so that a
link to another account's record cannot be stored, not even by a bug. Relationships are declared in `db.relations`
instead, so that a lazy load cannot be written by accident.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Sequence,
    String,
)
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlmodel import AutoString, Field, SQLModel

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Timestamp(TIMESTAMP):
    """A time in milliseconds.

    The DateTime scalar has the same precision, so comparisons use the values that the API shows.
    """

    cache_ok = True

    def __init__(self) -> None:
        super().__init__(timezone=True, precision=3)


class FreeText(AutoString):
    """A text that people write as long as they like: what is read of it is counted (`db.texts`). Others are short."""

    cache_ok = True


class Table(SQLModel):
    """The base of all tables. Migrations are compared with its metadata."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)

    @classmethod
    def __table_cls__(cls, name: str, metadata: MetaData, *items: Any, **options: Any) -> sqlalchemy.Table:
        """SQLAlchemy's table of this class. Each column of a closed set gets its check."""
        columns = [item for item in items if isinstance(item, Column)]
        checks = [_is_one_of(column.name, column.type) for column in columns if isinstance(column.type, Enum)]
        return sqlalchemy.Table(name, metadata, *items, *checks, **options)


def _is_one_of(column: str, values: Enum) -> CheckConstraint:
    """The check that `column` has one of the values, or null.

    PostgreSQL reads the text of each check of a table for every statement that writes. SQLAlchemy's own check compares
    with a list of constants, which takes longer to read: a mutation took 669 µs of PostgreSQL's CPU instead of 648.
    """
    return CheckConstraint(f"{column} = ANY ('{{{','.join(values.enums)}}}'::text[])", name=values.name)


class TenantTable(Table):
    """A table in which each row belongs to one account."""

    account_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="accounts.id")


class Stamped(SQLModel):
    """The times of a row's creation and last change. `updated_at` never moves backwards."""

    created_at: datetime = Field(sa_type=Timestamp)
    updated_at: datetime = Field(sa_type=Timestamp)


# The first id that this server gives. Imported records keep the ids of the REST API, which are lower, so that a record
# that is imported later never has the id of one that was written here meanwhile. JavaScript's numbers are exact beyond.
FIRST_OWN_ID = 1_000_000_000_000
# One sequence for the ids of all tables. SQLAlchemy would put an identity column first in the primary key, before the
# account.
ROW_IDS = Sequence("row_ids", metadata=Table.metadata, data_type=BigInteger)


def row_id() -> Any:
    """The id column: the REST API's integer for an imported row, else the next number of the sequence."""
    return Field(
        default=None,
        primary_key=True,
        sa_type=BigInteger,
        sa_column_kwargs={"server_default": ROW_IDS.next_value(), "autoincrement": False},
    )


def enum_type(values: type[StrEnum]) -> Any:
    """The column type of a closed set: text with a check, so that adding a value is a simple migration."""
    return Enum(values, native_enum=False, length=32, name=values.__name__.lower())


def texts(length: int) -> Any:
    """The column type of a list of texts, each of at most `length` characters."""
    return ARRAY(String(length))


def only(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The check that the list `column`, of the type `texts(32)`, has only values of a closed set."""
    return CheckConstraint(f"{column} <@ '{{{','.join(values)}}}'::character varying[]", name=values.__name__.lower())


def reference(column: str, table: str) -> ForeignKeyConstraint:
    """A foreign key to a row of the same account, or null."""
    return ForeignKeyConstraint(["account_id", column], [f"{table}.account_id", f"{table}.id"])


def lookup(*columns: str, include: Collection[str] = ()) -> Index:
    """An index on the account and then `columns`, with the values of `include` beside them."""
    return Index(None, "account_id", *columns, postgresql_include=list(include))
