"""The cache is bounded by number and size, and no document takes more memory than estimated."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from db.cache import Cache
from gql.errors import RequestError
from gql.execution.document import Documents
from gql.execution.executor import Executor
from gql.schema import build_schema
from gql.settings import Settings
from gql.web.request import RequestReader
from tests.attacks.documents import doubled_fragments, unused_fragments
from tests.support.tokens import VIEWER


def kept(cache: Cache[str, int]) -> str:
    """The cached keys, without using them."""
    return "".join(cache._kept)  # noqa: SLF001


def test_what_was_not_used_for_longest_goes_first() -> None:
    cache: Cache[str, int] = Cache(3, 100)
    for number, key in enumerate("abc"):
        cache.keep(key, number, 1)
    assert cache.find("a") == 0

    cache.keep("d", 3, 1)

    assert (kept(cache), cache.find("b"), cache.find("d"), len(cache)) == ("cad", None, 3, 3)


def test_as_many_go_as_are_in_the_way() -> None:
    cache: Cache[str, int] = Cache(100, 10)
    for key, size in {"a": 2, "b": 2, "c": 2, "d": 4}.items():
        cache.keep(key, size, size)
    assert (kept(cache), cache.taken) == ("abcd", 10)

    cache.keep("e", 5, 5)

    assert (kept(cache), cache.taken) == ("de", 9)


def test_what_is_too_large_displaces_nothing() -> None:
    cache: Cache[str, int] = Cache(100, 10)
    cache.keep("a", 1, 10)

    cache.keep("b", 2, 11)

    assert (kept(cache), cache.taken) == ("a", 10)


def test_what_is_kept_already_is_not_counted_twice() -> None:
    cache: Cache[str, int] = Cache(100, 10)
    cache.keep("a", 1, 6)

    cache.keep("a", 1, 6)

    assert (kept(cache), cache.taken) == ("a", 6)


def small() -> str:
    """A page of names."""
    return "{ hosts(first: 5) { nodes { firstname lastname } } }"


def ids() -> str:
    """Nearly as many tokens as the limit allows."""
    listed = '"QQ" ' * 240
    return f"{{ {' '.join(f'a{place}: nodes(ids: [{listed}]) {{ id }}' for place in range(18))} }}"


def comments() -> str:
    """Many comments, each of which takes the memory of a token."""
    return "{ __typename }" + "\n#" * 3_000


def text() -> str:
    """One long comment."""
    return "{ __typename } #" + "x" * 200_000


def wrong() -> str:
    """A document with the most reported errors."""
    return "{ viewer { " + " ".join(f"{'wrong' * 90}{place}" for place in range(40)) + " } }"


@pytest.mark.parametrize(
    ("make", "number"),
    [(small, 100), (ids, 2), (comments, 5), (text, 5), (wrong, 20), (doubled_fragments, 20), (unused_fragments, 5)],
)
@pytest.mark.slow
def test_a_document_takes_no_more_than_is_reckoned(make: Callable[[], str], number: int) -> None:
    documents = Documents(build_schema(), Settings(max_cost=10**6))
    for place in range(2):
        _ask(documents, f"{make()}#warm-up {place}")
    before = documents._kept.taken  # noqa: SLF001
    gc.collect()
    tracemalloc.start()
    for place in range(number):
        _ask(documents, f"{make()}#{place}")
    gc.collect()
    takes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # graphql-core itself caches a little, once.
    assert takes <= documents._kept.taken - before + 100_000  # noqa: SLF001
    assert len(documents._kept) == number + 2  # noqa: SLF001


@pytest.mark.parametrize(
    "values",
    [
        [[]] * 2_000,
        [{}] * 2_000,
        [{"": 0.5}] * 900,
        [12_345] * 1_000,
        ["a"] * 1_500,
        ["é😀" * 500],
        ["a" * 4_000 + "😀"],
        [],
    ],
)
def test_a_kept_body_takes_no_more_than_is_reckoned(values: list[Any]) -> None:
    reader = RequestReader(100_000, 100)
    bodies = [orjson.dumps({"query": f"{{ a{number} }}", "variables": {"values": values}}) for number in range(6)]
    reader._from_body(bodies.pop())  # noqa: SLF001
    before = reader._kept.taken  # noqa: SLF001
    gc.collect()
    tracemalloc.start()
    for body in bodies:
        # In a request, the body is not used by anything else.
        reader._from_body(bytes(bytearray(body)))  # noqa: SLF001
    gc.collect()
    takes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert takes <= reader._kept.taken - before  # noqa: SLF001
    assert len(reader._kept) == 6  # noqa: SLF001


@pytest.mark.parametrize("filter_", [{"ids": ["1"] * 250}, {"or": [{"read": True}] * 99}, {"or": [{}] * 99}])
def test_a_kept_body_takes_no_more_than_is_reckoned_after_its_variables_were_checked(filter_: dict[str, Any]) -> None:
    reader, schema = RequestReader(100_000, 100), build_schema()
    text = "query Q($filter: ConversationFilter) { conversations(first: 1, filter: $filter) { nodes { id } } }"
    operation, executor = Documents(schema, Settings()).operation(text, None), Executor(schema, Settings())
    bodies = [orjson.dumps({"query": text, "variables": {"filter": filter_}, "id": number}) for number in range(6)]

    def read(body: bytes) -> None:
        executor.call(operation, reader._from_body(bytes(bytearray(body))), VIEWER)  # noqa: SLF001

    read(bodies.pop())
    before = reader._kept.taken  # noqa: SLF001
    gc.collect()
    tracemalloc.start()
    for body in bodies:
        read(body)
    gc.collect()
    takes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert takes <= reader._kept.taken - before  # noqa: SLF001
    assert len(reader._kept) == 6  # noqa: SLF001


def test_a_long_body_is_not_kept() -> None:
    reader = RequestReader(100_000, 100)

    parameters = reader._from_body(orjson.dumps({"query": "{ __typename }" + " " * 8_192}))  # noqa: SLF001

    assert (parameters.document.text or "").startswith("{ __typename }")
    assert len(reader._kept) == 0  # noqa: SLF001


def many_conditions(operations: int) -> str:
    """Operations with 64 possible plans each."""
    names = "abcdef"
    fields = " ".join(f"{name}: id @include(if: ${name})" for name in names[:1])
    given = ", ".join(f"${name}: Boolean!" for name in names)
    spread = " ".join(f"... @skip(if: ${name}) {{ hosts(first: 1) {{ nodes {{ id }} }} }}" for name in names[1:])
    return "\n".join(
        f"query Q{place}({given}) {{ hosts(first: 1) {{ nodes {{ {fields} }} }} {spread} }}"
        for place in range(operations)
    )


def test_plans_that_could_be_made_are_reckoned_with() -> None:
    documents = Documents(build_schema(), Settings(max_aliases=100))

    documents.operation(many_conditions(1), "Q0")
    assert documents._kept.taken > 64 * 300 * 90  # noqa: SLF001
    documents.operation(many_conditions(20), "Q0")

    # The estimate is for all tokens and each operation, so it exceeds the limit and the document is read again each
    # time.
    assert len(documents._kept) == 1  # noqa: SLF001


def _ask(documents: Documents, document: str) -> None:
    try:
        documents.operation(document, None)
    except RequestError:
        return
