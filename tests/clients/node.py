"""Programs of Node.js for tests, which are skipped where it or the packages of clients are missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.process import Served

NODE = shutil.which("node")
PACKAGES = Path(os.environ.get("CLIENT_PACKAGES") or Path(__file__).parents[2] / ".cache/clients").absolute()
# CommonJS packages in a module need `require`.
_REQUIRE = "import { createRequire } from 'module'; const require = createRequire(import.meta.url);"


def needs(*packages: str, folder: Path = PACKAGES) -> pytest.MarkDecorator:
    """Skip a test where there is no Node.js, or one of these packages is missing."""
    missing = [name for name in packages if not (folder / "node_modules" / name).exists()]
    reason = f"needs Node.js, and {', '.join(packages)} from npm in .cache/{folder.name}"
    return pytest.mark.skipif(NODE is None or bool(missing), reason=reason)


def built(source: Path, folder: Path) -> Path:
    """The JavaScript module of a TypeScript program, with what it imports."""
    target = folder / f"{source.stem}.mjs"
    subprocess.run(  # noqa: S603  # a package that this repository names
        [
            str(PACKAGES / "node_modules/.bin/esbuild"),
            str(source),
            *("--bundle", "--platform=node", "--format=esm", "--log-level=error"),
            f"--banner:js={_REQUIRE}",
            f"--outfile={target}",
        ],
        env=os.environ | {"NODE_PATH": str(PACKAGES / "node_modules")},
        check=True,
    )
    return target


class Running:
    """A client's program, with the address of a server and a token in its environment."""

    def __init__(self, program: Path, served: Served) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # the test's own program
            [str(NODE), str(program)],
            env=os.environ | {"URL": f"{served.url}/graphql", "TOKEN": served.token},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> dict[str, Any]:
        """The next line that it prints."""
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(self._process.stdout.readline())
        return line

    def ask(self) -> dict[str, Any]:
        """The line that it prints after a line of its input."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        return self.line()

    def stop(self) -> dict[str, Any]:
        """Its last line."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.line()

    def kill(self) -> None:
        """End it, if it still runs."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


def ask(served: Served, document: str, **variables: Any) -> Any:
    """The data of an answer."""
    response = httpx.post(
        f"{served.url}/graphql",
        headers={"Authorization": f"Bearer {served.token}"},
        json={"query": document, "variables": variables},
        timeout=60,
    )
    return response.json()["data"]
