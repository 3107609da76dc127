"""How far a host's message got on its way to the guest: reported by the application that relays it.

A state moves forward: QUEUED, SENT, DELIVERED, READ. FAILED can follow any of them, and a later success can follow
FAILED. Reports can arrive twice and out of order, so one that is behind the present state changes nothing and is no
error. Only `retry` goes back to QUEUED. Locks and problems are as in `db.queries.conversation.writes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import bindparam

from db import tables as t
from db.engine import Transaction
from db.failure import CollisionError
from db.problem import Problem, ProblemCode, reject
from db.queries import external, message, writing
from db.queries.conversation import derived
from db.scope import ACCOUNT, Viewer, visible
from db.statement import Row, Statement

MAX_ERROR = 1_000

_FORWARD = [t.DeliveryState.QUEUED, t.DeliveryState.SENT, t.DeliveryState.DELIVERED, t.DeliveryState.READ]
# The states of a message that has reached its channel.
_SENT = _FORWARD[1:]
_FAILED = t.DeliveryState.FAILED

_M: Any = t.Message


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What an application reports of a message that it relays. Without a time, it happened now."""

    message_id: int
    state: t.DeliveryState
    at: datetime | None = None
    external_id: str | None = None
    error: str | None = None


async def report(transaction: Transaction, viewer: Viewer, given: DeliveryReport) -> int:
    """Store what is reported, unless it is behind the present state. Returns the message's id.

    Raises `RejectedError` for a message that does not exist or is not relayed, for invalid values, for an external id
    that the application has used for another message, and for another one than that under which this message was sent.
    """
    conversation, row, problems = await _hold(transaction, viewer, given.message_id)
    reject([*problems, *_report_problems(viewer, given)])
    if given.external_id is not None:
        reject(_other_id_problems(viewer, row, given) or await _id_problems(transaction, viewer, given))
    moment = writing.moment(row)
    at = moment if given.at is None else min(given.at, moment)
    values: dict[str, Any] = {}
    if given.external_id is not None:
        values |= {"relayed_id": given.external_id, "relayed_by_id": viewer.actor_id}
    if _moves(row, given.state, at):
        values |= {"delivery_state": given.state, "delivery_at": at, "delivery_error": given.error}
    try:
        failed = values.get("delivery_state") is _FAILED
        events = [t.WebhookEvent.MESSAGE_UPDATED, *([t.WebhookEvent.DELIVERY_FAILED] if failed else [])]
        await _store(transaction, conversation, row, values, *events)
    except asyncpg.UniqueViolationError as error:
        # Another transaction has just stored the same external id. The next attempt finds it.
        raise CollisionError from error
    return given.message_id


async def retry(transaction: Transaction, viewer: Viewer, message_id: int) -> int:
    """Queue a message that failed again. One that is queued is left as it is. Returns its id.

    Raises `RejectedError` for a message that does not exist, is not relayed, or was sent.
    """
    conversation, row, problems = await _hold(transaction, viewer, message_id)
    reject(problems)
    if row.delivery_state == t.DeliveryState.QUEUED:
        return message_id
    if row.delivery_state != _FAILED:
        reject([Problem(ProblemCode.INVALID, "Only a message that failed can be sent again", ["input", "messageId"])])
    values = {
        "delivery_state": t.DeliveryState.QUEUED,
        "delivery_at": writing.moment(row),
        "delivery_error": None,
        "delivery_attempts": row.delivery_attempts + 1,
    }
    await _store(
        transaction, conversation, row, values, t.WebhookEvent.MESSAGE_UPDATED, t.WebhookEvent.MESSAGE_OUTGOING
    )
    return message_id


_CONVERSATION = Statement.of(visible(t.Message, _M.conversation_id).where(writing.is_id(_M.id)), t.Message)
_COLUMNS = (
    *(_M.account_id, _M.id, _M.conversation_id, _M.updated_at, _M.relayed_id, _M.relayed_by_id),
    *(_M.delivery_state, _M.delivery_at, _M.delivery_error, _M.delivery_attempts),
)
_MESSAGE = Statement.of(visible(t.Message, *_COLUMNS).where(writing.is_id(_M.id)), t.Message)


