"""Limits the size of a response: estimated while rows are read, and measured before it is written if necessary.

PostgreSQL counts the texts that an operation reads, and returns at most twice the limit (`db.texts`).

The values in the response are counted, not those read: a text with 30 aliases is 30 texts, and a control character is
six bytes in JSON. The number of objects is limited by the cost of the operation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import orjson

from db.texts import TooLargeError
from gql.errors import ClientError, Code
from gql.execution.build import ESCAPED, ObjectPlan

# Some texts are read and not returned: each page reads one more row, which shows that there is another page. So an
# operation may read more text than it can return.
READ_AND_SHOWN = 2
# Data up to this multiple of the limit are measured by writing them.
_MEASURED_AT_ONCE = 4


def too_large(limit: int) -> ClientError:
    """What a client gets for `TooLargeError`."""
    message = f"The response would have over {limit} bytes: ask for fewer nodes or fields"
    return ClientError(message, Code.OPERATION_TOO_COMPLEX, limit="response", maximum=limit)


class ResponseSize:
    """The bytes of an operation's response for the rows read so far: at least `least`, at most `most`."""

    def __init__(self, limit: int, nodes: int) -> None:
        self._limit = limit
        self.nodes = nodes
        """The most nodes that the operation can return."""
        self.least = 0
        self.most = 0
        self.returned: int | None = 0
        """The nodes that were returned, each once, or counted; None if graphql-core executed."""

    def add(self, plan: ObjectPlan, rows: Sequence[Any], shown: int) -> None:
        """Count an object for each row. The objects occur at most `shown` times in total.

        Raises `TooLargeError` as soon as it is certain, so that no more rows are read.
        """
        self.most += plan.size * shown
        if plan.table is not None:
            # A row that several objects refer to is read and made into an object once.
            self.add_nodes(len(rows))
        for name, times in plan.texts:
            # Without Python code for each row, which takes 2 % less of the request's time for a page with 700 texts.
            lengths = list(map(len, filter(None, map(itemgetter(name), rows))))
            if not lengths:
                continue
            own = sum(lengths)
            self.least += own * times
            # It is not known which of the rows occur more than once.
            self.most += ESCAPED * times * (max(lengths) * shown if shown > len(rows) else own)
        if self.least > self._limit:
            raise TooLargeError

    def add_nodes(self, number: int) -> None:
        """Count nodes that the operation is charged for."""
        if self.returned is not None:
            self.returned += number

    def lose(self) -> None:
        """Leave the measuring to `check`, because the results of graphql-core are not counted."""
        self.most = sys.maxsize
        self.returned = None

    def check(self, data: Any) -> None:
        """Raise `TooLargeError` for data that are too large. They are measured only if they may be."""
        if self.most > _MEASURED_AT_ONCE * self._limit:
            self._measure(data)
        elif self.most > self._limit and len(orjson.dumps(data)) > self._limit:
            raise TooLargeError

    def _measure(self, data: Any) -> None:
        """Measure without writing all of it, which takes more time but no memory."""
        size = 0
        for piece in _pieces(data):
            size += piece
            if size > self._limit:
                raise TooLargeError


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
