"""Functions for all writes of conversations: locks, lookups, checks and times.

Before it reads anything else, a write locks the row of each conversation that it or its parts belong to, in the order
of their ids. So writers of one conversation run one after the other, without deadlocks. Locks are taken in one order:
the idempotency key, conversations, the account's counter (`db.commit`). The rules of each entity are in its own module.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, func
from sqlalchemy.dialects.postgresql import ARRAY, insert

from db import tables as t
from db.commit import STATE, NotedChange, NotedState
from db.engine import Transaction
from db.failure import CollisionError
from db.problem import Problem, ProblemCode
from db.queries import activity
from db.scope import ACCOUNT, Viewer, visible, visible_for_change
from db.statement import Row, Statement
from db.tables.creation import EXTERNAL_KEY

# asyncpg writes `datetime.min` as -infinity, which the API cannot return.
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
_LAST_MOMENT = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
# The time within which a guest should have an answer.
RESPONSE_TIME = timedelta(hours=24)

_C: Any = t.Conversation
_SURROGATE = re.compile("[\ud800-\udfff]")
# Invisible characters other than white space.
_VISIBLE = re.compile("[^\\s\u200b-\u200d\u2060\ufeff\u2800\u3164]")


def now() -> datetime:
    """The current time in whole milliseconds, the precision of the columns."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def created_by(viewer: Viewer) -> dict[str, Any]:
    """The creator columns of a new record."""
    user = viewer.actor_type is t.CreatorType.USER
    return {
        "created_by_type": viewer.actor_type,
        "created_by_id": viewer.actor_id,
        "created_by_user_id": viewer.actor_id if user else None,
        "created_by_application_id": None if user else viewer.actor_id,
    }


def moment(row: Row) -> datetime:
    """The time of a change of the locked `row`: now, but later than all of its earlier changes.

    So messages, reading and closing of one conversation have different times in the order of events, even if this
    machine's clock is behind another's. Only a row that an import has brought with the last moment of the year 9999
    stays there.
    """
    latest: datetime = row["updated_at"]
    return max(now(), min(latest, _LAST_MOMENT - MILLISECOND) + MILLISECOND)


def is_one_of_ids(column: Any) -> ColumnElement[bool]:
    """The condition that `column` is one of the ids bound as `:ids`."""
    condition: ColumnElement[bool] = column == func.any(bindparam("ids", type_=ARRAY(BigInteger)))
    return condition


def is_id(column: Any) -> ColumnElement[bool]:
    """The condition that `column` is the id bound as `:id`."""
    condition: ColumnElement[bool] = column == bindparam("id", type_=BigInteger)
    return condition


# Other transactions can still add references to locked rows, because foreign keys only need the key to stay.
_HOLD_SEVERAL = Statement.of(
    visible(t.Conversation).where(is_one_of_ids(_C.id)).order_by(_C.id).with_for_update(key_share=True), t.Conversation
)
_HOLD_ONE = Statement.of(visible(t.Conversation).where(is_id(_C.id)).with_for_update(key_share=True), t.Conversation)


async def hold(transaction: Transaction, viewer: Viewer, ids: Sequence[int]) -> dict[int, Row]:
    """Those of `ids` that are conversations of the account, locked until the transaction ends."""
    rows = await transaction.fetch(_HOLD_SEVERAL, {ACCOUNT: viewer.account_id, "ids": unique(ids)})
    return {row.id: row for row in rows}


async def hold_one(transaction: Transaction, viewer: Viewer, id_: int) -> tuple[Row | None, list[Problem]]:
    """The conversation with the id `conversationId`, locked in the same way; or None and the problem."""
    rows = await transaction.fetch(_HOLD_ONE, {ACCOUNT: viewer.account_id, "id": id_})
    return (rows[0], []) if rows else (None, [missing("conversation", "conversationId")])


async def existing(
    transaction: Transaction, viewer: Viewer, table: type[t.TenantTable], ids: Sequence[int]
) -> set[int]:
    """Those of `ids` that are rows of `table` in the account."""
    rows = await transaction.fetch(_existing(table), {ACCOUNT: viewer.account_id, "ids": unique(ids)})
    return {row.id for row in rows}


@cache
def _existing(table: type[t.TenantTable]) -> Statement:
    column: Any = table.id  # type: ignore[attr-defined]
    return Statement.of(visible(table, column).where(is_one_of_ids(column)), table)


def unique(ids: Sequence[int]) -> list[int]:
    """Each id once, in order."""
    return list(dict.fromkeys(ids))


async def insert_row(
    transaction: Transaction, table: type[t.TenantTable], values: Mapping[str, Any], *events: t.WebhookEvent
) -> int:
    """Store a row with the columns `values` and defaults for the others. Returns its id. `events` say what happened.

    Raises `CollisionError` if another transaction has used the row's external id meanwhile.
    """
    values = {**_defaults(table), **values}
    rows = await transaction.fetch(_insertion(table, tuple(values)), _as_new(values))
    if not rows:
        raise CollisionError
    id_: int = rows[0].id
    note_change(transaction, table, id_, values, *events)
    if table is t.Conversation:
        activity.note_columns(transaction, id_, {}, values)
    return id_


@cache
def _insertion(table: type[t.TenantTable], columns: tuple[str, ...]) -> Statement:
    rows: Any = table.__table__  # type: ignore[attr-defined]
    insertion = insert(rows).values(_bound(columns))
    if "external_id" in columns:
        insertion = insertion.on_conflict_do_nothing(
            index_elements=EXTERNAL_KEY, index_where=rows.c.external_id.is_not(None)
        )
    return Statement.of(insertion.returning(rows.c.id), table)


