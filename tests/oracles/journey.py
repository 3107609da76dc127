"""Stays around today, and the resulting stage, derived in plain Python from dates only.

Tests query today's date and its beginning from the database, so that both use the same time zones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from typing import Any, TypeAlias

import asyncpg

from db.tables import JourneyStage
from tests.support.factories import derive_all, store

Stages: TypeAlias = dict[int, str]


@dataclass(frozen=True)
class Stay:
    """A booking: its status, and its first and last day relative to today, with the local times."""

    status: str
    arrival: int
    departure: int
    arrives: str = "00:00:00"
    leaves: str = "23:59:59.999"


# Each at the first or last moment of its days.
STAYS = (
    Stay("BOOKED", 0, 3),
    Stay("BOOKED", 0, 1, arrives="23:59:59.999", leaves="00:00:00"),
    Stay("BOOKED", -3, 0),
    Stay("BOOKED", -1, 0, arrives="23:59:59.999", leaves="00:00:00"),
    Stay("BOOKED", 0, 0),
    Stay("BOOKED", -1, 1, arrives="23:59:59.999", leaves="00:00:00"),
    Stay("BOOKED", -400, 400),
    Stay("BOOKED", 1, 4),
    Stay("BOOKED", 300, 301),
    Stay("BOOKED", -2, -1),
    Stay("BOOKED", -900, -890),
    Stay("CANCELED", 0, 1),
    Stay("CANCELED", -9, -7),
    Stay("TENTATIVE", 0, 1),
    Stay("LOCKED", -1, 1),
    Stay("UNAVAILABLE", 5, 6),
)
# No booking, each booking alone, and each pair: one conversation for each of these.
GROUPS: tuple[Sequence[Stay], ...] = ((), *((stay,) for stay in STAYS), *combinations(STAYS, 2))


def stage_of(stays: Sequence[Stay]) -> str:
    """The stage of a conversation with these bookings."""
    booked = [stay for stay in stays if stay.status == "BOOKED"]
    if not booked:
        # A booking that another user or application holds is not certain.
        counted = [stay for stay in stays if stay.status != "LOCKED"]
        return "CANCELED" if counted and all(stay.status == "CANCELED" for stay in counted) else "INQUIRY"
    if any(stay.arrival == 0 for stay in booked):
        return "CHECK_IN_TODAY"
    if any(stay.departure == 0 for stay in booked):
        return "CHECK_OUT_TODAY"
    if any(stay.arrival < 0 < stay.departure for stay in booked):
        return "AT_PROPERTY"
    return "RESERVED" if any(stay.arrival > 0 for stay in booked) else "POST_STAY"


_URGENCY = ("CHECK_IN_TODAY", "CHECK_OUT_TODAY", "AT_PROPERTY", "RESERVED", "POST_STAY", "INQUIRY", "CANCELED")


def deciding_stay(stays: Sequence[Stay]) -> Stay | None:
    """The stay that alone has the stage of all; of several the next one, of past ones the last; None if none counts."""

    def place(stay: Stay) -> tuple[Any, ...]:
        begin, end = (stay.arrival, stay.arrives), (stay.departure, stay.leaves)
        over = stay.departure < 0
        # Later ends come first: no two of these stays begin, or have ended, at the same moment otherwise.
        return _URGENCY.index(stage_of([stay])), over, (-stay.departure,) if over else begin, -stay.departure, end

    return min((stay for stay in stays if stay.status != "LOCKED"), key=place, default=None)


STAGES: Stages = {number: stage_of(stays) for number, stays in enumerate(GROUPS, 1)}
assert set(STAGES.values()) == set(JourneyStage)


async def today(connection: asyncpg.Connection[Any], zone: str) -> date:
    """Today's date in the time zone."""
    day: date = await connection.fetchval("SELECT (now() AT TIME ZONE $1)::date", zone)
    return day


async def store_stays(connection: asyncpg.Connection[Any], account: int, zone: str) -> date:
    """Store a conversation for each of `GROUPS`, with the indexes of `STAGES`, in an account without any.

    Returns today's date.
    """
    day = await today(connection, zone)
    await connection.execute("UPDATE accounts SET time_zone = $2 WHERE id = $1", account, zone)

    async def moment(days: int, clock: str) -> Any:
        text = f"{day + timedelta(days=days)} {clock}"
        return await connection.fetchval("SELECT $1::text::timestamp AT TIME ZONE $2", text, zone)

    numbers = {stay: number for number, stay in enumerate(STAYS, 1)}
    for stay, number in numbers.items():
        start, end = await moment(stay.arrival, stay.arrives), await moment(stay.departure, stay.leaves)
        await store(
            connection, "bookings", account_id=account, id=number, status=stay.status, start_at=start, end_at=end
        )
    for number, stays in enumerate(GROUPS, 1):
        await store(connection, "conversations", account_id=account, id=number)
        for stay in stays:
            await store(
                connection,
                "conversation_bookings",
                account_id=account,
                conversation_id=number,
                booking_id=numbers[stay],
            )
    await derive_all(connection, account)
    return day
