"""Declarations that become fields: `column`, `expression`, `one`, `either`, `many`, `through`, `last`, `lookup`.

A type declares a relation in one line, from the columns that make it. The line feeds the resolver and its arguments,
the loaders, and the tests that walk all relations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from db import tables as t
from db.criterion import Criterion, Term
from db.page import BY_ID, Order, Page
from db.relations import Expression, Many, One, Window
from db.scope import Viewer
from gql.context import Context
from gql.errors import Refused
from gql.fields.connection import PendingConnection, read_page
from gql.fields.filters import read_filter
from gql.fields.node import decode_id
from gql.fields.scalars import BigInt
from gql.loaders import load_part, load_row, load_slice


class RelationField(StrawberryField):
    """A field that leads to other rows. Strawberry calls `get_result` with the arguments converted."""

    @property
    def is_basic_field(self) -> bool:
        """False: resolving needs the context."""
        return False


class OneField(RelationField):
    """Leads to at most one row, along the first of `ones` whose key is set."""

    ones: tuple[One, ...] = ()

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Awaitable[Any] | None:  # noqa: ARG002
        """The row, from the loader of its table."""
        for one in self.ones:
            id_ = getattr(source, one.key)
            if id_ is not None:
                return load_row(info.context, one.target, id_)
        return None


@dataclass(frozen=True, slots=True)
class Narrowing:
    """An argument that narrows or orders a connection: its type, its meaning, and how its value is read."""

    annotation: Any
    description: str
    terms: Callable[[Any, Viewer], tuple[Term, ...]] | None = None
    order: Callable[[Any, Any], Order] | None = None


def narrowed(annotation: Any, criterion: Criterion, description: str) -> Narrowing:
    """An argument that asks for rows meeting `criterion`."""
    return Narrowing(
        annotation | None,
        description,
        terms=lambda value, _viewer: () if value is None else (criterion(value),),
    )


def filtered(annotation: Any) -> Narrowing:
    """An argument `filter` of a filter input's type."""
    return Narrowing(annotation | None, "Returns only nodes that match.", terms=read_filter)


def ordered(annotation: Any, order: Callable[[Any, Any], Order]) -> Narrowing:
    """An argument `orderBy` of an order input's type. `order` reads it, and the argument `filter` beside it."""
    return Narrowing(annotation | None, "Order of the nodes.", order=order)


_PAGING: dict[str, tuple[Any, str]] = {
    "first": (int | None, "Returns the first n nodes, 1 to 100; 20 if neither `first` nor `last` is given."),
    "after": (str | None, "Returns nodes after this cursor."),
    "last": (int | None, "Returns the last n nodes, 1 to 100."),
    "before": (str | None, "Returns nodes before this cursor."),
}


class ManyField(RelationField):
    """Leads to a connection. At the root, where there is no source, the parent is the viewer's account."""

    many: Many
    order: Order = BY_ID
    narrowings: Mapping[str, Narrowing]

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> PendingConnection:  # noqa: ARG002
        """The connection, of which nothing is loaded yet."""
        place = f"{info._raw_info.parent_type.name}.{info.field_name}"  # noqa: SLF001
        context: Context = info.context
        return self.connect(context, place, context.viewer.account_id if source is None else source.id, kwargs)

    def connect(self, context: Context, place: str, parent: int, values: Mapping[str, Any]) -> PendingConnection:
        """The connection at `place`, a `Type.field`, of `parent`, narrowed by the arguments' `values`."""
        order = self.order
        where: tuple[Term, ...] = ()
        for name, narrowing in self.narrowings.items():
            if narrowing.order is not None:
                order = narrowing.order(values.get(name), values.get("filter"))
            if narrowing.terms is not None:
                where += narrowing.terms(values.get(name), context.viewer)
        page = read_page(place, order, *(values.get(name) for name in _PAGING))
        return PendingConnection(context, self.many, Window(page, order, where), parent, place)


_IDS: dict[str, tuple[Any, str]] = {
    "id": (strawberry.ID | None, "Global id."),
    "database_id": (BigInt | None, "Integer id, as in the REST API."),
}


