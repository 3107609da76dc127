"""An installed wheel can share an environment with PyPI's `gql`, serves from any folder, and has tested versions."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import requires, version
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from tests.support.client import SECRET
from tests.support.command import read_until, stops

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UV = shutil.which("uv")
QUESTION = {"query": "{ conversations(first: 1) { totalCount } }"}


# The metadata


def runtime() -> set[str]:
    """The distributions that the server needs on this machine, by their normalised names."""
    found: set[str] = set()
    rest = [Requirement("inbox-graphql")]
    while rest:
        needed = rest.pop()
        for requirement in map(Requirement, requires(needed.name) or ()):
            applies = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in {"", *needed.extras}
            )
            name = requirement.name.lower().replace("_", "-")
            if applies and (name not in found or requirement.extras):
                found.add(name)
                rest.append(requirement)
    return found


def test_the_extra_names_the_version_of_everything_that_is_needed() -> None:
    pins = {
        Requirement(text).name: str(Requirement(text).specifier) for text in PROJECT["optional-dependencies"]["tested"]
    }

    assert pins == {name: f"=={version(name)}" for name in sorted(runtime())}


def test_the_documentation_names_the_extra() -> None:
    assert "[tested]" in (ROOT / "README.md").read_text(encoding="utf-8")


# The wheel


def uv(*arguments: str | Path, folder: Path) -> None:
    """Run uv, and skip the test if a package index cannot be reached."""
    if UV is None:
        pytest.skip("needs uv")
    done = subprocess.run([UV, *arguments], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode and re.search(r"error sending request|dns error|Failed to fetch|No solution", done.stderr):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--quiet", "--wheel", "--out-dir", folder, ROOT, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@dataclass
class Installed:
    """An environment with the wheel and with PyPI's `gql`, and an unrelated working directory."""

    python: Path
    elsewhere: Path

    @property
    def inbox(self) -> Path:
        """The command."""
        return self.python.with_name("inbox")

    def start(self, *command: str | Path, **environment: str) -> subprocess.Popen[str]:
        """Start a program of the environment in the working directory."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return subprocess.Popen(  # noqa: S603
            list(map(str, command)),
            cwd=self.elsewhere,
            env=kept | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def output(self, *command: str | Path, **environment: str) -> str:
        """The output of a program that succeeds without warnings."""
        process = self.start(*command, **environment)
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        return output

    @contextmanager
    def running(self, mark: str, *command: str | Path, **environment: str) -> Iterator[list[str]]:
        """The lines of a server's output and log up to one with `mark`; stopped at the end of the block."""
        process = self.start(*command, **environment)
        try:
            stream = process.stdout if mark == "Ctrl-C" else process.stderr
            lines = read_until(stream, mark)
            assert mark in "".join(lines), lines
            yield lines
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture(scope="module", params=["gql first", "inbox first"])
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Both packages in an empty environment, in either order."""
    folder = tmp_path_factory.mktemp("installed")
    # PostgreSQL does not run as root, so another user must be able to read the environment and the data.
    for each in (folder, *folder.parents[:2]):
        each.chmod(each.stat().st_mode | 0o011)
    uv("venv", "--quiet", "--python", sys.executable, folder / "venv", folder=folder)
    python = folder / "venv" / "bin" / "python"
    packages = ["gql", f"{wheel}[tested]"]
    for package in packages if request.param == "gql first" else reversed(packages):
        uv("pip", "install", "--quiet", "--python", python, package, folder=folder)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Installed(python, elsewhere)


@pytest.mark.slow
def test_the_wheel_has_one_top_level_package(wheel: Path) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}

    assert {name for name in names if not name.endswith(".dist-info")} == {"inbox_graphql"}


CLIENT = """
from gql import Client, gql
from graphql import build_schema
client = Client(schema=build_schema("type Query { answer: Int }"))
print(client.execute(gql("{ answer }")))
"""


@stops
@pytest.mark.slow
def test_the_client_and_the_server_share_an_environment(installed: Installed) -> None:
    assert installed.output(installed.python, "-c", CLIENT) == "{'answer': None}\n"
    assert installed.output(installed.inbox, "--version") == f"{PROJECT['version']}\n"
    assert installed.output(installed.python, "-m", "inbox_graphql", "--version") == f"{PROJECT['version']}\n"


@stops
@pytest.mark.slow
def test_the_demo_runs_from_any_folder(installed: Installed) -> None:
    with installed.running("Ctrl-C", installed.inbox, "demo", "--port", "0", "--data", "data") as lines:
        url = lines[1].removeprefix("GraphiQL  ")
        headers = {"Authorization": f"Bearer {lines[2].removeprefix('Token     ')}"}
        answer = httpx.post(url, headers=headers, json=QUESTION, timeout=30)
        page = httpx.get(url, headers={"Accept": "text/html"}, timeout=30)

    assert answer.json() == {"data": {"conversations": {"totalCount": 1_000}}}
    assert page.status_code == 200


@stops
@pytest.mark.slow
def test_workers_and_uvicorns_factory_find_the_application(installed: Installed, dsn: str) -> None:
    environment = {"DATABASE_URL": dsn, "INBOX_JWT_SECRET": SECRET}
    with installed.running(
        "serving", installed.inbox, "serve", "--port", "0", "--workers", "2", **environment
    ) as lines:
        url = json.loads(lines[-1])["url"].removesuffix("/graphql")
        assert httpx.get(f"{url}/readyz", timeout=60).json() == {"status": "ok"}

    uvicorn = installed.python.with_name("uvicorn")
    with installed.running(
        "running on", uvicorn, "--factory", "inbox_graphql:create_app", "--port", "0", **environment
    ) as lines:
        url = re.findall(r"http://\S+", lines[-1])[0]
        assert httpx.get(f"{url}/readyz", timeout=60).json() == {"status": "ok"}


BESIDE = """
import gql, inbox_graphql
try:
    inbox_graphql.create_app()
except ImportError as error:
    print(error)
"""


@stops
@pytest.mark.slow
def test_a_process_that_uses_the_client_fails_to_serve_with_a_reason(installed: Installed) -> None:
    assert installed.output(installed.python, "-c", BESIDE) == (
        "This process uses another package `gql`: run inbox in a process of its own\n"
    )
