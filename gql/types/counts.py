"""Numbers of conversations, for the tabs of an inbox."""

from __future__ import annotations

import strawberry

from gql.fields.count import count
from gql.fields.node import RequiresScopes


@strawberry.type(
    description="Number of conversations of each kind. Each number equals the `totalCount` of `conversations` with the "
    "same filter and that condition added. Requires the scope `inbox_read`.",
    directives=[RequiresScopes(scopes=["inbox_read"])],
)
class InboxCounts:
    """Joined by name to `db.queries.conversation.counts.COUNTS`. Each equals a `totalCount` with one condition more."""

    open: int = count("Neither closed nor spam.")
    closed: int = count("Closed.")
    spam: int = count("Marked as spam.")
    unread: int = count("With unread guest messages, or never read.")
    unassigned: int = count("Without assignee.")
    mine: int = count("Assigned to a host of the viewer; 0 for an application.", of_actor=True)
    needs_reply: int = count("A guest waits for an answer.")
    overdue: int = count("A guest waits for an answer, and `deadlineResponseAt` has passed.")
    undelivered: int = count("A host's message could not be delivered to the guest.")
    inquiry: int = count("With the stage `INQUIRY`.")
    reserved: int = count("With the stage `RESERVED`.")
    check_in_today: int = count("With the stage `CHECK_IN_TODAY`.")
    at_property: int = count("With the stage `AT_PROPERTY`.")
    check_out_today: int = count("With the stage `CHECK_OUT_TODAY`.")
    post_stay: int = count("With the stage `POST_STAY`.")
    canceled: int = count("With the stage `CANCELED`.")
