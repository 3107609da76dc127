"""Payloads of mutations: the written nodes, or the user errors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import strawberry
from strawberry.utils.str_converters import to_camel_case

from db import tables as t
from db.problem import Problem, ProblemCode
from db.relations import One
from gql.fields.column import column
from gql.fields.cost import Cost, times, total
from gql.fields.enums import expose
from gql.fields.field import Builder, FallbackError, Field, Level, MeasuredField, SelectedField
from gql.fields.node import NODE_TABLES
from gql.fields.objects import objects
from gql.fields.one import OneField
from gql.loaders import load_row, load_rows

expose(
    ProblemCode,
    "UserErrorCode",
    BLANK="A value is required.",
    CONFLICT="The key or external id was used with another input, or the record has changed since.",
    INVALID="The value is malformed, or not allowed here.",
    NOT_FOUND="The account has no record with this id.",
    READ_ONLY="The record cannot be used by API clients.",
    TOO_LONG="The text is too long.",
    TOO_MANY="The list is too long.",
)


@strawberry.type(description="Why a mutation changed nothing. Users can correct the input.")
class UserError:
    """Resolved from `db.problem.Problem`."""

    message: str = column("Message for users, in English.")
    path: list[str] = column('Path of the value in the arguments, such as `["input", "bookingIds", "1"]`.')
    code: ProblemCode = column("Kind of error, for programs.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The source of a payload: the ids of the written nodes, and the problems if nothing was written."""

    written: Any
    user_errors: Sequence[Problem]


class WrittenField(Field):
    """Resolves to the written rows of `table`, in the order of their ids in the outcome."""

    table: type[t.Table]

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> list[Any]:  # noqa: ARG002
        """The rows, loaded in one batch."""
        rows: list[Any] = await asyncio.gather(
            *(load_row(info.context, self.table, id_) for id_ in source.written or ())
        )
        return rows

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:
        """As many nodes as a list may have."""
        return times(measured.max_list, total([below], 1))

    def statements(self, measured: MeasuredField) -> int:  # noqa: ARG002
        """One."""
        return 1

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Read the rows with the columns that are selected."""
        plan = builder.planner.plan(builder.planner.object_type(self.table), selected.details)
        builder.add_step(selected.key, WrittenStep(selected.key, self.table, plan))


@dataclass(frozen=True, slots=True)
class WrittenStep:
    """Puts the written rows into the payload."""

    key: str
    table: type[t.Table]
    plan: Any

    async def run(self, level: Level) -> None:
        """One statement, because a level has one payload."""
        for source, target in zip(level.sources, level.objects, strict=True):
            ids = source.written or []
            rows = await load_rows(level.context, self.table, ids, self.plan.columns) if ids else []
            if None in rows:
                raise FallbackError("a row is missing that must exist")
            target[self.key] = await level.below(self.plan, rows)


def payload(name: str, written: Any) -> type:
    """The type of a mutation's payload: the written nodes, in a field named after their type, and the user errors."""
    (node,) = get_args(written) or (written,)
    shown, field = _list_field(node) if get_args(written) else _node_field(node)
    members = {
        "__annotations__": {shown: written if get_args(written) else node | None, "user_errors": list[UserError]},
        shown: field,
        "user_errors": objects("Errors in the input; empty if the mutation was carried out."),
    }
    title = name.title().replace("_", "")
    return strawberry.type(type(f"{title}Payload", (), members), description=f"Result of `{to_camel_case(name)}`.")


def _node_field(node: type) -> tuple[str, Any]:
    field = OneField(
        python_name=None,
        description="The record after the mutation; null with user errors, unless it has changed since.",
    )
    field.ones = (One("written", NODE_TABLES[node.__name__]),)
    return node.__name__.lower(), field


def _list_field(node: type) -> tuple[str, Any]:
    field = WrittenField(
        python_name=None,
        description="The records after the mutation, in the order of the input, repeats once; empty with user errors, "
        "unless one has changed since.",
    )
    field.table = NODE_TABLES[node.__name__]
    return f"{node.__name__.lower()}s", field
