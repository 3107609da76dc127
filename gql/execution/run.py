"""Runs plans: takes over where graphql-core would complete rows one by one, and does a level of them at once.

What cannot be planned is completed by graphql-core, below the root field that it is part of. Only an answer
without errors is given from plans: where there is any, all is executed again by graphql-core alone, as which errors
there are, and in what order, depends on what ran beside what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy
from typing import Any

from graphql import (
    OperationType,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_list_type,
    is_nullable_type,
)
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from db import tables as t
from db.engine import Row, SnapshotClosedError
from gql.context import Context
from gql.execution.build import UnplannableError
from gql.execution.level import Run
from gql.execution.plan import Details, Planner, Plans, RootPlan
from gql.fields.connection import PendingConnection

# How often a value was completed by graphql-core instead, and why: for operators and tests.
FALLBACKS: Counter[str] = Counter()

# Where the plan of a whole operation is kept, beside those of what is below its root.
_ROOT = ()


async def run_root(plan: RootPlan, context: Context, variables: VariableValues) -> dict[str, Any] | None:
    """The data of a query by its plan; None where that failed, and graphql-core is to answer alone."""
    try:
        return await Run(context, variables).root(plan)
    except SnapshotClosedError:
        # Nobody waits for this any more.
        raise
    except Exception as error:  # noqa: BLE001  # graphql-core does it again and tells what it is
        FALLBACKS[type(error).__name__] += 1
        await context.renew()
        return None


class LevelExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, completing rows by plans. `plans` are kept with the document."""

    def __init__(self, *args: Any, plans: Plans | None = None, alone: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._plans = {} if plans is None else plans.under(self.variable_values.coerced)
        # Whether this is graphql-core alone, and whether the next value is that of a mutation's field.
        self._alone = alone
        self._in_turn = self.operation.operation is OperationType.MUTATION
        # Whether anything was completed by a plan, and whether that failed.
        self._planned = False
        self._failed = False
        # Root fields whose rows graphql-core completes. All below them is its own too, so that its loads are batched.
        self._reference: set[str | int] = set()

    @staticmethod
    def plan_of_all(plans: Plans, variables: VariableValues) -> RootPlan | None:
        """The plan of a whole query, where one was made: for `run_root`, which needs no executor."""
        plan = plans.under(variables.coerced).get(_ROOT)
        return plan if isinstance(plan, RootPlan) else None

    def execute_operation(self, serially: bool | None = None) -> Any:
        """As graphql-core does; a query with errors beside plans is then executed again by it alone."""
        result = super().execute_operation(serially)
        if self._alone or self._in_turn or not self.is_awaitable(result):
            return result
        return self._check_answer(result)

    async def _check_answer(self, result: Awaitable[Any]) -> Any:
        answer = await result
        if not self._planned or not (self._failed or answer.errors):
            return answer
        alone = self.build_per_event_executor(self.root_value)
        return await self._settle((await self._start_again(self, alone)).execute_operation())

    def execute_collected_root_fields(self, root_type: Any, root_value: Any, grouped: Any, *arguments: Any) -> Any:
        """As graphql-core does, but for the root fields of a query that all have plans."""
        if not self._alone and not self._in_turn:
            with suppress(UnplannableError):
                plan = self._plan_at(_ROOT, lambda planner: planner.plan_root(root_type, grouped))
                return self._run_root(plan)
        return super().execute_collected_root_fields(root_type, root_value, grouped, *arguments)

    async def _run_root(self, plan: RootPlan) -> Any:
        data = await run_root(plan, self.context_value, self.variable_values)
        self._planned, self._failed = True, data is None
        return data

    def complete_value(  # noqa: PLR0913, PLR0917  # graphql-core's signature
        self, return_type: Any, field_details_list: Details, info: Any, path: Path, result: Any, position_context: Any
    ) -> Any:
        """Complete rows and connections by their plans, everything else as graphql-core does."""
        arguments = (return_type, field_details_list, info, path, result, position_context)
        if self._alone:
            return super().complete_value(*arguments)
        if self._in_turn:
            return self._complete_in_turn(arguments)
        kind = type(result)
        if kind is PendingConnection or issubclass(kind, Row) or (kind is list and _holds_rows(result)):
            root = _root(path)
            if root not in self._reference:
                return self._complete(root, arguments)
        return super().complete_value(*arguments)

    async def _complete_in_turn(self, arguments: tuple[Any, ...]) -> Any:
        """The value of a mutation's field: where showing it fails, it is shown again, and not written again."""
        attempt: Any = self.build_per_event_executor(self.root_value)
        attempt._in_turn = False  # noqa: SLF001  # one of these
        # Whatever it is, graphql-core meets it again and tells.
        with suppress(Exception):
            completed = await self._settle(attempt.complete_value(*arguments))
            if not attempt._failed and not attempt.collected_errors.errors:  # noqa: SLF001
                return completed
        return await self._settle((await self._start_again(attempt, copy(self))).complete_value(*arguments))

    async def _start_again(self, attempt: Any, alone: Any) -> Any:
        """What executes as graphql-core alone, at a later moment: a statement that failed has spoiled its own."""
        if not attempt._failed:  # noqa: SLF001  # one of these
            FALLBACKS["errors beside plans"] += 1
        await self.context_value.renew()
        alone._alone = True  # noqa: SLF001
        return alone

    async def _settle(self, value: Any) -> Any:
        return await value if self.is_awaitable(value) else value

    async def _complete(self, root: str | int, arguments: tuple[Any, ...]) -> Any:
        """The value by its plan, or graphql-core's; anything at all where a plan has failed, as it will not count."""
        return_type, details, _, path, result, _ = arguments
        try:
            completed = None if self._failed else await self._run(return_type, details, path, result)
        except UnplannableError as error:
            FALLBACKS[str(error)] += 1
            self._reference.add(root)
            return await self._settle(super().complete_value(*arguments))
        except SnapshotClosedError:
            # Nobody waits for this any more.
            raise
        except Exception as error:  # noqa: BLE001  # graphql-core does it again and tells what it is
            FALLBACKS[type(error).__name__] += 1
            completed = None
            self._failed = True
        self._planned = True
        return completed

    async def _run(self, return_type: Any, details: Details, path: Path, result: Any) -> Any:
        run = Run(self.context_value, self.variable_values)
        if isinstance(result, PendingConnection):
            plan = self._plan(path, return_type, lambda planner, type_: planner.plan_connection(type_, details))
            (connection,) = await run.connections(plan, result, [result.parent])
            return connection
        if isinstance(result, Row):
            return (await self._run_rows(run, return_type, details, path, [result]))[0]
        return await self._run_rows(run, _item_type(return_type, result), details, path, result)

    async def _run_rows(self, run: Run, item_type: Any, details: Details, path: Path, rows: list[Any]) -> list[Any]:
        """Objects for rows of any tables, in order, null for none."""
        shown: list[Any] = [None] * len(rows)
        for table in dict.fromkeys(row.table for row in rows if row is not None):
            type_ = self._object_type(table, get_named_type(item_type))
            plan = self._plan(path, type_, lambda planner, found: planner.plan_object(found, details))
            places = [place for place, row in enumerate(rows) if row is not None and row.table is table]
            objects = await run.whole_objects(plan, [rows[place] for place in places])
            for place, shown_object in zip(places, objects, strict=True):
                shown[place] = shown_object
        return shown

    def _object_type(self, table: type[t.Table], declared: Any) -> Any:
        """The type of a table's rows, which must be `declared` or one of its types."""
        type_ = self.schema.get_type(table.__name__)
        if type_ is not declared and not (is_abstract_type(declared) and self.schema.is_sub_type(declared, type_)):  # type: ignore[arg-type]
            raise UnplannableError(f"{table.__name__} where {declared.name} is declared")
        return type_

    def _plan(self, path: Path, type_: Any, make: Callable[[Planner, Any], Any]) -> Any:
        named = get_named_type(type_)
        key = (named.name, *(part for part in path.as_list() if isinstance(part, str)))
        return self._plan_at(key, lambda planner: make(planner, named))

    def _plan_at(self, key: tuple[str, ...], make: Callable[[Planner], Any]) -> Any:
        plan = self._plans.get(key)
        if plan is None:
            planner = Planner(self.schema, lambda object_type, fields: self.collect_subfields(object_type, fields)[0])
            try:
                plan = make(planner)
            except UnplannableError as error:
                plan = error
            self._plans[key] = plan
        if isinstance(plan, UnplannableError):
            raise plan
        return plan


def _holds_rows(result: list[Any]) -> bool:
    return any(isinstance(item, Row) for item in result)


def _item_type(return_type: Any, rows: list[Any]) -> Any:
    """What a list is of, where it holds rows and nulls only, and nulls only where they may be."""
    type_ = get_nullable_type(return_type)
    if not is_list_type(type_):
        raise UnplannableError("a list where none is declared")
    if not all(isinstance(row, Row) or (row is None and is_nullable_type(type_.of_type)) for row in rows):
        raise UnplannableError("errors among rows")
    return type_.of_type


def _root(path: Path) -> str | int:
    while path.prev is not None:
        path = path.prev
    return path.key
