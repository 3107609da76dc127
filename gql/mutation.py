"""Mutations: a function of an open transaction becomes a field with its payload type.

The field opens the transaction, calls the function, commits, and only then lets the payload be read, from a later
snapshot. A function that raises changes nothing: `RejectedError` becomes `userErrors`, anything else an error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import strawberry
from strawberry.utils.str_converters import to_camel_case

from db.problem import Problem, RejectedError
from db.relations import One
from gql.context import Context
from gql.errors import UserError
from gql.fields import OneField
from gql.node import NODE_TABLES, RequiresScopes

WRITE_SCOPE = "inbox_write"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a payload resolves from: the id of the node that was written, or why nothing was."""

    written: int | None
    user_errors: list[Problem]


def mutation(node: type) -> Callable[[Callable[..., Awaitable[int]]], Any]:
    """Make a field of `async def name(session, viewer, input) -> id`, whose payload holds the `node` with that id.

    The function's docstring describes the field.
    """

    def declare(function: Callable[..., Awaitable[int]]) -> Any:
        payload = _payload(function.__name__, node)

        async def resolve(info: strawberry.Info[Context, None], input: Any) -> Any:
            context = info.context
            try:
                async with context.database.write() as session:
                    outcome = Outcome(await function(session, context.viewer, input), [])
            except RejectedError as rejected:
                outcome = Outcome(None, rejected.problems)
            await context.renew()
            return outcome

        hint: Any = get_type_hints(function)["input"]
        described: Any = Annotated[hint, strawberry.argument(description="What is to be done.")]
        resolve.__annotations__ |= {"input": described, "return": payload}
        return strawberry.field(
            resolver=resolve,
            name=to_camel_case(function.__name__),
            description=function.__doc__,
            directives=[RequiresScopes(scopes=[WRITE_SCOPE])],
        )

    return declare


def _payload(name: str, node: type) -> type:
    field = OneField(python_name=None, description="As it is now; null where nothing was done.")
    field.ones = (One("written", NODE_TABLES[node.__name__]),)
    members = {
        "__annotations__": {node.__name__.lower(): node | None, "user_errors": list[UserError]},
        node.__name__.lower(): field,
        "user_errors": strawberry.field(description="Why nothing was done; empty where it was."),
    }
    title = name.title().replace("_", "")
    return strawberry.type(type(f"{title}Payload", (), members), description=f"What came of `{to_camel_case(name)}`.")
