"""Statements compiled for asyncpg, and the classes of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect

from db.texts import LEFT

if TYPE_CHECKING:
    from sqlalchemy import Delete, Insert, Select, Update

    from db import tables as t

_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]


class Row(asyncpg.Record):  # type: ignore[misc]  # asyncpg ships no types
    """A row of a SELECT, with its columns as attributes. Rows of a table have the subclass `row_type(table)`."""

    __slots__ = ()

    table: ClassVar[type[t.Table]]

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@cache
def row_type(table: type[t.Table]) -> type[Row]:
    """The class of `table`'s rows, by which a GraphQL union or interface finds the type."""
    return type(f"{table.__name__}Row", (Row,), {"table": table, "__slots__": ()})


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A statement for asyncpg: the text, the names of its parameters in order, and the class of its rows."""

    sql: str
    names: tuple[str, ...]
    record_class: type[Row]
    counts_text: bool = False
    """Whether its columns are `db.texts.limited`."""

    @classmethod
    def of(cls, statement: Select[Any] | Insert | Update | Delete, table: type[t.Table]) -> Statement:
        """Compile `statement`, whose rows become rows of `table`. Takes a millisecond: call it once per statement."""
        compiled = statement.compile(dialect=_DIALECT)
        names = tuple(compiled.positiontup or ())
        return cls(str(compiled), names, row_type(table), LEFT in names)

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The values of `parameters` in the statement's order."""
        return [parameters[name] for name in self.names]
