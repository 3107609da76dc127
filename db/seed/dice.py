"""Random draws that depend only on a seed, all made from `random()`.

Python keeps the sequence of `random()` for a seed across versions and platforms; it promises less for its other draws.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A sequence of draws, the same for the same seed."""

    __slots__ = ("_random",)

    def __init__(self, seed: str) -> None:
        self._random = Random(seed).random  # noqa: S311 - invented people need no cryptographic randomness

    def chance(self, probability: float) -> bool:
        """True with this probability, which is between 0 and 1."""
        return self._random() < probability

    def below(self, limit: int) -> int:
        """Draw a whole number from 0 to `limit` - 1; 0 if `limit` is 0."""
        return int(self._random() * limit)

    def pick(self, values: Sequence[T]) -> T:
        """Draw one of `values`, which must not be empty."""
        return values[int(self._random() * len(values))]

    def sample(self, values: Sequence[T], count: int) -> list[T]:
        """Draw `count` items of `values`, each at most once, in random order. `values` has at least `count` items."""
        left = list(values)
        for place in range(count):
            other = place + int(self._random() * (len(left) - place))
            left[place], left[other] = left[other], left[place]
        return left[:count]


class Shares:
    """A weighted draw of whole numbers, given as {number: weight}."""

    __slots__ = ("_bounds", "_numbers")

    def __init__(self, weights: Mapping[int, int]) -> None:
        self._numbers = tuple(weights)
        self._bounds = tuple(accumulate(weights.values()))

    def draw(self, dice: Dice) -> int:
        """Draw one of the numbers."""
        return self._numbers[bisect(self._bounds, dice.below(self._bounds[-1]))]
