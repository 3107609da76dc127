"""The numbers that an inbox shows beside its conversations."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import strawberry

from db.criterion import Term
from gql.fields.node import RequiresScopes
from gql.fields.relation import RelationField
from gql.loaders import load_kind_count


@dataclass(frozen=True, slots=True)
class PendingCounts:
    """What `InboxCounts` is resolved from: of which conversations. Nothing is counted yet."""

    where: tuple[Term, ...]


class CountField(RelationField):
    """The number of the field's name in `db.queries.conversation.counts`."""

    def get_result(self, source: PendingCounts, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Awaitable[int]:  # noqa: ARG002
        """The number, counted together with the others that are selected."""
        return load_kind_count(info.context, source.where, self.python_name)


def _count(description: str) -> Any:
    return CountField(python_name=None, description=description)


@strawberry.type(
    description="Number of conversations of each kind. Each number equals the `totalCount` of `conversations` with the "
    "same filter and that condition added. Requires the scope `inbox_read`.",
    directives=[RequiresScopes(scopes=["inbox_read"])],
)
class InboxCounts:
    """Joined by name to `db.queries.conversation.counts.COUNTS`. Each equals a `totalCount` with one condition more."""

    open: int = _count("Neither closed nor spam.")
    closed: int = _count("Closed.")
    spam: int = _count("Marked as spam.")
    unread: int = _count("With unread guest messages, or never read.")
    unassigned: int = _count("Without assignee.")
    mine: int = _count("Assigned to a host of the viewer; 0 for an application.")
    needs_reply: int = _count("A guest waits for an answer.")
    overdue: int = _count("A guest waits for an answer, and `deadlineResponseAt` has passed.")
    inquiry: int = _count("With the stage `INQUIRY`.")
    reserved: int = _count("With the stage `RESERVED`.")
    check_in_today: int = _count("With the stage `CHECK_IN_TODAY`.")
    at_property: int = _count("With the stage `AT_PROPERTY`.")
    check_out_today: int = _count("With the stage `CHECK_OUT_TODAY`.")
    post_stay: int = _count("With the stage `POST_STAY`.")
    canceled: int = _count("With the stage `CANCELED`.")
