"""Fields for the beginning of a text, on one line and without markup, as lists show it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.selection import Expression
from gql.errors import ClientError
from gql.fields.field import Argument, Arguments, Builder, Field, Level, SelectedField, optional_arguments

DEFAULT_LENGTH = 140
MAX_LENGTH = 500
# Characters of the text from which the beginning is made. Tags take some of them.
MAX_READ = 4_000

# The most bytes of JSON of a character. The text has no control characters, which would take six.
_LONGEST_CHARACTER = 4
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|head)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
# Tags within a word; all others are replaced by a space.
_INLINE = re.compile(r"</?(?:a|abbr|b|em|font|i|mark|s|small|span|strong|sub|sup|u)(?:\s[^<>]*)?>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>]*>|<![^<>]*>", re.IGNORECASE)
_UNFINISHED_TAG = re.compile(r"<[/!a-z][^<>]*\Z", re.IGNORECASE)
# With their semicolon only: "?a=1&copy=2" has none.
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_GAP = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def show_on_one_line(content: str) -> str:
    """The text without HTML tags and comments, and with a single space for each gap."""
    if "<" in content:
        content = _TAG.sub(" ", _INLINE.sub("", _HIDDEN.sub(" ", content)))
    if "&" in content:
        content = _REFERENCE.sub(lambda found: html.unescape(found[0]), content)
    return _GAP.sub(" ", content).strip()


def shorten(text: str, length: int, *, is_whole: bool = True) -> str:
    """At most `length` characters of a line, cut after a word if one ends in its second half. `…` is for the rest.

    `is_whole` is false for a line that is itself a beginning.
    """
    if len(text) <= length and is_whole:
        return text
    kept = text[: length - 1]
    if not text.startswith(" ", length - 1):
        end = kept.rfind(" ", len(kept) // 2)
        kept = kept[:end] if end >= 0 else kept
    return f"{kept.rstrip()}…"


def begin(content: str, length: int) -> str:
    """The first `length` characters of a text that is shown on one line. `content` has at most `MAX_READ` and one."""
    is_whole = len(content) <= MAX_READ
    if not is_whole:
        content = _UNFINISHED_TAG.sub("", content[:MAX_READ])
    return shorten(show_on_one_line(content), length, is_whole=is_whole)


class ExcerptField(Field):
    """Resolves to the beginning of the text in the column `column`. `beginning` selects only what is read of it."""

    column: str
    beginning: Expression

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> str:  # noqa: ARG002
        """The excerpt of the whole text."""
        return begin(getattr(source, self.column)[: MAX_READ + 1], read_length(kwargs))

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Select the beginning of the text with the row."""
        builder.read(self.beginning)
        read = builder.planner.read_arguments(self, selected)
        builder.add_step(selected.key, ExcerptStep(selected.key, self.beginning.name, read))


@dataclass(frozen=True, slots=True)
class ExcerptStep:
    """Puts the excerpts into the objects of a level."""

    key: str
    beginning: str
    read: Arguments

    async def run(self, level: Level) -> None:
        """Shorten each text."""
        length = read_length(self.read(level.variables))
        level.count(_LONGEST_CHARACTER * length, len(level.sources))
        for content, target in zip(level.values(self.beginning), level.objects, strict=True):
            target[self.key] = begin(content, length)


def read_length(values: Mapping[str, Any]) -> int:
    """The argument `length`. Raises `ClientError` if it is out of range."""
    length: int | None = values.get("length")
    if length is None:
        return DEFAULT_LENGTH
    if not 1 <= length <= MAX_LENGTH:
        raise ClientError(f"length must be from 1 to {MAX_LENGTH}, not {length}")
    return length


def excerpt(beginning: Expression, column: Any, description: str) -> Any:
    """A field for the beginning of the text in `column`; `beginning` is its first `MAX_READ` characters and one."""
    field = ExcerptField(python_name=None, description=description)
    field.beginning, field.column = beginning, column.key
    field.arguments = optional_arguments(
        {"length": Argument(int | None, f"The most characters, 1 to {MAX_LENGTH}.", DEFAULT_LENGTH)}
    )
    return field
