"""Ends a write: stores its last change and its activities, logs its changes and commits, in one round trip.

The account's counter is the last row that a transaction locks. Other writers of the account wait for it, so it is
locked only for one statement and the COMMIT, without a round trip to this process in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from db import tables as t

if TYPE_CHECKING:
    from db.scope import Viewer


class NotedChange(NamedTuple):
    """A change of a node: the conversation that it belongs to, and what happened."""

    conversation_id: int | None
    operation: t.ChangeOperation
    events: tuple[t.WebhookEvent, ...] = ()


class NotedActivity(NamedTuple):
    """An activity of the viewer, to be stored with the COMMIT."""

    conversation_id: int
    type: t.ActivityType
    created_at: datetime
    assignee_id: int | None = None
    booking_id: int | None = None
    message_id: int | None = None


class NotedState(NamedTuple):
    """The new values of some of the `STATE` columns of a locked conversation, to be stored with the COMMIT."""

    conversation_id: int
    columns: Mapping[str, Any]


@dataclass(slots=True)
class Journal:
    """What a transaction did, to be stored with the COMMIT."""

    state: NotedState | None = None
    """No statement of the transaction follows it."""
    changes: dict[tuple[type[t.Table], int], NotedChange] = field(default_factory=dict)
    """The changed nodes, by table and id."""
    activities: list[NotedActivity] = field(default_factory=list)
    """In the order in which they happened."""


# The columns of a conversation that clients change directly, and those that follow from them.
_STATE_TYPES = {
    "assignee_id": "bigint",
    "default_channel": "text",
    "closed_at": "timestamptz",
    "marked_as_spam_at": "timestamptz",
    "deadline_response_at": "timestamptz",
    "wait_ended_at": "timestamptz",
    "updated_at": "timestamptz",
}
STATE = frozenset(_STATE_TYPES)
_SET = ", ".join(
    f"{name} = CASE WHEN '{name}' = ANY ({{names}}) THEN {{{name}}} ELSE {name} END" for name in _STATE_TYPES
)
# Its parameters: the account, the conversation, the names of the changed columns, and the values of all.
_CHANGE = f"UPDATE conversations SET {_SET} WHERE account_id = {{account}} AND id = {{id}}"  # noqa: S608  # names
_CHANGE_PARAMETERS = {"account": "bigint", "id": "bigint", "names": "text[]", **_STATE_TYPES}
# Its parameters: the account, and the types, ids, conversations, operations and events of the changes, in their order.
# An array of arrays must be rectangular, so the events of a change are the text of an array.
_LOG = """
WITH counter AS (
    INSERT INTO change_counters AS c (account_id, number, removed) VALUES ({account}, cardinality({ids}), 0)
    ON CONFLICT (account_id) DO UPDATE SET number = c.number + excluded.number
    RETURNING number
)
INSERT INTO changes (account_id, number, type, node_id, conversation_id, operation, at, events)
SELECT {account}, counter.number - cardinality({ids}) + given.place, given.type, given.node_id,
    given.conversation_id, given.operation, clock_timestamp(), given.events::varchar[]
FROM counter CROSS JOIN unnest({types}, {ids}, {conversations}, {operations}, {events})
    WITH ORDINALITY AS given(type, node_id, conversation_id, operation, events, place)
"""
_PARAMETERS = {
    "account": "bigint",
    "types": "text[]",
    "ids": "bigint[]",
    "conversations": "bigint[]",
    "operations": "text[]",
    "events": "text[]",
}
# Its parameters: the account, the type and id of the actor, and the columns of the activities.
_ACTIVITIES = """
INSERT INTO activities (account_id, created_by_type, created_by_id, created_by_user_id, created_by_application_id,
    conversation_id, type, created_at, assignee_id, booking_id, message_id)
SELECT {account}, {actor_type}, {actor_id}, CASE {actor_type} WHEN 'USER' THEN {actor_id} END,
    CASE {actor_type} WHEN 'APPLICATION' THEN {actor_id} END, given.*
