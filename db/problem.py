"""What is wrong with the input of a write, told as data: the transaction is rolled back, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


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
    """One thing wrong. `path` leads to the value, by the API's names, from the mutation's arguments."""

    code: ProblemCode
    message: str
    path: list[str]


class RejectedError(Exception):
    """The write breaks rules. Raised inside its transaction, which it thereby rolls back."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = list(problems)


def reject(problems: Sequence[Problem]) -> None:
    """Raise `RejectedError` if there is any problem."""
    if problems:
        raise RejectedError(problems)
