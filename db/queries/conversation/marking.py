"""Where the words of a search are in a text, with the rules of `search_plain()`: case, accents, compounds, prefixes.

Pure. `search_plain()` itself loses the places of words in the original text. If this finds a word that it does not, or
the other way round, only the marking is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from unicodedata import normalize

from db.queries.conversation.match import Word
from db.tables.search import MARKS, UNSEEN, UNSPACED

_DROPPED = re.compile(f"[{MARKS}{UNSEEN}]")
_REPLACED = str.maketrans(
    dict(zip("øłđðħıςٱ", "olddhiσا", strict=True)) | {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}  # noqa: RUF001
)
_CHUNK = re.compile(r"\S+")
_PIECE = re.compile(rf"[{UNSPACED}]+|[^\W_{UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{UNSPACED}]")
# Words of the database are cut there.
_LONGEST = 100


def find_words(text: str, words: Sequence[Word]) -> list[tuple[int, int]]:
    """The start and the end of each place in `text` that matches one of `words`, in order and without overlaps."""
    plain, places = _plain(text)
    found = sorted({place for chunk in _CHUNK.finditer(plain) for place in _match(plain, chunk.span(), words)})
    merged: list[tuple[int, int]] = []
    for start, end in found:
        first, last = places[start], places[end - 1] + 1
        # What was dropped from the end of a word, such as a combining accent, belongs to it.
        while last < len(text) and (last not in places[end : end + 1]) and _DROPPED.fullmatch(text[last]):
            last += 1
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _plain(text: str) -> tuple[str, Sequence[int]]:
    """The text without case and marks, and for each of its characters the place in the original."""
    if text.isascii():
        return text.lower(), range(len(text))
    letters, places = [], []
    for place, char in enumerate(text):
        plain = _DROPPED.sub("", normalize("NFKD", char).lower()).translate(_REPLACED)
        letters.append(plain)
        places += [place] * len(plain)
    return "".join(letters), places


def _match(plain: str, chunk: tuple[int, int], words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """The places within a chunk between spaces: its pieces, or all of it as one word."""
    pieces = [piece.span() for piece in _PIECE.finditer(plain, *chunk)]
    if len(pieces) > 1:
        joined, first = "".join(plain[start:end] for start, end in pieces), pieces[0][1] - pieces[0][0]
        if _is_one_of(joined, [word for word in words if len(word.text) > first]):
            yield pieces[0][0], pieces[-1][1]
            return
    for start, end in pieces:
        piece = plain[start:end]
        if _IS_UNSPACED.match(piece):
            yield from ((start + at, start + at + len(word.text)) for word in words for at in _find(piece, word.text))
        elif _is_one_of(piece, words):
            yield start, end


def _is_one_of(piece: str, words: Sequence[Word]) -> bool:
    piece = piece[:_LONGEST]
    return any(piece.startswith(word.text) if word.is_prefix else piece == word.text for word in words)


def _find(run: str, word: str) -> Iterator[int]:
    """Where a pair of letters of an unspaced script, or a single one, is in a run."""
    at = run.find(word)
    while at >= 0:
        yield at
        at = run.find(word, at + 1)
