"""`python -m inbox_graphql` runs the command `inbox` of an installed wheel."""

from __future__ import annotations

from importlib import import_module

if __name__ == "__main__":
    # Imported by its installed name, which a checkout does not have.
    import_module("inbox_graphql").main()
