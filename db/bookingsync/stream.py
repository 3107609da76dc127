"""A JSON file of any size, read an element of its arrays at a time.

What is expected is an object whose values are arrays, as in `{"hosts": [{"id": 1}, …], "meta": {…}}`; nothing is known
of what is in them. Memory holds one piece of the file, and no value may be longer than `LONGEST`. Values are decoded by
the standard library, whose decoder says where a value ends: a reader can stop between two elements, and another one go
on from there. What is no JSON between balanced brackets costs the element that it is in; anything else, the rest of the
file.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

# Bytes read at a time, at least, and characters that one value may have.
PIECE = 1 << 18
LONGEST = 1 << 22

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_WHOLE_STRING = re.compile(_STRING, re.DOTALL)
# Whole strings, so that brackets in them do not count, brackets, and the beginning of a string that does not end.
_BALANCE = re.compile(rf'{_STRING}|[\[\]{{}}"]', re.DOTALL)
_BARE = re.compile(r'[^,\[\]{}"\s]*')
_BOM = "\ufeff"


class UnreadableError(Exception):
    """The rest of the file cannot be read; the message says from where on, and why."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands for a value that is no JSON: what is wrong with it, and where."""

    text: str


@dataclass(frozen=True, slots=True)
class Array:
    """An array begins under `name`; its elements follow."""

    name: str


class Element(NamedTuple):
    """The element `place` of the array under `name`; what follows it begins at the byte `end` of the file."""

    name: str
    place: int
    value: object
    end: int


@dataclass(frozen=True, slots=True)
class NoArray:
    """What stands under `name` and is no array."""

    name: str
    value: object


class Start(NamedTuple):
    """Where to begin: at the byte `offset`, behind the element before `place` of the array under `name`."""

    offset: int
    name: str
    place: int


Found = Array | Element | NoArray


def read_arrays(file: Path, start: Start | None = None) -> Iterator[Found]:
    """Yield what the object in `file` has, from `start` on.

    Raises UnreadableError where the file is not such an object, or ends being one, and OSError. A byte that is no UTF-8
    comes as a lone surrogate in a string, as an escaped one does: the caller is to refuse those.
    """
    with file.open("rb") as source:
        text = _Text(source)
        if start is None:
            yield from _read_object(text)
        else:
            text.skip(start.offset)
            yield from _read_elements(text, start.name, start.place)
            yield from _read_members(text)
        if text.peek():
            text.fail("nothing more is expected")


def _read_object(text: _Text) -> Iterator[Found]:
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


def _read_members(text: _Text) -> Iterator[Found]:
    while text.take(","):
        yield from _read_member(text)
    if not text.take("}"):
        text.fail("',' or '}' is expected")


def _read_member(text: _Text) -> Iterator[Found]:
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


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class _Text:
    """The text of a file, a piece of it at a time, and how far it has been read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._decode = json.JSONDecoder(parse_constant=_refuse).raw_decode
        self._ended = False
        self._piece = ""
        self._at = 0
        # The line in which the piece begins, and how many characters of it are before the piece.
        self._line = 1
        self._column = 0
        # Up to `_counted` in the piece, the file has `_bytes`.
        self._counted = 0
        self._bytes = 0

    def offset(self) -> int:
        """Bytes of the file that have been read."""
        self._bytes += _size(self._piece[self._counted : self._at])
        self._counted = self._at
        return self._bytes

    def peek(self) -> str:
        """The next character that is no space; none at the end of the file."""
        while True:
            self._at = _SPACE.match(self._piece, self._at).end()  # type: ignore[union-attr]  # it matches nothing too
            if self._at < len(self._piece):
                return self._piece[self._at]
            if not self._more():
                return ""

    def take(self, character: str) -> bool:
        """Pass the next character if it is this one."""
        if self.peek() != character:
            return False
        self._at += 1
        return True

    def skip(self, offset: int) -> None:
        """Pass the first `offset` bytes of the file, which end with a value. They are read, as lines count."""
        while self.offset() < offset and self._more():
            rest = self._piece.encode("utf-8", "surrogateescape")[: offset - self._bytes]
            self._at = len(rest.decode("utf-8", "surrogateescape"))

    def value(self) -> object:
        """The next value, or a Broken in its place."""
        if self.peek() not in {"[", "{", '"'}:
            return self._bare()
        while True:
            try:
                value, self._at = self._decode(self._piece, self._at)
            except (ValueError, RecursionError) as error:
                # Without an end, the value may only be cut off by the end of the piece.
                if (end := self._end()) is not None:
                    broken = Broken(self._reason(error))
                    self._at = end
                    return broken
                if not self._more():
                    raise UnreadableError(self._reason(error)) from error
            else:
                return value

    def _bare(self) -> object:
        """The next value, which is a number or a name, and so has its end where something else begins."""
        while (end := _BARE.match(self._piece, self._at).end()) == len(self._piece):  # type: ignore[union-attr]  # it matches nothing too
            if not self._more():
                break
        try:
            value, read = self._decode(self._piece, self._at)
            if read < end:
                raise json.JSONDecodeError("no part of a number", self._piece, read)
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
        """Where the value ends by its quotes or its brackets; None where that is not in sight."""
        if self._piece[self._at] != '"':
            return self._balanced()
        found = _WHOLE_STRING.match(self._piece, self._at)
        return found.end() if found else None

    def _balanced(self) -> int | None:
        depth = 0
        for found in _BALANCE.finditer(self._piece, self._at):
            mark = found[0]
            if mark == '"':
                return None
            depth += (mark in "[{") - (mark in "]}")
            if depth == 0:
                return found.end()
        return None

    def _more(self) -> bool:
        """Forget what has been read, and read as much again as is left; False at the end, and beyond `LONGEST`."""
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
        """The line of a character of the piece, and how many characters of it are before that one."""
        lines = self._piece.count("\n", 0, at)
        column = at - self._piece.rindex("\n", 0, at) - 1 if lines else self._column + at
        return self._line + lines, column

    def _reason(self, error: Exception) -> str:
        if len(self._piece) - self._at > LONGEST:
            return self._describe(self._at, f"a value is longer than {LONGEST:,} characters")
        if not isinstance(error, json.JSONDecodeError):
            return self._describe(self._at, str(error))
        return self._describe(error.pos, error.msg[0].lower() + error.msg[1:])

    def _describe(self, at: int, text: str) -> str:
        line, column = self._place(at)
        return f"is not JSON: line {line} column {column + 1}: {text}"


def _size(text: str) -> int:
    """Bytes of a piece of the file, those included that are not UTF-8."""
    return len(text.encode("utf-8", "surrogateescape"))
