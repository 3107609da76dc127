"""Strategies for documents: anything that the schema allows, with what trips executors up drawn often.

Fragments of all kinds, aliases, the same field twice, `@skip` and `@include` on variables, arguments from literals and
variables, abstract types. Ids and cursors are drawn from what the caller gives, so that documents find something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from graphql import (
    GraphQLCompositeType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
    is_required_argument,
)
from hypothesis import strategies as st

_T = TypeVar("_T")

_ALIASES = ("a", "b", "c")
_PAGES = (
    "",
    "first: 1",
    "first: 3",
    "last: 2",
    "first: 100",
    "last: 5",
    "first: $some",
    "first: null",
    "first: 0",
    'after: "x"',
)


@dataclass
class Draft:
    """A document being written."""

    schema: GraphQLSchema
    ids: Sequence[str]
    draw: Any
    fragments: list[str] = field(default_factory=list)

    def choose(self, options: Sequence[_T]) -> _T:
        """One of `options`."""
        chosen: _T = self.draw(st.sampled_from(options))
        return chosen

    def rarely(self) -> bool:
        """True one time in six."""
        return bool(self.draw(st.integers(0, 5)) == 0)


@st.composite
def documents(draw: Any, schema: GraphQLSchema, ids: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """A query with its variables."""
    draft = Draft(schema, ids, draw)
    assert schema.query_type is not None
    body = _selections(draft, schema.query_type, draw(st.integers(2, 4)))
    variables = {"yes": draw(st.booleans()), "no": draw(st.booleans()), "some": draw(st.sampled_from([1, 2, 20]))}
    head = "query Drawn($yes: Boolean!, $no: Boolean = true, $some: Int = 2)"
    if draft.rarely():
        del variables["no"]
    uses = "_uses: __typename @include(if: $yes) @skip(if: $no) _more: sources(first: $some) { totalCount }"
    return "\n".join([f"{head} {{ {uses} {body} }}", *draft.fragments]), variables


def _selections(draft: Draft, type_: GraphQLCompositeType, depth: int) -> str:
    parts = [_selection(draft, type_, depth) for _ in range(draft.draw(st.integers(1, 4)))]
    if draft.rarely():
        parts.append(parts[0])
    return " ".join(parts)


def _selection(draft: Draft, type_: GraphQLCompositeType, depth: int) -> str:
    kind = draft.draw(st.integers(0, 9)) if depth >= 0 else 1
    if (kind == 0 or isinstance(type_, GraphQLUnionType)) and depth >= 0:
        return _fragment(draft, type_, depth)
    if kind == 1 or isinstance(type_, GraphQLUnionType):
        return f"__typename{_condition(draft)}"
    return _field(draft, type_, depth)


def _field(draft: Draft, type_: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
    names = [name for name, definition in type_.fields.items() if depth > 0 or _is_leaf(definition)]
    if not names:
        return "__typename"
    name = draft.choose(names)
    definition = type_.fields[name]
    alias = f"{draft.choose(_ALIASES)}: " if draft.rarely() else ""
    inner = get_named_type(definition.type)
    nested = f" {{ {_selections(draft, inner, depth - 1)} }}" if is_composite_type(inner) else ""
    return f"{alias}{name}{_arguments(draft, definition)}{_condition(draft)}{nested}"


def _fragment(draft: Draft, type_: GraphQLCompositeType, depth: int) -> str:
    peers: list[GraphQLCompositeType] = [type_]
    if is_abstract_type(type_):
        peers += draft.schema.get_possible_types(type_)
    elif isinstance(type_, GraphQLObjectType):
        peers += type_.interfaces
    on = draft.choose(peers)
    inner = "__typename" if isinstance(on, GraphQLUnionType) else _selections(draft, on, depth - (on is type_))
    if draft.rarely() and on is type_ and not isinstance(on, GraphQLUnionType):
        return f"...{_condition(draft)} {{ {inner} }}"
    if draft.rarely():
        name = f"F{len(draft.fragments)}"
        draft.fragments.append("")
        draft.fragments[int(name[1:])] = f"fragment {name} on {on.name} {{ {inner} }}"
        return f"...{name}{_condition(draft)}"
    return f"... on {on.name}{_condition(draft)} {{ {inner} }}"


def _condition(draft: Draft) -> str:
    if not draft.rarely():
        return ""
    return draft.choose(
        (
            " @include(if: $yes)",
            " @skip(if: $no)",
            " @include(if: $yes) @skip(if: $no)",
            " @skip(if: true)",
            " @include(if: true)",
        )
    )


def _arguments(draft: Draft, definition: GraphQLField) -> str:
    parts = []
    if "first" in definition.args:
        parts.append(draft.choose(_PAGES))
    for name, argument in definition.args.items():
        if name not in {"first", "last", "after", "before"} and (is_required_argument(argument) or draft.rarely()):
            parts.append(f"{name}: {_value(draft, argument.type, 2)}")
    if {"id", "databaseId"} <= definition.args.keys():
        parts = [draft.choose([f'id: "{draft.choose(draft.ids)}"', 'databaseId: "1"', "databaseId: 2"])]
    joined = ", ".join(part for part in parts if part)
    return f"({joined})" if joined else ""


def _value(draft: Draft, type_: Any, depth: int) -> str:
    nullable = get_nullable_type(type_)
    if is_list_type(nullable):
        return f"[{', '.join(_value(draft, nullable.of_type, depth) for _ in range(draft.draw(st.integers(0, 3))))}]"
    if isinstance(nullable, GraphQLInputObjectType):
        fields = [item for item in nullable.fields.items() if draft.rarely()]
        return "{" + ", ".join(f"{name}: {_value(draft, item.type, depth - 1)}" for name, item in fields) + "}"
    if isinstance(nullable, GraphQLEnumType):
        return str(draft.choose(list(nullable.values)))
    samples = {
        "ID": [f'"{id_}"' for id_ in draft.ids] + ['"x"'],
        "Boolean": ["true", "false", "$yes"],
        "DateTime": ['"2026-05-01T00:00:00Z"'],
        "BigInt": ["1", '"2"'],
        "Int": ["1", "$some"],
        "String": ['"ABC"'],
    }
    return str(draft.choose(samples[nullable.name]))


def _is_leaf(definition: GraphQLField) -> bool:
    return not is_composite_type(get_named_type(definition.type))
