"""Limits the size of an operation's input before it is converted.

graphql-core coerces each variable once, but Strawberry converts it for every field that uses it, which takes 0.2 ms for
an input object. Counting a value takes a fraction of a microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import ListValueNode, ObjectValueNode, OperationDefinitionNode, ValueNode, VariableNode

from gql.errors import ClientError, Code
from gql.fields.cost import NOTHING, Cost, VariableSize, total

# The most input objects of an operation; those in a variable count for each use. A filter with 100 conditions, its
# limit, has about as many. A document at this limit, its variables and its fallback to graphql-core take under 150 ms.
MAX_OBJECTS = 250
# The most levels of nested values. A filter with its three levels of `not` and `or` has seven.
MAX_DEPTH = 20
# The most scalars, lists and objects in the variables of an operation. Lists have at most 250 items, but mutations
# report longer ones themselves.
MAX_VALUES = 10_000


def too_large(what: str, limit: int) -> ClientError:
    """The error for input that exceeds the limit of `what`."""
    message = f"This operation is too complex: its input has over {limit} {what}"
    return ClientError(message, Code.OPERATION_TOO_COMPLEX, limit=f"input {what}", maximum=limit)


def count_literal(value: ValueNode) -> Cost:
    """The number of input objects in a literal, and its variables, whose objects are counted later."""
    if isinstance(value, VariableNode):
        return Cost(0, ((VariableSize((value.name.value,), MAX_OBJECTS + 1, 0), Cost(1)),))
    if isinstance(value, ListValueNode):
        return total(map(count_literal, value.values))
    if isinstance(value, ObjectValueNode):
        return total((count_literal(field.value) for field in value.fields), 1)
    return NOTHING


def check_input(operation: OperationDefinitionNode, objects: Cost, given: Mapping[str, Any]) -> None:
    """Raise `ClientError` if the variables `given` are too large.

    `objects` is the number of input objects in the operation, which depends on variables.
    """
    counted: dict[str, int] = {}
    values = 0
    for definition in operation.variable_definitions or ():
        name, default = definition.variable.name.value, definition.default_value
        if name in given:
            number, size = _count(given[name], MAX_VALUES - values)
            values += size
        else:
            number = 0 if default is None else count_literal(default).number
        if number:
            counted[name] = number
    # Most operations have scalars only: this takes 2 µs less for one variable, of the 200 of a query for one row.
    if (objects.of(counted) if counted else objects.number) > MAX_OBJECTS:
        raise too_large("objects", MAX_OBJECTS)


def _count(value: Any, most: int) -> tuple[int, int]:
    """The numbers of objects and values in a variable. Raises `ClientError` for over `most` values and deep nesting."""
    objects = values = depth = 0
    level = [value]
    while level:
        values += len(level)
        depth += 1
        if values > most:
            raise too_large("values", MAX_VALUES)
        if depth > MAX_DEPTH:
            raise too_large("levels", MAX_DEPTH)
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                objects += 1
                below += item.values()
            elif isinstance(item, list):
                below += item
        level = below
    return objects, values
