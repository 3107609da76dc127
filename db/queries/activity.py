"""Activities: what a write did to a conversation, derived from the columns and links that it changes.

`db.queries.writing` notes the columns of every conversation that it writes, so that no mutation can forget to. The rows
are stored together with the COMMIT (`db.commit`). Imports have no activities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from db import tables as t
from db.commit import NotedActivity
from db.engine import Transaction
from db.statement import Row

# For each column, the activity that sets it and the one that clears it, in the order of the activities of one write.
_OF_COLUMNS = {
    "assignee_id": (t.ActivityType.ASSIGNED, t.ActivityType.UNASSIGNED),
    "closed_at": (t.ActivityType.CLOSED, t.ActivityType.REOPENED),
    "marked_as_spam_at": (t.ActivityType.MARKED_AS_SPAM, t.ActivityType.UNMARKED_AS_SPAM),
}


def note_columns(
    transaction: Transaction,
    conversation_id: int,
    before: Mapping[str, Any] | Row,
    after: Mapping[str, Any],
    message_id: int | None = None,
) -> None:
    """Note the activities that a write of the columns `after` means, `updated_at` among them.

    `before` is empty for a new conversation. `message_id` is the message that causes the write, if one does.
    """
    for column, (sets, clears) in _OF_COLUMNS.items():
        value = after.get(column)
        if column in after and value != before.get(column):
            transaction.journal.activities.append(
                NotedActivity(
                    conversation_id,
                    clears if value is None else sets,
                    after["updated_at"],
                    assignee_id=value if column == "assignee_id" else None,
                    message_id=message_id,
                )
            )


def note_bookings(
    transaction: Transaction,
    conversation_id: int,
    type_: t.ActivityType,
    booking_ids: Iterable[int],
    moment: datetime,
) -> None:
    """Note an activity for each booking that was connected or disconnected."""
    transaction.journal.activities.extend(
        NotedActivity(conversation_id, type_, moment, booking_id=booking_id) for booking_id in booking_ids
    )
