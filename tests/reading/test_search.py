"""Search: the matches of words, the effect of accents, phrases and operators, and that any text is safe.

All tests use one database, and each fills it with its conversations.
"""

# ruff: noqa: RUF001  # letters of many scripts

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.searching import FOUND, RANKED, Thread, add, derive, find, hold, ids, words
from tests.support.factories import MOMENT
from tests.support.properties import examples
from tests.support.world import World

pytestmark = pytest.mark.anyio

# An account with the longest possible id.
DISTANT = 2**63 - 1


# -------------------- where words are found


@pytest.mark.parametrize(
    ("thread", "searches"),
    [
        (Thread(subject="Late arrival"), ["late", "arrival", "late arrival", '"late arrival"']),
        (Thread(messages=["Where are the keys?"]), ["keys", "where keys", '"the keys"']),
        (Thread(notes=["Ask the plumber"]), ["plumber"]),
        (Thread(clients=["Clara Client"]), ["clara", "client", "client clara", '"clara client"']),
        (Thread(hosts=[("Hugo", "Host")]), ["hugo", "host", '"hugo host"']),
        (Thread(references=["REF-4711"]), ["ref-4711", "4711", "REF"]),
        (Thread(external_references=["HMABC123"]), ["hmabc123", "hmabc"]),
        (Thread(guests=["Gisela Guest"]), ["gisela guest"]),
        (Thread(inquiries=[("Inquirer", "ina.i@mail.example", "")]), ["inquirer", "ina.i", "ina.i@mail.example"]),
        (
            Thread("Towels", ["More, please"], ["Done"], ["Clara"], [("Hugo", "H")], ["R1"], ["X1"], ["Gisela"]),
            ["towels please done clara hugo r1 x1 gisela", "gisela towels"],
        ),
    ],
    ids=lambda value: "" if isinstance(value, list) else "+".join(name for name, text in vars(value).items() if text),
)
async def test_words_are_found_wherever_they_stand(shared: World, thread: Thread, searches: list[str]) -> None:
    await hold(shared, Thread(subject="Something else"), thread)

    assert {search: await find(shared.client, search) for search in searches} == {search: [2] for search in searches}


async def test_a_conversation_without_any_text_is_found_by_none(shared: World) -> None:
    await hold(shared, Thread(), Thread(subject="Keys"))

    assert await find(shared.client, "keys") == [2]
    assert await find(shared.client, "-keys") == [1]


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Élan vital", "elan"),
        ("Elan vital", "élan"),
        ("E\u0301lan", "élan"),
        ("Élan", "E\u0301LAN"),
        ("Straße", "strasse"),
        ("STRASSE", "straße"),
        ("Łódź", "lodz"),
        ("Lodz", "Łódź"),
        ("Søren Kjærgård", "soren kjaergard"),
        ("İstanbul", "istanbul"),
        ("Ήλιος", "ηλιοσ"),
        ("Жук", "ЖУК"),
        ("日本語", "日本"),
        ("ﬁnal", "final"),
        ("\uff46\uff55\uff4c\uff4c", "full"),
        ("KEYS", "keys"),
        ("keys", "Keys"),
        ("“Keys”…", "keys"),
        ("¿Keys?", "keys"),
        ("keys🏖beach", "beach"),
        ("it\u2019s", "it's"),
        ("soft\u00adhyphen", "softhyphen"),
        ("clara@mail.example", "clara@mail.example"),
        ("clara@mail.example", "clara@ma"),
        ("clara@mail.example", "example"),
        ("https://villas.example/mar?night=2", "villas.example/mar"),
        ("check-in", "check-in"),
        ("check-in", "check-i"),
        ("check in", "check-in"),
        ("-12 degrees", "12"),
        ("2026-05-04", "2026-05"),
        ("3.5 stars", "3.5"),
        ("foo_bar", "bar"),
        ("x" * 2_040 + " y", "x" * 2_040),
        ("x" * 5_000 + " y", "y"),
    ],
)
async def test_what_readers_take_for_the_same_word_is_found(shared: World, written: str, asked: str) -> None:
    await hold(shared, Thread(subject="Else"), Thread(messages=[written]))

    assert await find(shared.client, asked) == [2]


