"""The clients that front ends use follow an account: `graphql-ws`, `graphql-sse`, Apollo Client 3 and 4, and urql.

They run where Node.js and the packages are, which `.ci/run` installs into `.cache/clients`.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.process import CONVERSATIONS, SEND, Served, prepare, serving_processes

pytestmark = pytest.mark.anyio

NODE = shutil.which("node")
PACKAGES = Path(os.environ.get("CLIENT_PACKAGES") or Path(__file__).parents[2] / ".cache/clients").absolute()
PROGRAM = Path(__file__).with_name("clients.mjs")
NAMES = ["graphql-ws", "graphql-sse", "apollo-3", "apollo-4", "urql"]


class Following:
    """A client that runs: what it prints, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(process,))
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.put(line)

    def until(self, expected: dict[str, Any]) -> list[dict[str, Any]]:
        """The lines up to one that is expected. Fails on an error, or if none comes."""
        found: list[dict[str, Any]] = []
        while not (found and found[-1] == expected):
            found.append(json.loads(self._lines.get(timeout=60)))
            assert "error" not in found[-1], found
        return found

    def join(self) -> None:
        """Wait until everything was read."""
        self._reader.join()


@contextmanager
def running(name: str, url: str, cursor: str, token: str) -> Iterator[Following]:
    """A client that follows from a cursor."""
    process = subprocess.Popen(  # noqa: S603  # the test's own program
        [str(NODE), str(PROGRAM), name, f"{url}/graphql", cursor],
        env=os.environ | {"PACKAGES": str(PACKAGES), "TOKEN": token},
        stdout=subprocess.PIPE,
        text=True,
    )
    following = Following(process)
    try:
        yield following
    finally:
        process.kill()
        following.join()
        process.communicate()


def ask(served: Served, document: str, **variables: Any) -> Any:
    """The data of an answer."""
    response = httpx.post(
        f"{served.url}/graphql",
        headers={"Authorization": f"Bearer {served.token}"},
        json={"query": document, "variables": variables},
        timeout=60,
    )
    answer = response.json()
    assert "errors" not in answer, answer
    return answer["data"]


def send(served: Served, text: str) -> None:
    """Write a message."""
    ask(served, SEND, key=text, text=text, there=CONVERSATIONS[0])


@pytest.mark.skipif(NODE is None, reason="needs Node.js")
@pytest.mark.skipif(
    not (PACKAGES / "node_modules/apollo-client-4").exists(), reason="needs npm packages in .cache/clients"
)
@pytest.mark.parametrize("name", NAMES)
async def test_a_client_follows_and_continues_after_a_restart_of_the_server(
    dsn: str, tmp_path: Path, name: str
) -> None:
    await prepare(dsn)
    with serving_processes(dsn, tmp_path) as first:
        port = first.url.rpartition(":")[2]
        cursor = ask(first, "{ changesCursor }")["changesCursor"]
        send(first, "missed")
        with running(name, first.url, cursor, first.token) as client:
            client.until({"content": "missed"})
            send(first, "while it follows")
            client.until({"content": "while it follows"})
            first.process.terminate()
            assert first.process.wait(20) == 0
            with serving_processes(dsn, tmp_path, "--port", port) as second:
                send(second, "while it was away, or later")
                seen = client.until({"content": "while it was away, or later"})
                send(second, "stop")
                client.until({"done": True})

    # It sends its last cursor, and so sees nothing twice.
    assert [line["content"] for line in seen if "content" in line] == ["while it was away, or later"]
