"""The change log in the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import strawberry

from db import tables as t
from db.relations import One
from gql.fields.change import changed_node
from gql.fields.column import column
from gql.fields.enums import ChangeOperation, ChangeType
from gql.fields.node import Node
from gql.fields.objects import objects
from gql.fields.one import either

if TYPE_CHECKING:
    from gql.types.conversation import Conversation


@strawberry.type(description="One change of a record of the account.")
class Change:
    """Resolved from `FoundChange`."""

    cursor: str = column("Cursor of this change, for `after`.")
    type: ChangeType = column("Type of the record.")
    operation: ChangeOperation = column("Whether the record was written or removed.")
    node_id: strawberry.ID = column("Global id of the record.")
    node: Node | None = changed_node("The record in its present state; null if it was removed.")
    conversation: Conversation | None = either(
        One("conversation_id", t.Conversation),
        description="The conversation that the record is, or belongs to; null for records outside conversations.",
    )


@strawberry.type(description="A page of the change log. Each record is listed at most once, at its latest change.")
class ChangePage:
    """Resolved from `FoundChanges`."""

    changes: list[Change] = objects("Changes in the order in which they were committed.")
    end_cursor: str = column("Cursor after the page, for `after`. It moves on even if the page is empty.")
    has_more: bool = column("Whether there are more changes after the page.")
