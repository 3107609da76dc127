"""`python -m gql` is `inbox`."""

from __future__ import annotations

from gql.cli import main

if __name__ == "__main__":
    main()