TABLE = (
    Thread(subject="red wine", messages=["white bread"]),
    Thread(subject="red bread"),
    Thread(messages=["wine and", "bread", "redder"]),
    Thread(subject="or"),
)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("red", [1, 2, 3]),
        ("red ", [1, 2, 3]),
        ('"red"', [1, 2]),
        ('"red', [1, 2]),
        ("red bread", [1, 2]),
        ("bread red", [1, 2, 3]),
        ('bread "red"', [1, 2]),
        ("red bread wine", [1]),
        ("wine or bread", [1, 2, 3]),
        ("wine OR zebra", [1, 3]),
        ("wine and", [3]),
        ("bread -wine", [2]),
        ("-wine", [2, 4]),
        ("-win", [1, 2, 3, 4]),
        ("win", [1, 3]),
        ("wi", [1, 3]),
        ("win bread", []),
        ("wine - bread", [1, 3]),
        ('"white bread"', [1]),
        ('"bread white"', []),
        ('"wine white"', []),
        ('"and bread"', []),
        ('"red w"', []),
        ('-"white bread" bread', [2, 3]),
        ("“white bread”", [1]),
        ("or", [4]),
        ("zebra", []),
        ("0.0", []),
        ("1", []),
        ('"1 wine"', []),
        ("'1 wine'", []),
        ("wine:*", [1, 3]),
        ("wi* & bread", []),
        ("(wine | zebra)", []),
        ("!wine", [1, 3]),
        ("wine:A", []),
        ("wine:An", [3]),
        ("wine <-> and", [3]),
        ("!!", []),
        ('""', []),
        ("-", []),
        ("'", []),
        ("…", []),
        ("", [1, 2, 3, 4]),
        (" \t\n", [1, 2, 3, 4]),
        (None, [1, 2, 3, 4]),
    ],
)
async def test_a_search_is_read_as_web_searches_are(shared: World, search: str | None, found: list[int]) -> None:
    await hold(shared, *TABLE)

    assert await find(shared.client, search) == found
    # What is asked for is never unknown: all others do not match.
    others = (await shared.client.data(FOUND, filter={"not": {"search": search}}))["conversations"]["nodes"]
    assert [int(node["databaseId"]) for node in others] == [id_ for id_ in (1, 2, 3, 4) if id_ not in found]


async def test_a_search_goes_with_other_conditions(shared: World) -> None:
    await hold(shared, *TABLE)
    await shared.connection.execute("UPDATE conversations SET closed_at = $1 WHERE id IN (1, 4)", MOMENT)

    assert await find(shared.client, "wine", closed=True) == [1]
    assert await find(shared.client, "wine", closed=False) == [3]
    assert await find(shared.client, "wine", **{"or": [{"search": "white"}, {"search": "redder"}]}) == [1, 3]
    assert await find(shared.client, "bread", **{"not": {"search": "wine", "closed": True}}) == [2, 3]
    assert await find(shared.client, None, **{"or": [{"search": "or"}, {"closed": False}]}) == [2, 3, 4]


# -------------------- whose words


async def test_another_accounts_words_find_nothing_at_the_same_cost(shared: World) -> None:
    await hold(shared, Thread(subject="Keys"))
    await add(shared, Thread(subject="Secret"), Thread(messages=["keys secret"]), account=2)
    # An account whose id begins with that of the first.
    await add(shared, Thread(subject="Secret"), account=12)

    costs = []
    for search in ("secret", "never", "s", "2 secret", "'2 secret'", '"2 secret"'):
        assert await find(shared.client, search) == []
        costs.append(len(shared.client.statements.take()))
    assert costs == [costs[0]] * len(costs)
    assert await find(shared.client, "-secret") == [1]
    assert await find(shared.client.as_(2), "se") == [1, 2]


