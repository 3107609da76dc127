"""The package `inbox_graphql`, the entry point of an installed wheel.

PyPI has a GraphQL client called `gql`, and both can be installed side by side. A wheel therefore has `gql` and `db` in
the folder of this package, and not among the top-level packages. The process that runs `inbox` puts that folder first
on its path, and the processes that it starts inherit the path. In a checkout, the path stays as it is.

For deployments, the application is `inbox_graphql:create_app`: `uvicorn --factory inbox_graphql:create_app`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def main() -> None:
    """Run the command `inbox`."""
    _load("gql.cli").main()


def create_app() -> Any:
    """Return the ASGI application, configured by the environment."""
    return _load("gql.app").create_configured_app()


def _load(module: str) -> Any:
    """Import `module` of this project. Raises ImportError if another package of the same name is imported already."""
    if (_FOLDER / "gql").is_dir():
        for name in ("gql", "db"):
            other = sys.modules.get(name)
            if other is not None and not str(other.__file__).startswith(str(_FOLDER)):
                raise ImportError(f"This process uses another package `{name}`: run inbox in a process of its own")
        if str(_FOLDER) not in sys.path:
            sys.path.insert(0, str(_FOLDER))
    return import_module(module)
