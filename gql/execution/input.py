"""How much input an operation brings, counted before anything of it is converted.

graphql-core coerces each variable once, and Strawberry converts each argument, which takes 0.2 ms for an input object
and is done for every field that uses a variable. Counting takes a fraction of a microsecond for a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import ListValueNode, ObjectValueNode, OperationDefinitionNode, ValueNode, VariableNode

from gql.errors import ClientError, Code
from gql.fields.cost import NOTHING, Cost, VariableSize, total

# Input objects of an operation, those in variables as often as they are used: a filter of 100 conditions, the most that
# one may have, has about as many. A page of filters, its variables and its fallback to graphql-core take under 150 ms.
MAX_OBJECTS = 250
# Values in values. A filter has at most three levels of `not` and `or`, which are seven.
MAX_DEPTH = 20
# Scalars, lists and objects in the variables of an operation. Lists have 250 items, but a mutation reports longer ones
# itself.
MAX_VALUES = 10_000


def too_large(what: str, limit: int) -> ClientError:
    """The refusal of input that is past the limit of `what`."""
    message = f"This operation is too complex: its input has over {limit} {what}"
    return ClientError(message, Code.OPERATION_TOO_COMPLEX, limit=f"input {what}", maximum=limit)


def count_literal(value: ValueNode) -> Cost:
    """The input objects in a literal, where those of variables depend on their values."""
    if isinstance(value, VariableNode):
        return Cost(0, ((VariableSize((value.name.value,), MAX_OBJECTS + 1, 0), Cost(1)),))
    if isinstance(value, ListValueNode):
        return total(map(count_literal, value.values))
    if isinstance(value, ObjectValueNode):
        return total((count_literal(field.value) for field in value.fields), 1)
    return NOTHING


def check_input(operation: OperationDefinitionNode, objects: Cost, given: Mapping[str, Any]) -> None:
    """Raise `ClientError` where the variables `given` are too large.

    `objects` are the input objects of the operation, for each variable as many as it has.
    """
    counted: dict[str, int] = {}
    values = 0
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name in given:
            counted[name], size = _count(given[name], MAX_VALUES - values)
            values += size
        elif definition.default_value is not None:
            counted[name] = count_literal(definition.default_value).number
    if objects.of(counted) > MAX_OBJECTS:
        raise too_large("objects", MAX_OBJECTS)


def _count(value: Any, most: int) -> tuple[int, int]:
    """The objects and the values in a variable. Raises `ClientError` for over `most` values and for deep nesting."""
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
