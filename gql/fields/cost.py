"""What an operation could return, counted in nodes: known from its document, but for the sizes that variables give.

Pages multiply: 50 conversations with 20 messages each are 1,050 nodes. A cost is a number, and products of which one
factor is told by variables; those are worked out anew for each request, in a step or two for most documents. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import FieldNode, IntValueNode, ListValueNode, ValueNode, VariableNode

from db.page import DEFAULT_SIZE, MAX_SIZE

# Digits of a number that could be the size of a page.
_LONGEST_NUMBER = 10


@dataclass(frozen=True, slots=True)
class VariableSize:
    """How many nodes a field leads to, where variables say it."""

    told: tuple[int | str, ...]
    """Numbers, and names of variables that hold a number or a list."""
    most: int
    otherwise: int
    """Where no variable has a value."""

    def of(self, variables: Mapping[str, Any]) -> int:
        """The size with these variables."""
        values = (variables.get(item) if isinstance(item, str) else item for item in self.told)
        sizes = [len(value) if isinstance(value, list) else value for value in values if value is not None]
        return _bounded(sizes, self.most, self.otherwise)


Size: TypeAlias = int | VariableSize


def _bounded(sizes: list[int], most: int, otherwise: int) -> int:
    """The largest. One that is out of bounds is refused later, with a better message."""
    return min(max(*sizes, 0, 0), most) if sizes else otherwise


@dataclass(frozen=True, slots=True)
class Cost:
    """So many nodes, and of each of `parts` so many times as its size says."""

    number: int = 0
    parts: tuple[tuple[Size, Cost], ...] = ()

    def of(self, variables: Mapping[str, Any]) -> int:
        """The number of nodes with these variables."""
        return _work_out(self, variables, {}) if self.parts else self.number


def total(costs: Iterable[Cost], number: int = 0) -> Cost:
    """The sum, and `number` more."""
    every = list(costs)
    # A sum refers to what it is the sum of: what is used twice takes no more room, and is worked out once.
    return Cost(
        number + sum(cost.number for cost in every), tuple((1, _variable(cost)) for cost in every if cost.parts)
    )


def times(size: Size, cost: Cost) -> Cost:
    """The cost for each of so many parents."""
    if isinstance(size, VariableSize):
        return Cost(0, ((size, cost),))
    return Cost(size * cost.number, ((size, _variable(cost)),) if cost.parts else ())


def _variable(cost: Cost) -> Cost:
    return Cost(0, cost.parts)


def _work_out(cost: Cost, variables: Mapping[str, Any], known: dict[int, int]) -> int:
    # Parts are what is shared; a cost itself is made anew for each sum that it is in.
    place = id(cost.parts)
    if place not in known:
        known[place] = sum(
            (size if isinstance(size, int) else size.of(variables)) * _work_out(part, variables, known)
            for size, part in cost.parts
        )
    return cost.number + known[place]


def size_of(node: FieldNode, arguments: tuple[str, ...], most: int, otherwise: int) -> Size:
    """The largest of these arguments, at most `most`; `otherwise` if none is given."""
    return _told(node, arguments, most, otherwise)


def page_size(node: FieldNode) -> Size:
    """How large a page of a connection is."""
    return _told(node, ("first", "last"), MAX_SIZE, DEFAULT_SIZE)


def list_size(node: FieldNode, argument: str, most: int) -> Size:
    """How many items the list argument of a field has; `most` where there is no telling."""
    return _told(node, (argument,), most, most)


def _told(node: FieldNode, names: tuple[str, ...], most: int, otherwise: int) -> Size:
    values = [_number(argument.value, most) for argument in node.arguments or () if argument.name.value in names]
    told = tuple(value for value in values if value is not None)
    if any(isinstance(value, str) for value in told):
        return VariableSize(told, most, otherwise)
    return _bounded([value for value in told if isinstance(value, int)], most, otherwise)


def _number(value: ValueNode, most: int) -> int | str | None:
    """A number, or the name of a variable; None where it is neither, nor a list."""
    if isinstance(value, VariableNode):
        return value.name.value
    if isinstance(value, IntValueNode):
        return int(value.value) if len(value.value) <= _LONGEST_NUMBER else most
    return len(value.values) if isinstance(value, ListValueNode) else None


NOTHING = Cost()
