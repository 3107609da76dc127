"""Hostile bodies, variables and cursors: cheap to send, or known to break parsers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

PAGE = "query ($after: String) { conversations(first: 1, after: $after) { nodes { id } } }"
NODE = "query ($id: ID!) { node(id: $id) { id } }"
FILTER = "query ($filter: ConversationFilter) { conversations(filter: $filter) { totalCount } }"
FIRST = "query ($first: Int) { hosts(first: $first) { nodes { id } } }"


def _asking(document: str, variables: str) -> bytes:
    return f'{{"query": {json.dumps(document)}, "variables": {variables}}}'.encode()


def bodies() -> Iterator[tuple[str, bytes]]:
    """Bodies that are not valid requests, by name."""
    yield "empty", b""
    for text in ("null", "true", "5", '"{ __typename }"', "[]", '[{"query": "{ __typename }"}]', "{}"):
        yield f"no object: {text[:10]}", text.encode()
    yield "not JSON", b'{"query": "{ __typename }"'
    yield "more than JSON", b'{"query": "{ __typename }"} {}'
    yield "a comment", b'{"query": "{ __typename }" /* */}'
    yield "not UTF-8", b'{"query": "{ __typename } \xff"}'
    yield "an overlong character", b'{"query": "{ __typename } \xc0\x80"}'
    yield "a surrogate in UTF-8", b'{"query": "{ __typename } \xed\xa0\x80"}'
    yield "UTF-16", '{"query": "{ __typename }"}'.encode("utf-16")
    yield "a byte order mark", b'\xef\xbb\xbf{"query": "{ __typename }"}'
    yield "NUL", b'{"query": "{ __typename }\x00"}'
    yield "an escaped NUL", b'{"query": "{ __typename \\u0000 }"}'
    yield "a lone surrogate", b'{"query": "{ node(id: \\"\\ud800\\") { id } }"}'
    yield "a lone surrogate in GraphQL", b'{"query": "{ node(id: \\"\\\\ud800\\") { id } }"}'
    yield "a name twice", b'{"query": "{ __typename }", "query": "{ viewer { scopes } }"}'
    yield "a variable twice", _asking(NODE, '{"id": "a", "id": "b"}')
    yield "NaN", _asking(FIRST, '{"first": NaN}')
    yield "infinity", _asking(FIRST, '{"first": -Infinity}')
    yield "10,000 lists", b"[" * 10_000 + b"]" * 10_000
    yield "10,000 objects", b'{"query": ' + b'{"a": ' * 10_000 + b"1" + b"}" * 10_001
    yield "10,000 open lists", b"[" * 10_000
    yield "a quarter of a megabyte of spaces", b" " * 262_000
    yield "a quarter of a megabyte of quotes", b'"' * 262_000
    yield "20,000 names", b"{" + b", ".join(b'"n%d": 1' % place for place in range(18_000)) + b"}"
    for wrong in ("5", "true", '["{ __typename }"]', '{"a": 1}', '""', '" "'):
        yield f"a query of {wrong}", f'{{"query": {wrong}}}'.encode()
    for name in ("variables", "extensions", "operationName"):
        yield f"{name} of another type", f'{{"query": "{{ __typename }}", "{name}": [1]}}'.encode()
    yield "an operation that is not there", b'{"query": "query A { __typename }", "operationName": "B"}'
    yield (
        "a long operation name",
        json.dumps({"query": "query A { __typename }", "operationName": "B" * 250_000}).encode(),
    )
    yield "no hash", b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": 5}}}'
    yield "no such hash", b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "%s"}}}' % (b"a" * 100_000)
    yield "no such document", b'{"documentId": "sha256:%s"}' % (b"a" * 100_000)


def variables() -> Iterator[tuple[str, bytes]]:
    """Hostile variables for valid documents."""
    yield "deep lists", _asking(NODE, f'{{"id": {"[" * 900}{"]" * 900}}}')
    deep = '{"closed": ' * 900 + "1" + "}" * 900
    yield "deep objects", _asking(FILTER, f'{{"filter": {deep}}}')
    yield "10,000 levels", _asking(NODE, f'{{"id": {"[" * 10_000}{"]" * 10_000}}}')
    yield (
        "18,000 unknown fields",
        _asking(FILTER, json.dumps({"filter": {f"closedz{place}": 1 for place in range(12_000)}})),
    )
    yield "18,000 unknown variables", _asking(FIRST, json.dumps({f"v{place}": 1 for place in range(14_000)}))
    yield "60,000 ids", _asking(FILTER, json.dumps({"filter": {"ids": ["a"] * 40_000}}))
    yield "60,000 wrong ids", _asking(FILTER, json.dumps({"filter": {"ids": [1.5] * 40_000}}))
    yield "40,000 wrong channels", _asking(FILTER, json.dumps({"filter": {"channels": ["AIRBNBZ"] * 20_000}}))
    yield "a long id", _asking(NODE, json.dumps({"id": "x" * 250_000}))
    yield "NUL in an id", _asking(NODE, '{"id": "\\u0000"}')
    yield "a long time", _asking(FILTER, json.dumps({"filter": {"updatedSince": "2" * 250_000}}))
    for number in ("2147483648", "-2147483649", "1e999", "9" * 4_000, "9" * 200_000, "1.5", "-0", "true", '"1"', "[1]"):
        yield f"first: {number[:12]}", _asking(FIRST, f'{{"first": {number}}}')
    for name, cursor in cursors():
        yield f"cursor: {name}", _asking(PAGE, json.dumps({"after": cursor}))


def cursors() -> Iterator[tuple[str, str]]:
    """Cursors that no server has issued."""

    def encode(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    place = "Query.conversations"
    yield "empty", ""
    yield "no base64", "%%%"
    yield "a character that is none", "é"
    yield "bytes", base64.urlsafe_b64encode(bytes(range(256))).decode()
    yield "long", "A" * 200_000
    yield "deep", encode(json.loads("[" * 500 + "]" * 500))
    wrong: list[Any] = [
        None,
        5,
        {},
        [],
        [place],
        [place, "x", 1],
        [place, None, None],
        [place, 1e308, 2**70],
        ["x"] * 9,
    ]
    for value in wrong:
        yield f"of {json.dumps(value)[:40]}", encode(value)
    yield "of another order", encode([place, "CREATED_AT", "DESC", "2026-05-01T00:00:00Z", 1])
    yield "of SQL", encode([place, "LAST_MESSAGE_AT", "'; DROP TABLE conversations; --", 1])
    yield "of a far time", encode([place, "LAST_MESSAGE_AT", "DESC", "999999-12-31T23:59:59Z", 1])


HEADERS: dict[str, list[tuple[bytes, bytes]]] = {
    "a content type of 8 KiB": [(b"content-type", b"application/json; " + b"a=b; " * 1_600)],
    "many media types": [(b"content-type", b"application/json"), (b"accept", b"application/json;q=0.1, " * 2_000)],
    "no media type": [(b"content-type", b"application/json"), (b"accept", b"/;;;,=,q=x;q=1")],
    "a length that is none": [(b"content-type", b"application/json"), (b"content-length", b"-5")],
    "a length of many digits": [(b"content-type", b"application/json"), (b"content-length", b"9" * 5_000)],
    "another character set": [(b"content-type", b"application/json; charset=utf-7")],
    "bytes in a header": [(b"content-type", b"application/json\xff\xfe")],
    "two Authorization headers": [(b"content-type", b"application/json"), (b"authorization", b"Bearer x")],
}
