"""A cache of compiled statements, by the arguments that their text depends on, bounded by memory.

A maximal number would not bound it: clients choose the filters, and so the length of the texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from cachetools import LRUCache, cached

from db.engine import Statement

# The most bytes for the statements of one function. A quarter of a megabyte holds those of the usual screens.
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
