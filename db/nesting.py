"""Measures how deeply JSON is nested before it is parsed: parsers recurse, each up to another depth."""

from __future__ import annotations

import re

# Matches strings, so that brackets in them do not count, and brackets. A string without an end extends to the end of
# the text. Every quantifier is possessive, so that the time is linear for any text.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def is_nested_deeper(text: bytes, limit: int) -> bool:
    """Whether more than `limit` arrays and objects are open at once somewhere in `text`, which need not be valid."""
    # Most requests need no more than this: two passes at the speed of memory.
    if text.count(b"[") + text.count(b"{") <= limit:
        return False
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in {b"[", b"{"}:
            depth += 1
            if depth > limit:
                return True
        elif token in {b"]", b"}"}:
            depth -= 1
    return False
