"""Payloads of mutations: the written nodes or the user errors, what else the write changed, and the root of queries.

A payload has what a client needs to update its cache without a second request. Everything is derived from the type of
the written node: a record of a conversation has its edge in the conversation's connection, and the conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import strawberry
from strawberry.utils.str_converters import to_camel_case, to_snake_case

from db.problem import Problem, ProblemCode
from db.relations import One
from gql.fields.column import column
from gql.fields.computed import computed
from gql.fields.connection import Edge
from gql.fields.enums import expose
from gql.fields.given import root
from gql.fields.many import ManyField
from gql.fields.node import NODE_TABLES
from gql.fields.objects import objects
from gql.fields.one import either
from gql.fields.written import written_edge, written_owner, written_rows
from gql.queries import Query
from gql.types.conversation import Conversation

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
    named: Sequence[int] = ()
    """The ids of the other nodes that the input names, each once, in its order."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """The values of the payload's further fields."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a mutation's function returns if its payload has further fields."""

    ids: Any
    beside: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Beside:
    """A further field of a payload: null with user errors."""

    annotation: Any
    description: str

    def field(self, name: str) -> Any:
        """The field, which shows the value of this name."""
        return computed(lambda beside: beside.get(name), "beside", description=self.description)


# The fields of a payload: the annotation and the field, by name.
_Members = dict[str, tuple[Any, Any]]


def payload(name: str, written: Any, named: type | None = None, beside: Mapping[str, Beside] | None = None) -> type:
    """The type of a mutation's payload. `written`, `named` and `beside` are as in `mutation`."""
    members: _Members = {}
    if written is not None:
        (node,) = get_args(written) or (written,)
        members = _list(node) if get_args(written) else _single(node)
    members |= {key: (further.annotation | None, further.field(key)) for key, further in (beside or {}).items()}
    if named is not None:
        members |= _named(named)
    members |= {
        "query": (Query, root("The root of queries, in the state after the mutation.")),
        "user_errors": (list[UserError], objects("Errors in the input; empty if the mutation was carried out.")),
    }
    body = {member: declared for member, (_, declared) in members.items()}
    body["__annotations__"] = {member: annotation for member, (annotation, _) in members.items()}
    title = name.title().replace("_", "")
    return strawberry.type(type(f"{title}Payload", (), body), description=f"Result of `{to_camel_case(name)}`.")


def _single(node: type) -> _Members:
    """The written node; if it belongs to a conversation, also its edge and the conversation."""
    name, one = to_snake_case(node.__name__), One("written", NODE_TABLES[node.__name__])
    description = "The record after the mutation; null with user errors, unless it has changed since."
    members: _Members = {name: (node | None, either(one, description=description))}
    listed = _listed(node)
    if listed is not None:
        place = f"{Conversation.__name__}.{to_camel_case(listed.python_name)}"
        edge = written_edge(
            one,
            place,
            listed.order,
            f"The record with its cursor in `{place}` in the default order; null with user errors.",
        )
        owner = written_owner(
            one,
            One.along(listed.many.parent),
            "The conversation of the record, after the mutation; null with user errors.",
        )
        members |= {f"{name}_edge": (Edge[node] | None, edge), "conversation": (Conversation | None, owner)}  # type: ignore[valid-type]
    return members


def _listed(node: type) -> ManyField | None:
    """The connection of a conversation that lists the nodes which belong to it."""
    fields = Conversation.__strawberry_definition__.fields  # type: ignore[attr-defined]
    table = NODE_TABLES[node.__name__]
    lists = (field for field in fields if isinstance(field, ManyField) and not field.many.linked)
    return next((field for field in lists if field.many.target is table), None)


def _list(node: type) -> _Members:
    """The written nodes."""
    description = (
        "The records after the mutation, in the order of the input, repeats once; empty with user errors, "
        "unless one has changed since."
    )
    table = NODE_TABLES[node.__name__]
    return {str(table.__tablename__): (list[node], written_rows(table, "written", description))}  # type: ignore[valid-type]


def _named(node: type) -> _Members:
    """The nodes that the input names."""
    name = f"{node.__name__.lower()}s"
    description = f"The {name} of the input after the mutation, in its order, repeats once; empty with user errors."
    return {name: (list[node], written_rows(NODE_TABLES[node.__name__], "named", description))}  # type: ignore[valid-type]
