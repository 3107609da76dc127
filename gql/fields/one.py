"""Fields for at most one row, by a foreign key."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import is_non_null_type

from db import tables as t
from db.page import MAX_SIZE
from db.relations import One
from db.selection import Column, Referred
from gql.fields.cost import Cost, total
from gql.fields.field import Builder, FallbackError, Field, Level, MeasuredField, SelectedField
from gql.loaders import load_row, load_rows

# The most rows of a level whose referred rows are selected with them.
MOST_JOINED = MAX_SIZE


class OneField(Field):
    """Resolves to at most one row, by the first of `ones` whose key is set."""

    ones: tuple[One, ...] = ()

    @property
    def targets(self) -> tuple[type[t.Table], ...]:
        """The tables whose rows the field leads to."""
        return tuple(one.target for one in self.ones)

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Awaitable[Any] | None:  # noqa: ARG002
        """The row, from the loader of its table."""
        for one in self.ones:
            id_ = getattr(source, one.key)
            if id_ is not None:
                return load_row(info.context, one.target, id_)
        return None

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:  # noqa: ARG002
        """One node."""
        return total([below], 1)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read the rows together with those of other fields of the level."""
        ways = tuple(self._plan_way(builder, selected, way) for way in self.ones)
        builder.add_step(selected.key, OneStep(selected.key, ways, is_non_null_type(selected.definition.type)))

    def _plan_way(self, builder: Builder, selected: SelectedField, way: One) -> Way:
        """Select the row together with its parent if that is cheaper than a statement."""
        planner, type_ = builder.planner, builder.planner.object_type(way.target)
        self.read_key(builder, way)
        plan = planner.plan(type_, selected.details, builder.most)
        if builder.table is None or builder.most > MOST_JOINED or not plan.is_short:
            planner.count_statements(1)
            builder.merged(References).add(way, plan.columns)
            return Way(way, plan, is_joined=False)
        referred = Referred(way.key, way.target, plan.columns)
        builder.join(referred)
        return Way(way, planner.plan(type_, selected.details, prefix=referred.prefix), is_joined=True)

    def read_key(self, builder: Builder, way: One) -> None:
        """Select the key of the row with its parent."""
        builder.read(way.key)


class Way(NamedTuple):
    """One of the foreign keys of a field, and the plan of the rows that it refers to."""

    one: One
    plan: Any
    is_joined: bool
    """Whether the columns of the plan are in the rows that refer."""


@dataclass(slots=True)
class _Target:
    """A table that a level refers to: the columns that refer to it, and the selected columns of the table."""

    keys: dict[str, None] = field(default_factory=dict)
    columns: frozenset[Column] = frozenset({"id"})


class References:
    """Loads the rows that a level refers to: one statement for each table, for any number of fields."""

    def __init__(self) -> None:
        self._targets: dict[type[t.Table], _Target] = {}

    def add(self, one: One, columns: frozenset[Column]) -> None:
        """Load the rows of `one`, with these columns."""
        target = self._targets.setdefault(one.target, _Target())
        target.keys[one.key] = None
        target.columns |= columns

    async def run(self, level: Level) -> None:
        """Put the rows into `level.found`."""
        for table, target in self._targets.items():
            ids = list({id_: None for key in target.keys for id_ in level.values(key) if id_ is not None})
            rows = await load_rows(level.context, table, ids, target.columns) if ids else []
            level.found[table] = {row["id"]: row for row in rows if row is not None}


@dataclass(frozen=True, slots=True)
class OneStep:
    """Puts the rows that the level refers to into the objects, by the first of `ways` whose key is set."""

    key: str
    ways: tuple[Way, ...]
    required: bool

    async def run(self, level: Level) -> None:
        """Parents that refer to the same row share one object."""
        targets: list[Any] = [None] * len(level.sources)
        # The first way has precedence, so it is written last.
        for one, plan, is_joined in reversed(self.ways):
            ids = level.values(one.key)
            if is_joined:
                # A row that does not exist has no id there.
                found = dict(zip(level.values(f"{one.key}.id"), level.sources, strict=True))
                found.pop(None, None)
            else:
                known = level.found[one.target]
                found = {id_: known[id_] for id_ in ids if id_ in known}
            # Each parent has one of them, so they occur as often as the parents.
            objects = await level.below(plan, list(found.values()), shown=level.shown)
            shown = dict(zip(found, objects, strict=True))
            targets = [earlier if id_ is None else shown.get(id_) for id_, earlier in zip(ids, targets, strict=True)]
        if self.required and None in targets:
            raise FallbackError("a row is missing that must exist")
        for parent, target in zip(level.objects, targets, strict=True):
            parent[self.key] = target


def one(column: Any, *, description: str | None = None) -> Any:
    """A field for the row that the foreign key `column` refers to."""
    return either(column, description=description)


def either(*columns: Any, description: str | None = None) -> Any:
    """A field of a union's type: the row that one of several foreign keys refers to. At most one key is set.

    For sources that are not rows, give `One`s whose keys are attributes.
    """
    field_ = OneField(python_name=None, description=description)
    field_.ones = tuple(column if isinstance(column, One) else One.along(column) for column in columns)
    return field_
