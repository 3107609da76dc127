"""Problems with the input of a write, as data: the write is rolled back, and its payload lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ProblemCode(StrEnum):
    """What is wrong with a mutation's input."""

    BLANK = "BLANK"
    CONFLICT = "CONFLICT"
    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    READ_ONLY = "READ_ONLY"
    TOO_LONG = "TOO_LONG"
    TOO_MANY = "TOO_MANY"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with one value. `path` leads to the value from the mutation's arguments, in the API's names."""

    code: ProblemCode
    message: str
    path: list[str]


class RejectedError(Exception):
    """The input breaks rules. Raised in the transaction of the write, and thereby rolls it back."""

    def __init__(self, problems: Sequence[Problem], present: Any = None) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = list(problems)
        self.present = present
        """The id or ids of the records whose present state explains the problems."""


def reject(problems: Sequence[Problem], present: Any = None) -> None:
    """Raise `RejectedError` if there is any problem."""
    if problems:
        raise RejectedError(problems, present)
