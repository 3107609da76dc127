"""The activities of conversations in the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from db import tables as t
from db.relations import One
from gql.fields.column import column
from gql.fields.enums import ActivityType, CreatorType
from gql.fields.node import Node, node
from gql.fields.one import either, one
from gql.fields.scalars import BigInt

if TYPE_CHECKING:
    from gql.types.actor import Creator
    from gql.types.booking import Booking
    from gql.types.conversation import Conversation
    from gql.types.message import Message
    from gql.types.person import Host


@node(t.Activity, scopes=["inbox_read"])
class Activity(Node):
    """Something that a user or an application did to a conversation through this API. It never changes."""

    conversation: Conversation = one(t.Activity.conversation_id, description="The conversation.")
    type: ActivityType = column("What was done.")
    created_at: datetime = column("When it was done.")
    created_by: Creator | None = either(
        t.Activity.created_by_user_id,
        t.Activity.created_by_application_id,
        description="The user or application whose token was used. A guest whose message reopened the conversation is "
        "the sender of `message`; this is the application that delivered it.",
    )
    created_by_id: BigInt | None = column("Id of that user or application.")
    created_by_type: CreatorType | None = column("Whether it was a user or an application.")
    assignee: Host | None = one(t.Activity.assignee_id, description="The host who was assigned; null for other types.")
    booking: Booking | None = either(
        One("booking_id", t.Booking),
        description="The booking that was connected or disconnected; null for other types, and if it was deleted "
        "since.",
    )
    message: Message | None = one(
        t.Activity.message_id,
        description="The guest's message that reopened the conversation; null if it was reopened otherwise, and for "
        "other types.",
    )
