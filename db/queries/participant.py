"""Participants of a conversation: lookups, and adding members.

A member that is a participant already is not added again. In imported conversations a member may be several
participants: then the first is used. Locks and problems are as in `db.queries.conversation.writes`.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, func, literal_column

from db import tables as t
from db.criterion import Clause, Criterion, Term, compared
from db.engine import Transaction
from db.problem import reject
from db.queries import writing
from db.queries.conversation import derived
from db.scope import ACCOUNT, Viewer, visible
from db.statement import Row, Statement

_H: Any = t.Host
_P: Any = t.Participant

FILTERS: dict[str, Criterion] = {"member_type": compared(_P.member_type, operator.eq)}

# The tables of members, with the type and the foreign key of their participants.
MEMBERS: dict[type[t.TenantTable], tuple[t.MemberType, Any]] = {
    t.Client: (t.MemberType.CLIENT, _P.client_id),
    t.Host: (t.MemberType.HOST, _P.host_id),
}


@dataclass(frozen=True, slots=True)
class Member:
    """A member, and its participant in a conversation; None if it is not one."""

    table: type[t.TenantTable]
    id: int
    participant: Row | None


async def add(
    transaction: Transaction, viewer: Viewer, conversation_id: int, table: type[t.TenantTable], member_id: int
) -> int:
    """Add the member with that id in `table`, unless it is a participant. Returns the participant's id.

    Raises `RejectedError` for a conversation or a member that does not exist.
    """
    conversation, problems = await writing.hold_one(transaction, viewer, conversation_id)
    member = await find_member(transaction, viewer, conversation_id, table, member_id)
    if member is None:
        problems.append(writing.missing(table.__name__.lower(), "memberId"))
    reject(problems)
    assert conversation is not None  # noqa: S101  # else it was rejected
    assert member is not None  # noqa: S101  # else it was rejected
    if member.participant is not None:
        return int(member.participant.id)
    participant_id = await join(transaction, conversation, member, writing.now())
    await writing.change(transaction, t.Conversation, conversation, {}, t.WebhookEvent.CONVERSATION_UPDATED)
    await derived.derive(transaction, viewer.account_id, [conversation_id])
    return participant_id


async def join(transaction: Transaction, conversation: Row, member: Member, now: datetime, **values: Any) -> int:
    """Add a member that is not a participant; return the participant's id. `values` are further columns."""
    type_, key = MEMBERS[member.table]
    return await writing.insert_row(
        transaction,
        t.Participant,
        {
            "account_id": conversation.account_id,
            "conversation_id": conversation.id,
            "member_type": type_,
            "member_id": member.id,
            key.key: member.id,
            "created_at": now,
            "updated_at": now,
            **values,
        },
    )


_FIND = Statement.of(
    visible(t.Participant).where(
        writing.is_id(_P.id), _P.conversation_id == bindparam("conversation", type_=BigInteger)
    ),
    t.Participant,
)


async def find(transaction: Transaction, viewer: Viewer, conversation_id: int, participant_id: int) -> Row | None:
    """The participant with that id, if it belongs to that conversation."""
    parameters = {ACCOUNT: viewer.account_id, "id": participant_id, "conversation": conversation_id}
    rows = await transaction.fetch(_FIND, parameters)
    return rows[0] if rows else None


async def find_member(
    transaction: Transaction, viewer: Viewer, conversation_id: int, table: type[t.TenantTable], member_id: int
) -> Member | None:
    """The member with that id in `table`, with its first participant in the conversation; None if it does not exist.

    The conversation must be locked: otherwise two writers could add one member twice.
    """
    return await _member(transaction, viewer, conversation_id, table, "id", member_id)


async def find_host(transaction: Transaction, viewer: Viewer, conversation_id: int) -> Member | None:
    """The same for the first host of the viewer, a user."""
    return await _member(transaction, viewer, conversation_id, t.Host, "user_id", viewer.actor_id)


async def _member(  # noqa: PLR0913, PLR0917  # what to look for, and where
    transaction: Transaction,
    viewer: Viewer,
    conversation_id: int,
    table: type[t.TenantTable],
    column: str,
    value: int,
) -> Member | None:
    parameters = {ACCOUNT: viewer.account_id, "conversation": conversation_id, "value": value}
    rows = await transaction.fetch(_members(table, column), parameters)
    if not rows:
        return None
    (row,) = rows
    return Member(table, row.member, row if row.id is not None else None)


# The host of the bound user is the first one, as in `_members`.
_OF_HOST = Clause(
    lambda user_id: _P.host_id == visible(t.Host, func.min(t.Host.id)).where(_H.user_id == user_id).scalar_subquery(),
    BigInteger(),
)


def written_by(viewer: Viewer) -> Term:
    """The condition that a participant is the host of the viewer, a user.

    The first one in a conversation is the sender of the viewer's messages: the one that `find_host` returns.
    """
    return Term(_OF_HOST, viewer.actor_id)


@cache
def _members(table: type[t.TenantTable], column: str) -> Statement:
    """The first row of `table` with that value in `column`, joined with its first participant."""
    member: Any = table
    _, key = MEMBERS[table]
    here = and_(
        _P.account_id == member.account_id,
        key == member.id,
        _P.conversation_id == bindparam("conversation", type_=BigInteger),
    )
    columns = [member.id.label("member"), *t.Participant.__table__.columns]  # type: ignore[attr-defined]
    found = visible(table, *columns).join(t.Participant, here, isouter=True)
    asked = getattr(member, column) == bindparam("value", type_=BigInteger)
    return Statement.of(found.where(asked).order_by(member.id, _P.id).limit(literal_column("1")), t.Participant)
