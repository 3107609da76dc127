"""Random documents by number: everything that the schema allows, and often what executors get wrong.

Fragments of all kinds and used twice, aliases, the same field twice with different selections, `@skip` and `@include`
on variables, arguments from literals and from variables that are given, null or left out, abstract types. The same
number gives the same document. The caller provides ids and cursors, so that documents find rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias, TypeVar

from graphql import (
    GraphQLCompositeType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_composite_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)

_T = TypeVar("_T")

# The response keys on the path of a field, the field, and the type that has it.
Path: TypeAlias = tuple[str, ...]
_Shape: TypeAlias = tuple[str, str, str]
_Step: TypeAlias = tuple[Path, _Shape, str]

_ALIASES = ("a", "b", "c")
# Few rows in nested lists, because combinations of fields matter, not the number of rows.
_PAGES = (
    *("", "first: 1", "first: 2", "first: 3", "first: 6", "last: 1", "last: 2", "first: $some", "last: $none"),
    *("first: $none", "first: null", "last: $none, first: $some"),
)
_WRONG_PAGES = ("first: 0", "first: 2, last: 2", 'after: "x"', "last: 101")
# Arguments of the change log, which is read in one direction.
_LOG_PAGES = ("", "first: 1", "first: 2", "first: 3", "first: 6", "first: $some", "first: $none", "first: null")
_WRONG_LOG_PAGES = ("first: 0", "first: 101")
_CONDITIONS = (
    *("@include(if: $yes)", "@skip(if: $no)", "@include(if: $yes) @skip(if: $no)"),
    *("@include(if: $no)", "@skip(if: true)", "@include(if: true)"),
)
_REFERRED = {
    "assigneeId": "Host",
    "assigneeIds": "Host",
    "bookingIds": "Booking",
    "clientIds": "Client",
    "conversationId": "Conversation",
    "conversationIds": "Conversation",
    "deliveryIds": "WebhookDelivery",
    "endpointId": "WebhookEndpoint",
    "hostIds": "Host",
    "inquiryIds": "Inquiry",
    "memberId": "Client",
    "messageId": "Message",
    "rentalIds": "Rental",
    "senderId": "Participant",
    "sourceId": "Source",
    "sourceIds": "Source",
    "upToMessageId": "Message",
}
# Ends what the others work on. `tests/webhooks` has it.
ENDING = {"deleteWebhookEndpoint"}
_LEFT_OUT = object()
# Variables by name: their types, and their possible values.
_VARIABLES: dict[str, tuple[str, Sequence[Any]]] = {
    "yes": ("Boolean!", (True, False)),
    "no": ("Boolean = true", (True, False, False, _LEFT_OUT)),
    "some": ("Int = 2", (1, 2, 20, None, _LEFT_OUT)),
    "none": ("Int", (None, _LEFT_OUT)),
    "visibility": ("MessageVisibility", ("INTERNAL", "EXTERNAL", None, _LEFT_OUT)),
    "order": ("ConversationOrder", ({}, {"direction": "ASC"}, {"field": "CREATED_AT"}, None, _LEFT_OUT)),
    "filter": ("ConversationFilter", ({}, {"closed": False}, {"read": None, "assigned": True}, None, _LEFT_OUT)),
}
_VARIABLE_OF = {"visibility": "visibility", "orderBy": "order"}
_SAMPLES = {
    "Boolean": ("true", "false", "$yes", "null"),
    "DateTime": ('"2026-05-01T00:00:00Z"', '"2026-03-01T12:00:00+02:00"'),
    "BigInt": ("1", '"2"', "999999"),
    "Int": ("1", "$some"),
    "String": ('"ABC"', '""'),
    # Before any change, and after all of them.
    "ifUnchangedSince": ('"2026-05-01T00:00:00Z"', '"2030-01-01T00:00:00Z"'),
    "content": ('"Hello"', '"ABC"', '""'),
    # One that was used before mostly rejects a mutation's input.
    "idempotencyKey": ('"ABC"', '""', *(f'"{number}"' for number in range(60))),
    "url": ('"https://hooks.example/"', '"https://hooks.example/x"', '"http://hooks.example/"'),
    "scopes": ('"inbox_read"', '"clients_read"', '"x"'),
    "search": ('"the or you or we"', '"ABC"', '""'),
    "length": ("1", "12", "500", "$some", "null", "501"),
}


@dataclass(frozen=True)
class Known:
    """Ids by type, and cursors by their field, such as `Conversation.messages`."""

    ids: Mapping[str, Sequence[str]]
    cursors: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Drawn:
    """A query, its variables, and the fields (`Type.field`) that may be at each path of the response."""

    text: str
    variables: dict[str, Any]
    places: Mapping[Path, set[str]]


@dataclass(frozen=True)
class _Fragment:
    name: str
    text: str
    on: GraphQLCompositeType
    path: Path
    depth: int
    steps: Sequence[_Step]


@dataclass
class _Draft:
    """A document being written.

    `budget` is the number of further fields, and `asked` are the types whose ids were drawn for a field.
    """

    schema: GraphQLSchema
    known: Known
    random: Random
    budget: int
    writes: bool = False
    fragments: list[_Fragment] = field(default_factory=list)
    shapes: dict[Path, _Shape] = field(default_factory=dict)
    steps: list[_Step] = field(default_factory=list)
    asked: dict[Path, list[str]] = field(default_factory=lambda: {(): []})

    def choose(self, options: Sequence[_T]) -> _T:
        """One of `options`."""
        return self.random.choice(options)

    def one_in(self, number: int) -> bool:
        """True once in that many calls."""
        return self.random.randrange(number) == 0

    def fits(self, path: Path, shape: _Shape) -> bool:
        """Whether it can be merged with the fields that are there already."""
        return self.shapes.setdefault(path, shape) == shape

    def put(self, path: Path, shape: _Shape, place: str) -> None:
        """Record the field at its path."""
        self.steps.append((path, shape, place))


def draw(schema: GraphQLSchema, known: Known, number: int, kind: str = "query") -> Drawn:
    """The document with this number, a query or a mutation by `kind`."""
    random = Random(number)  # noqa: S311  # only for test data
    draft = _Draft(schema, known, random, budget=random.choice((8, 20, 40, 60)), writes=kind == "mutation")
    root = schema.query_type if kind == "query" else schema.mutation_type
    assert root is not None
    body = f"{{ {_selections(draft, root, (), random.randint(2, 6))} }}"
    texts = [body, *(f"fragment {item.name} on {item.on.name} {{ {item.text} }}" for item in draft.fragments)]
    used = sorted(set(re.findall(r"\$(\w+)", " ".join(texts))))
    values = {name: draft.choose(_VARIABLES[name][1]) for name in used}
    declared = ", ".join(f"${name}: {_VARIABLES[name][0]}" for name in used)
    places: dict[Path, set[str]] = {}
    for path, _, place in draft.steps:
        places.setdefault(path, set()).add(place)
    return Drawn(
        "\n".join([f"{kind} Drawn{f'({declared})' if used else ''} {texts[0]}", *texts[1:]]),
        {name: value for name, value in values.items() if value is not _LEFT_OUT},
        places,
    )


def _selections(draft: _Draft, type_: GraphQLCompositeType, path: Path, depth: int) -> str:
    number = draft.random.randint(1, 3 if len(path) > 2 else 5)
    parts = (_selection(draft, type_, path, depth) for place in range(number) if place == 0 or draft.budget > 0)
    return " ".join(parts)


def _selection(draft: _Draft, type_: GraphQLCompositeType, path: Path, depth: int) -> str:
    draft.budget -= 1
    if draft.budget < 0 or draft.one_in(12):
        return f"__typename{_condition(draft)}"
    if isinstance(type_, GraphQLUnionType) or draft.one_in(3 if is_abstract_type(type_) else 7):
        return _fragment(draft, type_, path, depth)
    return _field(draft, type_, path, depth)


def _field(draft: _Draft, type_: Any, path: Path, depth: int) -> str:
    leaves = [name for name, definition in type_.fields.items() if not _is_composite(definition)]
    inner = [name for name, definition in type_.fields.items() if _is_composite(definition) and name not in ENDING]
    if type_ is draft.schema.mutation_type:
        # The only one that can show several conversations, and few inputs let it.
        inner += ["updateConversations"] * 3
    # The root has a single leaf, which would otherwise be drawn instead of most other fields.
    leaf = bool(leaves) and draft.one_in(3 if path else 20)
    deeper = inner and depth > 0 and draft.budget > 0 and not leaf
    name = draft.choose(inner if deeper else leaves or ["__typename"])
    if name == "__typename":
        return "__typename"
    definition = type_.fields[name]
    draft.asked[()] = []
    arguments = _arguments(draft, f"{type_.name}.{name}", definition)
    key = draft.choose(_ALIASES) if draft.one_in(6) else name
    earlier = draft.shapes.get((*path, key))
    if earlier is not None and earlier[0] == name and earlier[2] == str(definition.type):
        # The same key once more: both selections are merged.
        arguments = earlier[1]
    shape = (name, arguments, str(definition.type))
    while not draft.fits((*path, key), shape):
        key += "_"
    draft.put((*path, key), shape, f"{type_.name}.{name}")
    draft.asked.setdefault((*path, key), draft.asked[()])
    named = get_named_type(definition.type)
    nested = f" {{ {_selections(draft, named, (*path, key), depth - 1)} }}" if is_composite_type(named) else ""
    return f"{'' if key == name else f'{key}: '}{name}{arguments}{_condition(draft)}{nested}"


def _fragment(draft: _Draft, type_: GraphQLCompositeType, path: Path, depth: int) -> str:
    again = _spread_again(draft, type_, path, depth) if draft.one_in(3) else None
    if again is not None:
        return again
    peers: list[GraphQLCompositeType] = [type_]
    if is_abstract_type(type_):
        peers += draft.schema.get_possible_types(type_)
        peers += [type_ for type_ in draft.schema.get_possible_types(type_) if type_.name in draft.asked[path]] * 9
    elif isinstance(type_, GraphQLObjectType):
        peers += type_.interfaces
    on = draft.choose(peers)
    start = len(draft.steps)
    inner = "__typename" if isinstance(on, GraphQLUnionType) else _selections(draft, on, path, depth)
    condition = _condition(draft)
    if on is type_ and draft.one_in(3):
        return f"...{condition} {{ {inner} }}"
    if draft.one_in(3):
        fragment = _Fragment(f"F{len(draft.fragments)}", inner, on, path, depth, draft.steps[start:])
        draft.fragments.append(fragment)
        return f"...{fragment.name}{condition}"
    return f"... on {on.name}{condition} {{ {inner} }}"


def _spread_again(draft: _Draft, type_: GraphQLCompositeType, path: Path, depth: int) -> str | None:
    """An existing fragment, if one fits."""
    for fragment in draft.fragments:
        if fragment.on is not type_ or fragment.depth > depth:
            continue
        steps = [((*path, *step[0][len(fragment.path) :]), *step[1:]) for step in fragment.steps]
        if all(draft.shapes.get(place, shape) == shape for place, shape, _ in steps):
            for place, shape, name in steps:
                draft.fits(place, shape)
                draft.put(place, shape, name)
            return f"...{fragment.name}{_condition(draft)}"
    return None


def _condition(draft: _Draft) -> str:
    return f" {draft.choose(_CONDITIONS)}" if draft.one_in(6) else ""


def _arguments(draft: _Draft, place: str, definition: GraphQLField) -> str:
    returned = get_named_type(definition.type).name
    if {"id", "databaseId"} <= definition.args.keys():
        by_id = f'id: "{draft.choose(draft.known.ids[returned])}"'
        # In the seed, conversation 8 has an inquiry.
        chosen = draft.choose([by_id, by_id, 'databaseId: "8"', "databaseId: 8"])
        return f"({chosen})"
    parts = []
    if "first" in definition.args:
        # Few fields of a mutation's document are so far down.
        rarity = 60 if place.startswith("Query.") else 2 if draft.writes else 8
        wrong = draft.one_in(rarity)
        if "last" in definition.args:
            parts.append(draft.choose(_WRONG_PAGES if wrong else _PAGES))
        else:
            parts.append(draft.choose(_WRONG_LOG_PAGES if wrong else _LOG_PAGES))
        if "last" in definition.args and draft.known.cursors.get(place) and draft.one_in(6):
            side, cursor = draft.choose(("after", "before")), draft.choose(draft.known.cursors[place])
            parts.append(f'{side}: "{cursor}"')
    for name, argument in definition.args.items():
        if is_required_argument(argument) or (name not in {"first", "last", "after", "before"} and draft.one_in(4)):
            variable = "filter" if str(argument.type) == "ConversationFilter" else _VARIABLE_OF.get(name)
            if name == "after":
                value = f'"{_cursor(draft, place)}"'
            else:
                value = f"${variable}" if variable and draft.one_in(2) else _value(draft, name, argument.type, "")
            parts.append(f"{name}: {value}")
    joined = ", ".join(part for part in parts if part)
    return f"({joined})" if joined else ""


def _value(draft: _Draft, name: str, type_: Any, owner: str) -> str:
    """A literal for an argument or an input field `name` of the input type `owner`."""
    nullable = get_nullable_type(type_)
    if nullable is type_ and draft.one_in(8):
        return "null"
    if is_list_type(nullable):
        # An empty list rejects a mutation's input.
        least = 1 if draft.writes and not draft.one_in(8) else 0
        values = (_value(draft, name, nullable.of_type, owner) for _ in range(draft.random.randint(least, 3)))
        return f"[{', '.join(values)}]"
    if isinstance(nullable, GraphQLInputObjectType):
        # About two, because few rows meet many conditions.
        rarity = max(2, len(nullable.fields) // 2)
        fields = [item for item in nullable.fields.items() if is_required_input_field(item[1]) or draft.one_in(rarity)]
        return f"{{{', '.join(f'{key}: {_value(draft, key, item.type, nullable.name)}' for key, item in fields)}}}"
    if isinstance(nullable, GraphQLEnumType):
        return str(draft.choose(list(nullable.values)))
    if nullable.name == "ID" or name == "after":
        return f'"{_cursor(draft, owner) if name == "after" else _id(draft, name, owner)}"'
    return draft.choose(_SAMPLES.get(name) or _SAMPLES[nullable.name])


def _id(draft: _Draft, name: str, owner: str) -> str:
    """An id of the type that the argument or input field expects; rarely of another type, or malformed."""
    if draft.one_in(30):
        return "x"
    wanted = _REFERRED.get(name) or owner.removesuffix("Filter") or draft.choose(list(draft.known.ids))
    draft.asked[()].append(wanted)
    return draft.choose(draft.known.ids[wanted])


def _cursor(draft: _Draft, place: str) -> str:
    """A cursor for a field or an input that requires one; rarely a malformed one."""
    cursors = draft.known.cursors.get(place)
    return draft.choose(cursors) if cursors and not draft.one_in(60) else "x"


def _is_composite(definition: GraphQLField) -> bool:
    return is_composite_type(get_named_type(definition.type))
