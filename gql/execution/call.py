"""What a request asks for, and what of it can be executed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import ref

from graphql.execution.values import VariableValues

from gql.execution.document import Operation
from gql.execution.persisted import Reference


@dataclass(slots=True, eq=False)
class Parameters:
    """The parameters of a GraphQL request. Those of a repeated body are shared by its requests."""

    document: Reference
    operation_name: str | None
    variables: dict[str, Any] | None
    read_only: bool = False
    is_long: bool = False
    """Whether checking the variables takes long."""
    checked: Checked | None = None
    """What the executor found when it checked them."""


class Checked(NamedTuple):
    """Variables that are within the limits of an operation, with their types, and the cost of the operation.

    The operation may be forgotten before the parameters are, because documents have a cache of their own.
    """

    operation: ref[Operation]
    values: VariableValues
    cost: int


class Call(NamedTuple):
    """An operation that can be executed, with its variables: they have their types, and are within the limits."""

    operation: Operation
    given: dict[str, Any]
    variables: VariableValues
    cost: int
    is_heavy: bool = False
    """Whether its viewer gets only one connection at a time."""

    @property
    def is_planned(self) -> bool:
        """Whether it was executed, or planned, with the same conditions before."""
        return self.operation.plans.are_known(self.variables.coerced)
