"""Describes the machine and the versions of a measurement."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg

_PACKAGES = (
    *("strawberry-graphql", "graphql-core", "aiodataloader", "starlette", "uvicorn", "uvloop", "httptools"),
    *("sqlalchemy", "sqlmodel", "asyncpg", "orjson"),
)


def describe(dsn: str, node: Mapping[str, str]) -> dict[str, Any]:
    """The processor, the system and all versions; `node` has those of Node's packages."""
    settings = asyncio.run(_settings(dsn))
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": settings["server_version"].split()[0],
        "synchronous_commit": settings["synchronous_commit"],
        "packages": {package: version(package) for package in _PACKAGES} | dict(node),
    }


async def _settings(dsn: str) -> dict[str, str]:
    connection = await asyncpg.connect(dsn)
    try:
        return {name: await connection.fetchval(f"SHOW {name}") for name in ("server_version", "synchronous_commit")}
    finally:
        await connection.close()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
