"""The words that conversations are found by, and the database's functions that make and ask them.

What is stored must be taken apart as what is asked is; therefore both go through functions of the database. Whoever
changes one derives all documents anew (`db.queries.conversation.derived`).
"""

from __future__ import annotations

from sqlalchemy import DDL, BigInteger, Index, event
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field

from db.tables.base import Table, TenantTable, reference


class ConversationText(TenantTable, table=True):
    """The words that a conversation is found by, kept up to date by `db.queries.conversation.derived`.

    It is not a column of the conversation, whose every change would make the index of words be written anew.
    """

    __tablename__ = "conversation_texts"
    __table_args__ = (
        reference("conversation_id", "conversations"),
        Index(None, "words", postgresql_using="gin"),
    )

    conversation_id: int = Field(primary_key=True, sa_type=BigInteger)
    words: str = Field(sa_type=TSVECTOR)


# Small letters without accents, also where Unicode does not take a letter apart but readers do. Punctuation becomes
# apostrophes, which a search reads as the inside of a phrase (wi-fi, a@b.example); not so the operators, which are
# quotes, and a minus before a word. Words are cut at 100 characters, as PostgreSQL has none of more than 2,046 bytes.
_PLAIN = r"""
CREATE FUNCTION search_plain(content text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(
    regexp_replace(
        replace(replace(replace(replace(
            translate(
                regexp_replace(
                    lower(normalize(content, NFKD)), '[\u0300-\u036f\u00ad\u200b-\u200d\ufe00-\ufe0f]', '', 'g'
                ),
                'øłđðħıς', 'olddhiσ'
            ),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'
        ),
        '(?!["-])[[:punct:]]|(?<=\S)-|-(?![^\s[:punct:]]|")', '''', 'g'
    ),
    '([^\s''"]{100})[^\s''"]+', '\1', 'g'
)
"""  # noqa: RUF001  # a Greek letter

# The text of a tsvector or tsquery with the account put before each lexeme. So the index holds the words of each
# account by themselves, and a search walks through no other's, not even for all words that begin with a letter. No word
# that is written can hold the space in between.
_OWNED = r"""
CREATE FUNCTION search_owned(account bigint, lexemes text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(lexemes, '''([^'']+)''', '''' || account::text || ' \1''', 'g')
"""

# A form feed stands between two pieces of text. "0.0" in its place is no word of plain text, and keeps a phrase from
# going across. Any 60,000 characters stay below the 1 MB that a tsvector may have.
_DOCUMENT = r"""
CREATE FUNCTION search_document(account bigint, head text, body text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN search_owned(account, (
    setweight(to_tsvector('simple'::regconfig,
        left(replace(translate(search_plain(head), '-', ' '), E'\f', ' 0.0 '), 10000) || ' 0.0 '), 'A')
    || to_tsvector('simple'::regconfig,
        left(replace(translate(search_plain(body), '-', ' '), E'\f', ' 0.0 '), 50000))
)::text)::tsvector
"""

# The last word may be the beginning of one, unless there is a minus before it, or it is quoted. 1,000 characters count,
# as many more words would be too deep a tree. Computed when a statement is planned, this costs nothing; the cost that
# it is given keeps PostgreSQL from plans for any search, which would compute it for each row.
_QUERY = r"""
CREATE FUNCTION search_query(account bigint, search text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000000000
RETURN (
    SELECT search_owned(account, CASE
        WHEN content ~ '^(?:[^"]*"[^"]*")*[^"]*[^\s"''-][\s''-]*$'
        THEN regexp_replace(asked, '(^|[^!])(''[^'']+'')$', '\1\2:*')
        ELSE asked
    END)
    FROM left(search_plain(left(search, 1000)), 1000) AS content,
        CAST(websearch_to_tsquery('simple'::regconfig, content) AS text) AS asked
)::tsquery
"""

for _function in (_PLAIN, _OWNED, _DOCUMENT, _QUERY):
    event.listen(Table.metadata, "before_create", DDL(_function))  # type: ignore[no-untyped-call]
