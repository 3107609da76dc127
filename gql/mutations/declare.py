"""Mutations: a function of an open transaction becomes a field with its payload type.

The field opens the transaction, calls the function, commits, and only then lets the payload be read, from a later
snapshot. A function that raises changes nothing: `RejectedError` becomes `userErrors`, anything else an error. Where
the input has an `idempotency_key`, the function is called once for a key, however often the request arrives.

A transaction that PostgreSQL undid for the sake of another one is run again, a few times. One whose connection was lost
is not: only the client knows whether it may be done twice.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, TypeAlias, get_args, get_type_hints

import strawberry
from strawberry.utils.str_converters import to_camel_case

from db import tables as t
from db.engine import CollisionError
from db.problem import Problem, ProblemCode, RejectedError
from db.queries import idempotency
from db.relations import One
from db.scope import Viewer
from gql.context import Context
from gql.fields.enums import expose
from gql.fields.node import NODE_TABLES, RequiresScopes, require
from gql.fields.relation import OneField, RelationField
from gql.loaders import load_row

expose(
    ProblemCode,
    "UserErrorCode",
    BLANK="A value is required.",
    CONFLICT="The idempotency key was used with another input.",
    INVALID="The value is malformed, or not allowed here.",
    NOT_FOUND="The account has no record with this id.",
    READ_ONLY="The record cannot be used by API clients.",
    TOO_LONG="The text is too long.",
    TOO_MANY="The list is too long.",
)


@strawberry.type(description="Why a mutation changed nothing. Users can correct the input.")
class UserError:
    """Resolved from `db.problem.Problem`."""

    message: str = strawberry.field(description="Message for users, in English.")
    path: list[str] = strawberry.field(
        description='Path of the value in the arguments, such as `["input", "bookingIds", "1"]`.'
    )
    code: ProblemCode = strawberry.field(description="Kind of error, for programs.")


WRITE_SCOPE = "inbox_write"
KEY = "idempotency_key"

# How often a write is tried in all, and the longest wait in seconds before the second time; it doubles each time.
ATTEMPTS = 5
_FIRST_WAIT = 0.02

# Calls it with the session, the viewer and the input; it returns the id that was written, or a list of them.
Function: TypeAlias = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a payload resolves from: the ids of the nodes that were written, or why nothing was."""

    written: Any
    user_errors: list[Problem]


class WrittenField(RelationField):
    """Leads to the rows of `table` that were written, in the order of their ids in the outcome."""

    table: type[t.Table]

    async def get_result(self, source: Any, info: Any, args: list[Any], kwargs: dict[str, Any]) -> list[Any]:  # noqa: ARG002
        """The rows, loaded in one batch."""
        rows: list[Any] = await asyncio.gather(
            *(load_row(info.context, self.table, id_) for id_ in source.written or ())
        )
        return rows


def mutation(written: Any) -> Callable[[Function], Any]:
    """Make a field of `async def name(session, viewer, input)`, whose payload holds what the returned id is of.

    `written` is a node type; or a list of one, and then the function returns a list of ids. Where the input has an
    `idempotency_key`, the function takes one more argument: the id to write under, none where no key was given. The
    function's docstring describes the field.
    """

    def declare(function: Function) -> Any:
        name = function.__name__
        input_type = get_type_hints(function)["input"]
        write = _once(name, function) if KEY in get_type_hints(input_type) else function
        payload = _payload(name, written)

        async def resolve(info: strawberry.Info[Context, None], input: Any) -> Any:
            context = info.context
            outcome = await _carry_out(write, context, input)
            await context.renew()
            return outcome

        described: Any = Annotated[input_type, strawberry.argument(description="Input of the mutation.")]
        resolve.__annotations__ |= {"input": described, "return": payload}
        return strawberry.field(
            resolver=resolve,
            name=to_camel_case(name),
            description=f"{function.__doc__} {require([WRITE_SCOPE])}",
            directives=[RequiresScopes(scopes=[WRITE_SCOPE])],
        )

    return declare


async def _carry_out(write: Function, context: Context, input: Any) -> Outcome:
    """What comes of a write in a transaction of its own, run again where it collides. Raises `UnavailableError`."""
    attempt = 1
    while True:
        try:
            async with context.database.write() as session:
                return Outcome(await write(session, context.viewer, input), [])
        except RejectedError as rejected:
            return Outcome(None, rejected.problems)
        except CollisionError:
            if attempt == ATTEMPTS:
                raise
        # By chance, as those that collided would otherwise meet again.
        await asyncio.sleep(random.uniform(0, _FIRST_WAIT * 2 ** (attempt - 1)))  # noqa: S311  # no secret
        attempt += 1


def _once(name: str, function: Function) -> Function:
    """`function`, but what its input's key was used for before is found instead of done again."""

    async def write(session: Any, viewer: Viewer, input: Any) -> Any:
        given = {field: value for field, value in vars(input).items() if value is not strawberry.UNSET}
        key = given.pop(KEY, None)
        if key is None:
            return await function(session, viewer, input, None)
        claim = await idempotency.claim(session, viewer, key, _digest(name, given))
        return claim.id if claim.done else await function(session, viewer, input, claim.id)

    return write


def _digest(name: str, given: Mapping[str, Any]) -> bytes:
    """What tells a request from others: the mutation, and what its input gives, in whatever order."""
    return sha256(json.dumps([name, given], sort_keys=True, default=str).encode()).digest()


def _payload(name: str, written: Any) -> type:
    """The type of a mutation's payload: what was written, named after its type, and the user errors."""
    (node,) = get_args(written) or (written,)
    shown, field = _list_field(node) if get_args(written) else _node_field(node)
    members = {
        "__annotations__": {shown: written if get_args(written) else node | None, "user_errors": list[UserError]},
        shown: field,
        "user_errors": strawberry.field(description="Errors in the input; empty if the mutation was carried out."),
    }
    title = name.title().replace("_", "")
    return strawberry.type(type(f"{title}Payload", (), members), description=f"Result of `{to_camel_case(name)}`.")


def _node_field(node: type) -> tuple[str, Any]:
    field = OneField(python_name=None, description="The record after the mutation; null if there are user errors.")
    field.ones = (One("written", NODE_TABLES[node.__name__]),)
    return node.__name__.lower(), field


def _list_field(node: type) -> tuple[str, Any]:
    field = WrittenField(
        python_name=None,
        description="The records after the mutation, in the order of the input, repeats once; empty with user errors.",
    )
    field.table = NODE_TABLES[node.__name__]
    return f"{node.__name__.lower()}s", field
