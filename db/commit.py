"""Ends a write: logs its changes and commits, in one round trip.

The account's counter is the last row that a transaction locks. Other writers of the account wait for it, so it is
locked only for one statement and the COMMIT, without a round trip to this process in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from db import tables as t

# The changed nodes: conversation and operation, by table and id.
Changes: TypeAlias = "Mapping[tuple[type[t.Table], int], tuple[int | None, t.ChangeOperation]]"

# Its parameters: the account, and the types, ids, conversations and operations of the changes, in their order.
_LOG = """
WITH counter AS (
    INSERT INTO change_counters AS c (account_id, number, removed) VALUES ({account}, cardinality({ids}), 0)
    ON CONFLICT (account_id) DO UPDATE SET number = c.number + excluded.number
    RETURNING number
)
INSERT INTO changes (account_id, number, type, node_id, conversation_id, operation, at)
SELECT {account}, counter.number - cardinality({ids}) + given.place, given.type, given.node_id,
    given.conversation_id, given.operation, clock_timestamp()
FROM counter CROSS JOIN unnest({types}, {ids}, {conversations}, {operations})
    WITH ORDINALITY AS given(type, node_id, conversation_id, operation, place)
"""
_PARAMETERS = {
    "account": "bigint",
    "types": "text[]",
    "ids": "bigint[]",
    "conversations": "bigint[]",
    "operations": "text[]",
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
        "types": _array(table.__name__.upper() for table, _ in changes),
        "ids": _array(id_ for _, id_ in changes),
        "conversations": _array(conversation_id for conversation_id, _ in changes.values()),
        "operations": _array(operation for _, operation in changes.values()),
    }
    if prepared:
        return f"EXECUTE log_changes ({', '.join(values.values())}); COMMIT"
    typed = {name: f"{value}::{_PARAMETERS[name]}" for name, value in values.items()}
    return f"{_LOG.format(**typed)}; COMMIT"


def _array(values: Iterable[object]) -> str:
    return "'{" + ",".join("NULL" if value is None else str(value) for value in values) + "}'"
