"""Fields of subscriptions: the event, and the root of queries in it."""

from __future__ import annotations

from typing import Any

from gql.context import Context
from gql.fields.change import SELECTING
from gql.fields.field import Argument, optional_arguments
from gql.fields.given import given

# The source of the root of queries, whose fields read nothing from it.
_ROOT = object()


async def _event(context: Context) -> Any:
    return context.event


async def _root(_context: Context) -> Any:
    return _ROOT


def changes_event(description: str) -> Any:
    """A field of the subscription's root for the event that the operation is executed for: changes, once committed."""
    field = given(_event, description, personal=False)
    after = Argument(str | None, "Begins with the changes after this cursor; without it, with new changes.")
    field.arguments = optional_arguments({"after": after, **SELECTING})
    return field


def root(description: str) -> Any:
    """A field for the root of queries in an event."""
    return given(_root, description, personal=False)
