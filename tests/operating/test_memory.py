"""Memory: 100,000 distinct documents and tokens leave the process within 50 MB, because its caches are bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# An application as in production, called without a server. Only actors would be looked up in the database.
PROCESS = """
import asyncio, hashlib, json, sys
from datetime import timedelta

import gql.app
from gql.security.token import SCOPES, mint
from gql.web.server import tune_collector
from tests.support.client import make_settings

dsn, requests, warm_up = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

async def exists(*_):
    return True

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def document(number):
    if number % 500 == 0:
        ids = " ".join(f'"Q{number}"' for _ in range(240))
        return " ".join(f"query Q{n} {{ nodes(ids: [{ids}]) {{ id }} }}" for n in range(9)) + " query R { __typename }"
    if number % 64 < 4:
        return f"query Q{number} {{ viewer {{ nothing{number} }} }}"
    if number % 16 > 1:
        # Most are not worth validating, which takes ten times as long as all the rest of a request.
        return f"query Q{number} {{ a{number}: __typename viewer {{ scopes }} # {number}"
    return f"query Q{number} {{ a{number}: __typename viewer {{ scopes }} }} # {number}"

async def ask(app, number, token):
    body = {"query": document(number), "operationName": None if number % 500 else "R"}
    if number % 2:
        digest = hashlib.sha256(body["query"].encode()).hexdigest()
        body["extensions"] = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    arriving = [{"type": "http.request", "body": json.dumps(body).encode()}]
    headers = [(b"authorization", b"Bearer " + token.encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
    statuses = []
    async def receive():
        return arriving.pop()
    async def send(message):
        statuses.append(message.get("status"))
    await app(scope, receive, send)
    return statuses[0]

async def main():
    gql.app.exists = exists
    settings = make_settings(dsn, rate_limit=0)
    app = gql.app.create_app(settings)
    gql.app.configure_log()
    tune_collector()
    after = 0
    async with app.router.lifespan_context(app):
        for number in range(requests):
            if number == warm_up:
                after = resident()
            actor = f"user:{number + 1}"
            token = mint(settings, account=1, subject=actor, scopes=SCOPES, expires_in=timedelta(hours=1))
            assert await ask(app, number, token) == 200, number
    print(json.dumps({"after warm-up": after, "in the end": resident()}))

asyncio.run(main())
"""
REQUESTS, WARM_UP = 100_000, 20_000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
def test_a_hundred_thousand_documents_and_tokens_leave_no_more_than_50_mb(seeded_dsn: str) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(  # noqa: S603  # this very Python
        [sys.executable, "-c", PROCESS, seeded_dsn, str(REQUESTS), str(WARM_UP)],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )

    memory = json.loads(done.stdout)
    assert memory["in the end"] - memory["after warm-up"] < 50_000_000, memory
