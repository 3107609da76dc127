"""All inputs of the schema that could select a row: each argument of each field, and each field of an input.

They are found in the schema, so that new ones are tested automatically. Tests know the expected results.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)

from db import tables as t
from gql.fields.node import NODE_TABLES, encode_id
from gql.schema import build_schema
from tests.support import world
from tests.support.factories import MOMENT

# Added to the numbers of the rows that only account 1 has.
SHIFT = 1_000
# Added to a number to get one that was never used.
FAR = 1_000_000
NUMBERS = {
    "Account": 1,
    "Activity": world.ACTIVITY,
    "Application": world.APPLICATION,
    "Booking": world.BOOKING,
    "Client": world.CLIENT,
    "Conversation": world.CONVERSATION,
    "Host": world.HOST,
    "Inquiry": world.INQUIRY,
    "Message": world.MESSAGE,
    "Participant": world.HOST_PARTICIPANT,
    "Rental": world.RENTAL,
    "Source": world.SOURCE,
    "User": world.USER,
    "WebhookAttempt": world.ATTEMPT,
    "WebhookDelivery": world.DELIVERY,
    "WebhookEndpoint": world.ENDPOINT,
}


def log_cursor(account: int, number: int = 0) -> str:
    """A cursor of an account's change log, in the server's format."""
    return urlsafe_b64encode(orjson.dumps([world.EPOCH, account, number])).decode().rstrip("=")


# The other values that an input requires: those of the viewer.
OWN = {
    "conversationId": encode_id(t.Conversation, 2, world.CONVERSATION),
    "bookingIds": [encode_id(t.Booking, 2, world.FREE_BOOKING)],
    "conversationIds": [encode_id(t.Conversation, 2, world.CONVERSATION)],
    "memberId": encode_id(t.Host, 2, world.HOST),
    "content": "x",
    "ids": [],
    "id": "x",
    "after": log_cursor(2),
    "endpointId": encode_id(t.WebhookEndpoint, 2, world.ENDPOINT),
    "deliveryIds": [encode_id(t.WebhookDelivery, 2, world.DELIVERY)],
    "url": "https://hooks.example/new",
    "messageId": encode_id(t.Message, 2, world.MESSAGE),
}
# The same for enums, which are literals without quotes.
OWN_ENUMS = {"events": "[MESSAGE_CREATED]", "state": "FAILED"}
TENANT_ROWS: list[tuple[type[t.Table], int]] = [
    *((table, NUMBERS[name]) for name, table in NODE_TABLES.items() if issubclass(table, t.TenantTable)),
    (t.Booking, world.FREE_BOOKING),
]
# Texts that are checked against the server's settings and documents, and select no row.
RULED = {"url", "documentId", "scopes"}
TENANT_NAMES = [name for name, table in NODE_TABLES.items() if issubclass(table, t.TenantTable)]
OWN_OF_1 = {encode_id(table, 2, number): encode_id(table, 1, number) for table, number in TENANT_ROWS}
OWN_OF_1[log_cursor(2)] = log_cursor(1)
LEADING_TYPES = {"ID", "BigInt", "String"}
# How often an input may be nested: a filter, and one within it, by these names.
LEVELS = 2
NESTING = {"not", "or"}
# Values for positions that do not select a row but restrict the result. An unlisted type fails.
NARROWING: dict[str, list[Any]] = {
    "Boolean": [True, False, None],
    "Int": [1, 100],
    "DateTime": [f"2026-05-0{day}T09:30:00Z" for day in (3, 4, 5)],
    "String": ["https://hooks.example/of", "inbox_read", "Keys of 1"],
}


@dataclass(frozen=True)
class Way:
    """A field, and the path in its arguments at which a value is tried."""

    parent: str
    field: str
    path: tuple[str, ...]
    type: Any

    def __str__(self) -> str:
        return f"{self.parent}.{self.field}({'.'.join(self.path)})"


@cache
def schema() -> GraphQLSchema:
    """The graphql-core schema."""
    return build_schema()._schema  # noqa: SLF001


def ways() -> Iterator[Way]:
    """Every way in of the schema, but those of subscriptions: `tests/live/test_who_sees_what.py` goes them."""
    for type_ in schema().type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith(("__", "Subscription")):
            for field, definition in type_.fields.items():
                for path, leaf in leaves(definition.args):
                    yield Way(type_.name, field, path, leaf)


def leaves(
    inputs: dict[str, GraphQLArgument] | dict[str, GraphQLInputField], within: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The paths of arguments and of nested input fields, with their types. Recursive inputs are nested once."""
    for name, definition in inputs.items():
        named = get_named_type(definition.type)
        if isinstance(named, GraphQLInputObjectType):
            if within.count(named.name) < LEVELS:
                yield from (((name, *path), leaf) for path, leaf in leaves(named.fields, (*within, named.name)))
        else:
            yield (name,), definition.type


