"""A cache of the values used last, bounded in their number and in the memory that they take together.

A number alone is no bound where clients decide how large a value is. The caller states the size of each value in bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Cache(Generic[_K, _V]):
    """At most `count` values, taking at most `size` bytes together."""

    def __init__(self, count: int, size: int) -> None:
        self._count = count
        self._size = size
        self._kept: OrderedDict[_K, tuple[_V, int]] = OrderedDict()
        self.taken = 0
        """Bytes that the values take now."""

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: _K) -> _V | None:
        """The value, where it is kept."""
        entry = self._kept.get(key)
        if entry is None:
            return None
        self._kept.move_to_end(key)
        return entry[0]

    def keep(self, key: _K, value: _V, size: int) -> None:
        """Keep a value, and forget those not used for longest. One too large to be kept displaces nothing."""
        if size > self._size or key in self._kept:
            return
        self._kept[key] = value, size
        self.taken += size
        while len(self._kept) > self._count or self.taken > self._size:
            _, (_, freed) = self._kept.popitem(last=False)
            self.taken -= freed
