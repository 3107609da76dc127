"""The words by which a search finds conversations and other rows, and the functions that derive and match them.

Stored texts and searches must be split into words in the same way; therefore both use these functions. If one of them
changes, a migration has to derive all documents anew (`db.queries.conversation.derived`), and to make the indexes of
`searchable()` anew.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, BigInteger, ColumnElement, Index, event, func
from sqlalchemy.dialects.postgresql import TSVECTOR, array
from sqlmodel import Field

from db.tables.base import Table, TenantTable, reference


class ConversationText(TenantTable, table=True):
    """The words by which a search finds a conversation, derived by `db.queries.conversation.derived`.

    A table of its own, because otherwise each change of a conversation would write the index of the words again.
    """

    __tablename__ = "conversation_texts"
    __table_args__ = (
        reference("conversation_id", "conversations"),
        Index(None, "words", postgresql_using="gin"),
    )

    conversation_id: int = Field(primary_key=True, sa_type=BigInteger)
    words: str = Field(sa_type=TSVECTOR)


# Combining marks of Unicode 14: those that NFKD separates from letters, and signs above and below letters. Unassigned
# characters within these ranges count as marks.
MARKS = (
    r"\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    r"\u06d6-\u06dc\u06df-\u06e4\u06e7-\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07a6-\u07b0\u07eb-\u07f3\u07fd"
    r"\u0816-\u0819\u081b-\u0823\u0825-\u0827\u0829-\u082d\u0859-\u085b\u0898-\u089f\u08ca-\u08e1\u08e3-\u0903"
    r"\u093a-\u093c\u093e-\u094f\u0951-\u0957\u0962-\u0963\u0981-\u0983\u09bc\u09be-\u09cd\u09d7\u09e2-\u09e3"
    r"\u09fe-\u0a03\u0a3c-\u0a51\u0a70-\u0a71\u0a75\u0a81-\u0a83\u0abc\u0abe-\u0acd\u0ae2-\u0ae3\u0afa-\u0b03\u0b3c"
    r"\u0b3e-\u0b57\u0b62-\u0b63\u0b82\u0bbe-\u0bcd\u0bd7\u0c00-\u0c04\u0c3c\u0c3e-\u0c56\u0c62-\u0c63\u0c81-\u0c83"
    r"\u0cbc\u0cbe-\u0cd6\u0ce2-\u0ce3\u0d00-\u0d03\u0d3b-\u0d3c\u0d3e-\u0d4d\u0d57\u0d62-\u0d63\u0d81-\u0d83"
    r"\u0dca-\u0ddf\u0df2-\u0df3\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u0f18-\u0f19\u0f35"
    r"\u0f37\u0f39\u0f3e-\u0f3f\u0f71-\u0f84\u0f86-\u0f87\u0f8d-\u0fbc\u0fc6\u102b-\u103e\u1056-\u1059\u105e-\u1060"
    r"\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u135d-\u135f\u1712-\u1715\u1732-\u1734"
    r"\u1752-\u1753\u1772-\u1773\u17b4-\u17d3\u17dd\u180b-\u180d\u180f\u1885-\u1886\u18a9\u1920-\u193b\u1a17-\u1a1b"
    r"\u1a55-\u1a7f\u1ab0-\u1b04\u1b34-\u1b44\u1b6b-\u1b73\u1b80-\u1b82\u1ba1-\u1bad\u1be6-\u1bf3\u1c24-\u1c37"
    r"\u1cd0-\u1cd2\u1cd4-\u1ce8\u1ced\u1cf4\u1cf7-\u1cf9\u1dc0-\u1dff\u20d0-\u20f0\u2cef-\u2cf1\u2d7f\u2de0-\u2dff"
    r"\u302a-\u302f\u3099-\u309a\ua66f-\ua672\ua674-\ua67d\ua69e-\ua69f\ua6f0-\ua6f1\ua802\ua806\ua80b\ua823-\ua827"
    r"\ua82c\ua880-\ua881\ua8b4-\ua8c5\ua8e0-\ua8f1\ua8ff\ua926-\ua92d\ua947-\ua953\ua980-\ua983\ua9b3-\ua9c0\ua9e5"
    r"\uaa29-\uaa36\uaa43\uaa4c-\uaa4d\uaa7b-\uaa7d\uaab0\uaab2-\uaab4\uaab7-\uaab8\uaabe-\uaabf\uaac1\uaaeb-\uaaef"
    r"\uaaf5-\uaaf6\uabe3-\uabea\uabec-\uabed\ufb1e\ufe00-\ufe0f\ufe20-\ufe2f\U000101fd\U000102e0"
    r"\U00010376-\U0001037a\U00010a01-\U00010a0f\U00010a38-\U00010a3f\U00010ae5-\U00010ae6\U00010d24-\U00010d27"
    r"\U00010eab-\U00010eac\U00010f46-\U00010f50\U00010f82-\U00010f85\U00011000-\U00011002\U00011038-\U00011046"
    r"\U00011070\U00011073-\U00011074\U0001107f-\U00011082\U000110b0-\U000110ba\U000110c2\U00011100-\U00011102"
    r"\U00011127-\U00011134\U00011145-\U00011146\U00011173\U00011180-\U00011182\U000111b3-\U000111c0"
    r"\U000111c9-\U000111cc\U000111ce-\U000111cf\U0001122c-\U00011237\U0001123e\U000112df-\U000112ea"
    r"\U00011300-\U00011303\U0001133b-\U0001133c\U0001133e-\U0001134d\U00011357\U00011362-\U00011374"
    r"\U00011435-\U00011446\U0001145e\U000114b0-\U000114c3\U000115af-\U000115c0\U000115dc-\U000115dd"
    r"\U00011630-\U00011640\U000116ab-\U000116b7\U0001171d-\U0001172b\U0001182c-\U0001183a\U00011930-\U0001193e"
    r"\U00011940\U00011942-\U00011943\U000119d1-\U000119e0\U000119e4\U00011a01-\U00011a0a\U00011a33-\U00011a39"
    r"\U00011a3b-\U00011a3e\U00011a47\U00011a51-\U00011a5b\U00011a8a-\U00011a99\U00011c2f-\U00011c3f"
    r"\U00011c92-\U00011cb6\U00011d31-\U00011d45\U00011d47\U00011d8a-\U00011d97\U00011ef3-\U00011ef6"
    r"\U00016af0-\U00016af4\U00016b30-\U00016b36\U00016f4f\U00016f51-\U00016f92\U00016fe4-\U00016ff1"
    r"\U0001bc9d-\U0001bc9e\U0001cf00-\U0001cf46\U0001d165-\U0001d169\U0001d16d-\U0001d172\U0001d17b-\U0001d182"
    r"\U0001d185-\U0001d18b\U0001d1aa-\U0001d1ad\U0001d242-\U0001d244\U0001da00-\U0001da36\U0001da3b-\U0001da6c"
    r"\U0001da75\U0001da84\U0001da9b-\U0001daaf\U0001e000-\U0001e02a\U0001e130-\U0001e136\U0001e2ae"
    r"\U0001e2ec-\U0001e2ef\U0001e8d0-\U0001e8d6\U0001e944-\U0001e94a\U000e0100-\U000e01ef"
)
# Soft hyphens, spaces and joiners without width, and the Arabic tatweel, which only lengthens a word.
UNSEEN = r"\u00ad\u0640\u200b-\u200f\u2060\ufeff"
# The letters of scripts without spaces between words: Thai, Lao, Khmer, Chinese and Japanese.
UNSPACED = (
    r"\u0e01-\u0e4f\u0e81-\u0ecf\u0edc-\u0edf\u1780-\u17d3\u2e80-\u2fdf\u3005-\u3007\u3031-\u3035\u303b-\u303c"
    r"\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)

# Lower-case letters without marks, including letters that Unicode does not decompose (ø, ł, ß). Punctuation becomes
# apostrophes, which join the parts of a compound (wi-fi, a@b.example); only the operators of a search stay: quotes, and
# a minus before a word. Letters of an unspaced script become pairs of neighbours, joined in the same way, so that a
# search can match the middle of a run. Words are cut at 100 characters, because PostgreSQL's have at most 2,046 bytes.
_PLAIN = rf"""
CREATE FUNCTION search_plain(content text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    plain text := lower(content);
BEGIN
    IF octet_length(content) > length(content) THEN
        plain := regexp_replace(lower(normalize(content, NFKD)), '[{MARKS}{UNSEEN}]', '', 'g');
        plain := translate(plain, 'øłđðħıςٱ', 'olddhiσا');
        plain := replace(replace(replace(replace(plain, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
    END IF;
    plain := regexp_replace(plain, '(?!["-])[[:punct:]]|(?<=\S)-|-(?![^\s[:punct:]]|")', '''', 'g');
    IF plain ~ '[{UNSPACED}]' THEN
        plain := regexp_replace(plain, '(?<=[{UNSPACED}])([{UNSPACED}])(?=[{UNSPACED}])', '\1''\1', 'g');
        plain := regexp_replace(plain, '([{UNSPACED}])(?=[^\s''"{UNSPACED}])', '\1''', 'g');
        plain := regexp_replace(plain, '([^\s''"{UNSPACED}-])(?=[{UNSPACED}])', '\1''', 'g');
    END IF;
    RETURN regexp_replace(plain, '([^\s''"]{{100}})[^\s''"]+', '\1', 'g');
END
$$
"""  # noqa: RUF001  # letters of other scripts

# Words of a document in addition to those of its plain text: compounds as one word (wi-fi: wifi), and the last letter
# of each unspaced run, with which no pair begins.
_JOINED = rf"""
CREATE FUNCTION search_joined(plain text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT string_agg(DISTINCT left(replace(piece[1], '''', ''), 100), ' ')
    FROM regexp_matches(
        plain,
        '[^\s''"{UNSPACED}]+(?:''+[^\s''"{UNSPACED}]+)+|(?<=[{UNSPACED}])[{UNSPACED}](?!''?[{UNSPACED}])',
        'g'
    ) AS piece
)
"""  # noqa: S608  # its only parts are letters

# The endings of a reference or a number, from `shortest` to `longest` letters and digits, each as a word.
_ENDS = r"""
CREATE FUNCTION search_ends(content text, shortest integer, longest integer) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT string_agg(right(joined, size), ' ')
    FROM regexp_replace(search_plain(content), '[\s''"-]+', '', 'g') AS joined,
        generate_series(shortest, least(longest, length(joined))) AS size
)
"""

# Words of a person in addition to the name: the local part of the e-mail address, the whole address as one word, and
# the last four to nine digits of the phone number.
_CONTACT = r"""
CREATE FUNCTION search_contact(email text, phone text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN nullif(concat_ws(E'\f',
    split_part(email, '@', 1),
    search_joined(search_plain(email)),
    search_ends(regexp_replace(search_plain(phone), '\D', '', 'g'), 4, 9)
), '')
"""

# The text of a tsvector or tsquery with the account before each lexeme. So the words of each account are together in
# the index, and a search reads no other account's, not even a search for a prefix. The separating space cannot occur in
# a word.
_OWNED = r"""
CREATE FUNCTION search_owned(account bigint, lexemes text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN regexp_replace(lexemes, '''([^'']+)''', '''' || account::text || ' \1''', 'g')
"""

# A form feed separates two texts. It becomes "0.0", which is no word of any plain text, so that no phrase matches
# across the two.
_WORDS = r"""
CREATE FUNCTION search_words(plain text) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN to_tsvector('simple'::regconfig,
    replace(plain, E'\f', ' 0.0 ') || ' 0.0 ' || coalesce(search_joined(plain), ''))
"""

# A tsvector has at most 1 MB; how much text fits depends on the words. A text that is too long loses its second half
# until the rest fits. The head is short and always fits.
_DOCUMENT = r"""
CREATE FUNCTION search_document(account bigint, head text, body text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    plain_head text := left(translate(search_plain(head), '-', ' '), 10000);
    plain_body text := translate(search_plain(body), '-', ' ');
BEGIN
    LOOP
        BEGIN
            RETURN search_owned(
                account, (setweight(search_words(plain_head), 'A') || search_words(plain_body))::text
            )::tsvector;
        EXCEPTION WHEN program_limit_exceeded THEN
            plain_body := left(plain_body, length(plain_body) / 2);
        END;
    END LOOP;
END
$$
"""

# The words of a row's own texts, for an index: at most 20,000 characters of them, which always fit. Nulls are
# ignored. The body is parsed when the function is created, because PostgreSQL builds indexes without a search path.
# The COST is what it takes: otherwise PostgreSQL would rather derive the words of many rows than use the index.
_TEXTS = r"""
CREATE FUNCTION search_texts(account bigint, contents text[]) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000
RETURN search_owned(account, search_words(
    left(translate(search_plain(left(array_to_string(contents, E'\f'), 20000)), '-', ' '), 20000)
)::text)::tsvector
"""

# The alternatives for a compound or a number, in the text of a tsquery: its parts, or all of it as one word. For a
# number of four digits or more also the last nine digits of a phone number, with or without leading zeros. In the
# unfinished last word of a search, two letters or more also match as a prefix.
_CHOICE = r"""
CREATE FUNCTION search_choice(written text, unfinished boolean) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    digits text := CASE WHEN written ~ '^[\d\s'']+$' THEN right(regexp_replace(written, '\D', '', 'g'), 9) ELSE '' END;
    last text := '(''[^'']{2,}'')$';
    choices text;
BEGIN
    SELECT string_agg(DISTINCT CASE WHEN unfinished THEN regexp_replace(asked, last, '\1:*') ELSE asked END, ' | ')
    INTO choices
    FROM unnest(ARRAY[
        websearch_to_tsquery('simple'::regconfig, written),
        CASE WHEN written !~ '\s' THEN
            phraseto_tsquery('simple'::regconfig, left(replace(written, '''', ''), 100)) END,
        CASE WHEN length(digits) >= 4 THEN phraseto_tsquery('simple'::regconfig, digits) END,
        CASE WHEN length(digits) >= 4 THEN phraseto_tsquery('simple'::regconfig, ltrim(digits, '0')) END
    ]) AS choice, CAST(choice AS text) AS asked
    WHERE asked <> '';
    RETURN '( ' || choices || ' )';
END
$$
"""

# The last word also matches as a prefix if it has two letters or more and is neither quoted nor excluded by a minus. A
# single letter of an unspaced script matches as the beginning of a pair anywhere. Compounds and numbers are replaced by
# marks first, and the marks by their alternatives once the rest is parsed. Only the first 1,000 characters are used,
# because many more words would make the tree too deep. The high COST keeps PostgreSQL from generic plans, which would
# call the function for each row instead of once when the statement is planned.
_QUERY = rf"""
CREATE FUNCTION search_query(account bigint, search text) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000000000 AS $$
DECLARE
    content text := left(search_plain(left(search, 1000)), 3000);
    unfinished boolean := content ~ '^(?:[^"]*"[^"]*")*[^"]*[^\s"''-][\s''-]*$';
    token record;
    choices text[] := '{{}}';
    marked text := '';
    lexemes text;
BEGIN
    FOR token IN
        SELECT piece[1] AS gap, piece[2] AS word, btrim(piece[2], ''' ') AS written,
            mod(sum(length(piece[1]) - length(replace(piece[1], '"', ''))) OVER (ORDER BY place), 2) = 1 AS quoted
        FROM regexp_matches(content, '([\s"''-]*)(\d+(?:[\s'']+\d+)+(?![^\s''"])|[^\s"]+)', 'g')
            WITH ORDINALITY AS token (piece, place)
        ORDER BY place
    LOOP
        IF token.written ~ '[{UNSPACED}]' OR token.written !~ '[''\s]|^\d{{4}}'
            OR (token.quoted AND token.written ~ '\s')
            OR numnode(websearch_to_tsquery('simple'::regconfig, token.written)) = 0
        THEN
            marked := marked || token.gap || token.word;
        ELSE
            choices := choices || token.written;
            marked := marked || token.gap || 'qz' || cardinality(choices) || 'zq';
        END IF;
    END LOOP;
    marked := marked || substring(content FROM '[\s"-]*$');
    lexemes := websearch_to_tsquery('simple'::regconfig, marked)::text;
    lexemes := regexp_replace(lexemes, '(''[{UNSPACED}]'')', '\1:*', 'g');
    IF unfinished THEN
        lexemes := regexp_replace(lexemes, '(^|[^!])(''[^'']{{2,}}'')$', '\1\2:*');
    END IF;
    FOR place IN 1 .. cardinality(choices) LOOP
        lexemes := replace(lexemes, '''qz' || place || 'zq'':*', search_choice(choices[place], true));
        lexemes := replace(lexemes, '''qz' || place || 'zq''', search_choice(choices[place], false));
    END LOOP;
    RETURN search_owned(account, lexemes::tsquery::text)::tsquery;
END
$$
"""  # noqa: S608  # its only parts are letters

FUNCTIONS = (_PLAIN, _JOINED, _ENDS, _CONTACT, _OWNED, _WORDS, _DOCUMENT, _TEXTS, _CHOICE, _QUERY)

for _function in FUNCTIONS:
    event.listen(Table.metadata, "before_create", DDL(_function))  # type: ignore[no-untyped-call]


def searchable(table: type[TenantTable], *texts: Any) -> ColumnElement[Any]:
    """The words of each row of `table`, from its columns or functions of them, with an index that finds rows by them.

    A query with exactly this expression uses the index, so that nothing is stored or derived when a row is written.
    """
    columns = table.__table__.columns  # type: ignore[attr-defined]
    words = func.search_texts(columns.account_id, array(texts), type_=TSVECTOR)
    Index(f"ix_{table.__tablename__}_words", words, postgresql_using="gin")
    return words
