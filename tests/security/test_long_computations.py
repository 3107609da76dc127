"""Long computations run in a thread: other requests are answered meanwhile, and each actor has one at a time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest

from db import relations
from db.cache import Cache
from db.thread import ComputingThread
from gql.execution import run
from gql.execution.aside import LONG, LONG_BODY
from gql.execution.document import Documents
from gql.execution.executor import Executor
from gql.execution.run import Execution
from gql.web.request import RequestReader
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


class Thread:
    """A function that waits until `go` is set if it is called in another thread than the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        function, here = getattr(owner, name), threading.current_thread()

        def wait(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is not here:
                self.begun.set()
                assert self.go.wait(5)
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, wait)

    async def begins(self) -> None:
        """Return once it was called."""
        async with asyncio.timeout(5):
            while not self.begun.is_set():  # noqa: ASYNC110  # a thread has no event for it
                await asyncio.sleep(0.01)


FILTERED = "query ($filter: ConversationFilter) { conversations(first: 1, filter: $filter) { %s } }"
SHAPE = {"or": [{"closed": True, "assigned": False}] * 6}

# Each long computation: the function that takes long, and a request that it is called for.
COMPUTATIONS: dict[str, tuple[Any, str, str, dict[str, Any]]] = {
    "a document is read": (Documents, "read", long(20), {}),
    "a document is planned": (run, "plan_operation", long(21), {}),
    "a body is parsed": (RequestReader, "from_json", "{ __typename }", {"unknown": "x" * LONG_BODY}),
    "variables are checked": (Executor, "call", "{ __typename }", {"unknown": "x" * LONG_BODY}),
    "a page's statement is compiled": (relations._page_statement, "_compile", FILTERED % "nodes { id }", SHAPE),  # noqa: SLF001
    "a count's statement is compiled": (relations._count_statement, "_compile", FILTERED % "totalCount", SHAPE),  # noqa: SLF001
    "introspection is executed": (Execution, "run_alone", "{ __schema { queryType { name } } }", {}),
}
computations = pytest.mark.parametrize("computation", COMPUTATIONS.values(), ids=COMPUTATIONS)


def post(client: Client, document: str, variables: dict[str, Any]) -> Coroutine[Any, Any, httpx.Response]:
    """Send the request of a computation."""
    return client.post(document, **({"filter": variables} if variables is SHAPE else variables))


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was compiled yet."""
    for kept in (relations._page_statement, relations._count_statement):  # noqa: SLF001
        monkeypatch.setattr(kept, "cache", Cache(100, 1_000_000))


@computations
@pytest.mark.usefixtures("forgetful")
async def test_others_are_answered_during_each_long_computation(
    client: Client, computation: tuple[Any, str, str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, document, variables = computation
    await client.answer("{ __typename }")
    thread = Thread(monkeypatch, owner, name)

    waits = asyncio.create_task(post(client, document, variables))
    await thread.begins()
    short = await client.answer("{ __typename }")
    assert not waits.done()
    thread.go.set()
    response = await waits

    assert short == TYPENAME
    assert "errors" not in response.json()


@computations
@pytest.mark.usefixtures("forgetful")
async def test_each_long_computation_is_charged(
    stored: str, computation: tuple[Any, str, str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, document, variables = computation
    function, spent = getattr(owner, name), [0.0]

    def take_a_second(*args: Any, **kwargs: Any) -> Any:
        spent[0] += 1
        return function(*args, **kwargs)

    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    monkeypatch.setattr(time, "thread_time", lambda: spent[0])
    async with serving(stored, Statements(), rate_seconds=5) as client:
        await client.answer("{ __typename }")
        monkeypatch.setattr(owner, name, take_a_second)
        await post(client, document, variables)
        monkeypatch.setattr(owner, name, function)
        late = await client.post("{ __typename }")

    assert late.status_code == 429


async def test_who_has_no_time_left_is_rejected_before_a_long_body_is_parsed(
    stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    async with serving(stored, Statements(), rate_seconds=0.000_001) as client:
        await client.answer("{ hosts(first: 1) { totalCount } }")
        thread = Thread(monkeypatch, RequestReader, "from_json")
        response = await client.post("{ __typename }", unknown="x" * LONG_BODY)

    assert response.status_code == 429
    assert not thread.begun.is_set()


async def test_a_statement_with_few_conditions_is_compiled_at_once_and_charged(
    stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_, here = relations._page_statement._compile, threading.current_thread()  # noqa: SLF001
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    async with serving(stored, Statements(), rate_seconds=2) as client:
        await client.answer("{ __typename }")

        def compile_slowly(*args: Any, **kwargs: Any) -> Any:
            assert threading.current_thread() is here
            time.sleep(0.5)
            return compile_(*args, **kwargs)

        monkeypatch.setattr(relations._page_statement, "_compile", compile_slowly)  # noqa: SLF001
        first = await client.post(FILTERED % "nodes { id }", filter={"closed": True, "externalIds": ["few"]})
        late = await client.post("{ __typename }")

    assert (first.status_code, late.status_code) == (200, 429)


class Queue:
    """Computations of different actors; the first one waits until `go` is set."""

    def __init__(self) -> None:
        self.thread = ComputingThread()
        self.go = threading.Event()
        self.begun: list[str] = []
        self.charged: list[float] = []

    async def charge(self, seconds: float) -> None:
        """Note what a computation took."""
        self.charged.append(seconds)

    def begin(self, actor: str) -> asyncio.Task[None]:
        """Ask for a computation."""
        return asyncio.create_task(self.thread.run(actor, partial(self._compute, actor), self.charge))

    def _compute(self, actor: str) -> None:
        self.begun.append(actor)
        assert self.go.wait(5)

    async def fill(self, *actors: str) -> list[asyncio.Task[None]]:
        """Ask for computations, of which the first has begun and the others wait."""
        tasks = [self.begin(actor) for actor in actors]
        async with asyncio.timeout(5):
            while not self.begun:  # noqa: ASYNC110  # a thread has no event for it
                await asyncio.sleep(0.01)
        return tasks


async def test_what_nobody_waits_for_any_more_is_not_computed() -> None:
    queue = Queue()
    first, second, third = await queue.fill("a", "b", "c")
    second.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([second])
    assert (second.cancelled(), first.done(), third.done()) == (True, False, False)
    first.cancel()
    await asyncio.sleep(0.05)
    # It cannot be interrupted.
    assert not first.done()
    queue.go.set()
    await asyncio.wait([first, third])
    await queue.begin("b")

    assert first.cancelled()
    assert queue.begun == ["a", "c", "b"]
    assert queue.charged[0] == 0


async def test_a_stopped_thread_computes_nothing_that_has_not_begun_and_ends() -> None:
    before = set(threading.enumerate())
    queue = Queue()
    first, *others = await queue.fill("a", "b", "c")
    [computing] = set(threading.enumerate()) - before
    queue.thread.stop()
    async with asyncio.timeout(5):
        await asyncio.wait(others)
    assert not first.done()
    queue.go.set()
    await first
    computing.join(5)
    assert not computing.is_alive()
    await queue.begin("d")
    queue.thread.stop()

    assert [task.cancelled() for task in others] == [True, True]
    assert queue.begun == ["a", "d"]
