"""The exported schema does not break the API's contract, and everything in it is described."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_ast_schema,
    parse,
)
from graphql.utilities import find_breaking_changes, find_dangerous_changes

from gql.fields.node import NODE_TABLES
from gql.schema import build_schema

CONTRACT = Path(__file__).with_name("contract.graphql")
EXPORTED = Path(__file__).parents[2] / "schema.graphql"
# Names of channels, which need no description.
SELF_EXPLAINING = {"Channel", "MessageOrigin"}


def _read(path: Path) -> GraphQLSchema:
    return build_ast_schema(parse(path.read_text()))


@pytest.fixture(scope="module")
def contract() -> GraphQLSchema:
    """The promised schema."""
    return _read(CONTRACT)


@pytest.fixture(scope="module")
def exported() -> GraphQLSchema:
    """The exported schema."""
    return _read(EXPORTED)


def test_the_exported_schema_is_the_one_that_is_served() -> None:
    assert EXPORTED.read_text() == build_schema().as_str() + "\n"


def test_nothing_breaks_the_contract(contract: GraphQLSchema, exported: GraphQLSchema) -> None:
    assert find_breaking_changes(contract, exported) == []
    assert find_dangerous_changes(contract, exported) == []


def test_the_contract_is_not_exceeded_either(contract: GraphQLSchema, exported: GraphQLSchema) -> None:
    assert _outline(exported) == _outline(contract)


def _outline(schema: GraphQLSchema) -> dict[str, Any]:
    """Every named type with its kind, interfaces and members, each member with its type, arguments and default."""
    return {
        name: {
            "kind": type(type_).__name__,
            "interfaces": [interface.name for interface in getattr(type_, "interfaces", ())],
            "specified by": getattr(type_, "specified_by_url", None),
            "types": [member.name for member in getattr(type_, "types", ())],
            "values": list(getattr(type_, "values", ())),
            "fields": {
                field_name: (
                    str(field.type),
                    {key: str(value.type) for key, value in getattr(field, "args", {}).items()},
                )
                for field_name, field in getattr(type_, "fields", {}).items()
            },
        }
        for name, type_ in schema.type_map.items()
        if not name.startswith("__")
    }


def test_order_inputs_keep_their_defaults(exported: GraphQLSchema) -> None:
    order = exported.type_map["ConversationOrder"]

    assert isinstance(order, GraphQLInputObjectType)
    assert {name: str(field.ast_node.default_value.value) for name, field in order.fields.items()} == {
        "field": "LAST_MESSAGE_AT",
        "direction": "DESC",
    }


def test_the_directive_stands_where_scopes_are_needed(contract: GraphQLSchema, exported: GraphQLSchema) -> None:
    promised, actual = (schema.get_directive("requiresScopes") for schema in (contract, exported))
    assert promised is not None
    assert actual is not None
    assert set(actual.locations) == set(promised.locations)
    assert {name: str(argument.type) for name, argument in actual.args.items()} == {"scopes": "[String!]!"}

    assert dict(_scopes(exported)) == {
        "Account": ["inbox_read"],
        "Activity": ["inbox_read"],
        "Booking": ["bookings_read"],
        "Client": ["clients_read"],
        "Conversation": ["inbox_read"],
        "Host": ["inbox_read"],
        "InboxCounts": ["inbox_read"],
        "Inquiry": ["inquiries_read"],
        "Message": ["inbox_read"],
        "Participant": ["inbox_read"],
        "Rental": ["bookings_read"],
        "Source": ["inbox_read"],
        "WebhookAttempt": ["webhooks_manage"],
        "WebhookDelivery": ["webhooks_manage"],
        "WebhookEndpoint": ["webhooks_manage"],
        "Mutation.createConversation": ["inbox_write"],
        "Mutation.updateConversation": ["inbox_write"],
        "Mutation.connectBookings": ["inbox_write"],
        "Mutation.disconnectBookings": ["inbox_write"],
        "Mutation.createMessage": ["inbox_write"],
        "Mutation.addParticipant": ["inbox_write"],
        "Mutation.markConversationRead": ["inbox_write"],
        "Mutation.updateConversations": ["inbox_write"],
        "Mutation.reportDelivery": ["deliveries_write"],
        "Mutation.retryDelivery": ["inbox_write"],
        "Mutation.createWebhookEndpoint": ["webhooks_manage"],
        "Mutation.updateWebhookEndpoint": ["webhooks_manage"],
        "Mutation.deleteWebhookEndpoint": ["webhooks_manage"],
        "Mutation.rotateWebhookSecret": ["webhooks_manage"],
        "Mutation.sendTestEvent": ["webhooks_manage"],
        "Mutation.redeliver": ["webhooks_manage"],
        "Mutation.replayWebhook": ["webhooks_manage"],
    }


def _scopes(schema: GraphQLSchema) -> Iterator[tuple[str, list[str]]]:
    for type_ in schema.type_map.values():
        elements: list[tuple[str, Any]] = [(type_.name, type_)]
        if isinstance(type_, GraphQLObjectType):
            elements += [(f"{type_.name}.{name}", field) for name, field in type_.fields.items()]
        for name, element in elements:
            for directive in getattr(element.ast_node, "directives", None) or ():
                if directive.name.value == "requiresScopes":
                    yield name, [scope.value for scope in directive.arguments[0].value.values]


def test_every_node_can_be_named_by_the_node_interface(exported: GraphQLSchema) -> None:
    node = exported.type_map["Node"]

    assert isinstance(node, GraphQLInterfaceType)
    assert {type_.name for type_ in exported.get_possible_types(node)} == set(NODE_TABLES)


@pytest.mark.parametrize("name", sorted(NODE_TABLES))
def test_a_column_is_null_in_the_api_where_it_is_in_the_table(exported: GraphQLSchema, name: str) -> None:
    type_ = exported.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    columns = NODE_TABLES[name].__table__.columns  # type: ignore[attr-defined]
    by_field = {_camel(column.key): column for column in columns}

    nullable = {
        field_name: not isinstance(field.type, GraphQLNonNull)
        for field_name, field in type_.fields.items()
        if field_name in by_field and field_name != "id"
    }

    assert nullable == {field_name: by_field[field_name].nullable for field_name in nullable}
    assert nullable


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def test_everything_is_described(exported: GraphQLSchema) -> None:
    assert list(_undescribed(exported)) == []


def _undescribed(schema: GraphQLSchema) -> Iterator[str]:
    for name, type_ in schema.type_map.items():
        own = type_.ast_node is not None
        if not own:
            continue
        if not type_.description:
            yield name
        if isinstance(type_, GraphQLEnumType) and name not in SELF_EXPLAINING:
            yield from (f"{name}.{value}" for value, member in type_.values.items() if not member.description)
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in type_.fields.items():
                if not field.description:
                    yield f"{name}.{field_name}"
                yield from (
                    f"{name}.{field_name}({key})"
                    for key, argument in getattr(field, "args", {}).items()
                    if not argument.description
                )


def test_descriptions_are_sentences(exported: GraphQLSchema) -> None:
    texts = [
        element.description
        for type_ in exported.type_map.values()
        if type_.ast_node is not None
        for element in (type_, *getattr(type_, "fields", {}).values(), *getattr(type_, "values", {}).values())
        if element.description
    ]

    assert [text for text in texts if not text.endswith(".") or text[0].islower()] == []


def test_scalars_say_where_they_are_specified(exported: GraphQLSchema) -> None:
    date_time = exported.type_map["DateTime"]

    assert isinstance(date_time, GraphQLScalarType)
    assert date_time.specified_by_url == "https://scalars.graphql.org/andimarek/date-time.html"
