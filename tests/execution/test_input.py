"""Input is counted before it is converted, so that no body within the limit takes long."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gql.execution.input import MAX_DEPTH, MAX_OBJECTS, MAX_VALUES
from tests.support.client import Client, Statements
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

FILTERED = "query ($f: ConversationFilter) { conversations(filter: $f) { totalCount } }"
TWICE = """query ($f: ConversationFilter) {
  a: conversations(filter: $f) { totalCount } b: conversations(filter: {not: $f}) { totalCount }
}"""
DEFAULT = "query ($f: ConversationFilter = {or: [%s]}) { conversations(filter: $f) { totalCount } }"
LITERAL = "{ conversations(filter: {or: [%s]}) { totalCount } }"
WRITTEN = "mutation ($i: UpdateConversationsInput!) { updateConversations(input: $i) { userErrors { code } } }"


@pytest.fixture(scope="module")
async def reader(seeded_dsn: str) -> AsyncIterator[Client]:
    """One application for all tests that only read."""
    async with serving(seeded_dsn, Statements()) as client:
        yield client


def either(number: int) -> dict[str, Any]:
    """A filter with `number` objects."""
    return {"or": [{} for _ in range(number - 1)]}


def deep(levels: int) -> Any:
    """A filter with that many nested values."""
    value: Any = None
    for _ in range(levels - 1):
        value = {"not": value}
    return value


async def limit(client: Client, document: str, **variables: Any) -> tuple[str, int]:
    """The limit that rejects an operation."""
    (error,) = (await client.answer(document, **variables))["errors"]
    assert error["extensions"]["code"] == "OPERATION_TOO_COMPLEX"
    return error["extensions"]["limit"], error["extensions"]["maximum"]


OBJECTS = ("input objects", MAX_OBJECTS)


@pytest.mark.parametrize(
    ("document", "variables", "refused"),
    [
        (FILTERED, {"f": either(MAX_OBJECTS + 1)}, OBJECTS),
        (TWICE, {"f": either(MAX_OBJECTS // 2)}, OBJECTS),
        (DEFAULT % ("{} " * MAX_OBJECTS), {}, OBJECTS),
        (LITERAL % ("{} " * MAX_OBJECTS), {}, OBJECTS),
        (FILTERED, {"f": deep(MAX_DEPTH + 1)}, ("input levels", MAX_DEPTH)),
        (WRITTEN, {"i": {"conversationIds": ["x"] * MAX_VALUES}}, ("input values", MAX_VALUES)),
    ],
)
async def test_input_past_a_limit_is_refused(
    reader: Client, document: str, variables: dict[str, Any], refused: tuple[str, int]
) -> None:
    assert await limit(reader, document, **variables) == refused


async def test_input_at_its_limit_is_answered(reader: Client) -> None:
    # Filters have their own limit of conditions and error.
    answer = await reader.answer(FILTERED, f=either(MAX_OBJECTS))

    assert answer["errors"][0]["message"] == "A filter has at most 100 conditions"


# Almost `max_body` bytes.
BODY = 520_000
_PAGES = " ".join(f"a{number}: conversations(filter: $f) {{ totalCount }}" for number in range(20))
MANY_TIMES = f"query ($f: ConversationFilter) {{ {_PAGES} }}"
HOSTILE: list[tuple[str, dict[str, Any]]] = [
    (FILTERED, {"f": {"or": [{"or": [{} for _ in range(240)]} for _ in range(BODY // 980)]}}),
    (FILTERED, {"f": {"or": [{"ids": ["x"]} for _ in range(BODY // 16)]}}),
    (FILTERED, {"f": {str(number): 1 for number in range(BODY // 12)}}),
    (FILTERED, {"f": deep(500)}),
    (FILTERED, {"f": [[[]] * 100] * (BODY // 404)}),
    (WRITTEN, {"i": {"conversationIds": [1] * (BODY // 3)}}),
    (WRITTEN, {"i": {"conversationIds": ["x"] * MAX_VALUES, "closed": True}}),
    (MANY_TIMES, {"f": either(12)}),
]


@pytest.mark.usefixtures("tuned_collector")
@pytest.mark.parametrize(("document", "variables"), HOSTILE)
async def test_no_input_takes_long(reader: Client, document: str, variables: dict[str, Any]) -> None:
    await reader.answer(document, f={}, i={"conversationIds": []})
    started = time.process_time()

    response = await reader.post(document, **variables)

    # Including the client's time.
    assert time.process_time() - started < 0.25
    assert response.status_code in {200, 400}
