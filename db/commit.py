"""Ends a write: logs its changes and commits, in one round trip.

The account's counter is the last row that a transaction locks. Other writers of the account wait for it, so it is
locked only for one statement and the COMMIT, without a round trip to this process in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from db import tables as t


class NotedChange(NamedTuple):
    """A change of a node: the conversation that it belongs to, and what happened."""

    conversation_id: int | None
    operation: t.ChangeOperation
    events: tuple[t.WebhookEvent, ...] = ()


# The changed nodes, by table and id.
Changes: TypeAlias = Mapping[tuple[type[t.Table], int], NotedChange]

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
# asyncpg sends several statements together only if they have no parameters. So this one is prepared in SQL when a
# connection is set up, and executed with literals.
PREPARE = "PREPARE log_changes ({}) AS {}".format(
    ", ".join(_PARAMETERS.values()), _LOG.format(**{name: f"${place}" for place, name in enumerate(_PARAMETERS, 1)})
)


def commit(account_id: int, changes: Changes, *, prepared: bool) -> str:
    """The statements that log the changes, if there are any, and commit.

    `prepared` says whether the connection has executed `PREPARE`. Through a pooler none has.
    """
    if not changes:
        return "COMMIT"
    # Only ids and names of this process, no text of clients.
    values = {
        "account": str(account_id),
        "types": _array(t.change_type(table) for table, _ in changes),
        "ids": _array(id_ for _, id_ in changes),
        "conversations": _array(change.conversation_id for change in changes.values()),
        "operations": _array(change.operation for change in changes.values()),
        "events": _array(f'"{{{",".join(change.events)}}}"' for change in changes.values()),
    }
    if prepared:
        return f"EXECUTE log_changes ({', '.join(values.values())}); COMMIT"
    typed = {name: f"{value}::{_PARAMETERS[name]}" for name, value in values.items()}
    return f"{_LOG.format(**typed)}; COMMIT"


def _array(values: Iterable[object]) -> str:
    return "'{" + ",".join("NULL" if value is None else str(value) for value in values) + "}'"
