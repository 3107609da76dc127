"""The activities of conversations: what users and applications did to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlmodel import Field

from db.tables.base import TenantTable, Timestamp, enum_type, lookup, reference, row_id
from db.tables.creation import Created, creator_keys
from db.tables.enums import ActivityType


class Activity(TenantTable, Created, table=True):
    """One thing that was done to a conversation. It is never changed, and never deleted.

    Writers of one conversation run one after the other, so the ids of its activities are in the order of events.
    """

    __tablename__ = "activities"
    __table_args__ = (
        *creator_keys(),
        reference("conversation_id", "conversations"),
        reference("assignee_id", "hosts"),
        reference("message_id", "messages"),
        lookup("conversation_id", "id"),
    )

    id: int | None = row_id()
    conversation_id: int = Field(sa_type=BigInteger)
    type: ActivityType = Field(sa_type=enum_type(ActivityType))
    created_at: datetime = Field(sa_type=Timestamp)
    assignee_id: int | None = Field(default=None, sa_type=BigInteger)
    # Not a foreign key: an import can delete the booking, and that it was connected stays true.
    booking_id: int | None = Field(default=None, sa_type=BigInteger)
    message_id: int | None = Field(default=None, sa_type=BigInteger)
