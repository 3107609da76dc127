"""The root of following: what happens in the account, as it happens."""

from __future__ import annotations

import strawberry

from gql.fields.change import PAGE_SIZE
from gql.fields.column import column
from gql.fields.event import changes_event
from gql.fields.given import root
from gql.fields.objects import objects
from gql.queries import Query
from gql.types.change import Change


@strawberry.type(
    description="Changes that were committed together or shortly after each other. Each record is listed at most once, "
    "at its latest change."
)
class ChangesEvent:
    """Resolved from `FoundChanges`."""

    changes: list[Change] = objects("Changes in the order in which they were committed, at most 100.", most=PAGE_SIZE)
    end_cursor: str = column("Cursor after the event: pass it as `after` to continue.")
    query: Query = root("Anything else at this moment, such as counts.")


@strawberry.type(description="Follows the records of the token's account, over a WebSocket or server-sent events.")
class Subscription:
    """Every field follows the account of the token only."""

    changes: ChangesEvent = changes_event(
        "The account's changes as they are committed; with `after`, first what was missed. There is no event without "
        "a change. An unknown or expired cursor is an error with the code `RESYNC_REQUIRED`."
    )
