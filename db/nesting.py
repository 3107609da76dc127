"""How deeply JSON is nested, found out before it is parsed: parsers recurse, each to a depth of its own."""

from __future__ import annotations

import re

# Strings, so that brackets in them do not count, and brackets. A string that does not end reaches to the end of the
# text; every quantifier is possessive, so that the pass is linear for any text.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def is_nested_deeper(text: bytes, limit: int) -> bool:
    """Whether more than `limit` arrays and objects are open at once somewhere in `text`, be it valid or not."""
    # This is all for most requests: two passes at the speed of memory.
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
