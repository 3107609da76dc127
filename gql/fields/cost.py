"""The cost of an operation, in nodes that it could return. It depends on the document and on variables.

Pages multiply: 50 conversations with 20 messages each are 1,050 nodes. Slower work, such as a search or a write, costs
a number of nodes that the kind of field or the filter defines. A cost is a sum of a number and of products with a
factor that depends on variables; for most documents a request computes one or two of those. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from graphql import (
    EnumValueNode,
    FieldNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
)

from db.page import DEFAULT_SIZE, MAX_SIZE

# The most digits of the size of a page.
_LONGEST_NUMBER = 10


@dataclass(frozen=True, slots=True)
class VariableSize:
    """The number of nodes of a field, if it depends on variables."""

    given: tuple[int | str, ...]
    """Numbers, and names of variables that hold a number or a list."""
    most: int
    otherwise: int
    """The size if no variable has a value."""

    def of(self, variables: Mapping[str, Any]) -> int:
        """The size with these variables."""
        values = (variables.get(item) if isinstance(item, str) else item for item in self.given)
        sizes = [len(value) if isinstance(value, list) else value for value in values if value is not None]
        return _bounded(sizes, self.most, self.otherwise)


# The nodes that an input field or enum value adds to the cost of a statement, by its name.
Weights: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class VariableWeight:
    """The weight of a variable that is a part of an input, plus `own` if it has a value."""

    name: str
    weights: Weights
    own: int

    def of(self, variables: Mapping[str, Any]) -> int:
        """The weight with these variables."""
        value = variables.get(self.name)
        return 0 if value is None else self.own + _weigh(value, self.weights)


@dataclass(frozen=True, slots=True)
class VariableItems:
    """The number of items in the lists of a variable, counted up to `most`."""

    name: str
    most: int

    def of(self, variables: Mapping[str, Any]) -> int:
        """The number with these variables."""
        return min(_count_items(variables.get(self.name)), self.most)


Size: TypeAlias = int | VariableSize | VariableWeight | VariableItems


def _bounded(sizes: list[int], most: int, otherwise: int) -> int:
    """The largest value. Values out of range are rejected later, with a better message."""
    return min(max(*sizes, 0, 0), most) if sizes else otherwise


@dataclass(frozen=True, slots=True)
class Cost:
    """A number of nodes, plus each of `parts` multiplied by its size."""

    number: int = 0
    parts: tuple[tuple[Size, Cost], ...] = ()

    def of(self, variables: Mapping[str, Any]) -> int:
        """The number of nodes with these variables."""
        return _work_out(self, variables, {}) if self.parts else self.number


def total(costs: Iterable[Cost], number: int = 0) -> Cost:
    """The sum of the costs and `number`."""
    every = list(costs)
    # A sum refers to its parts, so that a part that is used twice is stored and computed once.
    return Cost(
        number + sum(cost.number for cost in every), tuple((1, _variable(cost)) for cost in every if cost.parts)
    )


def times(size: Size, cost: Cost) -> Cost:
    """The cost multiplied by the number of parents."""
    if not isinstance(size, int):
        return Cost(0, ((size, cost),))
    return Cost(size * cost.number, ((size, _variable(cost)),) if cost.parts else ())


def _variable(cost: Cost) -> Cost:
    return Cost(0, cost.parts)


def _work_out(cost: Cost, variables: Mapping[str, Any], known: dict[int, int]) -> int:
    # Parts are shared; a cost itself is made for each sum.
    place = id(cost.parts)
    if place not in known:
        known[place] = sum(
            (size if isinstance(size, int) else size.of(variables)) * _work_out(part, variables, known)
            for size, part in cost.parts
        )
    return cost.number + known[place]


def page_size(node: FieldNode) -> Size:
    """The size of a page of a connection."""
    return size_of(node, ("first", "last"), MAX_SIZE, DEFAULT_SIZE)


def list_size(node: FieldNode, argument: str, most: int) -> Size:
    """The number of items in the list argument of a field; `most` if it is unknown."""
    return size_of(node, (argument,), most, most)


def size_of(node: FieldNode, names: tuple[str, ...], most: int, otherwise: int) -> Size:
    """The largest of these arguments, at most `most`; `otherwise` if none is given."""
    values = [_number(argument.value, most) for argument in node.arguments or () if argument.name.value in names]
    given = tuple(value for value in values if value is not None)
    if any(isinstance(value, str) for value in given):
        return VariableSize(given, most, otherwise)
    return _bounded([value for value in given if isinstance(value, int)], most, otherwise)


def _number(value: ValueNode, most: int) -> int | str | None:
    """A number or the name of a variable; None for anything else."""
    if isinstance(value, VariableNode):
        return value.name.value
    if isinstance(value, IntValueNode):
        return int(value.value) if len(value.value) <= _LONGEST_NUMBER else most
    return len(value.values) if isinstance(value, ListValueNode) else None


NOTHING = Cost()


def input_cost(node: FieldNode, argument: str, weights: Weights) -> Cost:
    """The weight of an argument's value: the sum of the `weights` of the names anywhere in it."""
    return total(_weigh_literal(item.value, weights) for item in node.arguments or () if item.name.value == argument)


def item_cost(node: FieldNode, argument: str, most: int) -> Cost:
    """The number of items in the lists of an argument's value; at most `most` per variable."""
    return total(_item_literals(item.value, most) for item in node.arguments or () if item.name.value == argument)


def _weigh_literal(value: ValueNode, weights: Weights, own: int = 0) -> Cost:
    if isinstance(value, VariableNode):
        return Cost(0, ((VariableWeight(value.name.value, weights, own), Cost(1)),))
    if isinstance(value, NullValueNode):
        return NOTHING
    if isinstance(value, ObjectValueNode):
        fields = ((field.value, weights.get(field.name.value, 0)) for field in value.fields)
        return total((_weigh_literal(item, weights, weight) for item, weight in fields), own)
    if isinstance(value, ListValueNode):
        return total((_weigh_literal(item, weights) for item in value.values), own)
    return Cost(own + (weights.get(value.value, 0) if isinstance(value, EnumValueNode) else 0))


def _weigh(value: Any, weights: Weights) -> int:
    """The weight of a coerced value."""
    if isinstance(value, dict):
        return sum(weights.get(key, 0) + _weigh(item, weights) for key, item in value.items() if item is not None)
    if isinstance(value, list):
        return sum(_weigh(item, weights) for item in value)
    return weights.get(value.name, 0) if isinstance(value, Enum) else 0


def _item_literals(value: ValueNode, most: int) -> Cost:
    if isinstance(value, VariableNode):
        return Cost(0, ((VariableItems(value.name.value, most), Cost(1)),))
    if isinstance(value, ObjectValueNode):
        return total(_item_literals(field.value, most) for field in value.fields)
    # The items of lists are ids, so variables in a list contain no lists.
    return Cost(min(len(value.values), most)) if isinstance(value, ListValueNode) else NOTHING


def _count_items(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_count_items, value.values()))
    return len(value) if isinstance(value, list) else 0
