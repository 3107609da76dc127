"""Fields for the first or last row of a relation, without a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import is_non_null_type

from db import tables as t
from db.page import BY_ID, Order, Page
from db.relations import Many, Window
from db.scope import Viewer
from gql.fields.cost import Cost, total
from gql.fields.field import (
    Arguments,
    Builder,
    FallbackError,
    Field,
    Level,
    MeasuredField,
    SelectedField,
    optional_arguments,
)
from gql.fields.many import Narrowing, narrowing_terms
from gql.loaders import load_slice, load_slices


class EndField(Field):
    """Resolves to the only row of `window` among those that refer to the source's `key`; null if there is none.

    The arguments in `narrowings` leave out some of the rows.
    """

    many: Many
    window: Window
    key: str = "id"
    narrowings: Mapping[str, Narrowing]

    @property
    def targets(self) -> tuple[type[t.Table], ...]:
        """The tables whose rows the field leads to."""
        return (self.many.target,)

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ARG002
        """The row, from a page of one."""
        parent = getattr(source, self.key)
        if parent is None:
            return None
        page = await load_slice(info.context, self.many, self.narrow(info.context.viewer, kwargs), parent)
        return page.rows[0] if page.rows else None

    def narrow(self, viewer: Viewer, values: Mapping[str, Any]) -> Window:
        """The window for the arguments' `values`."""
        return self.window._replace(where=narrowing_terms(self.narrowings, values, viewer))

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """One node."""
        return total([below], 1)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read the rows of all parents together."""
        type_ = selected.definition.type
        if is_non_null_type(type_):
            raise FallbackError(f"{self.python_name} may be null where none may be")
        builder.read(self.key)
        read = builder.planner.read_arguments(self, selected)
        target = builder.planner.plan_selection(selected, most=builder.most)
        builder.planner.count_statements(1)
        builder.add_step(selected.key, EndStep(selected.key, self, read, target))


@dataclass(frozen=True, slots=True)
class EndStep:
    """Puts the row of each parent into its object."""

    key: str
    field: EndField
    read: Arguments
    target: Any

    async def run(self, level: Level) -> None:
        """One page of one row for each parent."""
        field, ids = self.field, level.values(self.field.key)
        window = field.narrow(level.context.viewer, self.read(level.variables))
        parents = list({id_: None for id_ in ids if id_ is not None})
        shown: dict[int, Any] = {}
        if parents:
            slices = await load_slices(level.context, field.many, window, parents, self.target.columns)
            found = {parent: page.rows[0] for parent, page in zip(parents, slices, strict=True) if page.rows}
            shown = dict(zip(found, await level.below(self.target, list(found.values())), strict=True))
        for id_, target in zip(ids, level.objects, strict=True):
            target[self.key] = shown.get(id_)


def last(column: Any, *, order: Order = BY_ID, description: str | None = None, **narrowings: Narrowing) -> Any:
    """A field for the last of the rows whose foreign key `column` refers to this one. There may be none.

    `narrowings` are its arguments.
    """
    return _end(column, Window(Page(size=1, backward=True), order), "id", description, narrowings)


def first(column: Any, key: str, *, description: str | None = None) -> Any:
    """A field for the first, by id, of the rows whose foreign key `column` has the source's attribute `key`."""
    return _end(column, Window(Page(size=1)), key, description, {})


def _end(column: Any, window: Window, key: str, description: str | None, narrowings: Mapping[str, Narrowing]) -> Any:
    field = EndField(python_name=None, description=description)
    field.many, field.window, field.key, field.narrowings = Many.along(column), window, key, narrowings
    field.arguments = optional_arguments({name: narrowing.argument for name, narrowing in narrowings.items()})
    return field
