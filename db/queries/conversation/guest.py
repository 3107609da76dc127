"""The guest of a conversation: the client whom an inbox shows for it. Pure: nothing here uses a database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, literal_column

from db import tables as t
from db.queries.conversation.stage import deciding_booking
from db.scope import visible
from db.selection import Expression

_B: Any = t.Booking
_C: Any = t.Conversation
_P: Any = t.Participant

# Of its clients the one who wrote last, else the first to take part. Of several who wrote at the same time, the first.
_WRITER = (
    visible(t.Participant, _P.client_id)
    .where(_P.conversation_id == _C.id, _P.client_id.is_not(None))
    .correlate(_C)
    .order_by(_P.last_message_sent_at.desc().nulls_last(), _P.id)
    .limit(literal_column("1"))
    .scalar_subquery()
)

# Without clients, it is the client of the booking that decides the stage; null without that.
GUEST_ID = Expression("guest_id", func.coalesce(_WRITER, deciding_booking(_B.client_id)))
