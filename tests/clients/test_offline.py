"""The offline client of `.github/docs/offline.md` ends with the server's rows, and its first sync fits into a budget.

The client runs where Node.js and the packages are, which `.ci/run` installs into `.cache/clients`.
"""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg
import pytest

from db.seed.load import seed
from gql.settings import Settings
from tests.clients.node import Running, ask, built, needs
from tests.support.client import Client, Statements, make_settings
from tests.support.database import NOW
from tests.support.process import Served, serving_processes
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

CLIENT = Path(__file__).with_name("offline.ts")
# The account whose first sync must fit into a minute's budget, and the seeded one that stands for it.
LARGE = 20_000
SEEDED = 120


def write(served: Served, number: int) -> None:
    """Write a note in one of the conversations, and close it."""
    nodes = ask(served, "{ conversations(first: 100) { nodes { id } } }")["conversations"]["nodes"]
    data = ask(
        served,
        """mutation ($text: String!, $there: ID!) {
          createMessage(input: {conversationId: $there, content: $text, visibility: INTERNAL}) { userErrors { code } }
          updateConversation(input: {conversationId: $there, closed: true}) { userErrors { code } }
        }""",
        text=f"Note {number}",
        there=nodes[number]["id"],
    )
    assert [payload["userErrors"] for payload in data.values()] == [[], []]


async def fill(dsn: str) -> None:
    """Store a seeded account, one of whose threads is longer than two pages."""
    connection = await asyncpg.connect(dsn)
    await seed(connection, accounts=1, conversations=SEEDED, seed=7, now=NOW)
    await connection.execute(
        """INSERT INTO messages (
            account_id, conversation_id, sender_id, content, origin, visibility, sent_at, created_at, updated_at
        )
        SELECT account_id, conversation_id, id, 'Note ' || n, 'EMAIL', 'INTERNAL', now(), now(), now()
        FROM participants, generate_series(1, 250) n
        WHERE id = (SELECT min(id) FROM participants WHERE member_type = 'HOST')"""
    )
    await connection.close()


@pytest.mark.slow
@needs("graphql-ws", "esbuild")
async def test_the_copy_is_equal_to_a_fresh_one_after_restarts_and_kills(dsn: str, tmp_path: Path) -> None:
    await fill(dsn)
    program = built(Path(__file__).with_name("follow.ts"), tmp_path)
    with serving_processes(dsn, tmp_path) as first:
        port = first.url.rpartition(":")[2]
        client = Running(program, first)
        try:
            assert client.line()["synced"] > SEEDED + 250
            write(first, 1)
            assert client.ask()["equal"]
            # The process has no time to close its sockets.
            first.process.kill()
            first.process.wait()
            for round_ in (2, 3):
                # At the end of each round the server stops, and closes its sockets.
                with serving_processes(dsn, tmp_path, "--port", port) as again:
                    for number in range(5):
                        write(again, 10 * round_ + number)
                    compared = client.ask()
                    assert compared["equal"], compared
                    assert compared["rows"] == compared["fresh"]
            with serving_processes(dsn, tmp_path, "--port", port):
                assert client.stop() == {"done": True}
        finally:
            client.kill()


async def test_a_first_sync_of_a_large_account_fits_into_a_minute(seeded_dsn: str) -> None:
    documents = dict(re.findall(r"const (\w+) = `(.*?)`;", CLIENT.read_text(encoding="utf-8"), re.DOTALL))
    walk = re.sub(r"\$\{(\w+)\}", lambda part: documents[part[1]], documents["WALK"])
    budget = make_settings(seeded_dsn).rate_limit
    async with serving(seeded_dsn, Statements()) as client:
        before = await remaining(client)
        after, number, more = None, 0, True
        while more:
            page = (await client.data(walk, first=50, after=after))["conversations"]
            number += len(page["nodes"])
            more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        # The second question for the rest costs a node itself.
        charged = before - await remaining(client) - 1

    assert number == SEEDED
    assert budget == Settings.model_fields["rate_limit"].default
    assert charged > number
    assert charged / number * LARGE < budget


async def remaining(client: Client) -> int:
    """The rest of the client's budget."""
    return int((await client.data("{ rateLimit { remaining } }"))["rateLimit"]["remaining"])