class LookupField(RelationField):
    """Leads from the root to the row of `table` that its arguments name, or to none."""

    table: type[t.Table]

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Awaitable[Any | None]:  # noqa: ARG002
        """The row, from the loader of its table."""
        context: Context = info.context
        return load_row(context, self.table, self.find(context.viewer, kwargs))

    def find(self, viewer: Viewer, values: Mapping[str, Any]) -> int:
        """The id to look up. Raises `Refused` where not exactly one is given, and for one of another table."""
        id_, database_id = (values.get(name) for name in _IDS)
        if (id_ is None) == (database_id is None):
            raise Refused("Give exactly one of id and databaseId")
        if id_ is not None:
            return decode_id(id_, self.table).seen_by(viewer)
        assert database_id is not None  # noqa: S101  # one of the two is given
        return int(database_id)


class ExpressionField(RelationField):
    """What is made of other rows, and selected with the row where a plan knows that it is wanted."""

    expression: Expression

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The value, from a loader of its own: rows that are read whole have their columns only."""
        row = await load_part(info.context, source.table, self.expression, source.id)
        return row[self.expression.name]


class LastField(RelationField):
    """Leads to the last row of a connection's order, without the connection around it; to none where it is empty."""

    many: Many
    window: Window

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The row, from a page of one."""
        page = await load_slice(info.context, self.many, self.window, source.id)
        return page.rows[0] if page.rows else None


def column(description: str) -> Any:
    """The row's column of the field's name, shown as it is."""
    return strawberry.field(description=description)


def expression(value: Expression, description: str) -> Any:
    """A value that is computed from other rows and selected with the row."""
    field = ExpressionField(python_name=None, description=description)
    field.expression = value
    return field


def one(column: Any, *, description: str | None = None) -> Any:
    """To the row that the foreign key `column` refers to."""
    return either(column, description=description)


def either(*columns: Any, description: str | None = None) -> Any:
    """To the row that one of several foreign keys refers to, of which at most one is set: a union."""
    field = OneField(python_name=None, description=description)
    field.ones = tuple(One.along(column) for column in columns)
    return field


def many(column: Any, *, order: Order = BY_ID, description: str | None = None, **narrowings: Narrowing) -> Any:
    """To the rows whose foreign key `column` refers to this one. `narrowings` are arguments beyond the page's."""
    return _connection(Many.along(column), order, description, narrowings)


def through(parent: Any, child: Any, *, description: str | None = None) -> Any:
    """To the rows that a link table joins to this one: `parent` and `child` are its foreign keys."""
    return _connection(Many.through(parent, child), BY_ID, description, {})


def lookup(table: type[t.Table], *, description: str | None = None) -> Any:
    """From the root to one row of `table`, by exactly one of its ids."""
    field = LookupField(python_name=None, description=description)
    field.table = table
    field.arguments = _arguments(_IDS)
    return field


def last(column: Any, *, order: Order = BY_ID, description: str | None = None) -> Any:
    """To the last of the rows whose foreign key `column` refers to this one. There may be none."""
    field = LastField(python_name=None, description=description)
    field.many, field.window = Many.along(column), Window(Page(size=1, backward=True), order)
    return field


def _connection(relation: Many, order: Order, description: str | None, narrowings: Mapping[str, Narrowing]) -> Any:
    field = ManyField(python_name=None, description=description)
    field.many, field.order, field.narrowings = relation, order, narrowings
    described = {
        **_PAGING,
        **{name: (narrowing.annotation, narrowing.description) for name, narrowing in narrowings.items()},
    }
    field.arguments = _arguments(described)
    return field


def _arguments(described: Mapping[str, tuple[Any, str]]) -> list[StrawberryArgument]:
    """Optional arguments, each with its type and meaning."""
    return [
        StrawberryArgument(
            python_name=name,
            graphql_name=None,
            type_annotation=StrawberryAnnotation(annotation),
            description=text,
            default=strawberry.UNSET,
        )
        for name, (annotation, text) in described.items()
    ]