async def test_the_index_holds_the_words_of_each_account_by_themselves(shared: World) -> None:
    await hold(shared, Thread(subject="Keys", messages=["towels 7"]))
    await add(shared, Thread(subject="Keys"), account=2)

    rows = await shared.connection.fetch(
        "SELECT account_id, lexeme FROM conversation_texts CROSS JOIN LATERAL unnest(words) ORDER BY account_id, lexeme"
    )

    assert [tuple(row) for row in rows] == [
        *((1, lexeme) for lexeme in ("1 0.0", "1 7", "1 keys", "1 towels")),
        *((2, lexeme) for lexeme in ("2 0.0", "2 keys")),
    ]


# -------------------- what is written


async def test_what_is_derived_again_is_only_written_where_it_changed(shared: World) -> None:
    await hold(shared, *TABLE)
    versions = "SELECT conversation_id, xmin::text FROM conversation_texts ORDER BY 1"
    before = dict(await shared.connection.fetch(versions))

    await shared.connection.execute("UPDATE conversations SET subject = 'blue' WHERE id = 2")
    await derive(shared.connection, 1, [1, 2, 3, 4])

    after = dict(await shared.connection.fetch(versions))
    assert {id_ for id_, version in after.items() if before[id_] != version} == {2}
    assert await find(shared.client, "blue") == [2]
    assert await find(shared.client, "red") == [1, 3]


async def test_all_messages_of_a_conversation_of_very_many_are_found(shared: World) -> None:
    await hold(shared, Thread("Keys", ["oldest", *["filling " * 1_250] * 60, "newest"], clients=["Clara"]))

    assert await find(shared.client, "newest keys clara filling") == [1]
    assert await find(shared.client, "oldest") == [1]


async def test_of_more_words_than_postgresql_holds_the_newest_are_found(shared: World) -> None:
    numbers = [" ".join(f"n{n}n" for n in range(start, start + 8_000)) for start in range(100_000, 260_000, 8_000)]
    await hold(shared, Thread("Keys", ["oldest", *numbers, "newest"]))

    assert await find(shared.client, "keys newest n259999n") == [1]
    assert await find(shared.client, "oldest") == []


HOSTILE = {
    "words of one character": [
        " ".join(map(chr, range(start, start + 5_000))) for start in range(0x20000, 0x2A000, 5_000)
    ],
    "words of three characters": [
        " ".join(f"{chr(0x20000 + word // 100)}{chr(0x21000 + word % 100)}" for word in range(start, start + 3_333))
        for start in range(0, 33_330, 3_333)
    ],
    "what grows when taken apart": ["\ufdfa" * 10_000] * 10,
    "words that are almost too long": [f"{'é' * size} {'x' * size}" for size in range(1_015, 1_030)]
    + ["y" * size for size in range(2_020, 2_060)],
    "one endless word": ["a" * 10_000],
    "quotes": ["'" * 10_000, '"' * 10_000, "\\" * 10_000, "'\\" * 5_000, "a'b\\c " * 1_600],
    "operators": ["& | ! <-> ( ) :* " * 600, "-a " * 3_000, "or " * 3_000],
    "controls": ["".join(map(chr, range(1, 32))) * 300, "\f" * 10_000, "a\f" * 5_000],
    "tags and paths": ["<a href='x'>&amp;</a>" * 400, "http://a.b/c?d=e&f=g/../" * 400, "a/b/c@d.e:1.5e10-3" * 500],
    "nothing": ["\u200b" * 10_000, "\u0301" * 10_000, "🏖" * 10_000],
    "numbers": [" ".join(map(str, range(start, start + 1_700))) for start in range(0, 50_000, 1_700)],
}


