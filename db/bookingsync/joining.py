"""Turns a batch of given records into rows, each statement over all records of the batch.

A kind is joined after the kinds that it refers to, so that a lookup in one table finds an existing record, whether it
is given or was imported earlier. All given records with one id are in one batch. Every join is within an account.
Unresolved references are written to `leftovers`; a record is kept aside only if it cannot be stored without the missing
one.
"""

from __future__ import annotations

import asyncpg

from db.bookingsync.kind import Kind, Polymorph
from db.bookingsync.report import Fate
from db.bookingsync.staging import fill, note

# A given conversation (or rental) is preferred to a stored one: the files of an export belong together, and another
# account may have stored the same id.
_ADOPT = """
UPDATE given_$kind g SET account_id = o.account_id
FROM (
    SELECT id, min(account_id) AS account_id FROM inbox_import.staged_$owners
    WHERE id IN (SELECT $column FROM given_$kind)
    GROUP BY id HAVING min(account_id) = max(account_id)
) o
WHERE o.id = g.$column
"""
_ORPHANS = """
SELECT array_agg(DISTINCT g.$column) FROM given_$kind g
WHERE g.account_id IS NULL AND NOT EXISTS (SELECT FROM inbox_import.staged_$owners o WHERE o.id = g.$column)
"""
# Joined with the accounts, because every index starts with the account.
_ADOPT_BY_STORED = """
UPDATE given_$kind g SET account_id = o.account_id
FROM (
    SELECT o.id, min(o.account_id) AS account_id
    FROM accounts a JOIN $owners o ON o.account_id = a.id AND o.id = ANY ($$1::bigint[])
    GROUP BY o.id HAVING count(*) = 1
) o
WHERE o.id = g.$column
"""
_UNADOPTED = """
WITH aside AS (DELETE FROM given_$kind WHERE account_id IS NULL RETURNING id, file, place, $column AS owner)
INSERT INTO inbox_import.leftovers
SELECT '$kind', id, '$fate', file, place, CASE
    WHEN owner IS NULL THEN 'names no $label'
    WHEN EXISTS (SELECT FROM inbox_import.staged_$owners o WHERE o.id = owner)
        OR EXISTS (SELECT FROM $owners o WHERE o.id = owner)
        THEN format('$label %s is in several accounts: import one account at a time', owner)
    ELSE format('$label %s was not found', owner) END
FROM aside
"""
# The same record may be in several pages. If two of the same age differ, their content decides, so that the order of
# the files does not matter.
_SUPERSEDED = """
DELETE FROM given_$kind a USING given_$kind b
WHERE a.ctid <> b.ctid AND $same AND ($rank_a) < ($rank_b)
"""
_RANK = "{0}.updated_at, to_jsonb({0}) - '{{file,place}}'::text[], {0}.file, {0}.place"
_RANK_UNSTAMPED = "{0}.file, {0}.place"

# Locks the stored rows of a batch, so that they cannot change after their ages were compared.
_HOLD = "SELECT $columns FROM $kind t JOIN given_$kind g ON $same ORDER BY $key FOR NO KEY UPDATE OF t"
_STALE = """
WITH held AS ($hold), stale AS (
    DELETE FROM given_$kind g USING held t WHERE $same AND t.updated_at > g.updated_at
    RETURNING g.$account AS account_id, g.id
)
INSERT INTO inbox_import.outcomes SELECT '$kind', account_id, id, true, false FROM stale ON CONFLICT DO NOTHING
"""

# Queries convert times to the account's zone in PostgreSQL, which fails for a zone that it does not know.
_UNZONED = """
WITH unzoned AS (
    SELECT file, place, id, time_zone FROM given_accounts WHERE lower(time_zone) NOT IN (
        SELECT lower(name) FROM pg_timezone_names UNION ALL SELECT lower(abbrev) FROM pg_timezone_abbrevs
    )
), listed AS (
    INSERT INTO inbox_import.leftovers
    SELECT 'accounts', id, '$fate', file, place, format('time_zone %s is not known: UTC', quote_literal(time_zone))
    FROM unzoned
)
UPDATE given_accounts g SET time_zone = 'UTC' FROM unzoned u WHERE (g.file, g.place) = (u.file, u.place)
"""

