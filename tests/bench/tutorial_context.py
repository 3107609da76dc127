"""The context of a request to the tutorial server: its viewer, its loaders, the engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import strawberry
from sqlalchemy.ext.asyncio import AsyncEngine

from db.scope import Viewer
from tests.bench.tutorial_loaders import Loaders


@dataclass(frozen=True, slots=True)
class Context:
    """The context of one request. `engine` is for transactions, `reading` the same pool without them."""

    viewer: Viewer
    loaders: Loaders
    engine: AsyncEngine
    reading: AsyncEngine


Info: TypeAlias = strawberry.Info[Context, None]
