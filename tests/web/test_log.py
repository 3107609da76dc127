"""The log: one line per operation, JSON outside of a terminal, and no confidential text."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from gql.log import configure_log, describe
from tests.support.client import Client, Statements, make_settings
from tests.support.database import run

# A server started like `inbox serve`, whose `totalCount` fails, with a path that fails outside of our code.
SERVER = """
import asyncio, logging, os, socket, sys
import uvicorn
from starlette.routing import Route
from db.relations import Many
from gql.app import create_app
from gql.log import configure_log
from tests.support.client import make_settings

# The frames that are logged show their lines of code, from Python 3.13 on these too: no secret may stand in them.
mark = "secret-of-{}".format

async def fail(*_arguments):
    raise LookupError(mark("an-exception"))

async def abandon(request):
    asyncio.get_running_loop().create_future().set_exception(ValueError(mark("a-future")))
    logging.getLogger("somebody.else").warning("all is %s", "well")
    raise LookupError(mark("another-exception")) from OSError(mark("a-cause"))

configure_log()
Many.count = fail
app = create_app(make_settings(sys.argv[1], metrics=True))
app.router.routes.append(Route("/abandon", abandon))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_config=None)).run([listener])
"""

DOCUMENT = """# secret-of-a-comment
query Look($id: ID = "secret-of-a-default") {
  bad: node(id: "secret-of-a-literal") { id }
  other: node(id: $id) { id }
  conversations(first: 3) { nodes { subject messages { nodes { content } } } }
}"""
WRITE = """mutation Write($input: CreateConversationInput!) {
  createConversation(input: $input) { conversation { subject } userErrors { message } }
}"""


def start(dsn: str, log: int) -> tuple[subprocess.Popen[str], str]:
    """A server that writes its log to `log`, and its address."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", SERVER, dsn],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert process.stdout
    return process, f"http://127.0.0.1:{process.stdout.readline().strip()}"


class Served:
    """The requests to the server, and its lines."""

    def __init__(self, dsn: str) -> None:
        self.lines: list[dict[str, Any]] = []
        self.viewer = Client(httpx.AsyncClient(), make_settings(dsn), Statements())
        self.secrets: list[str] = []
        process, address = start(dsn, subprocess.PIPE)
        with httpx.Client(base_url=address, timeout=30) as http:
            self.answers = self._ask(http)
        process.terminate()
        _, self.text = process.communicate(timeout=30)
        self.lines = [json.loads(line) for line in self.text.splitlines()]

    def _ask(self, http: httpx.Client) -> dict[str, httpx.Response]:
        def post(document: str, **variables: Any) -> httpx.Response:
            return http.post("/graphql", json={"query": document, "variables": variables}, headers=self.viewer.headers)

        return {
            "read": post(DOCUMENT, id="secret-of-a-variable"),
            "write": post(WRITE, input={"subject": "secret-of-a-subject"}),
            "count": post("{ conversations { totalCount nodes { id } } }"),
            "long name": post("query " + "N" * 5_000 + " { __typename }"),
            "wrong variable": post("query ($n: Int) { hosts(first: $n) { nodes { id } } }", n="secret-of-a-mistake"),
            "no document": post("secret-of-a-document {"),
            "no body": http.post("/graphql", content=b'"secret-of-a-body"', headers=self.viewer.headers),
            "no token": http.post("/graphql", headers={"Authorization": "Bearer secret-of-a-bad-token"}),
            "address": http.get("/graphql?query={secret-of-an-address}", headers=self.viewer.headers),
            "no path": http.get("/secret-of-a-path"),
            "health": http.get("/healthz"),
            "abandon": http.get("/abandon"),
        }

    def operations(self) -> list[dict[str, Any]]:
        """The lines of requests, without values that differ in each run."""
        lines = [line for line in self.lines if line["event"] == "request"]
        return [{name: value for name, value in line.items() if name not in {"timestamp", "ms"}} for line in lines]


@pytest.fixture(scope="module")
def served(template: str, create_database: Callable[[str], str]) -> Served:
    """A server with one user, after all requests and its stop."""
    dsn = create_database(template)
    run(
        dsn,
        "INSERT INTO accounts (id, business_name, time_zone, created_at, updated_at)"
        " VALUES (1, 'secret-of-an-account', 'UTC', now(), now())",
        "INSERT INTO users (account_id, id, name) VALUES (1, 1, 'secret-of-a-user')",
    )
    return Served(dsn)


def line(status: int, **fields: Any) -> dict[str, Any]:
    """A request's line."""
    return {
        "event": "request",
        "level": "info",
        "method": "POST",
        "status": status,
        "type": None,
        "operation": None,
        "cost": None,
        "account": 1,
        "actor": "user:1",
        "errors": 0,
        "codes": [],
        "refused": None,
    } | fields


