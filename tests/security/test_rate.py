"""Rate limits in nodes: each principal has its own budget, which becomes available again during a minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scope import Viewer
from db.tables.enums import CreatorType
from gql.security.rate import RateLimiter
from gql.settings import Settings
from tests.support import world
from tests.support.client import Client, Statements
from tests.support.factories import log_changes, store
from tests.support.persisting import automatic, get
from tests.support.properties import examples
from tests.support.request import RESPONSE, refusal, send
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

# A moment at which a minute begins.
BEGIN = 1_800_000_000
BUDGET = "{ rateLimit { limit remaining resetAt cost } }"
FORTY = "{ hosts(first: 40) { nodes { id } } }"
TWO = {"query": "{ hosts(first: 2) { nodes { id } } }"}
# The headers of every answer to an authenticated request.
NAMES = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
REFUSAL = refusal("The rate limit is exceeded: try again later", "RATE_LIMITED")
VIEWER = Viewer(1, CreatorType.USER, 1, frozenset())


class Clock:
    """Replaces `time.time`; the test sets `now`."""

    def __init__(self) -> None:
        self.now = float(BEGIN)

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock, set to the beginning of a minute."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
async def client(dsn: str, connection: asyncpg.Connection[Any], statements: Statements) -> AsyncIterator[Client]:
    """A client of an application with 100 nodes per minute and principal, on two accounts."""
    await world.store_application(connection)
    for account in (1, 2):
        await world.store_world(connection, account)
        # As many rows as the longest page, so that all charged nodes are returned.
        for number in range(100):
            for table in ("hosts", "sources"):
                await store(connection, table, account_id=account, id=20_000 + number)
    async with serving(dsn, statements, rate_limit=100) as client:
        yield client


def moment(seconds: float) -> str:
    """A time in the format of the API, relative to the beginning."""
    return datetime.fromtimestamp(BEGIN + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


async def test_without_budget_operations_are_rejected_until_enough_is_available(client: Client, clock: Clock) -> None:
    for _ in range(2):
        await client.data(FORTY)
    client.statements.take()

    refused = await client.post(FORTY)

    assert (refused.status_code, refused.json(), client.statements.take()) == (429, REFUSAL, [])
    # 20 of 80 nodes must become available, after the first quarter of the next minute.
    headers = {name: value for name, value in refused.headers.items() if name.startswith(("ratelimit", "retry"))}
    assert headers == {
        "retry-after": "75",
        "ratelimit-limit": "100",
        "ratelimit-remaining": "20",
        "ratelimit-reset": "120",
    }
    # Cheaper operations still run, and the rejected one was not charged.
    await client.data("{ hosts(first: 20) { nodes { id } } }")
    clock.now = BEGIN + 83
    assert (await client.post(FORTY)).status_code == 429
    clock.now = BEGIN + 84
    assert (await client.post(FORTY)).status_code == 200


async def test_a_refused_mutation_changes_nothing(
    client: Client, connection: asyncpg.Connection[Any], clock: Clock
) -> None:
    assert clock.now == BEGIN
    await client.data("{ hosts(first: 100) { nodes { id } } }")
    before = await world.dump(connection)

    refused = await client.post("mutation { createConversation(input: {}) { userErrors { code } } }")

    assert (refused.status_code, refused.json()) == (429, REFUSAL)
    assert await world.dump(connection) == before


async def test_the_budget_can_be_asked_for(client: Client, clock: Clock) -> None:
    def budget(remaining: int, reset: float, cost: int = 1) -> dict[str, Any]:
        return {"rateLimit": {"limit": 100, "remaining": remaining, "resetAt": moment(reset), "cost": cost}}

    assert await client.data(BUDGET) == budget(99, 120)
    await client.data(FORTY)
    clock.now += 15
    with_hosts = BUDGET.replace("{ rateLimit", "{ hosts(first: 9) { nodes { id } } rateLimit", 1)
    assert (await client.data(with_hosts))["rateLimit"] == budget(50, 120, 9)["rateLimit"]
    # Half of the previous minute's nodes no longer count.
    clock.now = BEGIN + 90
    assert await client.data(BUDGET) == budget(100 - 25 - 1, 180)
    clock.now = BEGIN + 300
    assert await client.data(BUDGET) == budget(99, 420)


async def test_each_principal_has_a_budget_of_its_own(client: Client, clock: Clock) -> None:
    assert clock.now == BEGIN
    application = f"application:{world.APPLICATION}"
    principals = [
        client,
        client.as_(1, application),
        client.as_(2),
        client.as_(2, application),
    ]
    for principal in principals:
        assert (await principal.data(BUDGET))["rateLimit"]["remaining"] == 99
        assert [(await principal.post(FORTY)).status_code for _ in range(3)] == [200, 200, 429]

    # Another token of the same user is the same user.
    assert (await client.as_(1, scopes=["inbox_read"]).post(FORTY)).status_code == 429


async def test_simultaneous_operations_are_charged_together(client: Client, clock: Clock) -> None:
    assert clock.now == BEGIN
    await client.data("{ __typename }")

    responses = await asyncio.gather(*(client.post("{ hosts(first: 9) { nodes { id } } }") for _ in range(30)))

    assert sorted(response.status_code for response in responses) == [200] * 11 + [429] * 19


async def test_only_what_runs_is_charged(client: Client, clock: Clock) -> None:
    assert clock.now == BEGIN
    refused = ["{", "{ nothing }", "query ($n: Int!) { hosts(first: $n) { nodes { id } } }", "{ a: __typename " * 40]
    for document in refused:
        assert "data" not in await client.answer(document)

    assert (await client.data(BUDGET))["rateLimit"]["remaining"] == 99


async def test_an_operation_above_the_budget_takes_all_of_it(client: Client, clock: Clock) -> None:
    document = "{ rateLimit { remaining cost } hosts(first: 60) { nodes { id } } sources(first: 60) { nodes { id } } }"

    assert (await client.data(document))["rateLimit"] == {"remaining": 0, "cost": 100}
    refused = await client.post(document)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "120")
    clock.now += 120
    assert (await client.post(document)).status_code == 200


RETURNED = [
    # A short page; rows that are read for their cursors alone; a number; what is not there.
    ("{ conversations(first: 40) { nodes { id } } }", 2),
    ("{ conversations(first: 40) { pageInfo { endCursor } } }", 2),
    ("{ conversations(first: 40) { edges { cursor } edges { node { id } } } }", 2),
    ("{ conversations(first: 40) { nodes { id } edges { node { id } } } }", 4),
    ("{ conversations(first: 40) { totalCount } }", 20),
    # The search ran, although it found nothing.
    ('{ conversations(first: 40, filter: {search: "nothing"}) { nodes { id } } }', 100),
    ("{ conversations(first: 20) { nodes { messages { totalCount } } } }", 2 * (1 + 1)),
    ("{ conversation(databaseId: 999999) { messages(first: 50) { nodes { id } } } }", 1),
    ("{ inboxCounts { open } }", 100),
    # Introspection is answered by graphql-core, which counts nothing.
    ('{ hosts(first: 40) { nodes { id } } __type(name: "Host") { name } }', 40),
]


@pytest.mark.parametrize(("document", "charged"), RETURNED)
async def test_unreturned_nodes_are_refunded(client: Client, clock: Clock, document: str, charged: int) -> None:
    assert clock.now == BEGIN

    response = await client.post(document)

    assert "errors" not in response.json()
    assert response.headers["ratelimit-remaining"] == str(100 - charged)


@pytest.mark.parametrize(("selection", "each"), [("changes { type node { id } }", 2), ("endCursor", 1)])
async def test_a_page_of_changes_is_charged_by_what_it_returned(
    client: Client, connection: asyncpg.Connection[Any], clock: Clock, selection: str, each: int
) -> None:
    assert clock.now == BEGIN
    start = (await client.data("{ changesCursor }"))["changesCursor"]
    await log_changes(connection, 1, *(("HOST", 20_000 + number, None) for number in range(3)))
    document = f"query ($after: String!) {{ changes(after: $after, first: 20) {{ {selection} }} }}"

    response = await client.post(document, after=start)

    assert "errors" not in response.json()
    assert response.headers["ratelimit-remaining"] == str(100 - 1 - 3 * each)


async def test_a_mutation_is_not_refunded(client: Client, clock: Clock) -> None:
    assert clock.now == BEGIN
    document = (
        """mutation { createConversation(input: {}) { conversation { messages(first: 40) { nodes { id } } } } }"""
    )

    response = await client.post(document)

    assert "errors" not in response.json()
    assert response.headers["ratelimit-remaining"] == str(100 - 51)


async def test_without_a_limit_there_is_no_budget(seeded_dsn: str) -> None:
    async with serving(seeded_dsn, Statements(), rate_limit=0) as client:
        assert await client.data(BUDGET) == {"rateLimit": None}
        assert [(await client.post(FORTY)).status_code for _ in range(5)] == [200] * 5


@examples(200)
@given(steps=st.lists(st.tuples(st.integers(0, 70), st.integers(1, 60)), min_size=1, max_size=12))
async def test_the_returned_wait_is_long_enough_and_not_too_long(steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", clock)
        rates = RateLimiter(Settings(rate_limit=100))
        for passing, cost in steps:
            clock.now += passing
            budget = await rates.charge(VIEWER, cost)
            if budget is not None:
                wait = budget.wait(cost)
                # The store rounds in favour of the caller, by less than one node.
                clock.now += max(0.0, budget.wait(cost - 1) - 0.001) * 0.99
                assert await rates.charge(VIEWER, cost) is not None
                clock.now = max(clock.now, budget.now + wait + 0.001)
                assert await rates.charge(VIEWER, cost) is None


async def test_every_answer_has_the_remaining_budget(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, rate_limit=100) as client:
        await send(client, {"query": "{ __typename }", "extensions": automatic("{ __typename }")})
        kept = await get(client, extensions=automatic("{ __typename }"))
        answers = [
            await send(client, TWO),
            await send(client, {"query": "{"}, accept=RESPONSE),
            await send(client, b"5"),
            await send(client, method="PUT"),
            await send(client, TWO, content_type="text/plain"),
            kept,
            await get(client, {"if-none-match": kept.headers["etag"]}, extensions=automatic("{ __typename }")),
            await send(client, {"query": "{ hosts(first: 99) { nodes { id } } }"}),
        ]
        unknown = await send(client, TWO, authorization=None)

    assert [answer.status_code for answer in answers] == [200, 400, 400, 405, 415, 200, 304, 429]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"100"}
    assert all(answer.headers.get_list(name) for answer in answers for name in NAMES)
    # Two `__typename` and two hosts are charged; requests that are not executed are not.
    assert [int(answer.headers["ratelimit-remaining"]) for answer in answers[:5]] == [96] * 5
    assert [name for name in unknown.headers if name.startswith("ratelimit")] == []


async def test_there_are_no_rate_headers_without_a_limit(seeded_dsn: str, statements: Statements) -> None:
    async with serving(seeded_dsn, statements, rate_limit=0) as client:
        response = await send(client, TWO)

    assert [name for name in response.headers if name.startswith("ratelimit")] == []
