"""The order by relevance: the best match first, with its own cursors; and the text that a search matched."""

from __future__ import annotations

import html
import re
from base64 import urlsafe_b64decode
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import column, table
from sqlalchemy.dialects import postgresql

from db.queries.conversation import match
from db.queries.conversation.match import Word, find_pattern
from gql.fields.excerpt import DEFAULT_LENGTH, show_on_one_line
from gql.fields.match import mark_excerpt
from tests.oracles.paging import encode
from tests.oracles.searching import RANKED, Thread, add, hold, ids
from tests.support.plans import explain, hear, steps
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


# -------------------- why it was found

MATCH = """
query ($search: String) {
  conversations(filter: { search: $search }, orderBy: { field: CREATED_AT, direction: ASC }) {
    edges { match { excerpt message { content } } }
  }
}
"""
LONG = "Dear all, " + "so much to say before it, " * 20 + "the <b>Schlüssel</b> are & were lost " + "and more " * 30
LONG_MATCH = (
    "…say before it, so much to say before it, the <mark>Schlüssel</mark> are &amp; were <mark>lost</mark>"
    + " and more" * 7
    + " and…"
)


@pytest.mark.parametrize(
    ("thread", "search", "excerpt", "content"),
    [
        (Thread(messages=["No", "Where are the keys?"]), "key", "Where are the <mark>keys</mark>?", True),
        (
            Thread(messages=["Where are the Keys?", "Keys and where"]),
            "where keys",
            "<mark>Keys</mark> and <mark>where</mark>",
            True,
        ),
        (Thread(messages=["Élan & <élan>", "no"]), "elan", "<mark>Élan</mark> &amp; &lt;<mark>élan</mark>&gt;", True),
        (Thread(messages=["E\u0301lan"]), "elan", "<mark>E\u0301lan</mark>", True),
        (Thread(messages=["Is there Wi-Fi here?"]), "wifi", "Is there <mark>Wi-Fi</mark> here?", True),
        (Thread(messages=["Is there wifi here?"]), "wi-fi", "Is there <mark>wifi</mark> here?", True),
        (Thread(messages=["鍵は日本語で"]), "日本", "鍵は<mark>日本</mark>語で", True),
        (Thread(messages=["red wine", "white wine"]), "wine -white", None, None),
        (Thread(messages=["red wine", "wine"]), "wine -white", "<mark>wine</mark>", True),
        (
            Thread(messages=[LONG]),
            "schlussel lost",
            LONG_MATCH,
            True,
        ),
        (
            # In the newest message, both words are there, but not as this phrase.
            Thread(messages=["My keys towels", "towels, then keys"]),
            '"keys towels"',
            "My <mark>keys</mark> <mark>towels</mark>",
            True,
        ),
        (Thread(subject="Keys <3", messages=["None"]), "keys", "<mark>Keys</mark> &lt;3", False),
        (Thread(clients=["Clara Client"]), "clara", "<mark>Clara</mark> Client", False),
        (Thread(emails=["clara.c@mail.example"]), "clara.c@mail.example", "<mark>clara.c@mail.example</mark>", False),
        (Thread(phones=["+351 912 345 678"]), "912345678", "<mark>+351 912 345 678</mark>", False),
        (Thread(references=["REF-4711"]), "4711", "REF-<mark>4711</mark>", False),
        (Thread(references=["REF-4711"]), "f4711", "<mark>REF-4711</mark>", False),
        (Thread(inquiries=[("Inquirer", "ina.i@mail.example", "")]), "inquirer", "<mark>Inquirer</mark>", False),
        (Thread(hosts=[("Hugo", "Host")]), "hugo", "<mark>Hugo</mark> Host", False),
        (Thread(guests=["Gisela Guest"]), "guest", "Gisela <mark>Guest</mark>", False),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
async def test_a_match_is_the_text_with_most_of_the_words(
    shared: World, thread: Thread, search: str, excerpt: str | None, content: bool | None
) -> None:
    # Another account has the same numbers, and other texts.
    await hold(shared, thread)
    await add(shared, Thread("Where are Clara's keys?", ["Secret keys"], clients=["Clara"]), account=2)

    edges = (await shared.client.data(MATCH, search=search))["conversations"]["edges"]

    found = [edge["match"] for edge in edges]
    assert [match and match["excerpt"] for match in found] == ([] if excerpt is None else [excerpt])
    assert [match["message"] is not None for match in found] == ([] if excerpt is None else [content])
    assert [edge["match"] for edge in (await shared.client.data(MATCH))["conversations"]["edges"]] == [None]


async def test_a_match_shows_only_what_the_scopes_allow(shared: World) -> None:
    thread = Thread("Zoe 1", clients=["Zoe 2"], references=["Zoe 3"], inquiries=[("Zoe 4", "zoe.5@mail.example", "")])
    await hold(shared, thread)
    scopes = {"clients_read": "2", "bookings_read": "3", "inquiries_read": "4"}

    async def found(search: str, *more: str) -> str | None:
        client = shared.client.as_(1, scopes=["inbox_read", *more])
        (edge,) = (await client.data(MATCH, search=search))["conversations"]["edges"]
        return edge["match"]["excerpt"] if edge["match"] else None

    assert await found("zoe 1") == "<mark>Zoe</mark> <mark>1</mark>"
    for scope, number in scopes.items():
        assert await found(f'"zoe {number}"', scope) == f"<mark>Zoe</mark> <mark>{number}</mark>"
        # Its number is only in what this token may not read.
        assert await found(f'"{number}"') is None
        assert await found(f'"{number}"', *(scopes.keys() - {scope})) is None


async def test_matches_of_a_page_take_two_statements_and_read_the_newest_messages(shared: World) -> None:
    await hold(shared, Thread(messages=["oldest keys", *["filling"] * 49, "newest"]), Thread(subject="keys"))
    document = "query ($s: String) { conversations(filter: { search: $s }) { edges { match { excerpt } } } }"
    await shared.client.data("{ __typename }")

    async def found(search: str) -> tuple[list[Any], int]:
        shared.client.statements.take()
        edges = (await shared.client.data(document, s=search))["conversations"]["edges"]
        return [edge["match"] for edge in edges], len(shared.client.statements.take())

    assert await found("keys") == ([None, {"excerpt": "<mark>keys</mark>"}], 3)
    assert await found("newest") == ([{"excerpt": "<mark>newest</mark>"}], 3)
    assert await found(" ") == ([None, None], 1)
    assert await found("-zebra") == ([None, None], 2)


# What `search_plain()` and PostgreSQL's parser treat in a way of its own.
PIECES = (
    "Straße œuvre ÆTHER þorn ØRE øl łódź Đà ħħ \u0131I İstanbul ﬁn \u017fo Ⅳ ½ №5 wi-fi l\u2019été it's a@b.example "
    "(030)12-34 3.14 -5 +5e3 <b>bold</b> &amp; a_b a/b ab\u00adcd e\u0301le\u0301 x\u200by 日本語abc ABC漢字 कि 1e5 "
    f'don"t {"x" * 99} {"x" * 101}'
).split(" ")
BETWEEN = ("", "", " ", "-", "'", "\u2019", ".", "\n", "\u00a0", "\u200d", "\u0301", "--", '"')


async def test_the_pattern_of_a_word_finds_each_text_with_the_word_and_its_pieces_have_the_same_words(
    shared: World,
) -> None:
    dice = Random(7)  # noqa: S311  # only for test data
    texts = ["".join(dice.choice(PIECES) + dice.choice(BETWEEN) for _ in range(6)) for _ in range(400)]
    words = "tsvector_to_array(search_words(translate(search_plain({}), '-', ' ')))"
    rows = await shared.connection.fetch(
        f"SELECT content, {words.format('content')} AS found FROM unnest($1::text[]) content",  # noqa: S608
        texts,
    )
    triples = [
        (row["content"], pattern, beginning)
        for row in rows
        for found in row["found"]
        # As whole words, and as the beginnings of words.
        for beginning in (found[:2], found[:5], found)
        # That of the separator between two texts.
        if found != "0.0" and (pattern := find_pattern([Word(beginning, is_prefix=True)]))
    ]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    simplified = match._simplify(column("written")).compile(dialect=dialect)  # noqa: SLF001
    message = table("message", column("content"), column("simple"))
    pieces = str(match._indexed(message).compile(dialect=dialect)).replace("%(piece)s", "piece")  # noqa: SLF001
    same = "ARRAY(SELECT word FROM unnest({}) word WHERE starts_with(word, beginning) ORDER BY word)"
    whole, found_again = (same.format(words.format(text)) for text in ("content", "pieces"))
    wrong = await shared.connection.fetch(
        "SELECT written, pattern FROM unnest($1::text[], $2::text[], $3::text[]) AS t(written, pattern, beginning), "  # noqa: S608
        f"LATERAL (SELECT written AS content, {simplified} AS simple, $4 || pattern || $5 AS piece) AS message, "
        f"LATERAL (SELECT {pieces} AS pieces) AS found "
        f"WHERE NOT simple ~ pattern OR {whole} <> {found_again}",
        *([triple[place] for triple in triples] for place in range(3)),
        *match._PIECE.split("{}"),  # noqa: SLF001
    )

    assert len(triples) > 2_000
    assert [tuple(row) for row in wrong] == []


async def test_messages_without_a_word_of_the_search_are_not_split_into_words(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = hear(monkeypatch)
    await hold(shared, Thread(subject="keys", messages=["filling"] * 49))
    await shared.client.data(MATCH, search="keys")

    sql, values = next(each for each in ran.take() if "newest" in each[0])
    plan = await explain(shared.connection, sql, values, "ANALYZE, FORMAT JSON")
    (messages,) = [step for step in steps(plan) if step.get("Alias") == "simplified"]
    assert (messages["Actual Rows"], messages["Rows Removed by Filter"]) == (0, 49)


TEXTS = ["keys", "Élan", "Wi-Fi", "<b>", "&amp;", '"', "鍵日本", "x" * 30, "<", "a@b.example"]
# Words of a search, and the text that each of them is in.
ASKED: dict[str, str | None] = {
    "key": "keys",
    "elan": "Élan",
    "wifi": "Wi-Fi",
    "日本": "鍵日本",
    "xxxxx": "x" * 30,
    "b.example": None,
    "amp": None,
}


@given(texts=st.lists(st.sampled_from(TEXTS), max_size=60), search=st.sampled_from(sorted(ASKED)))
@examples(200)
def test_an_excerpt_of_a_match_is_a_part_of_the_text_with_marks_as_its_only_tags(texts: list[str], search: str) -> None:
    text = " ".join(texts)
    shown = mark_excerpt(text, [Word(search, is_prefix=True)], 1)

    plain = shown.replace("<mark>", "").replace("</mark>", "")
    assert "<" not in plain
    assert ">" not in plain
    line = html.unescape(plain)
    assert line.strip("…") in show_on_one_line(text)
    assert len(line) <= DEFAULT_LENGTH
    marked = re.findall("<mark>(.*?)</mark>", shown)
    assert all(marked)
    assert bool(marked) is (ASKED[search] in texts)
