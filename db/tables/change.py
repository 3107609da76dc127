"""The change log: the nodes that changed, in the order of the commits."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache

from sqlalchemy import BigInteger, Index, literal_column
from sqlmodel import Field

from db.tables.base import Table, TenantTable, Timestamp, enum_type, lookup, texts
from db.tables.enums import ChangeOperation, ChangeType, WebhookEvent

_WORD = re.compile("(?<=[a-z])(?=[A-Z])")


@cache
def change_type(table: type[Table]) -> ChangeType | None:
    """The type of a table's rows in the log, such as `WEBHOOK_ENDPOINT`; None if they are not logged."""
    return ChangeType.__members__.get(_WORD.sub("_", table.__name__).upper())


class ChangeCounter(TenantTable, table=True):
    """The number of an account's newest change.

    Its row lock makes the numbers follow the order of commits, without gaps.
    """

    __tablename__ = "change_counters"

    number: int = Field(sa_type=BigInteger)
    removed: int = Field(default=0, sa_type=BigInteger)
    """Changes up to this number were removed from the log."""


class Change(TenantTable, table=True):
    """One change of one node. `conversation_id` is the conversation that the node belongs to, if any.

    `events` are what the write says that happened to the node; most changes, and all of an import, have none.
    """

    __tablename__ = "changes"
    __table_args__ = (
        lookup("conversation_id", "number"),
        # The changes with events, which are few where imports write.
        Index("ix_changes_events", "account_id", "number", postgresql_where=literal_column("events <> '{}'")),
    )

    number: int = Field(primary_key=True, sa_type=BigInteger)
    type: ChangeType = Field(sa_type=enum_type(ChangeType))
    # Not a foreign key: the log outlives the nodes.
    node_id: int = Field(sa_type=BigInteger)
    conversation_id: int | None = Field(default=None, sa_type=BigInteger)
    operation: ChangeOperation = Field(sa_type=enum_type(ChangeOperation))
    at: datetime = Field(sa_type=Timestamp)
    events: list[WebhookEvent] = Field(sa_type=texts(32), sa_column_kwargs={"server_default": "{}"})


class Epoch(Table, table=True):
    """One row: a random value that is part of every cursor. A restore or a new seed replaces it."""

    __tablename__ = "epochs"

    value: str = Field(primary_key=True, max_length=32)
