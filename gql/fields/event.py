"""The field of subscriptions: the event."""

from __future__ import annotations

from typing import Any

from gql.context import Context
from gql.fields.change import SELECTING
from gql.fields.field import Argument, optional_arguments
from gql.fields.given import given


async def _event(context: Context) -> Any:
    return context.event


def changes_event(description: str) -> Any:
    """A field of the subscription's root for the event that the operation is executed for: changes, once committed."""
    field = given(_event, description, personal=False)
    after = Argument(str | None, "Begins with the changes after this cursor; without it, with new changes.")
    field.arguments = optional_arguments({"after": after, **SELECTING})
    return field