@cache
def _defaults(table: type[t.TenantTable]) -> dict[str, Any]:
    """The model's defaults for columns."""
    columns = table.__table__.columns  # type: ignore[attr-defined]
    return {column.name: column.default.arg for column in columns if column.default is not None}


def note_change(
    transaction: Transaction,
    table: type[t.TenantTable],
    id_: int,
    columns: Mapping[str, Any] | Row,
    *events: t.WebhookEvent,
) -> None:
    """Note for the change log that a row was written. `columns` have the conversation that it belongs to.

    `events` say what happened, for webhooks. Those of several writes of one row are logged together.
    """
    conversation_id = id_ if table is t.Conversation else columns.get("conversation_id")
    earlier = transaction.journal.changes.get((table, id_))
    events = tuple(dict.fromkeys((*earlier.events, *events))) if earlier else events
    transaction.journal.changes[table, id_] = NotedChange(conversation_id, t.ChangeOperation.UPSERTED, events)


def differing(row: Row, values: Mapping[str, Any]) -> dict[str, Any]:
    """The `values` that differ from the columns of `row`."""
    return {name: value for name, value in values.items() if row[name] != value}


async def change(
    transaction: Transaction,
    table: type[t.TenantTable],
    row: Row,
    values: Mapping[str, Any],
    *events: t.WebhookEvent,
    message_id: int | None = None,
) -> None:
    """Set the columns `values` of a locked row, and `updated_at`, to `moment()` unless it is given.

    `message_id` is the message that causes the change, if one does.
    """
    touched = _touched(row, values)
    await transaction.fetch(_update(table, tuple(touched)), _key(row) | _as_new(touched))
    _note(transaction, table, row, touched, *events, message_id=message_id)


def change_last(
    transaction: Transaction, conversation: Row, values: Mapping[str, Any], *events: t.WebhookEvent
) -> None:
    """Set columns of the state of a locked conversation, as `change` does, together with the COMMIT.

    No statement may follow: it would not see the change.
    """
    touched = _touched(conversation, values)
    assert touched.keys() <= STATE  # noqa: S101  # `commit` stores no others
    transaction.journal.state = NotedState(conversation.id, touched)
    _note(transaction, t.Conversation, conversation, touched, *events)


async def change_several(
    transaction: Transaction,
    table: type[t.TenantTable],
    changes: Sequence[tuple[Row, Mapping[str, Any]]],
    *events: t.WebhookEvent,
) -> None:
    """The same for several rows, with the same columns and events in each."""
    if changes:
        touched = [(row, _touched(row, values)) for row, values in changes]
        statement = _update(table, tuple(touched[0][1]))
        await transaction.run_many(statement, (_key(row) | _as_new(values) for row, values in touched))
        for row, values in touched:
            _note(transaction, table, row, values, *events)


def _note(
    transaction: Transaction,
    table: type[t.TenantTable],
    row: Row,
    values: Mapping[str, Any],
    *events: t.WebhookEvent,
    message_id: int | None = None,
) -> None:
    """Note for the change log and for the activities that the columns `values` of `row` were set."""
    note_change(transaction, table, row["id"], row, *events)
    if table is t.Conversation:
        activity.note_columns(transaction, row["id"], row, values, message_id)


@cache
def _update(table: type[t.TenantTable], columns: tuple[str, ...]) -> Statement:
    column: Any = table.id  # type: ignore[attr-defined]
    return Statement.of(visible_for_change(table).where(is_id(column)).values(_bound(columns)), table)


def _key(row: Row) -> dict[str, Any]:
    return {ACCOUNT: row["account_id"], "id": row["id"]}


def _touched(row: Row, values: Mapping[str, Any]) -> Mapping[str, Any]:
    return values if "updated_at" in values else {**values, "updated_at": moment(row)}


def _bound(columns: Sequence[str]) -> dict[str, Any]:
    return {column: bindparam(f"new_{column}") for column in columns}


def _as_new(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{column}": value for column, value in values.items()}


def missing(what: str, *path: str) -> Problem:
    """The problem of a missing record. A record of another account has the same message."""
    return Problem(ProblemCode.NOT_FOUND, f"There is no such {what}", ["input", *path])


def missing_among(what: str, name: str, ids: Sequence[int], found: Collection[int]) -> list[Problem]:
    """A problem for each index of the list `name` whose id was not found."""
    return [missing(what, name, str(place)) for place, id_ in enumerate(ids) if id_ not in found]


def size_problems(what: str, name: str, ids: Sequence[int], most: int) -> list[Problem]:
    """Problems of a list `name` that does not have 1 to `most` ids. Repeats count once."""
    path = ["input", name]
    if not ids:
        return [Problem(ProblemCode.BLANK, f"Give at least one {what}", path)]
    if len(set(ids)) > most:
        return [Problem(ProblemCode.TOO_MANY, f"Give at most {most} {what}s", path)]
    return []


def is_blank(text: str) -> bool:
    """Whether a text has no visible character."""
    return _VISIBLE.search(text) is None


def text_problems(what: str, name: str, text: str, most: int) -> list[Problem]:
    """Problems of a text with more than `most` characters, or with some that PostgreSQL cannot store."""
    path = ["input", name]
    problems = []
    if len(text) > most:
        problems.append(Problem(ProblemCode.TOO_LONG, f"{what} has at most {most} characters", path))
    if "\0" in text:
        problems.append(Problem(ProblemCode.INVALID, f"{what} cannot hold a NUL character", path))
    if _SURROGATE.search(text):
        problems.append(Problem(ProblemCode.INVALID, f"{what} cannot hold half of a surrogate pair", path))
    return problems