FROM unnest({conversations}, {types}, {moments}, {assignees}, {bookings}, {messages}) AS given
"""
_ACTIVITY_PARAMETERS = {
    "account": "bigint",
    "actor_type": "text",
    "actor_id": "bigint",
    "conversations": "bigint[]",
    "types": "text[]",
    "moments": "timestamptz[]",
    "assignees": "bigint[]",
    "bookings": "bigint[]",
    "messages": "bigint[]",
}


def _prepare(name: str, sql: str, parameters: Mapping[str, str]) -> str:
    places = {parameter: f"${place}" for place, parameter in enumerate(parameters, 1)}
    return f"PREPARE {name} ({', '.join(parameters.values())}) AS {sql.format(**places)}"


# asyncpg sends several statements together only if they have no parameters. So these are prepared in SQL when a
# connection is set up, and executed with literals.
PREPARE = "; ".join(
    [
        _prepare("change_conversation", _CHANGE, _CHANGE_PARAMETERS),
        _prepare("store_activities", _ACTIVITIES, _ACTIVITY_PARAMETERS),
        _prepare("log_changes", _LOG, _PARAMETERS),
    ]
)


def commit(viewer: Viewer, journal: Journal, *, prepared: bool) -> str:
    """The statements that store the journal and commit.

    `prepared` says whether the connection has executed `PREPARE`. Through a pooler none has.
    """
    # The literals are ids, times and names of this process, no text of clients.
    statements = []
    if journal.state is not None:
        values = _state(viewer, journal.state)
        statements.append(_call("change_conversation", _CHANGE, _CHANGE_PARAMETERS, values, prepared=prepared))
    if journal.activities:
        values = _activities(viewer, journal.activities)
        statements.append(_call("store_activities", _ACTIVITIES, _ACTIVITY_PARAMETERS, values, prepared=prepared))
    if journal.changes:
        # The account's counter is locked as late as possible.
        values = _changes(viewer, journal)
        statements.append(_call("log_changes", _LOG, _PARAMETERS, values, prepared=prepared))
    return "; ".join([*statements, "COMMIT"])


def _state(viewer: Viewer, state: NotedState) -> dict[str, str]:
    return {
        "account": str(viewer.account_id),
        "id": str(state.conversation_id),
        "names": _array(state.columns),
        **{name: _literal(state.columns.get(name)) for name in _STATE_TYPES},
    }


def _changes(viewer: Viewer, journal: Journal) -> dict[str, str]:
    changes = journal.changes
    return {
        "account": str(viewer.account_id),
        "types": _array(t.change_type(table) for table, _ in changes),
        "ids": _array(id_ for _, id_ in changes),
        "conversations": _array(change.conversation_id for change in changes.values()),
        "operations": _array(change.operation for change in changes.values()),
        "events": _array(f'"{{{",".join(change.events)}}}"' for change in changes.values()),
    }


def _activities(viewer: Viewer, activities: Sequence[NotedActivity]) -> dict[str, str]:
    conversations, types, moments, assignees, bookings, messages = zip(*activities, strict=True)
    return {
        "account": str(viewer.account_id),
        "actor_type": f"'{viewer.actor_type}'",
        "actor_id": str(viewer.actor_id),
        "conversations": _array(conversations),
        "types": _array(types),
        "moments": _array(moment.isoformat() for moment in moments),
        "assignees": _array(assignees),
        "bookings": _array(bookings),
        "messages": _array(messages),
    }


def _call(name: str, sql: str, parameters: Mapping[str, str], values: Mapping[str, str], *, prepared: bool) -> str:
    """The prepared statement with these values, or the statement itself."""
    if prepared:
        return f"EXECUTE {name} ({', '.join(values.values())})"
    return sql.format(**{parameter: f"{value}::{parameters[parameter]}" for parameter, value in values.items()})


def _literal(value: int | str | datetime | None) -> str:
    if isinstance(value, str | datetime):
        return f"'{value.isoformat() if isinstance(value, datetime) else value}'"
    return "NULL" if value is None else str(value)


def _array(values: Iterable[object]) -> str:
    return "'{" + ",".join("NULL" if value is None else str(value) for value in values) + "}'"
