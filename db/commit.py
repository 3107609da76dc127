"""How a client's write ends: its changes are logged and committed in one round trip.

The account's counter is the last row that a transaction locks. Other writers of the account wait for it, and so it is
held for one statement and the COMMIT, and not while an answer travels to this process and waits for its turn here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from db import tables as t

# What clients can see changed: the conversation and the operation, by table and id.
Changes: TypeAlias = "Mapping[tuple[type[t.Table], int], tuple[int | None, t.ChangeOperation]]"

# Given the account, and the types, ids, conversations and operations of its changes, in their order.
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
# Asyncpg sends several statements at once only if they have no parameters. So this one is prepared in SQL, when a
# connection is set up, and executed with its values as literals.
PREPARE = "PREPARE log_changes ({}) AS {}".format(
    ", ".join(_PARAMETERS.values()), _LOG.format(**{name: f"${place}" for place, name in enumerate(_PARAMETERS, 1)})
)


def commit(account_id: int, changes: Changes, *, prepared: bool) -> str:
    """The statements that log the changes, if there are any, and commit.

    `prepared` says whether the connection has executed `PREPARE`. Behind a pooler none has.
    """
    if not changes:
        return "COMMIT"
    # Ids and names of this process: clients wrote nothing of this text.
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