def test_there_is_a_line_an_operation(served: Served) -> None:
    bad_input = {"errors": 1, "codes": ["BAD_USER_INPUT"]}

    assert served.operations() == [
        line(200, type="query", operation="Look", cost=2 + 3 * 21, errors=2, codes=["BAD_USER_INPUT"]),
        line(200, type="mutation", operation="Write", cost=11),
        line(200, type="query", cost=20 + 20, errors=1, codes=["INTERNAL_SERVER_ERROR"]),
        line(200, type="query", operation="N" * 100, cost=0),
        line(200, type="query", **bad_input),
        line(200, errors=1, codes=["GRAPHQL_PARSE_FAILED"]),
        line(415, **bad_input),
        line(401, account=None, actor=None, errors=1, codes=["UNAUTHENTICATED"], refused="malformed"),
        line(200, method="GET", errors=1, codes=["GRAPHQL_PARSE_FAILED"]),
    ]


def test_a_line_has_its_time_in_utc_and_how_long_it_took(served: Served) -> None:
    for each in served.lines:
        assert datetime.fromisoformat(each["timestamp"]).utcoffset() is not None
    assert all(0 <= each["ms"] < 30_000 for each in served.lines if each["event"] == "request")


def test_no_line_has_a_token_or_a_users_text(served: Served) -> None:
    assert served.answers["write"].json()["data"]["createConversation"]["conversation"] == {
        "subject": "secret-of-a-subject"
    }
    assert "secret" not in served.text
    assert served.viewer.token.split(".")[1] not in served.text


def test_a_masked_error_and_its_line_have_the_same_id(served: Served) -> None:
    (error,) = served.answers["count"].json()["errors"]
    (logged,) = [each for each in served.lines if each.get("error_id") == error["extensions"]["id"]]

    assert logged["event"] == "internal error"
    assert (logged["level"], logged["exception"].splitlines()[-1]) == ("error", "builtins.LookupError")
    assert re.search(r'File ".*gql/loaders.py", line \d+, in ', logged["exception"])


def test_lines_of_libraries_are_json_too(served: Served) -> None:
    ours = {"request", "plan not followed"}
    events = [(each["level"], each["event"].strip()) for each in served.lines if each["event"] not in ours]

    assert events[0] == ("error", "internal error")
    assert sorted(events[1:]) == sorted(
        [
            ("error", "internal error"),
            ("warning", "all is well"),
            ("error", "Future exception was never retrieved"),
            ("error", "Exception in ASGI application"),
        ]
    )


def test_a_fallback_is_logged(served: Served) -> None:
    lines = [each for each in served.lines if each["event"] == "plan not followed"]

    assert [(each["level"], each["reason"], each["operation"]) for each in lines] == [
        ("info", "ClientError", "Look"),
        ("warning", "LookupError", None),
    ]


def test_requests_to_other_paths_are_not_logged(served: Served) -> None:
    assert [served.answers[name].status_code for name in ("health", "no path", "abandon")] == [200, 404, 500]
    assert len(served.operations()) == len(served.answers) - 3


def test_a_log_that_nobody_reads_takes_no_answer_with_it(served: Served, seeded_dsn: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process, address = start(seeded_dsn, writing)
    os.close(writing)
    with httpx.Client(base_url=address, timeout=30, headers=served.viewer.headers) as http:
        answers = [http.post("/graphql", json={"query": text}) for text in ("{ __typename }", "{")]
        lost = http.get("/metrics").text
    process.terminate()
    process.communicate(timeout=30)

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == {"data": {"__typename": "Query"}}
    assert 'inbox_lost_log_lines_total{error="BrokenPipeError"} 2' in lost


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, restored afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield root
    root.handlers = handlers
    root.setLevel(level)


class Terminal(io.StringIO):
    """A file that claims to be a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def fail(message: str) -> None:
    """Raise an error with a cause."""
    try:
        int(message)
    except ValueError as error:
        raise LookupError(message) from error


def test_a_terminal_gets_lines_for_people(monkeypatch: pytest.MonkeyPatch, root: logging.Logger) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    configure_log()
    configure_log()
    try:
        fail("se" + "cret")
    except LookupError:
        logging.getLogger("anybody").exception("it failed")

    assert len(root.handlers) == 1
    assert terminal.getvalue().count("it failed") == 1
    assert "builtins.LookupError" in terminal.getvalue()
    assert "secret" not in terminal.getvalue()
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(terminal.getvalue())


def test_an_exception_is_described_with_what_led_to_it() -> None:
    with pytest.raises(LookupError) as caught:
        fail("se" + "cret")

    described = describe(caught.value)

    assert [each for each in described.splitlines() if not each.startswith(" ")] == [
        "builtins.ValueError",
        "",
        "builtins.LookupError",
    ]
    assert "raise LookupError(message) from error" in described
    assert "secret" not in described
