"""Long documents are read in a thread: other requests are answered meanwhile, and each actor has one at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gql.execution.aside import LONG
from gql.execution.document import Documents
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.request import refusal
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

APPLICATION = f"application:{world.APPLICATION}"
TYPENAME = {"data": {"__typename": "Query"}}


def long(number: int, selection: str = "__typename") -> str:
    """A long document that differs from those of other numbers."""
    return f"{{ {selection} }}{' ' * LONG}# {number}"


class Reading:
    """Long documents wait in the thread until `go` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.begun: list[str] = []
        read = Documents.read

        def wait(documents: Documents, text: str) -> Any:
            if len(text) >= LONG:
                self.begun.append(text)
                # In the event loop, nobody would set it.
                assert self.go.wait(5)
            return read(documents, text)

        monkeypatch.setattr(Documents, "read", wait)
        self.asked: list[str] = []
        is_known = Documents.is_known

        def note(documents: Documents, text: str) -> bool:
            if len(text) >= LONG:
                self.asked.append(text)
            return is_known(documents, text)

        monkeypatch.setattr(Documents, "is_known", note)

    async def begins(self, number: int) -> None:
        """Return once that many have begun."""
        async with asyncio.timeout(5):
            while len(self.begun) < number:  # noqa: ASYNC110  # a thread has no event for it
                await asyncio.sleep(0.01)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    return Reading(monkeypatch)


@pytest.fixture
async def stored(dsn: str, connection: asyncpg.Connection[Any]) -> str:
    await world.store_application(connection)
    await world.store_world(connection)
    return dsn


@pytest.fixture
async def client(stored: str) -> AsyncIterator[Client]:
    async with serving(stored, Statements()) as client:
        yield client


async def test_others_are_answered_while_a_long_document_is_read(client: Client, reading: Reading) -> None:
    waits = asyncio.create_task(client.answer(long(1)))
    await reading.begins(1)

    short = await client.answer("{ __typename }")
    other = await client.as_(1, APPLICATION).answer("{ hosts(first: 1) { totalCount } }")
    assert not waits.done()
    reading.go.set()

    assert (short, await waits) == (TYPENAME, TYPENAME)
    assert "errors" not in other


async def test_a_long_document_is_read_once(client: Client, reading: Reading) -> None:
    reading.go.set()
    answers = [await client.answer(long(1)) for _ in range(3)]
    wrong = [await client.answer(long(2, "nothing")) for _ in range(3)]

    assert answers == [TYPENAME] * 3
    assert [error["errors"][0]["extensions"]["code"] for error in wrong] == ["GRAPHQL_VALIDATION_FAILED"] * 3
    assert reading.begun == [long(1), long(2, "nothing")]


async def test_an_actor_has_one_long_document_at_a_time(client: Client, reading: Reading) -> None:
    others = client.as_(1, APPLICATION)
    for each in (client, others):
        await each.answer("{ __typename }")
    many = [asyncio.create_task(client.answer(long(number))) for number in range(5)]
    await reading.begins(1)
    other = asyncio.create_task(others.answer(long(9)))
    async with asyncio.timeout(5):
        while len(reading.asked) < 6:  # noqa: ASYNC110  # nor for this
            await asyncio.sleep(0.01)
    # What these requests do without waiting is done when another one is answered.
    await client.answer("{ __typename }")
    reading.go.set()
    await asyncio.gather(other, *many)

    # The other actor's document waits for one of the first actor's, and not for five.
    assert reading.begun.index(long(9)) == 1
    assert len(reading.begun) == 6


async def test_who_goes_away_is_charged_for_the_document(
    stored: str, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    async with serving(stored, Statements(), rate_seconds=0.000_1) as client:
        monkeypatch.setattr("gql.execution.operation._FREE", 1)
        leaving = asyncio.create_task(client.answer(long(1)))
        await reading.begins(1)
        late = asyncio.create_task(client.post(long(2)))
        leaving.cancel()
        reading.go.set()
        response = await late

    assert (response.status_code, response.json()) == (
        429,
        refusal("The rate limit is exceeded: try again later", "RATE_LIMITED"),
    )
    assert reading.begun == [long(1)]