_MOVED = """
WITH aside AS (
    DELETE FROM given_participants g USING participants t
    WHERE t.account_id = g.account_id AND t.id = g.id AND t.conversation_id <> g.conversation_id
    RETURNING g.id, g.file, g.place, format('conversation %s has this participant already', t.conversation_id) AS text
)
INSERT INTO inbox_import.leftovers SELECT 'participants', id, '$fate', file, place, text FROM aside
"""
_UNSENT = """
WITH aside AS (
    DELETE FROM given_messages g WHERE NOT EXISTS (
        SELECT FROM participants p
        WHERE p.account_id = g.account_id AND p.conversation_id = g.conversation_id AND p.id = g.sender_id
    ) RETURNING id, file, place, CASE
        WHEN sender_id IS NULL THEN 'names no sender'
        ELSE format('sender %s was not found in conversation %s', sender_id, conversation_id) END AS text
)
INSERT INTO inbox_import.leftovers SELECT 'messages', id, '$fate', file, place, text FROM aside
"""

_LOST = """
WITH lost AS (
    SELECT file, place, id, $column AS named FROM given_$kind g
    WHERE $column IS NOT NULL
    AND NOT EXISTS (SELECT FROM $target o WHERE o.account_id = g.account_id AND o.id = g.$column)
), listed AS (
    INSERT INTO inbox_import.leftovers
    SELECT '$kind', id, '$fate', file, place, format('$label %s was not found: left empty', named) FROM lost
)
UPDATE given_$kind g SET $column = NULL FROM lost WHERE g.file = lost.file AND g.place = lost.place
"""
_LINK = """
UPDATE given_$kind g SET $link = $id_column
WHERE $type_column = '$type' AND EXISTS (SELECT FROM $target o WHERE o.id = g.$id_column $same_account)
"""
_UNLINKED = """
INSERT INTO inbox_import.leftovers
SELECT '$kind', id, '$fate', file, place,
    format('$label %s %s was not found: kept by its id', lower($type_column), $id_column)
FROM given_$kind WHERE $id_column IS NOT NULL AND num_nonnulls($links) = 0
"""

_UPSERT = """
WITH written AS (
    INSERT INTO $kind AS t ($columns) SELECT $columns FROM given_$kind ORDER BY $key
    ON CONFLICT ($key) DO UPDATE SET ($values) = ROW($excluded) WHERE $newer
    RETURNING t.$account AS account_id, t.id
)
INSERT INTO inbox_import.outcomes
SELECT '$kind', g.$account, g.id, true, w.id IS NOT NULL
FROM given_$kind g LEFT JOIN written w ON w.account_id = g.$account AND w.id = g.id
"""
# For a record that is stored already: the records that it refers to may have been imported since.
_COMPLETE = """
WITH completed AS (
    UPDATE $kind t SET $values FROM given_$kind g
    WHERE $same AND t.updated_at = g.updated_at AND ($missing)
    RETURNING t.account_id, t.id
)
$note
"""


async def join(connection: asyncpg.Connection, kind: Kind) -> None:
    """Write the given batch of a kind, note the outcome of each record, and list missing references.

    Afterwards the given table holds one record per key, without those that are older than the stored row.
    """
    await _adopt(connection, kind)
    await drop_older(connection, kind)
    await _apply_rules(connection, kind)
    for column, target in kind.optional.items():
        names = {"kind": kind.name, "column": column, "target": target}
        await connection.execute(fill(_LOST, **names, label=column.removesuffix("_id"), fate=Fate.NOT_LINKED))
    if kind.polymorph:
        await _link(connection, kind, kind.polymorph)
    await _write(connection, kind)


