"""`inbox demo` as a real process on a real port, with its database in a folder."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import httpx
import pytest

from db.embedded import embedded
from gql.cli import run
from gql.demo.channel import ANSWERS, REASONS
from gql.demo.guest import MESSAGES
from tests.support.client import SECRET
from tests.support.command import Demo, forget_settings, read_until, refusal, running_demo, scalar, spawn, stops

pytestmark = pytest.mark.slow

NESTED = "{ conversations(first: 3) { nodes { id participants { nodes { member { __typename } } } } } }"
POSIX = sys.platform != "win32"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_settings(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo for tests that only read, started with other databases and keys in the environment."""
    data = tmp_path_factory.mktemp("demo") / "data"
    other = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "INBOX_JWT_SECRET": SECRET, "INBOX_JWKS": "none"}
    with running_demo(data, "--quiet", **other) as demo:
        yield demo


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for demos that tests stop. The first demo fills it."""
    folder = tmp_path_factory.mktemp("stopped")
    # Otherwise the first demo logs that it gave PostgreSQL access to the folders.
    for each in (folder, folder.parent, folder.parent.parent):
        each.chmod(each.stat().st_mode | 0o001)
    return folder / "data"


def test_the_curl_line_of_the_demo_works_as_printed(demo: Demo) -> None:
    if POSIX and shutil.which("curl"):
        # Run in a shell, as users do.
        done = subprocess.run(demo.curl, shell=True, capture_output=True, check=True, timeout=20)  # noqa: S602
        answer = json.loads(done.stdout)
    else:
        _, url, _, authorization, _, media, _, body = shlex.split(demo.curl)
        headers = dict(header.split(": ") for header in (authorization, media))
        answer = httpx.post(url, headers=headers, content=body).json()

    conversations = answer["data"]["conversations"]["nodes"]
    assert len(conversations) == 3
    assert [[*conversation] for conversation in conversations] == [["subject", "messages"]] * 3
    assert any(message["content"] for each in conversations for message in each["messages"]["nodes"])


def test_the_demo_has_two_accounts_of_a_thousand_conversations(demo: Demo) -> None:
    with embedded(demo.data) as dsn:
        assert scalar(dsn, "SELECT array_agg(DISTINCT account_id ORDER BY account_id) FROM conversations") == [1, 2]
    assert demo.ask("{ conversations(first: 1) { totalCount } }") == {"data": {"conversations": {"totalCount": 1_000}}}


def test_the_newest_messages_of_the_demo_have_a_delivery_state(demo: Demo) -> None:
    failed = """{ inboxCounts { undelivered } conversations(first: 1, filter: {deliveryFailed: true}) { nodes {
        undeliveredCount messages(last: 20) { nodes { delivery { state error } } } } } }"""
    answer = demo.ask(failed)["data"]

    (conversation,) = answer["conversations"]["nodes"]
    assert (answer["inboxCounts"]["undelivered"], conversation["undeliveredCount"]) == (1, 1)
    deliveries = [message["delivery"] for message in conversation["messages"]["nodes"]]
    assert {"state": "FAILED", "error": "The guest's mailbox is full"} in deliveries
    with embedded(demo.data) as dsn:
        states = "SELECT array_agg(DISTINCT delivery_state) FROM messages WHERE delivery_state IS NOT NULL"
        assert sorted(scalar(dsn, states)) == ["DELIVERED", "FAILED", "READ", "SENT"]


def test_the_page_of_the_demo_has_its_token(demo: Demo) -> None:
    page = httpx.get(f"{demo.url}/graphql", headers={"Accept": "text/html"})

    assert page.status_code == 200
    assert demo.token in page.text


def test_a_served_application_is_healthy_and_ready(demo: Demo) -> None:
    answers = [httpx.get(f"{demo.url}/{path}") for path in ("healthz", "readyz")]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {"status": "ok"})] * 2
    assert "server" not in answers[0].headers


@pytest.mark.skipif(not POSIX, reason="Windows has no such modes")
def test_the_key_of_the_demo_is_for_its_owner_only(demo: Demo) -> None:
    assert [file.name for file in demo.data.glob("*demo.key*")] == ["demo.key"]
    assert stat.S_IMODE((demo.data / "demo.key").stat().st_mode) == 0o600


def test_inbox_token_prints_a_token_that_the_demo_accepts(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INBOX_DATA", str(demo.data))
    assert run(["token", "--account", "2", "--application", "1", "--scopes", "inbox_read", "--expires-in", "5m"]) == 0
    output, errors = capsys.readouterr()
    (token,) = output.splitlines()

    assert errors == ""
    assert demo.ask("{ viewer { account { databaseId } scopes actor { __typename } } }", token) == {
        "data": {
            "viewer": {
                "account": {"databaseId": "2"},
                "scopes": ["inbox_read"],
                "actor": {"__typename": "Application"},
            }
        }
    }


def test_the_demo_does_not_accept_the_key_of_the_environment(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INBOX_JWT_SECRET", SECRET)
    assert run(["token"]) == 0
    answer = demo.ask("{ viewer { scopes } }", capsys.readouterr().out.strip())

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]


def test_a_busy_port_is_one_line_before_anything_else_is_done(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, "demo", "--port", str(demo.port))

    assert line == f"inbox: Port {demo.port} of 127.0.0.1 is in use: choose another one with --port"
    assert [*tmp_path.iterdir()] == []


def test_an_address_that_is_not_here_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "demo", "--host", "192.0.2.1", "--port", "0")

    assert line.startswith("inbox: Cannot listen on port 0 of 192.0.2.1: ")


def test_a_database_that_is_in_use_is_not_reset(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "demo", "--port", "0", "--data", str(demo.data), "--reset")

    assert line == f"inbox: Another process uses {demo.data.resolve() / 'postgres'}: nothing was deleted."
    assert "data" in demo.ask("{ viewer { scopes } }")


def test_a_folder_of_somebody_else_is_not_reset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = tmp_path / "data" / "postgres"
    theirs.mkdir(parents=True)
    (theirs / "PG_VERSION").write_text("18\n")
    (theirs.parent / "demo.key").write_text("theirs")

    line = refusal(capsys, "demo", "--port", "0", "--data", "data", "--reset")

    assert line == f"inbox: {theirs.resolve()} was not created by inbox: nothing was deleted."
    assert (theirs / "PG_VERSION").exists()
    assert (theirs.parent / "demo.key").exists()


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    line = refusal(capsys, "demo", "--port", "0", "--data", "file")

    assert line.startswith(f"inbox: The embedded PostgreSQL in {tmp_path.resolve() / 'file' / 'postgres'} failed: ")


@pytest.mark.slow
def test_the_second_curl_line_follows_what_a_guest_writes(data: Path) -> None:
    with running_demo(data) as demo:
        words = shlex.split(demo.follow)
        assert words[:2] == ["curl", "-N"]
        url = next(word for word in words if word.startswith("http"))
        headers = dict(words[place + 1].split(": ") for place, word in enumerate(words) if word == "-H")
        with httpx.stream("POST", url, headers=headers, content=words[-1], timeout=60) as response:
            assert headers["Accept"] == "text/event-stream"
            data_line = next(line for line in response.iter_lines() if line.startswith("data: "))
        demo.stop()

    (change,) = json.loads(data_line.removeprefix("data: "))["data"]["changes"]["changes"]
    assert change["node"]["content"] in MESSAGES


@pytest.mark.slow
def test_a_reply_reaches_the_guest_of_the_demo_who_answers(data: Path) -> None:
    candidates = """{ conversations(first: 50, filter: {channels: [AIRBNB, BOOKING_COM, EMAIL]}) {
        nodes { id participants { nodes { memberType } } } } }"""
    reply = """mutation($there: ID!) { createMessage(input: {conversationId: $there, content: "Under the mat"}) {
        message { id delivery { state } } } }"""
    look = """query($id: ID!, $there: ID!) { node(id: $id) { ... on Message { delivery { state error externalId } } }
        conversation(id: $there) { messages(last: 5) { nodes { content externalId } } } }"""
    retry = "mutation($id: ID!) { retryDelivery(input: {messageId: $id}) { userErrors { code } } }"
    with running_demo(data) as demo:
        nodes = demo.ask(candidates)["data"]["conversations"]["nodes"]
        there = next(
            each["id"]
            for each in nodes
            if "CLIENT" in [participant["memberType"] for participant in each["participants"]["nodes"]]
        )
        written = demo.ask(reply, there=there)["data"]["createMessage"]["message"]
        states: list[str] = []
        answers: list[str] = []
        until = time.monotonic() + 60
        while not answers and time.monotonic() < until:
            found = demo.ask(look, id=written["id"], there=there)["data"]
            delivery = found["node"]["delivery"]
            states += [] if states[-1:] == [delivery["state"]] else [delivery["state"]]
            if delivery["state"] == "FAILED":
                assert delivery["error"] in REASONS
                demo.ask(retry, id=written["id"])
            prefix = f"{delivery['externalId']}-answer"
            answers = [
                each["content"] for each in found["conversation"]["messages"]["nodes"] if each["externalId"] == prefix
            ]
            time.sleep(0.05)
        demo.stop()

    assert written["delivery"] == {"state": "QUEUED"}
    assert states[-1] == "READ"
    assert [state for state in states if state in {"SENT", "DELIVERED", "READ"}][-2:] == ["DELIVERED", "READ"]
    assert len(answers) == 1
    assert answers[0] in ANSWERS


@pytest.mark.slow
def test_a_restart_keeps_data_and_key_and_a_reset_neither(data: Path) -> None:
    create = 'mutation { createConversation(input: {subject: "Kept"}) { conversation { id } } }'
    look = "query($id: ID!) { conversation(id: $id) { subject } }"
    with running_demo(data) as first:
        id_ = first.ask(create)["data"]["createConversation"]["conversation"]["id"]
        first.stop()
    with running_demo(data) as second:
        kept = second.ask(look, first.token, id=id_)
        second.stop()
    with running_demo(data, "--reset") as third:
        refused = third.ask(look, first.token, id=id_)
        gone = third.ask(look, id=id_)

    assert kept == {"data": {"conversation": {"subject": "Kept"}}}
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["UNAUTHENTICATED"]
    assert gone == {"data": {"conversation": None}}


@asynccontextmanager
async def request_in_flight(demo: Demo, dsn: str) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A request that waits for a lock in the database until the block ends."""
    connection = await asyncpg.connect(dsn)
    async with httpx.AsyncClient(timeout=20) as client:
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
                headers = {"Authorization": f"Bearer {demo.token}"}
                task = asyncio.create_task(client.post(f"{demo.url}/graphql", headers=headers, json={"query": NESTED}))
                # PostgreSQL has no notification of a session that waits, so it is polled.
                while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                yield task
        finally:
            await connection.close()
        await task