def leads(way: Way) -> bool:
    """Whether the value can select a row."""
    return get_named_type(way.type).name in LEADING_TYPES and way.path[-1] not in RULED


WAYS = list(ways())


def document(way: Way, shown: str | None = None) -> str:
    """A document with `$value` at this path, which selects the given fields, or all fields some levels deep."""
    definition = _field(way.parent, way.field)
    call = f"{way.field}({_arguments(definition.args, way.path)}) {{ {shown or selection(definition, 2)} }}"
    header = f"($value: {way.type})"
    if way.parent == "Mutation":
        return f"mutation{header} {{ it: {call} }}"
    if way.parent == "Query":
        return f"query{header} {{ it: {call} }}"
    if way.parent == "Viewer":
        return f"query{header} {{ it: viewer {{ {call} }} }}"
    own = encode_id(NODE_TABLES[way.parent], 2, NUMBERS[way.parent])
    return f'query{header} {{ it: node(id: "{own}") {{ ... on {way.parent} {{ {call} }} }} }}'


def as_1(text: str) -> str:
    """The document with other values of account 1 instead of account 2."""
    for theirs, own in OWN_OF_1.items():
        text = text.replace(theirs, own)
    return text


def _field(parent: str, field: str) -> GraphQLField:
    type_ = schema().get_type(parent)
    assert isinstance(type_, GraphQLObjectType)
    definition: GraphQLField = type_.fields[field]
    return definition


def _arguments(inputs: dict[str, GraphQLArgument] | dict[str, GraphQLInputField], path: tuple[str, ...]) -> str:
    """Literals with `$value` at `path`, and the other required values."""
    given_ = []
    for name, definition in inputs.items():
        named = get_named_type(definition.type)
        if path[:1] == (name,):
            given_.append(f"{name}: {_at(named, path[1:])}")
        elif _must_be_given(definition):
            given_.append(f"{name}: {OWN_ENUMS.get(name) or json.dumps(OWN[name])}")
    return ", ".join(given_)


def _at(type_: Any, path: tuple[str, ...]) -> str:
    if not path:
        return "$value"
    # Changes are always requested, because an empty update is never rejected.
    changes = (
        ["closed: true"] if "closed" in type_.fields and type_.name.endswith("Input") and path != ("closed",) else []
    )
    # The conversations have no default channel, without which an external message of a host is rejected.
    if type_.name == "CreateMessageInput" and path != ("channel",):
        changes = ["channel: EMAIL"]
    return f"{{{', '.join([_arguments(type_.fields, path), *changes])}}}"


def _must_be_given(definition: GraphQLArgument | GraphQLInputField) -> bool:
    if isinstance(definition, GraphQLArgument):
        return is_required_argument(definition)
    return is_required_input_field(definition)


@cache
def select_all(type_name: str, depth: int) -> str:
    """All fields of a type without required arguments, down to that many levels."""
    type_ = schema().get_type(type_name)
    possible = schema().get_possible_types(type_) if not isinstance(type_, GraphQLObjectType) else None  # type: ignore[arg-type]
    if possible is not None:
        parts = (f"... on {member.name} {{ {select_all(member.name, depth)} }}" for member in possible)
        return f"__typename {' '.join(parts)}"
    assert isinstance(type_, GraphQLObjectType)
    fields = ["__typename"]
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        # The fields of `query` in a payload are ways of their own.
        if named.name == "Query" or any(is_required_argument(argument) for argument in field.args.values()):
            continue
        # In a union, fields with one name are merged and must have the same type.
        alias = f"{type_name.lower()}_{name}"
        if not hasattr(named, "fields") and not hasattr(named, "types"):
            fields.append(f"{alias}: {name}")
        elif depth:
            fields.append(f"{alias}: {name} {{ {selection(field, depth - 1)} }}")
    return " ".join(fields)


