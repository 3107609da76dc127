"""Who takes part in a conversation: looking participants up, and adding members.

A member that takes part already is not added again, though imported conversations may hold one several times: then the
first counts. Writes lock and report as those of `db.queries.conversation.writes` do.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam
from sqlmodel.ext.asyncio.session import AsyncSession

from db import tables as t
from db.problem import reject
from db.queries import writing
from db.queries.conversation import derived
from db.scope import ACCOUNT, Viewer, visible

_P: Any = t.Participant

# Who can take part, with the type and the key that a participant of theirs has.
MEMBERS: dict[type[t.TenantTable], tuple[t.MemberType, Any]] = {
    t.Client: (t.MemberType.CLIENT, _P.client_id),
    t.Host: (t.MemberType.HOST, _P.host_id),
}


async def add(
    session: AsyncSession, viewer: Viewer, conversation_id: int, table: type[t.TenantTable], member_id: int
) -> int:
    """Let the member with that id in `table` take part, unless it does. Returns the participant's id.

    Raises `RejectedError` for a conversation or a member that is not there.
    """
    conversation, problems = await writing.hold_one(session, viewer, conversation_id)
    now = writing.now()
    member: Any = table
    participant = await find_member(session, viewer, conversation_id, table, member.id == member_id, now)
    if participant is None:
        problems.append(writing.missing(table.__name__.lower(), "memberId"))
    reject(problems)
    assert conversation is not None  # noqa: S101  # else it was rejected
    assert participant is not None  # noqa: S101  # else it was rejected
    if participant.id is None:
        session.add(participant)
        writing.touch(conversation, now)
        await derived.derive(session, viewer.account_id, [conversation_id])
    assert participant.id is not None  # noqa: S101  # storing it gave it one
    return participant.id


async def find(
    session: AsyncSession, viewer: Viewer, conversation_id: int, participant_id: int
) -> t.Participant | None:
    """The participant with that id, where it is one of that conversation."""
    statement = visible(t.Participant, t.Participant).where(
        _P.id == participant_id, _P.conversation_id == conversation_id
    )
    rows = await session.exec(statement, params={ACCOUNT: viewer.account_id})  # type: ignore[call-overload]
    participant: t.Participant | None = rows.scalars().one_or_none()
    return participant


async def find_member(  # noqa: PLR0913, PLR0917  # who looks, where, and for whom
    session: AsyncSession,
    viewer: Viewer,
    conversation_id: int,
    table: type[t.TenantTable],
    condition: ColumnElement[bool],
    now: datetime,
) -> t.Participant | None:
    """The first row of `table` that meets `condition`, as it first took part in the conversation.

    One that does not take part gets a participant that is not stored yet, and has no id. None where there is no such
    member. The conversation must be held, or two could be made of one member.
    """
    member: Any = table
    type_, key = MEMBERS[table]
    here = and_(
        _P.account_id == member.account_id,
        key == member.id,
        _P.conversation_id == bindparam("conversation", type_=BigInteger),
    )
    statement = visible(table, member.id, t.Participant).join(t.Participant, here, isouter=True).where(condition)
    rows = await session.exec(  # type: ignore[call-overload]
        statement.order_by(member.id, _P.id).limit(1),
        params={ACCOUNT: viewer.account_id, "conversation": conversation_id},
    )
    found = rows.one_or_none()
    if found is None:
        return None
    member_id, participant = found
    return participant or t.Participant(
        account_id=viewer.account_id,
        conversation_id=conversation_id,
        member_type=type_,
        member_id=member_id,
        created_at=now,
        updated_at=now,
        **{key.key: member_id},
    )