@pytest.mark.parametrize("account", [1, DISTANT])
@pytest.mark.parametrize("kind", HOSTILE)
async def test_no_content_is_too_much_to_be_indexed(shared: World, kind: str, account: int) -> None:
    contents = [content[:10_000] for content in HOSTILE[kind]]

    await hold(shared, Thread(subject="keys", messages=contents, clients=contents[:3]), account=account)

    assert await find(shared.client.as_(account), "keys") == [1]


# -------------------- what is asked


@pytest.mark.parametrize(
    "search",
    [
        *(
            "'",
            "\\",
            "'\\",
            "a'b",
            "a\\",
            ":*",
            "a:*",
            "a &",
            "& a",
            "(((",
            "!!!",
            "a <-> b",
            "a <1000000> b",
            "%",
            "_",
            "*",
        ),
        *("-", "--", '"', '"""', '-"', '-""', '"-a', "or or or", "- - or -", "-a -b", "\x01", "\u200b", "🏖", "\ufdfa"),
        *("a" * 10_000, "a " * 5_000, "-a " * 3_333, '"a b" ' * 1_666, "a or " * 2_000, '"' * 10_000, "-" * 10_000),
        *("'" * 10_000, "a-" * 5_000, "a." * 5_000, "\ufdfa" * 10_000, "x" * 2_046, "é" * 1_023, "( " * 5_000),
        " ".join(f"w{place}" for place in range(1_800)),
    ],
    ids=lambda search: f"{search[:8]!a} of {len(search)}",
)
async def test_any_text_is_a_search(shared: World, search: str) -> None:
    await hold(shared, *TABLE)

    found = await find(shared.client, search)
    ranked = await shared.client.data(RANKED, search=search, first=100)

    assert set(found) <= {1, 2, 3, 4}
    assert sorted(ids(ranked)) == found


async def test_a_thousand_characters_of_a_search_count(shared: World) -> None:
    await hold(shared, *TABLE)

    assert await find(shared.client, "wine" + " " * 990 + "bread zebra") == [1, 3]
    assert await find(shared.client, "wine" + " " * 980 + "bread zebra") == []


async def test_a_search_cannot_hold_what_text_cannot(shared: World) -> None:
    await hold(shared, *TABLE)

    assert await shared.client.error(FOUND, filter={"search": "wine\0"}) == (
        "BAD_USER_INPUT",
        "Text cannot hold a NUL character",
    )


@given(search=st.text(max_size=40), more=st.sampled_from(["", " wine", ' "red bread', " -bread"]))
@examples(60)
async def test_any_text_has_an_answer(shared: World, search: str, more: str) -> None:
    if not await shared.connection.fetchval("SELECT count(*) = 4 FROM conversation_texts"):
        await hold(shared, *TABLE)
    search = search.replace("\0", "") + more

    found = await find(shared.client, search)

    assert await find(shared.client, None, **{"not": {"search": search}}) == [
        id_ for id_ in (1, 2, 3, 4) if id_ not in found
    ]


