"""An LRU cache, bounded by the number of values and by their memory.

A number alone would not bound the memory if clients decide how large a value is. The caller gives the size of each
value in bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Cache(Generic[_K, _V]):
    """At most `count` values with at most `size` bytes in total."""

    def __init__(self, count: int, size: int) -> None:
        self._count = count
        self._size = size
        self._kept: OrderedDict[_K, tuple[_V, int]] = OrderedDict()
        self.taken = 0
        """The present bytes of all values."""

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: _K) -> _V | None:
        """The value, or None if it is not cached."""
        entry = self._kept.get(key)
        if entry is None:
            return None
        self._kept.move_to_end(key)
        return entry[0]

    def keep(self, key: _K, value: _V, size: int) -> None:
        """Add a value, and drop the least recently used ones.

        A value above the limit is not added and drops nothing.
        """
        if size > self._size or key in self._kept:
            return
        self._kept[key] = value, size
        self.taken += size
        while len(self._kept) > self._count or self.taken > self._size:
            _, (_, freed) = self._kept.popitem(last=False)
            self.taken -= freed