async def _hold(transaction: Transaction, viewer: Viewer, message_id: int) -> tuple[Row, Row, list[Problem]]:
    """The message's conversation, locked, the message as it is then, and a problem if it is not relayed.

    Raises `RejectedError` if there is no such message.
    """
    parameters = {ACCOUNT: viewer.account_id, "id": message_id}
    found = await transaction.fetch(_CONVERSATION, parameters)
    if not found:
        reject([writing.missing("message", "messageId")])
    conversation, _ = await writing.hold_one(transaction, viewer, found[0].conversation_id)
    (row,) = await transaction.fetch(_MESSAGE, parameters)
    assert conversation is not None  # noqa: S101  # a message's conversation is never deleted
    problems = []
    if row.delivery_state is None:
        problems.append(Problem(ProblemCode.INVALID, "This message is not relayed", ["input", "messageId"]))
    return conversation, row, problems


async def _store(
    transaction: Transaction, conversation: Row, row: Row, values: dict[str, Any], *events: t.WebhookEvent
) -> None:
    """Set the columns that differ. The conversation changes too if the number of its failed messages does."""
    differing = writing.differing(row, values)
    if not differing:
        return
    await writing.change(transaction, t.Message, row, differing, *events)
    if _FAILED in {row.delivery_state, values.get("delivery_state")} and "delivery_state" in differing:
        await writing.change(transaction, t.Conversation, conversation, {})
        await derived.derive(transaction, conversation.account_id, [conversation.id], [derived.COUNTERS])


def _moves(row: Row, state: t.DeliveryState, at: datetime) -> bool:
    """Whether a report of `state` is ahead of the message's present state."""
    if state is _FAILED:
        # A failure that was overtaken by a later success, or by another attempt, says nothing about the message.
        return row.delivery_state != _FAILED and bool(at >= row.delivery_at)
    if row.delivery_state == _FAILED:
        return bool(at >= row.delivery_at)
    return _FORWARD.index(state) > _FORWARD.index(row.delivery_state)


def _report_problems(viewer: Viewer, given: DeliveryReport) -> list[Problem]:
    problems = []
    if viewer.actor_type is not t.CreatorType.APPLICATION:
        problems.append(Problem(ProblemCode.INVALID, "Only applications report deliveries", ["input"]))
    if given.state is t.DeliveryState.QUEUED:
        text = "A message is queued by retryDelivery, not by a report"
        problems.append(Problem(ProblemCode.INVALID, text, ["input", "state"]))
    problems += message.moment_problems(given.at, "at")
    if given.external_id is not None:
        problems += external.problems(given.external_id)
    if given.error is not None:
        problems += writing.text_problems("An error", "error", given.error, MAX_ERROR)
        if given.state is not _FAILED:
            problems.append(Problem(ProblemCode.INVALID, "Only a failure has an error", ["input", "error"]))
    return problems


def _other_id_problems(viewer: Viewer, row: Row, given: DeliveryReport) -> list[Problem]:
    """A problem if the message was sent under another id, which would be free for another message then.

    Only a message that failed, or is queued again, can get the id of its next attempt.
    """
    kept = (row.relayed_id, row.relayed_by_id)
    if row.relayed_id is None or row.delivery_state not in _SENT or kept == (given.external_id, viewer.actor_id):
        return []
    text = "This message was sent under another external id"
    return [Problem(ProblemCode.CONFLICT, text, ["input", "externalId"])]


# The other messages with this external id of the application: relayed by it, or created by it.
_SAME_ID = [
    Statement.of(
        visible(t.Message, _M.id).where(by == bindparam("actor", type_=by.type), id_ == bindparam("id"), *also),
        t.Message,
    )
    for by, id_, also in (
        (_M.relayed_by_id, _M.relayed_id, ()),
        (_M.created_by_id, _M.external_id, (_M.created_by_type == bindparam("type"),)),
    )
]


async def _id_problems(transaction: Transaction, viewer: Viewer, given: DeliveryReport) -> list[Problem]:
    parameters = {ACCOUNT: viewer.account_id, "actor": viewer.actor_id, "id": given.external_id}
    for statement, rest in zip(_SAME_ID, ({}, {"type": t.CreatorType.APPLICATION}), strict=True):
        rows = await transaction.fetch(statement, parameters | rest)
        if any(row.id != given.message_id for row in rows):
            text = "This external id was used for another message"
            return [Problem(ProblemCode.CONFLICT, text, ["input", "externalId"])]
    return []
