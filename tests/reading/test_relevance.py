"""The order by relevance: the best match first, with its own cursors, and only with a search."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.paging import encode
from tests.oracles.searching import RANKED, Thread, hold, ids
from tests.support.properties import examples
from tests.support.world import World

pytestmark = pytest.mark.anyio

# Both words of "keys towels" in the subject are the best match; then their number and distance matter.
MATCHES = (
    Thread(messages=["towels and some more words in between, then keys"]),
    Thread(subject="keys", messages=["towels"]),
    Thread(messages=["keys towels keys towels"]),
    Thread(messages=["towels keys"]),
    Thread(subject="keys and towels"),
    Thread(messages=["towels keys"]),
    Thread(messages=["only keys"]),
)
BEST_FIRST = [5, 3, 2, 6, 4, 1]


async def test_the_best_match_comes_first_and_equal_ranks_are_sorted_by_id(shared: World) -> None:
    await hold(shared, *MATCHES)

    best = ids(await shared.client.data(RANKED, search="keys towels"))
    worst = ids(await shared.client.data(RANKED, search="keys towels", direction="ASC"))

    assert best == BEST_FIRST
    assert worst == BEST_FIRST[::-1]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("size", [1, 2, 4, 100])
async def test_walking_either_way_shows_every_match_once(shared: World, direction: str, size: int) -> None:
    await hold(shared, *MATCHES)
    order = BEST_FIRST if direction == "DESC" else BEST_FIRST[::-1]

    async def read(**page: Any) -> tuple[list[int], dict[str, Any]]:
        data = await shared.client.data(RANKED, search="keys towels", direction=direction, **page)
        assert data["conversations"]["totalCount"] == len(order)
        return ids(data), data["conversations"]["pageInfo"]

    after = None
    for start in range(0, len(order), size):
        shown, info = await read(first=size, after=after)
        assert shown == order[start : start + size]
        assert (info["hasPreviousPage"], info["hasNextPage"]) == (start > 0, start + size < len(order))
        after = info["endCursor"]
    before = None
    for end in range(len(order), 0, -size):
        shown, info = await read(last=size, before=before)
        assert shown == order[max(end - size, 0) : end]
        assert (info["hasPreviousPage"], info["hasNextPage"]) == (end > size, end < len(order))
        before = info["startCursor"]


CHOSEN = st.integers(0, len(BEST_FIRST) - 1)


@given(start=st.none() | CHOSEN, end=st.none() | CHOSEN, size=st.integers(1, 7), backward=st.booleans())
@examples(25)
async def test_a_page_between_two_cursors_knows_what_lies_around_it(
    shared: World, start: int | None, end: int | None, size: int, backward: bool
) -> None:
    if not await shared.connection.fetchval("SELECT count(*) = $1 FROM conversations", len(MATCHES)):
        await hold(shared, *MATCHES)
    everything = await shared.client.data(RANKED, search="keys towels")
    cursors = [edge["cursor"] for edge in everything["conversations"]["edges"]]

    page = await shared.client.data(
        RANKED,
        search="keys towels",
        **{"last" if backward else "first": size},
        after=None if start is None else cursors[start],
        before=None if end is None else cursors[end],
    )

    between = BEST_FIRST[0 if start is None else start + 1 : len(BEST_FIRST) if end is None else end]
    more = len(between) > size
    info = page["conversations"]["pageInfo"]
    assert ids(page) == (between[-size:] if backward else between[:size])
    assert info["hasNextPage"] is (end is not None or (more and not backward))
    assert info["hasPreviousPage"] is (start is not None or (more and backward))


ORDERED = """
query ($filter: ConversationFilter) {
  conversations(filter: $filter, orderBy: { field: RELEVANCE }) { nodes { databaseId } }
}
"""


@pytest.mark.parametrize(
    "filter_",
    [
        None,
        {},
        {"search": None},
        {"search": ""},
        {"search": "  "},
        {"closed": False},
        {"not": {"search": "keys"}},
        {"or": [{"search": "keys"}]},
    ],
)
async def test_without_a_search_there_is_no_relevance(shared: World, filter_: dict[str, Any] | None) -> None:
    await hold(shared, *MATCHES)

    assert await shared.client.error(ORDERED, filter=filter_) == (
        "BAD_USER_INPUT",
        "The order RELEVANCE needs a search in the filter",
    )


async def test_other_conditions_do_not_change_how_relevant_a_match_is(shared: World) -> None:
    await hold(shared, *MATCHES)
    await shared.connection.execute("UPDATE conversations SET closed_at = now() WHERE id IN (2, 4)")

    data = await shared.client.data(
        ORDERED, filter={"closed": False, "search": "keys towels", "not": {"search": "some"}}
    )

    assert [int(node["databaseId"]) for node in data["conversations"]["nodes"]] == [5, 3, 6]


async def test_a_search_without_words_is_relevant_to_nothing(shared: World) -> None:
    await hold(shared, *MATCHES)

    assert await shared.client.data(ORDERED, filter={"search": "!!"}) == {"conversations": {"nodes": []}}


# -------------------- cursors


async def cursor(shared: World, search: str) -> str:
    """The cursor of the best match."""
    data = await shared.client.data(RANKED, search=search, first=1)
    text: str = data["conversations"]["edges"][0]["cursor"]
    return text


def parts(text: str) -> list[Any]:
    """The content of a cursor."""
    inside: list[Any] = orjson.loads(urlsafe_b64decode(text + "=="))
    return inside


async def test_a_cursor_of_one_search_is_rejected_by_another(shared: World) -> None:
    await hold(shared, *MATCHES)
    other = await cursor(shared, "keys")

    assert await shared.client.error(RANKED, search="keys towels", after=other) == (
        "BAD_USER_INPUT",
        "This cursor is not one of Query.conversations in this order",
    )
    assert ids(await shared.client.data(RANKED, search="keys", before=other)) == []


async def test_a_cursor_holds_the_very_rank_and_not_the_search(shared: World) -> None:
    await hold(shared, *MATCHES)

    field, order, rank, id_ = parts(await cursor(shared, "keys towels"))

    stored = await shared.connection.fetchval(
        "SELECT ts_rank(words, search_query(1, $1))::float8 FROM conversation_texts WHERE conversation_id = 5",
        "keys towels",
    )
    assert (field, rank, id_) == ("Query.conversations", stored, 5)
    assert order.startswith("relevance:desc:")
    assert "keys" not in order


@pytest.mark.parametrize("value", [None, 0, 1, "0.5", True, [], {}, 2**70, "NaN"])
@pytest.mark.parametrize("side", ["after", "before"])
async def test_a_rank_that_is_no_number_with_a_fraction_is_no_cursor(shared: World, side: str, value: Any) -> None:
    await hold(shared, *MATCHES)
    field, order, _, id_ = parts(await cursor(shared, "keys"))
    forged = encode([field, order, value, id_]) if value != 2**70 else encode([field, order, 0.5, 1e70])

    assert await shared.client.error(RANKED, search="keys", **{side: forged}) == (
        "BAD_USER_INPUT",
        "This is not a cursor",
    )


@pytest.mark.parametrize("value", [0.0, -0.0, -1.5, 0.1, 5e-324, 1.7976931348623157e308, -1e300])
async def test_a_rank_that_no_match_has_is_a_place_all_the_same(shared: World, value: float) -> None:
    await hold(shared, *MATCHES)
    field, order, rank, _ = parts(await cursor(shared, "keys"))

    after = ids(await shared.client.data(RANKED, search="keys", after=encode([field, order, value, 0])))
    before = ids(await shared.client.data(RANKED, search="keys", before=encode([field, order, value, 0])))

    assert sorted(after + before) == [1, 2, 3, 4, 5, 6, 7]
    assert (5 in after) is (rank < value)


# -------------------- plans


async def test_a_search_is_planned_with_its_words_however_often_it_is_asked(shared: World) -> None:
    """A generic plan would compute the search for each row."""
    await hold(shared, *MATCHES)
    connection = shared.connection
    await connection.execute(
        "PREPARE search(text) AS SELECT conversation_id FROM conversation_texts WHERE words @@ search_query(1, $1)"
    )
    for _ in range(12):
        await connection.execute("EXECUTE search('keys')")

    plans = await connection.fetchrow(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'search'"
    )
    await connection.execute("DEALLOCATE search")

    assert tuple(plans) == (0, 12)
