"""Fields for the text that a search matched, with its words marked."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from db.criterion import Term
from db.queries.conversation.marking import find_words
from db.queries.conversation.match import Word
from db.queries.conversation.search import find_search
from gql.context import Context
from gql.fields.connection import EdgeField, PendingEdge
from gql.fields.excerpt import DEFAULT_LENGTH, show_on_one_line
from gql.loaders import load_match, load_matches

# Where 50 messages of 300 characters all have a word of the search, a conversation takes about 5 ms of
# PostgreSQL's time, which is charged too.
_MATCHING = 10
# Each character may be escaped for HTML, and each may have a mark of its own.
_LONGEST = DEFAULT_LENGTH * (len("&quot;") + len("<mark></mark>"))
# The part of an excerpt that is before the first word that matches, at most.
_BEFORE = DEFAULT_LENGTH // 3


class MatchField(EdgeField):
    """Resolves to the text that the search of the filter matched, or to null."""

    weight = _MATCHING
    size = _LONGEST
    # For the search's words, and for the texts.
    statements = 2

    async def get_result(self, source: PendingEdge, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The text."""
        search = find_search(source.connection.window.where)
        return None if search is None else await load_match(info.context, search, source.node.id)

    async def load(self, context: Context, where: Sequence[Term], ids: Sequence[int]) -> list[Any]:
        """The texts of a page, if there is a search."""
        search = find_search(where)
        return [None] * len(ids) if search is None else await load_matches(context, search, ids)


def mark_excerpt(text: str, words: Sequence[Word], message_id: int | None) -> str:
    """The part of `text` around the first of `words`, as HTML: on one line, escaped, with matches in `<mark>`."""
    line = show_on_one_line(text)
    places = find_words(line, words)
    if not places and message_id is None:
        # A reference or a phone is matched by its end, whatever its punctuation.
        places = [(0, len(line))]
    start, end = _window(line, *(places[0] if places else (0, 0)))
    shown = ["…"] if start else []
    for first, last in places:
        if first >= end:
            break
        shown += [html.escape(line[start:first]), f"<mark>{html.escape(line[first : min(last, end)])}</mark>"]
        start = min(last, end)
    shown.append(html.escape(line[start:end]))
    return "".join([*shown, "…"] if end < len(line) else shown)


def _window(line: str, first: int, last: int) -> tuple[int, int]:
    """The start and the end of at most `DEFAULT_LENGTH` characters around a place, between words if possible."""
    if len(line) <= DEFAULT_LENGTH:
        return 0, len(line)
    start = max(0, first - _BEFORE)
    if start:
        start = line.find(" ", start - 1, first) + 1 or first
    # Two are left for the ellipses.
    end = min(start + DEFAULT_LENGTH - 2, len(line))
    if not line.startswith(" ", end) and end < len(line):
        space = line.rfind(" ", min(last, end), end)
        end = space if space >= 0 else end
    return start, end


def search_match(description: str) -> Any:
    """A field of an edge for the text that the search of the filter matched."""
    return MatchField(python_name=None, description=description)
