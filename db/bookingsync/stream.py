"""Reads a JSON file of any size, one array element at a time.

The file must hold an object whose values are arrays, as in `{"hosts": [{"id": 1}, …], "meta": {…}}`. It may be
compressed with gzip. The elements can be any JSON values.

Memory holds one piece of the file; a value may have at most `LONGEST` characters and `max_depth` levels. Values are
decoded by the standard library, whose decoder returns where a value ends, so reading can stop after any element and
continue there later. For invalid JSON between balanced brackets, only the element that contains it is skipped; for any
other invalid JSON, the rest of the file.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple, NoReturn

from db.nesting import is_nested_deeper

# The least number of bytes to read at a time, and the greatest number of characters of one value.
PIECE = 1 << 18
LONGEST = 1 << 22
# The default limit on the levels of one value.
MAX_DEPTH = 100

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_WHOLE_STRING = re.compile(_STRING, re.DOTALL)
# Matches whole strings (so that brackets in them do not count), brackets, and the start of a string without an end.
_BALANCE = re.compile(rf'{_STRING}|[\[\]{{}}"]', re.DOTALL)
_BARE = re.compile(r'[^,\[\]{}"\s]*')
_BOM = "\ufeff"


class UnreadableError(Exception):
    """The rest of the file cannot be read. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Replaces a value that is not JSON. `text` says what is wrong, and where."""

    text: str


@dataclass(frozen=True, slots=True)
class Array:
    """An array starts under the key `name`; its elements follow."""

    name: str


class Element(NamedTuple):
    """The element at index `place` of the array under `name`. What follows it starts at the byte `end` of the file."""

    name: str
    place: int
    value: object
    end: int


@dataclass(frozen=True, slots=True)
class NoArray:
    """A value under `name` that is not an array."""

    name: str
    value: object


class Start(NamedTuple):
    """Where to continue: at the byte `offset`, before the element at index `place` of the array under `name`."""

    offset: int
    name: str
    place: int


Part = Array | Element | NoArray


@contextmanager
def open_file(file: Path) -> Iterator[BufferedIOBase]:
    """Open a file for reading bytes; one whose name ends in `.gz` is decompressed.

    Raises OSError, also if the compressed data are damaged or end early.
    """
    try:
        with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as opened:
            yield opened
    except (EOFError, zlib.error) as error:
        raise OSError(None, f"the compressed data are damaged: {error}") from error


def read_arrays(file: Path, start: Start | None = None, max_depth: int = MAX_DEPTH) -> Iterator[Part]:
    """Yield the parts of the object in `file`, from `start` on.

    Raises OSError, and UnreadableError if the file holds no such object or stops being JSON. A byte that is not UTF-8
    becomes a lone surrogate in a string, as does an escaped surrogate: the caller must reject those.
    """
    with open_file(file) as source:
        text = _Text(source, max_depth)
        if start is None:
            yield from _read_object(text)
        else:
            text.skip(start.offset)
            yield from _read_elements(text, start.name, start.place)
            yield from _read_members(text)
        if text.peek():
            text.fail("nothing more is expected")


def _read_object(text: _Text) -> Iterator[Part]:
    if text.peek() == _BOM:
        text.take(_BOM)
    if not text.take("{"):
        value = text.value()
        raise UnreadableError(
            value.text if isinstance(value, Broken) else "is not an object with an array for each kind of record"
        )
    if not text.take("}"):
        yield from _read_member(text)
        yield from _read_members(text)


def _read_members(text: _Text) -> Iterator[Part]:
    while text.take(","):
        yield from _read_member(text)
    if not text.take("}"):
        text.fail("',' or '}' is expected")


def _read_member(text: _Text) -> Iterator[Part]:
    name = text.value() if text.peek() == '"' else None
    if not isinstance(name, str):
        text.fail("a name in double quotes is expected")
    if not text.take(":"):
        text.fail("':' is expected")
    if not text.take("["):
        yield NoArray(name, text.value())
        return
    yield Array(name)
    if not text.take("]"):
        yield Element(name, 0, text.value(), text.offset())
        yield from _read_elements(text, name, 1)


def _read_elements(text: _Text, name: str, place: int) -> Iterator[Element]:
    while text.take(","):
        yield Element(name, place, text.value(), text.offset())
        place += 1
    if not text.take("]"):
        text.fail("',' or ']' is expected")


def _reject(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _Text:
    """The text of a file, one piece at a time, and the position in it."""

    def __init__(self, source: BufferedIOBase, max_depth: int) -> None:
        self._source = source
        self._max_depth = max_depth
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._decode = json.JSONDecoder(parse_constant=_reject).raw_decode
        self._ended = False
        self._piece = ""
        self._at = 0
        # The line in which the piece starts, and how many characters of that line come before the piece.
        self._line = 1
        self._column = 0
        # The file has `_bytes` bytes up to the character `_counted` of the piece.
        self._counted = 0
        self._bytes = 0

    def offset(self) -> int:
        """How many bytes of the file have been read."""
        self._bytes += _size(self._piece[self._counted : self._at])
        self._counted = self._at
        return self._bytes

    def peek(self) -> str:
        """The next character that is not white space; empty at the end of the file."""
        while True:
            self._at = _SPACE.match(self._piece, self._at).end()  # type: ignore[union-attr]  # it matches nothing too
            if self._at < len(self._piece):
                return self._piece[self._at]
            if not self._more():
                return ""

    def take(self, character: str) -> bool:
        """Move past the next character if it is this one."""
        if self.peek() != character:
            return False
        self._at += 1
        return True

    def skip(self, offset: int) -> None:
        """Move past the first `offset` bytes of the file, which end with a value. They are read to count lines."""
        while self.offset() < offset and self._more():
            rest = self._piece.encode("utf-8", "surrogateescape")[: offset - self._bytes]
            self._at = len(rest.decode("utf-8", "surrogateescape"))

    def value(self) -> object:
        """The next value, or a Broken in its place."""
        if self.peek() not in {"[", "{", '"'}:
            return self._bare()
        while True:
            try:
                value, end = self._decode(self._piece, self._at)
            except (ValueError, RecursionError) as error:
                # Without an end, the value may only be cut off by the end of the piece.
                if (balanced := self._end()) is not None:
                    broken = Broken(self._reason(error))
                    self._at = balanced
                    return broken
                if not self._more():
                    raise UnreadableError(self._reason(error)) from error
            else:
                if self._is_deep(end):
                    value = Broken(self._describe(self._at, self._too_deep()))
                self._at = end
                return value

    def _bare(self) -> object:
        """The next value, a number or a literal such as `null`. It ends where anything else starts."""
        while (end := _BARE.match(self._piece, self._at).end()) == len(self._piece):  # type: ignore[union-attr]  # it matches nothing too
            if not self._more():
                break
        try:
            value, read = self._decode(self._piece, self._at)
            if read < end:
                raise json.JSONDecodeError("not part of a number", self._piece, read)
        except ValueError as error:
            if end == self._at == len(self._piece):
                raise UnreadableError(self._reason(error)) from error
            value = Broken(self._reason(error))
        self._at = end
        return value

    def fail(self, text: str) -> NoReturn:
        """Give up on the file."""
        raise UnreadableError(self._describe(self._at, text))

    def _end(self) -> int | None:
        """Where the value's quotes or brackets close; None if they do not close in this piece."""
        if self._piece[self._at] != '"':
            return self._balanced()
        string = _WHOLE_STRING.match(self._piece, self._at)
        return string.end() if string else None

    def _balanced(self) -> int | None:
        depth = 0
        for match in _BALANCE.finditer(self._piece, self._at):
            mark = match[0]
            if mark == '"':
                return None
            depth += (mark in "[{") - (mark in "]}")
            if depth == 0:
                return match.end()
        return None

    def _is_deep(self, end: int) -> bool:
        return is_nested_deeper(self._piece[self._at : end].encode("utf-8", "surrogatepass"), self._max_depth)

    def _too_deep(self) -> str:
        return f"a value has more than {self._max_depth} levels"

    def _more(self) -> bool:
        """Drop the part that was used, and read at least as much as is left; False at the end, and beyond `LONGEST`."""
        if self._ended or len(self._piece) - self._at > LONGEST:
            return False
        self.offset()
        self._line, self._column = self._place(self._at)
        rest = self._piece[self._at :]
        data = self._source.read(max(PIECE, len(rest)))
        self._ended = not data
        self._piece = rest + self._decoder.decode(data, final=self._ended)
        self._at = self._counted = 0
        return True

    def _place(self, at: int) -> tuple[int, int]:
        """The line of a character of the piece, and how many characters of that line come before it."""
        lines = self._piece.count("\n", 0, at)
        column = at - self._piece.rindex("\n", 0, at) - 1 if lines else self._column + at
        return self._line + lines, column

    def _reason(self, error: Exception) -> str:
        if len(self._piece) - self._at > LONGEST:
            return self._describe(self._at, f"a value is longer than {LONGEST:,} characters")
        # Newer interpreters decode more levels, and then report a missing end instead.
        if isinstance(error, RecursionError) or (isinstance(error, json.JSONDecodeError) and self._is_deep(error.pos)):
            return self._describe(self._at, self._too_deep())
        if not isinstance(error, json.JSONDecodeError):
            return self._describe(self._at, str(error))
        return self._describe(error.pos, error.msg[0].lower() + error.msg[1:])

    def _describe(self, at: int, text: str) -> str:
        line, column = self._place(at)
        return f"is not JSON: line {line} column {column + 1}: {text}"


def _size(text: str) -> int:
    """How many bytes a part of the file has, including those that are not UTF-8."""
    return len(text.encode("utf-8", "surrogateescape"))