async def drop_older(connection: asyncpg.Connection, kind: Kind) -> None:
    """Leave one record per key in the given table; drop and note those that are older than the stored row."""
    # Otherwise the planner uses the statistics of an earlier batch.
    await connection.execute(f"ANALYZE given_{kind.name}")
    rank = _RANK if kind.stamped else _RANK_UNSTAMPED
    ranks = {"rank_a": rank.format("a"), "rank_b": rank.format("b")}
    await connection.execute(fill(_SUPERSEDED, kind=kind.name, same=_same_record(kind, "a", "b"), **ranks))
    names = {"kind": kind.name, "same": _same_record(kind, "t", "g")}
    key = ", ".join(f"t.{column}" for column in kind.key)
    hold = fill(_HOLD, **names, key=key, columns=f"{key}, t.updated_at" if kind.stamped else key)
    if kind.stamped:
        await connection.execute(fill(_STALE, **names, hold=hold, account=kind.key[0]))
    else:
        await connection.execute(f"SELECT count(*) FROM ({hold}) held")  # noqa: S608


def _same_record(kind: Kind, one: str, other: str) -> str:
    """The predicate that two aliases refer to the same record."""
    return " AND ".join(f"{one}.{column} = {other}.{column}" for column in kind.key)


async def _adopt(connection: asyncpg.Connection, kind: Kind) -> None:
    """Set the account of records to their owner's; keep aside those whose owner is missing or in several accounts."""
    if kind.owner is None:
        return
    column, owners = kind.owner
    names = {"kind": kind.name, "column": column, "owners": owners}
    await connection.execute(fill(_ADOPT, **names))
    if orphans := await connection.fetchval(fill(_ORPHANS, **names)):
        await connection.execute(fill(_ADOPT_BY_STORED, **names), orphans)
    await connection.execute(fill(_UNADOPTED, **names, label=column.removesuffix("_id"), fate=Fate.KEPT_ASIDE))


async def _apply_rules(connection: asyncpg.Connection, kind: Kind) -> None:
    """Apply the rules of single kinds.

    An account with a time zone that PostgreSQL does not know gets UTC. A participant cannot move to another
    conversation, away from its messages. A message needs a sender in its conversation.
    """
    match kind.name:
        case "accounts":
            await connection.execute(fill(_UNZONED, fate=Fate.REPLACED))
        case "participants":
            await connection.execute(fill(_MOVED, fate=Fate.KEPT_ASIDE))
        case "messages":
            await connection.execute(fill(_UNSENT, fate=Fate.KEPT_ASIDE))


async def _link(connection: asyncpg.Connection, kind: Kind, polymorph: Polymorph) -> None:
    """Link polymorphic references to stored records, and list the others."""
    names = {"kind": kind.name, "type_column": polymorph.type_column, "id_column": polymorph.id_column}
    for type_, (link, target) in polymorph.links.items():
        same = "" if target == "applications" else "AND o.account_id = g.account_id"
        await connection.execute(fill(_LINK, **names, type=type_, link=link, target=target, same_account=same))
    links = ", ".join(link for link, _ in polymorph.links.values())
    label = polymorph.id_column.removesuffix("_id")
    await connection.execute(fill(_UNLINKED, **names, links=links, label=label, fate=Fate.NOT_LINKED))


async def _write(connection: asyncpg.Connection, kind: Kind) -> None:
    """Insert new rows, replace older ones, and add references that equal ones lacked."""
    values = [column for column in kind.columns if column not in kind.key]
    excluded = ", ".join(f"excluded.{column}" for column in values)
    stored = ", ".join(f"t.{column}" for column in values)
    newer = "excluded.updated_at > t.updated_at" if kind.stamped else f"ROW({stored}) IS DISTINCT FROM ROW({excluded})"
    names = {
        "kind": kind.name,
        "key": ", ".join(kind.key),
        "columns": ", ".join(kind.columns),
        "values": ", ".join(values),
        "excluded": excluded,
        "newer": newer,
        "account": kind.key[0],
    }
    await connection.execute(fill(_UPSERT, **names))
    if kind.optional:
        filled = ", ".join(f"{column} = coalesce(t.{column}, g.{column})" for column in kind.optional)
        missing = " OR ".join(f"(t.{column} IS NULL AND g.{column} IS NOT NULL)" for column in kind.optional)
        names = {"kind": kind.name, "same": _same_record(kind, "t", "g"), "note": note(kind.name, "completed")}
        await connection.execute(fill(_COMPLETE, **names, values=filled, missing=missing))
