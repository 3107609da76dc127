"""Declares mutations: a function that writes in an open transaction becomes a field with a payload type.

The field opens the transaction, calls the function and commits; then the payload is read from a new snapshot, on the
same connection. A function that raises changes nothing: `RejectedError` becomes `userErrors`, any other exception an
error.

A transaction that collided with another one is run again, a few times. One whose connection was lost is not: only the
client knows whether the write may be repeated.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias, get_type_hints

from strawberry.annotation import StrawberryAnnotation

from db import tables as t
from db.engine import Transaction
from db.failure import CollisionError
from db.problem import RejectedError
from gql.context import Context
from gql.fields.cost import Cost, item_cost, times, total
from gql.fields.field import Arguments, Builder, Field, Level, MeasuredField, SelectedField, required_argument
from gql.fields.node import NODE_TABLES, RequiresScopes, require
from gql.log import RETRIES
from gql.mutations.argument import read_ids
from gql.mutations.payload import Beside, Outcome, Written, payload

WRITE_SCOPE = "inbox_write"

# The number of attempts of a write, and the longest wait in seconds before the second one. It doubles each time.
ATTEMPTS = 5
_FIRST_WAIT = 0.02

# What writing one record costs, in nodes. A mutation takes about 2 ms of CPU, as long as hundreds of nodes.
_WRITING = 10

# The function gets the transaction, the viewer and the input, and returns the written id or a list of ids.
Function: TypeAlias = Callable[..., Awaitable[Any]]
Given: TypeAlias = Callable[[Context], Mapping[str, Any]]


def _nothing(_context: Context) -> Mapping[str, Any]:
    return {}


class MutationField(Field):
    """Calls `write` in its own transaction, and resolves to the payload of the outcome."""

    write: Function
    named: type[t.Table] | None
    """The other nodes that the input names, in its field `…_ids`."""
    given: Given
    records: int

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> Outcome:  # noqa: ARG002
        """The outcome; the remembered one if a plan has already executed the write."""
        return await self.carry_out(info.context, info.path.key, kwargs)

    async def carry_out(self, context: Context, key: str, values: Mapping[str, Any]) -> Outcome:
        """The outcome of the write for the response key `key`. Later fields read from a snapshot after it."""
        if key not in context.outcomes:
            # The field before has read its payload. If all kept that connection until they had another one, they would
            # wait for each other.
            await context.renew()
            try:
                context.outcomes[key] = await self._attempt(context, values["input"])
            except Exception as error:  # noqa: BLE001  # it is raised below, and again for another caller
                context.outcomes[key] = error
            # Whatever graphql-core dropped beside an error may still have read during the write.
            await context.renew()
        outcome = context.outcomes[key]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome  # type: ignore[no-any-return]

    async def _attempt(self, context: Context, input: Any) -> Outcome:
        """The outcome of the write, with the other nodes that the input names."""
        outcome = await _carry_out(partial(self.write, **self.given(context)), context, input)
        if self.named is None or outcome.user_errors:
            return outcome
        ids = getattr(input, f"{self.named.__name__.lower()}_ids") or ()
        return replace(outcome, named=list(dict.fromkeys(read_ids(context.viewer, self.named, ids))))

    def cost(self, measured: MeasuredField, below: Cost) -> Cost:
        """The written records: `records`, and one for each item of the input's lists. Then the payload."""
        items = item_cost(measured.nodes[0], "input", measured.max_list)
        return total([below, times(_WRITING, items)], self.records * _WRITING)

    def plan(self, builder: Builder, selected: SelectedField) -> None:
        """Plan the payload like any read."""
        plan = builder.planner.plan_selection(selected, most=builder.most)
        read = builder.planner.read_arguments(self, selected)
        builder.add_step(selected.key, MutationStep(selected.key, self, read, plan))


@dataclass(frozen=True, slots=True)
class MutationStep:
    """Executes the write, and puts the payload into the object."""

    key: str
    field: MutationField
    read: Arguments
    plan: Any

    async def run(self, level: Level) -> None:
        """The root of a mutation is one object."""
        outcome = await self.field.carry_out(level.context, self.key, self.read(level.variables))
        for target in level.objects:
            (target[self.key],) = await level.below(self.plan, [outcome])


def mutation(  # noqa: PLR0913  # each is a part of the declaration
    written: Any,
    scope: str = WRITE_SCOPE,
    *,
    named: type | None = None,
    beside: Mapping[str, Beside] | None = None,
    given: Given = _nothing,
    records: int = 1,
) -> Callable[[Function], Any]:
    """Make a field from `async def name(transaction, viewer, input)`. Its payload has the node of the returned id.

    `written` is a node type, or a list with one, for a function that returns a list of ids, or None for a payload
    without nodes. `named` is the type of other nodes that the payload returns: those of the input's ids, such as
    `booking_ids`. With further fields `beside` them, the function returns `Written`. The function's docstring describes
    the field. The token needs `scope`.

    The function gets what `given` returns for the context, as keyword arguments. `records` is the number of records
    that it writes, besides one for each item of the input.
    """

    def declare(function: Function) -> Any:
        name = function.__name__
        input_type = get_type_hints(function)["input"]
        field = MutationField(
            type_annotation=StrawberryAnnotation(payload(name, written, named, beside) | None),
            description=f"{inspect.getdoc(function)} {require([scope])}",
            directives=[RequiresScopes(scopes=[scope])],
        )
        field.write, field.given, field.records = function, given, records
        field.named = None if named is None else NODE_TABLES[named.__name__]
        field.arguments = [required_argument("input", input_type, "Input of the mutation.")]
        return field

    return declare


async def _carry_out(write: Function, context: Context, input: Any) -> Outcome:
    """The outcome of a write in its own transaction, which is run again if it collides. Raises `UnavailableError`."""
    attempt = 1
    while True:
        transaction: Transaction | None = None
        try:
            async with context.database.write(context.viewer, then=context.begin_later()) as transaction:
                done = await write(transaction, context.viewer, input)
                return Outcome(done.ids, [], beside=done.beside) if isinstance(done, Written) else Outcome(done, [])
        except RejectedError as rejected:
            return Outcome(rejected.present, rejected.problems)
        except CollisionError as collision:
            if attempt == ATTEMPTS:
                raise
            RETRIES[type(collision.__cause__ or collision).__name__] += 1
        finally:
            if transaction is not None:
                context.seconds += transaction.seconds
        # A random wait, so that the transactions that collided do not collide again.
        await asyncio.sleep(random.uniform(0, _FIRST_WAIT * 2 ** (attempt - 1)))  # noqa: S311  # no secret
        attempt += 1