def selection(field: GraphQLField, depth: int) -> str:
    """The selection on a field."""
    return select_all(get_named_type(field.type).name, depth)


def values(way: Way, cursors: dict[str, list[str]]) -> list[Any]:
    """Values of account 1 to try at a position: ids, numbers, cursors and texts; any value if none of them fits."""
    named = get_named_type(way.type)
    type_ = named.name
    found: list[Any]
    if isinstance(named, GraphQLEnumType):
        found = list(named.values)
    elif not leads(way):
        found = NARROWING[type_]
    elif type_ == "ID":
        found = [id_ for name in NODE_TABLES for id_ in foreign_ids(name)]
    elif type_ == "BigInt":
        found = [number + SHIFT for number in NUMBERS.values()]
    elif way.path[-1] in {"after", "before"}:
        found = cursors[f"{way.parent}.{way.field}"]
    else:
        found = [f"{world.BOOKING} of 1", "Keys of 1", "of 1"]
    if not is_list_type(get_nullable_type(way.type)):
        return found
    mixed = [mixed_ids(name) for name in TENANT_NAMES] if type_ == "ID" else []
    # In a nested input, one combined value is enough.
    return mixed if mixed and not NESTING.isdisjoint(way.path) else [*([value] for value in found), *mixed]


def foreign_ids(name: str) -> list[str]:
    """Ids of account 1's rows, global and numbers, and ids that account 2 could construct."""
    table = NODE_TABLES[name]
    if not issubclass(table, t.TenantTable):
        return [encode_id(table, 0, NUMBERS[name])]
    return [encode_id(table, account, NUMBERS[name] + shift) for account, shift in ((1, 0), (1, SHIFT), (2, SHIFT))]


def never_used(way: Way, value: Any) -> Any:
    """The value with each id replaced by one that was never used; other values stay."""
    match get_named_type(way.type).name:
        case "ID":
            return (
                [NEVER_USED.get(id_, id_) for id_ in value] if isinstance(value, list) else NEVER_USED.get(value, value)
            )
        case "BigInt":
            return value + FAR
    return value


def mixed_ids(name: str) -> list[str]:
    """An id of account 2, followed by foreign ones."""
    return [encode_id(NODE_TABLES[name], 2, NUMBERS[name]), *foreign_ids(name)]


def cursor(field: str) -> list[str]:
    """Cursors of account 1's rows, for the field's own order and for another one."""
    moment = int(MOMENT.timestamp() * 1_000)
    return [
        urlsafe_b64encode(orjson.dumps([field, order, value, number])).decode().rstrip("=")
        for number in (1, world.CONVERSATION + SHIFT, world.MESSAGE)
        for order, value in (("id", None), ("id:desc", None), ("last_message_at:desc", None), ("sent_at:asc", moment))
    ]


CURSORS = {f"{way.parent}.{way.field}": cursor(f"{way.parent}.{way.field}") for way in WAYS if way.path == ("after",)}
CURSORS["Query.changes"] += [log_cursor(account, number) for account in (1, 2) for number in (0, 1)]
CURSORS["Mutation.replayWebhook"] = CURSORS["Query.changes"]
# Applications belong to all accounts.
NEVER_USED = {
    foreign: encode_id(NODE_TABLES[name], 0 if name == "Account" else 2, NUMBERS[name] + FAR * place)
    for name in NODE_TABLES
    if name != "Application"
    for place, foreign in enumerate(foreign_ids(name), 1)
}
# Positions that select no row are tried at the first level only.
TRIED = [
    (way, document(way), value)
    for way in WAYS
    if leads(way) or NESTING.isdisjoint(way.path)
    for value in values(way, CURSORS)
]
