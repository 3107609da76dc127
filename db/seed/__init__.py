"""Deterministic demo data, sized: the same seed and moment give the same rows, byte for byte.

`load` checks, copies and counts; `tenant` makes what an account has before its first conversation; `thread` makes
conversations; `rows` collects rows until they are copied; `words` and `speech` are what people are called and say. It
refuses to add to a database that has accounts: its ids start at 1.
"""

from db.seed.load import SeedError, seed

__all__ = ["SeedError", "seed"]
