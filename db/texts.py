"""How many bytes of text an operation may read: PostgreSQL counts them, and returns no text beyond that number.

A page may have thousands of rows, each with a text of 65,536 characters. The process would hold all of them before it
could count the first. Only columns of the type `FreeText` are counted: other texts are short, as names are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import BigInteger, bindparam, case, func, literal_column

from db import tables as t

# The parameter for the bytes that may still be read, and the column with those that were read up to and with a row.
LEFT = "bytes_left"
READ = "bytes_read"


class TooLargeError(Exception):
    """What an operation reads or returns has more bytes than it may have."""


def limited(columns: Iterable[Any]) -> list[Any]:
    """`columns` for the outermost SELECT of a statement: a free text that does not fit into `:bytes_left` is null.

    The bytes are added up in the order of the rows. PostgreSQL knows them without decompressing the text.
    """
    columns = list(columns)
    free = [column for column in columns if _is_free(column)]
    if not free:
        return columns
    # `sum` skips nulls, and `+` does not.
    sizes = [func.coalesce(func.octet_length(column), literal_column("0")) for column in free]
    read = func.sum(reduce(add, sizes)).over(rows=(None, 0))
    fits = read <= bindparam(LEFT, type_=BigInteger)
    return [
        *(case((fits, column)).label(column.key) if _is_free(column) else column for column in columns),
        read.label(READ),
    ]


def _is_free(column: Any) -> bool:
    return isinstance(column.type, t.FreeText)
