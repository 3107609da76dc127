"""Reads the arguments of a selected field from a request's variables, as Strawberry passes them to a resolver.

How to read them is found out once per plan. Strawberry derives the names and types of all fields of an input type for
each value: 0.2 ms for a filter, and 9 for one with 20 alternatives of six conditions. This takes 0.003 and 0.14.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, TypeAlias

from graphql import (
    FieldNode,
    GraphQLField,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    VariableNode,
    get_named_type,
    is_input_object_type,
    is_non_null_type,
)
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.schema.name_converter import NameConverter
from strawberry.types.base import StrawberryList, StrawberryOptional, has_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType
from strawberry.utils.str_converters import to_camel_case

from gql.fields.field import Arguments, SelectedField

# Makes a resolver's value from one that graphql-core has coerced and that is not null.
_Convert: TypeAlias = Callable[[Any], Any]


def read_arguments(names: NameConverter, field: StrawberryField, selected: SelectedField) -> Arguments:
    """The function that reads the arguments of a selected field."""
    node, definition = selected.details[0].node, selected.definition
    given = (definition.args[argument.name.value].type for argument in node.arguments or ())
    if any(is_input_object_type(get_named_type(type_)) for type_ in given):
        inputs: dict[type, _Input] = {}
        converted = {
            names.from_argument(argument): (argument.python_name, _converter(names, inputs, argument.type))
            for argument in field.arguments
        }
        return lambda variables: _convert(converted, get_argument_values(definition, node, variables))
    # Scalars and enums as coerced by graphql-core: resolvers get the same values.
    python_names = {to_camel_case(argument.python_name): argument.python_name for argument in field.arguments}
    return _read_optional(definition, node, python_names) or (
        lambda variables: {
            python_names[name]: value for name, value in get_argument_values(definition, node, variables).items()
        }
    )


class _Input:
    """Makes objects of one input type. Its fields are added later, because an input type may contain itself."""

    def __init__(self, type_: Callable[..., Any]) -> None:
        self._type = type_
        self.fields: dict[str, tuple[str, _Convert | None]] = {}
        self.without_default: dict[str, None] = {}

    def __call__(self, value: Mapping[str, Any]) -> Any:
        """The object for a coerced value."""
        return self._type(**self.without_default | _convert(self.fields, value))


def _convert(fields: Mapping[str, tuple[str, _Convert | None]], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by the names of Python."""
    converted = {}
    for name, value in values.items():
        python_name, convert = fields[name]
        converted[python_name] = value if value is None or convert is None else convert(value)
    return converted


def _converter(names: NameConverter, inputs: dict[type, _Input], type_: Any) -> _Convert | None:
    """How values of an argument's or input field's type are converted; None if they stay as they are."""
    if isinstance(type_, StrawberryOptional):
        return _converter(names, inputs, type_.of_type)
    if isinstance(type_, LazyType):
        return _converter(names, inputs, type_.resolve_type())
    if isinstance(type_, StrawberryList):
        convert = _converter(names, inputs, type_.of_type)
        # A copy, because all requests get the same default.
        return list if convert is None else lambda items: [None if item is None else convert(item) for item in items]
    return _input(names, inputs, type_) if has_object_definition(type_) else None


def _input(names: NameConverter, inputs: dict[type, _Input], type_: Any) -> _Input:
    if type_ not in inputs:
        made = inputs[type_] = _Input(type_)
        definition = type_.__strawberry_definition__
        for field in definition.fields:
            convert = _converter(names, inputs, field.resolve_type(type_definition=definition))
            made.fields[names.from_field(field)] = field.python_name, convert
            if field.default_value is MISSING and field.default_factory is MISSING:
                made.without_default[field.python_name] = None
    return inputs[type_]


def _read_optional(definition: GraphQLField, node: FieldNode, names: Mapping[str, str]) -> Arguments | None:
    """Reads optional scalars that are constants or variables, as most arguments are; None if there are others.

    graphql-core takes 5 µs for the arguments of a connection, of which a screen has half a dozen; this takes 0.3.
    """
    if any(
        is_non_null_type(argument.type) or argument.default is not None or argument.default_value is not Undefined
        for argument in definition.args.values()
    ):
        return None
    values = {names[argument.name.value]: argument.value for argument in node.arguments or ()}
    if any(isinstance(value, (ListValueNode, ObjectValueNode)) for value in values.values()):
        return None
    places = [(name, value.name.value) for name, value in values.items() if isinstance(value, VariableNode)]
    literals = tuple(argument for argument in node.arguments or () if not isinstance(argument.value, VariableNode))
    known = get_argument_values(definition, FieldNode(name=node.name, arguments=literals))
    constants = {names[name]: value for name, value in known.items()}

    def read(variables: VariableValues) -> dict[str, Any]:
        coerced = variables.coerced
        return constants | {name: coerced[variable] for name, variable in places if variable in coerced}

    return read
