"""Which text of a conversation a search matches: one of its messages, its subject, a name, an address or a reference.

A search is matched with all texts of a conversation together (`search`). Here the texts are matched one by one, with
the same functions of the database, only for the conversations of a page: the newest messages, and what the viewer's
scopes allow of the rest. The text with the most words of the search is chosen, messages before others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    distinct,
    func,
    literal_column,
    null,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR

from db import tables as t
from db.compiled import kept
from db.engine import Snapshot
from db.queries.search import asked
from db.scope import ACCOUNT, Viewer, visible
from db.statement import Statement
from db.texts import limited

# The newest messages of a conversation that are matched, and the characters of each. A page has at most 100
# conversations; deriving the words of a message of 300 characters takes 0.05 to 0.1 ms.
MOST_MESSAGES = 50
MOST_CHARACTERS = 4_000

# The most words for which messages without any of them are left out, as PostgreSQL compiles a pattern of them.
_MOST_WORDS = 8
# Letters that `search_plain()` replaces by one of ASCII, and those that it replaces by two.
_REPLACED = {"o": "oø", "l": "lł", "d": "dđð", "h": "hħ", "i": "iı"}  # noqa: RUF001  # letters of other languages
_REPLACED_BY_TWO = "ßæœþ"
# What `search_plain()` or `search_joined()` may remove within a word.
_REMOVED = r"[^a-z0-9\s]*"
# What lies between two spaces and may have a word of the search.
_PIECE = r"\S*(?:{})\S*"
# The operators of a query that is about more of a text than the words that it asks for: excluded words, and phrases.
_NEEDS_WHOLE = re.compile("[!<]")

_B: Any = t.Booking
_C: Any = t.Conversation
_H: Any = t.Host
_I: Any = t.Inquiry
_L: Any = t.Client
_LINK: Any = t.ConversationBooking
_M: Any = t.Message
_P: Any = t.Participant

_ZERO: Any = literal_column("0")
# The conversation whose texts are matched.
_KEY: Any = literal_column("parent.key")


class Word(NamedTuple):
    """A word that a search asks for, or the beginning of one."""

    text: str
    is_prefix: bool


@dataclass(frozen=True, slots=True)
class FoundText:
    """The text that a search matches best, its message if it is one, and the words of the search."""

    text: str
    message_id: int | None
    words: tuple[Word, ...]


async def load(snapshot: Snapshot, viewer: Viewer, search: str, ids: Sequence[int]) -> list[FoundText | None]:
    """For each conversation the text that `search` matches best; None if it matches none that the viewer may see."""
    (parsed,) = await snapshot.fetch(_PARSED, {ACCOUNT: viewer.account_id, "search": search})
    words = tuple(dict.fromkeys(read_words(parsed["asked"])))
    if not words:
        return [None] * len(ids)
    pattern = find_pattern(words)
    parameters = {
        ACCOUNT: viewer.account_id,
        "keys": ids,
        "all": re.sub(r"'\d+ ", "'", parsed["asked"]),
        "any": " | ".join(f"'{word.text}'{':*' if word.is_prefix else ''}" for word in words),
        "pattern": pattern,
        "piece": _PIECE.format(pattern) if pattern and not _NEEDS_WHOLE.search(parsed["asked"]) else "",
    }
    rows = await snapshot.fetch(await _statement.find(snapshot, viewer.scopes), parameters)
    found = {row["key"]: FoundText(row["content"], row["message_id"], words) for row in rows}
    return [found.get(id_) for id_ in ids]


_TOKEN = re.compile(r"(!*)(?:(\()|'\d+ ([^']*)'(:\*)?)|\)")


def read_words(query: str) -> Iterator[Word]:
    """The words in the text of a tsquery of `search_query()`, without those that it excludes."""
    excluded = [False]
    for token in _TOKEN.finditer(query):
        if token[0] == ")":
            excluded.pop()
            continue
        is_excluded = excluded[-1] != (len(token[1]) % 2 == 1)
        if token[2]:
            excluded.append(is_excluded)
        elif not is_excluded:
            yield Word(token[3], token[4] is not None)


def find_pattern(words: Sequence[Word]) -> str:
    """A regular expression that PostgreSQL finds in each text with one of `words`, and in few others.

    The text is `_simplify()`-ed. To search for it takes a tenth of deriving the words, and most messages have none of
    them. It is empty, and thus found everywhere, if there are many words or some with letters other than a to z.
    """
    if len(words) > _MOST_WORDS or not all(word.text.isascii() and word.text.isalnum() for word in words):
        return ""
    letters = ([f"[{_REPLACED.get(letter, letter)}]" for letter in word.text] for word in words)
    return "|".join([f"[{_REPLACED_BY_TWO}]", *(_REMOVED.join(word) for word in letters)])


def _simplify(content: Any) -> Any:
    """The beginning of `search_plain()`, before anything is removed."""
    decomposed = func.normalize(content, literal_column("NFKD"), type_=Text)
    return func.lower(case((func.octet_length(content) == func.length(content), content), else_=decomposed))


_PARSED = Statement.of(visible(t.Account, cast(asked(bindparam("search", type_=Text)), Text).label("asked")), t.Account)


@kept
def _statement(scopes: frozenset[str]) -> Statement:
    """The best text of each conversation, of those that `scopes` allow."""
    texts = union_all(*_texts(scopes)).subquery("texts")
    plain = func.translate(func.search_plain(texts.c.indexed), literal_column("'-'"), literal_column("' '"))
    words = func.search_words(plain, type_=TSVECTOR).label("words")
    # OFFSET keeps PostgreSQL from deriving the words once for each use.
    split = texts.select().add_columns(words).offset(_ZERO).subquery("split")
    every, some = (cast(bindparam(name, type_=Text), TSQUERY) for name in ("all", "any"))
    found = (
        split.select()
        .where(split.c.words.bool_op("@@")(some))
        .order_by(
            split.c.words.bool_op("@@")(every).desc(),
            # Without positions, each word counts once.
            func.ts_rank(func.strip(split.c.words), some).desc(),
            split.c.place,
            split.c.sent_at.desc(),
            split.c.message_id.desc(),
            split.c.content,
        )
        .limit(literal_column("1"))
        .lateral("found")
    )
    parent = func.unnest(bindparam("keys", type_=ARRAY(BigInteger))).table_valued("key").render_derived(name="parent")
    shown = limited([parent.c.key, found.c.message_id, found.c.content])
    return Statement.of(parent.select().join(found, true()).with_only_columns(*shown), t.Message)


def _texts(scopes: frozenset[str]) -> Iterator[Select[Any]]:
    """The texts of a conversation, by place: what is shown of each, and what is indexed."""
    content = func.left(_M.content, literal_column(str(MOST_CHARACTERS)), type_=t.FreeText).label("content")
    newest = (
        visible(t.Message, _M.id.label("message_id"), _M.sent_at, _place(0), content)
        .where(_M.conversation_id == _KEY)
        .order_by(_M.sent_at.desc(), _M.id.desc())
        .limit(literal_column(str(MOST_MESSAGES)))
        .subquery("newest")
    )
    simple = _simplify(newest.c.content).label("simple")
    # OFFSET keeps PostgreSQL from simplifying a message once for each use.
    messages = newest.select().add_columns(simple).offset(_ZERO).subquery("simplified")
    yield (
        messages.select()
        .where(messages.c.simple.regexp_match(bindparam("pattern", type_=Text)))
        .with_only_columns(*(messages.c[column.key] for column in newest.c), _indexed(messages).label("indexed"))
    )
    yield _text(visible(t.Conversation).where(_C.id == _KEY), 1, _C.subject)
    members = visible(t.Participant).where(_P.conversation_id == _KEY)
    hosts = members.join(t.Host, and_(_H.account_id == _P.account_id, _H.id == _P.host_id))
    yield _text(hosts, 2, func.concat_ws(literal_column("' '"), _H.firstname, _H.lastname))
    links = visible(t.ConversationBooking).where(_LINK.conversation_id == _KEY)
    bookings = links.join(t.Booking, and_(_B.account_id == _LINK.account_id, _B.id == _LINK.booking_id))
    if "clients_read" in scopes:
        for owner, rows in ((_P, members), (_B, bookings)):
            clients = rows.join(t.Client, and_(_L.account_id == owner.account_id, _L.id == owner.client_id))
            yield from _contact(clients, _L.fullname, _L)
    if "bookings_read" in scopes:
        for reference in (_B.reference, _B.external_reference):
            ends = func.search_ends(reference, literal_column("3"), literal_column("12"))
            yield _text(bookings, 4, reference, func.concat_ws(literal_column(r"E'\f'"), reference, ends))
    if "inquiries_read" in scopes:
        inquiries = visible(t.Inquiry).where(_I.conversation_id == _KEY)
        yield from _contact(inquiries, func.concat_ws(literal_column("' '"), _I.firstname, _I.lastname), _I)


def _indexed(messages: Any) -> Any:
    """The pieces of a message that may have a word of the search, or all of it for a search that needs the whole.

    The words of a piece do not depend on what is around it. For 5,000 messages of 4,000 characters that all have the
    word, a page takes 0.4 s instead of 2.3, and 0.75 instead of 3.4 with a letter other than a to z in each.
    """
    piece: Any = bindparam("piece", type_=Text)
    column: Any = Column("text", ARRAY(Text))
    pieces = (
        func.regexp_matches(messages.c.simple, piece, literal_column("'g'"))
        .table_valued(column)
        .render_derived(name="piece")
    )
    joined = func.string_agg(distinct(pieces.c.text[literal_column("1")]), literal_column("' '"))
    found = pieces.select().with_only_columns(joined).scalar_subquery()
    return case((piece == literal_column("''"), messages.c.content), else_=found)


def _contact(rows: Select[Any], name: Any, person: Any) -> Iterator[Select[Any]]:
    """The name, the e-mail address and the phone of a person."""
    yield _text(rows, 2, name)
    yield _text(rows, 3, person.email, func.search_contact(person.email, null()))
    yield _text(rows, 3, person.phone, func.search_contact(null(), person.phone))


def _text(rows: Select[Any], place: int, shown: Any, indexed: Any = None) -> Select[Any]:
    columns = (
        cast(null(), BigInteger).label("message_id"),
        cast(null(), t.Message.sent_at.type).label("sent_at"),  # type: ignore[attr-defined]
        _place(place),
        shown.label("content"),
        (shown if indexed is None else indexed).label("indexed"),
    )
    return rows.with_only_columns(*columns)


def _place(place: int) -> Any:
    return literal_column(str(place)).label("place")