@pytest.mark.parametrize(
    ("thread", "searches"),
    [
        (Thread(messages=["أَهْلًا وسهلا"]), ["اهلا", "أهلا", "أَهْلًا", "وسهلا"]),
        (Thread(messages=["שָׁלוֹם"]), ["שלום", "שָׁלוֹם"]),
        (Thread(messages=["ＷｉＦｉ １２"]), ["wifi", "WiFi 12"]),
        (Thread(messages=["Wi-Fi"]), ["wifi", "wi-fi", "WiF", "wi fi", '"wi fi"']),
        (Thread(messages=["wifi"]), ["Wi-Fi", "wi-f", "wifi"]),
        (Thread(clients=["Conan O'Brien"]), ["obrien", "O'Brien", "o’brien", "brien", '"conan o brien"']),
        (Thread(clients=["Conan OBrien"]), ["o'brien", "O’Brien conan"]),
        (Thread(messages=["我们明天到达机场"]), ["明天", "明天到达", "机场", "天", "场", "我们 机场"]),
        (Thread(messages=["東京ディズニーの近くですか"]), ["ディズニー", "ﾃﾞｨｽﾞﾆｰ", "近く", "京"]),
        (Thread(messages=["ห้องพักสวยมาก"]), ["ห้องพัก", "สวย", "มาก"]),
        (Thread(messages=["ຫ້ອງພັກ"]), ["ພັກ"]),
        (Thread(messages=["បន្ទប់ស្អាត"]), ["ស្អាត"]),
        (Thread(emails=["Anna.Meyer@example.com"]), ["anna.meyer@example.com", "anna.meyer", "ANNA.MEYER@ex", "meyer"]),
        (
            Thread(phones=["+49 (171) 123-4567"]),
            ["4567", "1234567", "123 4567", "0171 1234567", "+49 171 1234567", "0049171/123 45 67", "01711234567"],
        ),
        (Thread(phones=["0171 1234567"]), ["+49 171 1234567", "34567"]),
        (Thread(inquiries=[("I", "", "+49 (171) 123-4567")]), ["4567", "0171 1234567", "0049171/123 45 67"]),
        (Thread(references=["REF-2048ABC"]), ["8abc", "abc", "048ABC", "ref-2048abc", "ref2048abc", "2048abc"]),
        (Thread(external_references=["HMABC123"]), ["123", "C123", "hmabc123"]),
    ],
    ids=str,
)
async def test_what_is_written_otherwise_is_found(shared: World, thread: Thread, searches: list[str]) -> None:
    await hold(shared, Thread(subject="Something else", emails=["zoe@example.com"], phones=["0171 7654321"]), thread)

    assert {search: await find(shared.client, search) for search in searches} == {search: [2] for search in searches}


@pytest.mark.parametrize("search", ["example.com", "gmail", "4", "171", "-wi-fi zoe", '"fi wi"', "天明", "w"])
async def test_what_is_not_there_is_not_found(shared: World, search: str) -> None:
    texts = ["Wi-Fi for Zoe", "明天"]
    await hold(shared, Thread(messages=texts, emails=["anna@example.com"], phones=["0171 1234545"]))

    assert await find(shared.client, search) == []


LETTERS = "aébßא\u05b0أا-' .Ａ"
texts = st.lists(st.text(LETTERS, max_size=12), max_size=3)


def matches(asked: list[str], pieces: Sequence[str]) -> bool:
    """Whether each word is in a text; the last word, with two letters or more, also matches as a prefix."""
    there = {word for piece in pieces for word in words(piece)}
    *earlier, last = (word for text in asked for word in words(text))
    begun = len(last) > 1 and any(word.startswith(last) for word in there)
    return set(earlier) <= there and (begun or last in there)


@given(
    drawn=st.lists(st.builds(Thread, st.none() | st.text(LETTERS, max_size=12), texts, clients=texts), max_size=5),
    asked=st.lists(st.text("aébßאا", min_size=1, max_size=2), min_size=1, max_size=3),
)
@examples(60)
async def test_words_find_what_plain_python_finds(shared: World, drawn: list[Thread], asked: list[str]) -> None:
    await hold(shared, *drawn)

    expected = [
        id_
        for id_, thread in enumerate(drawn, 1)
        if matches(asked, [thread.subject or "", *thread.messages, *thread.clients])
    ]
    assert await find(shared.client, " ".join(asked)) == expected


@given(drawn=st.lists(st.text("日本人abé", max_size=8), max_size=6), asked=st.text("日本人", min_size=1, max_size=4))
@examples(60)
async def test_a_part_of_a_run_without_spaces_is_found(shared: World, drawn: list[str], asked: str) -> None:
    await hold(shared, *(Thread(messages=[text]) for text in drawn))

    assert await find(shared.client, asked) == [id_ for id_, text in enumerate(drawn, 1) if asked in text]