async def refuses_connections(port: int) -> None:
    """Wait until no process listens on a port."""
    with suppress(ConnectionRefusedError):
        while True:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.02)


@stops
@pytest.mark.anyio
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_signal_lets_a_request_finish_and_stops_the_database(data: Path, number: signal.Signals) -> None:
    with running_demo(data, "--quiet") as demo:
        # After this block, only the demo uses the server.
        with embedded(data) as dsn:
            pass
        async with request_in_flight(demo, dsn) as task:
            demo.process.send_signal(number)
            await refuses_connections(demo.port)
            assert not task.done()
        response = task.result()
        output, errors = demo.process.communicate(timeout=30)

    assert response.status_code == 200
    assert len(response.json()["data"]["conversations"]["nodes"]) == 3
    *logged, empty, last = errors.splitlines()
    assert (demo.process.returncode, output, empty, last) == (0, "", "", "Stopped")
    events = [(line["event"], line.get("status")) for line in map(json.loads, logged)]
    assert events == [("delivering webhooks", None), ("request", 200)]
    assert not (data / "postgres" / "postmaster.pid").exists()


@stops
def test_workers_share_a_port_and_the_embedded_database(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("INBOX_JWT_SECRET", SECRET)
    run(["token", "--account", "2", "--application", "1"])
    token = capsys.readouterr().out.strip()
    process = spawn(
        *("serve", "--port", "0", "--workers", "2"),
        folder=tmp_path,
        INBOX_JWT_SECRET=SECRET,
        INBOX_DATA=str(demo.data),
    )
    serving = json.loads(read_until(process.stderr, "serving")[-1])
    url = serving["url"].removesuffix("/graphql")
    ready = httpx.get(f"{url}/readyz", timeout=30)
    answer = Demo(process, demo.data, url, token, "", "").ask("{ viewer { account { databaseId } } }")
    page = httpx.get(f"{url}/graphql", headers={"Accept": "text/html"})
    process.terminate()
    output, errors = process.communicate(timeout=30)

    assert ready.status_code == 200
    assert answer == {"data": {"viewer": {"account": {"databaseId": "2"}}}}
    assert page.status_code == 406
    assert (process.returncode, output) == (0, "")
    assert [json.loads(line)["event"] for line in errors.splitlines()] == [*["request"] * 2, "stopped"]
