"""How large a response may become: bounded while rows come in, and measured before it is written if that is needed.

What is shown is counted, and not what is read: a text under 30 names is 30 texts, and JSON writes a control character
as six bytes. The number of objects is limited by the cost of the operation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import orjson

from gql.errors import ClientError, Code
from gql.execution.build import ESCAPED, ObjectPlan

# Data of at most so many times the limit is written to be measured.
_MEASURED_AT_ONCE = 4


class ResponseTooLargeError(ClientError):
    """The response would be larger than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The response would have over {limit} bytes: ask for fewer nodes or fields",
            Code.OPERATION_TOO_COMPLEX,
            limit="response",
            maximum=limit,
        )


class ResponseSize:
    """The bytes of an operation's response: at least `least`, at most `most`, as far as rows have come in."""

    def __init__(self, limit: int, nodes: int) -> None:
        self._limit = limit
        self.nodes = nodes
        """How many nodes the operation can return."""
        self.least = 0
        self.most = 0
        self.returned: int | None = 0
        """How many of the nodes were returned or counted, at most; None if graphql-core executed."""

    def add(self, plan: ObjectPlan, rows: Sequence[Any], shown: int) -> None:
        """Count an object for each row, all of which are shown `shown` times together, at most.

        Raises `ResponseTooLargeError` as soon as that is certain, so that nothing more is read.
        """
        self.most += plan.size * shown
        if plan.table is not None:
            self.add_nodes(shown)
        for name, times in plan.texts:
            # Without Python code for each row: of a page with 700 texts it takes 2 % less of the request's time so.
            lengths = list(map(len, filter(None, map(itemgetter(name), rows))))
            if not lengths:
                continue
            own = sum(lengths)
            self.least += own * times
            # Which of the rows are shown more than once is not known here.
            self.most += ESCAPED * times * (max(lengths) * shown if shown > len(rows) else own)
        if self.least > self._limit:
            raise ResponseTooLargeError(self._limit)

    def add_nodes(self, number: int) -> None:
        """Count nodes that the operation is charged for."""
        if self.returned is not None:
            self.returned += number

    def lose(self) -> None:
        """Leave it to `check`: what graphql-core executes is not counted here."""
        self.most = sys.maxsize
        self.returned = None

    def check(self, data: Any) -> None:
        """Raise `ResponseTooLargeError` for data that is too large. It is measured only where it may be."""
        if self.most > _MEASURED_AT_ONCE * self._limit:
            self._measure(data)
        elif self.most > self._limit and len(orjson.dumps(data)) > self._limit:
            raise ResponseTooLargeError(self._limit)

    def _measure(self, data: Any) -> None:
        """The same without ever writing all of it, which takes more time and no memory."""
        size = 0
        for piece in _pieces(data):
            size += piece
            if size > self._limit:
                raise ResponseTooLargeError(self._limit)


def _pieces(value: Any) -> Iterator[int]:
    """The bytes of JSON of a value, part by part."""
    if isinstance(value, dict):
        yield 2
        for key, item in value.items():
            yield len(key) + 4
            yield from _pieces(item)
    elif isinstance(value, list):
        yield 2 + len(value)
        for item in value:
            yield from _pieces(item)
    else:
        yield len(orjson.dumps(value))
