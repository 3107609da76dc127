"""A cache of compiled statements, by the arguments that their text depends on, bounded by memory.

A maximal number would not bound it: clients choose the filters, and so the length of the texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import Any, Generic, ParamSpec

from db.cache import Cache
from db.criterion import Clause, Denied, Joined, size
from db.engine import Snapshot
from db.statement import Statement

# The most bytes for the statements of one function. A quarter of a megabyte holds those of the usual screens.
MAX_BYTES = 8 * 1024 * 1024
# Bytes that a statement and its arguments take besides its text, and for each character of it. Measured with filters.
_FIXED = 3_000
_PER_CHARACTER = 4

# The most conditions of a statement that is compiled in the event loop, in 1 to 8 ms. The filters of a screen have
# fewer, and need not wait for the computations of others. 100 conditions take 6 ms, and with a cursor 25.
LONG = 10

_P = ParamSpec("_P")


class Kept(Generic[_P]):
    """A function that compiles, with its statements: equal arguments get the same one."""

    def __init__(self, compile_: Callable[_P, Statement]) -> None:
        self.cache: Cache[object, Statement] = Cache(MAX_BYTES // _FIXED, MAX_BYTES)
        self._compile = compile_

    async def find(self, snapshot: Snapshot, *args: _P.args, **kwargs: _P.kwargs) -> Statement:
        """The statement for these arguments, compiled by `snapshot` if it is new. A look-up takes 0.6 µs."""
        key = args, *kwargs.items()
        statement = self.cache.find(key)
        if statement is None:
            is_long = _conditions(args) > LONG
            statement = await snapshot.compile(partial(self._compile, *args, **kwargs), is_long=is_long)
            self.cache.keep(key, statement, _FIXED + _PER_CHARACTER * len(statement.sql))
        return statement


def kept(compile_: Callable[_P, Statement]) -> Kept[_P]:
    """Decorate a function that compiles a statement."""
    return Kept(compile_)


def _conditions(arguments: Iterable[Any]) -> int:
    """The number of conditions among the arguments of a function that compiles."""
    tuples = (argument for argument in arguments if isinstance(argument, tuple))
    return sum(size(each) for each in chain(*tuples) if isinstance(each, Clause | Denied | Joined))
