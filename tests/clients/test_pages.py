"""The pages on Apollo Client, urql and Relay have code that works: it is taken from the page and run against a server.

The clients run where Node.js and the packages are, which `.ci/run` installs into `.cache/clients`.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.node import PACKAGES, Running, ask, built, needs
from tests.support.process import prepare, serving_processes

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PACKAGE = {"apollo": "@apollo/client", "urql": "@urql/exchange-graphcache", "relay": "relay-compiler"}
CLOSE = "mutation ($id: ID!) { updateConversation(input: {conversationId: $id, closed: true}) { __typename } }"
LIST = "{ conversations(first: 4, orderBy: {field: CREATED_AT, direction: ASC}) { nodes { id } } }"


def blocks(page: str, language: str) -> list[str]:
    """The code of a page in one language."""
    text = (ROOT / f".github/docs/{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def program(name: str, folder: Path) -> Path:
    """The page's code and what uses it, as JavaScript."""
    source = folder / f"{name}.ts"
    source.write_text((Path(__file__).parent / f"pages/{name}.ts").read_text(encoding="utf-8"))
    (code,) = blocks(name, "ts")
    (folder / "page.ts").write_text(code)
    if name == "relay":
        (configuration,) = map(json.loads, blocks(name, "json"))
        (folder / "schema.graphql").write_text((ROOT / "schema.graphql").read_text(encoding="utf-8"))
        (folder / "relay.config.json").write_text(
            json.dumps(configuration | {"src": ".", "artifactDirectory": "__generated__"})
        )
        (folder / "package.json").write_text("{}")
        (folder / "__generated__").mkdir()
        compiler = PACKAGES / "node_modules/.bin/relay-compiler"
        subprocess.run([str(compiler), "relay.config.json"], cwd=folder, check=True)  # noqa: S603
    return built(source, folder)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(package, "esbuild", "graphql-ws")) for name, package in PACKAGE.items()]
)
async def test_a_pages_code_reads_pages_and_errors_and_follows(dsn: str, tmp_path: Path, name: str) -> None:
    await prepare(dsn)
    module = program(name, tmp_path)
    with serving_processes(dsn, tmp_path) as served:
        listed = ask(served, LIST)["conversations"]["nodes"]
        client = Running(module, served)
        try:
            assert client.line() == {"ids": [node["id"] for node in listed], "code": "BAD_USER_INPUT"}
            ask(served, CLOSE, id=listed[1]["id"])
            assert client.line() == {"closed": [False, True, False, False]}
        finally:
            client.kill()
